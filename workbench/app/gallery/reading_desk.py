"""What the gallery shows of readings, and takes of answers, for each user."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from workbench.app.gallery.columns import Column
from workbench.errors import StudyError
from workbench.reading.answers import STATES
from workbench.reading.worklist import FOLDER, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.app.catalog.access import Access
    from workbench.reading.answers import Answer
    from workbench.reading.form import Form
    from workbench.reading.readings import Readings
    from workbench.reading.worklist import Worklist
    from workbench.study.study import Study

_ROUNDS: Final = 1000
_FIRST: Final = ("discuss", "in work", "open", "done")
"""Of the states of several readers the first of these is that of the slide."""


class ReadingDesk:
    """Shows and takes readings as far as a user's access allows.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._kept: tuple[int, Readings] | None = None

    @property
    def readings(self) -> Readings:
        """The readings of the study."""
        stamp = self._study.stamp
        if self._kept is None or self._kept[0] != stamp:
            self._kept = stamp, self._study.readings()
        return self._kept[1]

    def stamp(self, access: Access) -> str:
        """Return a text that changes with what the user sees of readings.

        A user who does not see the answers of others does not see that there are some.
        """
        folder = self._study.path / FOLDER
        lists = [file.stat().st_mtime_ns for file in folder.glob(f"*/{RECORD}")]
        answers = [
            (each.id, each.at)
            for worklist in self._worklists(access)
            for each in self._seen(worklist, access)
        ]
        last = max((at for _, at in answers), default="")
        return f"{max(lists, default=0)}.{len(lists)}.{len(answers)}.{last}"

    def worklists(self, access: Access) -> list[dict[str, Any]]:
        """Return the worklists of a user with their forms and slides, as JSON."""
        return [
            {
                "name": each.name,
                "form": _form(each.form),
                "blind": sorted(each.blind),
                "slides": list(self._own(each, access)),
                "states": self._own_states(each, access),
                "readers": each.readers if access.leads else [access.user],
                "reads": access.user in each.readers and access.reads,
            }
            for each in self._worklists(access)
        ]

    def _own_states(self, worklist: Worklist, access: Access) -> list[str]:
        """Return the states of a user's slides in a worklist, in its order."""
        last = self.readings.last(worklist.name)
        return [
            _state(worklist, list(last.get(slide, {}).values()), slide, own=access.user)
            for slide, readers in worklist.assigned.items()
            if access.leads or access.user in readers
        ]

    def csv(self, access: Access, worklist: str) -> str:
        """Return the last answers of all readers as CSV, for leads."""
        made = self._worklist(access, worklist)
        text: str = self.readings.frame(made.name).to_csv(index=False)
        return text

    def columns(self, access: Access, names: Sequence[str]) -> Iterator[Column]:
        """Yield the columns of readings of the slides, by the names the user sees."""
        own = _own_names(access, names)
        own_name = "" if access.leads else access.user
        lists = self._worklists(access)
        for worklist in lists:
            prefix = f"{worklist.name}: " if len(lists) > 1 else ""
            last: dict[str, list[Answer]] = {}
            for answer in self._last(worklist, access):
                last.setdefault(answer.slide, []).append(answer)
            agreed = set(self.readings.consensus(worklist.name) if access.leads else ())
            found = [
                "consensus"
                if slide in agreed
                else _state(worklist, last.get(slide, []), slide, own=own_name)
                for slide in own
            ]
            yield Column(f"{prefix}state", "reading", found)
            for question in worklist.form.questions:
                cells = [_joined(last.get(slide, []), question.name) for slide in own]
                if any(cells):
                    yield Column(f"{prefix}{question.title}", "reading", cells)
            if access.leads:
                yield from self._leads(worklist, own, prefix)

    def _leads(
        self, worklist: Worklist, own: Sequence[str], prefix: str
    ) -> Iterator[Column]:
        """Yield what only leads see: readers, disagreement and consensus."""
        cells = [", ".join(worklist.assigned.get(slide, ())) for slide in own]
        yield Column(f"{prefix}readers", "reading", cells)
        open_ = self.readings.disagreements(worklist.name)
        agreed = self.readings.consensus(worklist.name)
        cells = [", ".join(open_.get(slide, [])) for slide in own]
        if any(cells):
            yield Column(f"{prefix}to discuss", "reading", cells)
        cells = [_text(agreed.get(slide)) for slide in own]
        if any(cells):
            yield Column(f"{prefix}consensus", "reading", cells)

    def one(self, access: Access, worklist: str, name: str) -> dict[str, Any]:
        """Return what a user sees of the answers on a slide.

        Returns
        -------
        dict
            `own`: their last answers, or None; `others`: those of other readers, and
            `consensus`, for users who see them.

        Raises
        ------
        StudyError
            If the user has no such worklist.
        """
        made = self._worklist(access, worklist)
        slide = _own_name(access, name)
        seen = [a for a in self._last(made, access) if a.slide == slide]
        agreed = self.readings.consensus(made.name).get(slide)
        own = next((a for a in seen if a.reader == access.user), None)
        found: dict[str, Any] = {"own": _sent(own)}
        if access.others:
            found["others"] = [_sent(a) for a in seen if a is not own]
            found["consensus"] = _sent(agreed)
        return found

    def answer(self, access: Access, message: Mapping[str, Any]) -> dict[str, Any]:
        """Save the answers of a user; see `Readings.answer`.

        Raises
        ------
        StudyError
            If they may not answer, or the answers are none.
        """
        made = self._worklist(access, str(message.get("worklist", "")))
        slide = _own_name(access, str(message.get("slide", "")))
        is_agreed = message.get("consensus") is True
        if (is_agreed and not access.leads) or not access.reads:
            text = "You may not answer here."
            raise StudyError(text, "Ask a lead of the study.")
        try:
            seconds = float(message.get("seconds", 0.0))
        except (TypeError, ValueError):
            seconds = -1.0
        saved = self.readings.answer(
            *(made.name, slide, access.user, message.get("answers") or {}),
            state=message.get("state"),
            id=str(message.get("id", "")),
            seconds=seconds,
            kind="consensus" if is_agreed else "reading",
        )
        return {"saved": saved}

    def report(self, access: Access, worklist: str) -> dict[str, Any]:
        """Return progress and agreement of the readers of a worklist, for leads."""
        if not access.leads:
            text = "Only leads see the agreement."
            raise StudyError(text, "Ask a lead of the study.")
        made = self._worklist(access, worklist)
        table = self.readings.progress(made.name).drop(columns="worklist")
        found = self.readings.agreement(made.name, rounds=_ROUNDS)
        cells = found.astype(object).where(found.notna(), None)
        return {
            "progress": table.to_dict("records"),
            "agreement": cells.to_dict("records"),
            "method": found.attrs["method"],
            "discuss": len(self.readings.disagreements(made.name)),
        }

    def _worklists(self, access: Access) -> list[Worklist]:
        """Return the worklists of which a user sees something."""
        if access.role == "guest":
            return []
        found = list(self.readings.worklists.values())
        if access.leads:
            return found
        return [each for each in found if access.user in each.readers]

    def _worklist(self, access: Access, name: str) -> Worklist:
        for each in self._worklists(access):
            if each.name == name:
                return each
        message = "You have no worklist of that name."
        raise StudyError(message, "Choose one of yours.")

    def _own(self, worklist: Worklist, access: Access) -> Iterator[str]:
        """Yield the slides of a user, in the order of reading, by the names seen."""
        seen = None
        if access.names is not None:
            seen = {slide: name for name, slide in access.names.items()}
        for slide, readers in worklist.assigned.items():
            if access.leads or access.user in readers:
                yield slide if seen is None else seen[slide]

    def _seen(self, worklist: Worklist, access: Access) -> list[Answer]:
        """Return all answers that a user may see, also earlier ones."""
        everything = self.readings.history(worklist.name)
        if access.leads:
            return everything
        return [
            each
            for each in everything
            if each.reader == access.user or self._is_shown(worklist, each, access)
        ]

    def _is_shown(self, worklist: Worklist, answer: Answer, access: Access) -> bool:
        mine = access.user in worklist.assigned.get(answer.slide, ())
        return access.others and mine

    def _last(self, worklist: Worklist, access: Access) -> list[Answer]:
        """Return the last readings that a user may see."""
        last: dict[tuple[str, str], Answer] = {}
        for answer in self._seen(worklist, access):
            if answer.kind == "reading":
                last[answer.slide, answer.reader] = answer
        return list(last.values())


