"""Tables of answers and of progress, from the readings of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.reading.answers import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from workbench.reading.answers import Answer
    from workbench.reading.readings import Readings

_HEAD = ("worklist", "slide", "case", "reader", "kind", "state", "at", "seconds")


def answer_table(readings: Readings, names: Sequence[str]) -> pd.DataFrame:
    """Return a row per slide and reader of some worklists; see `Readings.frame`."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    questions: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    for name in names:
        form = readings.worklist(name).form
        questions |= dict.fromkeys(each.name for each in form.questions)
        rows += _rows(readings, name)
    return pd.DataFrame(rows, columns=[*_HEAD, *questions])


def _rows(readings: Readings, name: str) -> Iterator[dict[str, Any]]:
    last, agreed = readings.last(name), readings.consensus(name)
    for slide, readers in readings.worklist(name).assigned.items():
        answers = [(who, last.get(slide, {}).get(who)) for who in readers]
        if slide in agreed:
            answers.append((agreed[slide].reader, agreed[slide]))
        case = readings.cases.get(slide, slide)
        for reader, answer in answers:
            facts = {"worklist": name, "slide": slide, "case": case, "reader": reader}
            yield facts | _facts(answer)


def _facts(answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {"kind": "reading", "state": "open"}
    facts = {"kind": answer.kind, "state": answer.state, "at": answer.at}
    return facts | {"seconds": answer.seconds, **answer.answers}


def progress_table(answers: pd.DataFrame) -> pd.DataFrame:
    """Return a row per worklist and reader; see `Readings.progress`."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    own = answers[answers["kind"] == "reading"]
    counts = pd.crosstab([own["worklist"], own["reader"]], own["state"])
    counts = counts.reindex(columns=list(STATES), fill_value=0)
    counts["slides"] = counts.sum(axis=1)
    at = own.assign(at=own["at"].fillna("")).groupby(["worklist", "reader"])["at"]
    counts["last"] = at.max()
    return counts.reset_index().rename_axis(columns=None)