def _form(form: Form) -> dict[str, Any]:
    """Return a form as the page takes it: no infinite numbers."""
    questions = []
    for question in form.questions:
        entry = asdict(question)
        for name in ("low", "high"):
            finite = abs(entry[name]) != float("inf")
            entry[name] = entry[name] if finite else None
        questions.append(entry)
    return {"title": form.title, "questions": questions, "states": list(STATES)}


def _sent(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    facts = {"reader": answer.reader, "state": answer.state, "at": answer.at}
    return facts | {"answers": dict(answer.answers)}


def _own_name(access: Access, name: str) -> str:
    """Return the name in the study of a slide that the user sees as `name`."""
    own = name if access.names is None else access.names.get(name)
    if own is None:
        message = "You have no slide of that name."
        raise StudyError(message, "Choose one of yours.")
    return own


def _own_names(access: Access, names: Sequence[str]) -> list[str]:
    known = access.names
    return list(names) if known is None else [known[name] for name in names]


def _joined(answers: list[Answer], question: str) -> Any:
    """Return the answer to a question; different ones of several readers, joined."""
    given = [a.answers[question] for a in answers if question in a.answers]
    different = list(dict.fromkeys(given))
    if len(different) <= 1:
        return different[0] if different else ""
    return " / ".join(map(str, sorted(different, key=str)))


def _text(answer: Answer | None) -> str:
    return "" if answer is None else ", ".join(map(str, answer.answers.values()))


def _state(worklist: Worklist, last: list[Answer], slide: str, *, own: str) -> str:
    """Return the state of a slide for a reader; `own` empty: for all its readers."""
    readers = worklist.assigned.get(slide, ())
    if own:
        readers = tuple(each for each in readers if each == own)
    if not readers:
        return ""
    by_reader = {answer.reader: answer.state for answer in last}
    states = [by_reader.get(reader, "open") for reader in readers]
    if len(set(states)) > 1 and "done" in states and "discuss" not in states:
        return "in work"
    return next(state for state in _FIRST if state in states)
