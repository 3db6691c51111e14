"""`Readings`: worklists of a study, answers of its readers, and their agreement.

reviews/WORKLIST/worklist.json        form, slides, readers, blinding
reviews/WORKLIST/READER.answers       append-only log of one reader's answers
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.reading.agreement import (
    Agreement,
    Bootstrap,
    agreement_of,
    frame_of,
    method_of,
)
from workbench.reading.answers import (
    SUFFIX,
    Answer,
    AnswerLog,
    checked,
    new_id,
    now,
    read_log,
)
from workbench.reading.form import Form, read_forms
from workbench.reading.regions import region_agreements
from workbench.reading.tables import answer_table, progress_table
from workbench.reading.worklist import (
    FOLDER,
    RECORD,
    Worklist,
    checked_blinding,
    checked_name,
    distributed,
)
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from workbench.slide.slide import Slide

_FORMATS: Final = (".csv", ".parquet", ".json")


class Readings:
    """The readings of a study; made by `Study.readings`.

    Parameters
    ----------
    path : Path
        Folder of the study.
    cases : dict
        The case of each slide of the study, by the name of the slide.
    open_slide : callable
        Opens a slide by its name.
    """

    def __init__(
        self,
        path: Path,
        cases: Mapping[str, str],
        open_slide: Callable[[str], Slide],
    ) -> None:
        self.path, self.cases, self._open_slide = path, cases, open_slide
        self._kept: dict[Path, tuple[int, list[Answer]]] = {}
        self._lists: dict[Path, tuple[int, Worklist]] = {}

    @property
    def forms(self) -> dict[str, Form]:
        """The forms of the study, by name."""
        return read_forms(self.path)

    @property
    def worklists(self) -> dict[str, Worklist]:
        """The worklists, by name."""
        found = {}
        for file in sorted((self.path / FOLDER).glob(f"*/{RECORD}")):
            stamp = file.stat().st_mtime_ns
            kept = self._lists.get(file)
            if kept is None or kept[0] != stamp:
                kept = self._lists[file] = (stamp, Worklist.load(file))
            found[kept[1].name] = kept[1]
        return found

    def worklist(self, name: str = "") -> Worklist:
        """Return a worklist by name; without a name, the only one.

        Raises
        ------
        StudyError
            If there is none, or several to choose from.
        """
        known = self.worklists
        if name in known:
            return known[name]
        if not name and len(known) == 1:
            return next(iter(known.values()))
        message = f"The study '{self.path}' has no worklist '{name}'."
        if not name:
            message = f"The study '{self.path}' has {len(known)} worklists."
        names = ", ".join(known) or "none"
        raise StudyError(message, f"Name one of them; there are: {names}.")

    def assign(
        self,
        name: str,
        readers: Sequence[str],
        *,
        form: str = "",
        slides: Sequence[str] | None = None,
        each: float = 0,
        blind: Iterable[str] = (),
        seed: int = 0,
    ) -> Worklist:
        """Make a worklist: assign slides to readers.

        Parameters
        ----------
        name : str
        readers : sequence of str
            Names of the users, as they log in.
        form : str
            Name of the form; may be left out if there is one.
        slides : sequence of str, optional
            Names of slides. Default: all of the study.
        each : float
            Number of readers of each slide; 0: all; 1.2: one, and a second one for a
            fifth of the slides, drawn at random.
        blind : iterable of str
            What readers are not shown: "model" (results), "readers" (others' answers),
            "labels" (columns of the table; slides are then known by numbers and read in
            a random order).
        seed : int
            Of the random assignment and order.

        Raises
        ------
        StudyError
            If there is a worklist of that name, or no such form or slide.
        """
        folder = self._folder(name)
        if (folder / RECORD).exists():
            message = f"There is a worklist '{name}' already."
            raise StudyError(message, "Give this one another name.")
        chosen = list(self.cases if slides is None else dict.fromkeys(slides))
        if missing := [slide for slide in chosen if slide not in self.cases]:
            message = f"The study has no slide '{missing[0]}'."
            raise StudyError(message, "Its table of slides lists the names.")
        blinding = checked_blinding(blind)
        shuffled = "labels" in blinding
        assigned = distributed(chosen, readers, each, seed, shuffled=shuffled)
        made = Worklist(name, self._form(form), assigned, blinding, now())
        made.save(folder)
        return made

    def _form(self, name: str) -> Form:
        forms = self.forms
        if name in forms:
            return forms[name]
        if not name and len(forms) == 1:
            return next(iter(forms.values()))
        message = f"The study has no form '{name}'."
        if not name:
            message = f"The study has {len(forms)} forms."
        known = ", ".join(forms) or "none"
        raise StudyError(
            message, f"Put one into its folder 'forms'; there are: {known}."
        )

    def answer(
        self,
        worklist: str,
        slide: str,
        reader: str,
        answers: Mapping[str, Any],
        **more: Any,
    ) -> bool:
        """Save the answers of a reader on a slide; earlier ones stay in the history.

        Parameters
        ----------
        worklist, slide, reader : str
        answers : dict
            By the names of the questions.
        **more
            Fields of `Answer`: `state` ("done" by default), `id`, `seconds`, `kind`.

        Returns
        -------
        bool
            False if an answer of that id was saved before.

        Raises
        ------
        StudyError
            If the slide is not assigned to the reader, or an answer is none.
        """
        found = self.worklist(worklist)
        kind = more.get("kind", "reading")
        if kind == "reading" and reader not in found.assigned.get(slide, ()):
            message = f"'{slide}' of '{worklist}' is not assigned to '{reader}'."
            raise StudyError(message, "Answer for slides of your worklist.")
        if slide not in found.assigned:
            message = f"'{worklist}' has no slide '{slide}'."
            raise StudyError(message, "Its table lists the slides.")
        given = found.form.checked(dict(answers))
        new = {"id": new_id(), "state": "done", **more}
        answer = checked(Answer(slide=slide, reader=reader, answers=given, **new))
        if answer.state == "done" and (missing := found.form.missing(given)):
            message = f"'{missing[0]}' has no answer yet."
            raise StudyError(message, "Answer it, or mark the slide to be discussed.")
        return AnswerLog(self._folder(worklist), reader).append(answer)

    def history(self, worklist: str = "") -> list[Answer]:
        """Return all answers of a worklist, or of all, oldest first."""
        names = [worklist] if worklist else list(self.worklists)
        found = [answer for name in names for answer in self._answers(name)]
        return sorted(found, key=lambda answer: answer.at)

    def last(self, worklist: str) -> dict[str, dict[str, Answer]]:
        """Return the last answers of each slide, by reader."""
        found: dict[str, dict[str, Answer]] = {}
        for answer in self._answers(worklist):
            if answer.kind == "reading":
                found.setdefault(answer.slide, {})[answer.reader] = answer
        return found

    def consensus(self, worklist: str) -> dict[str, Answer]:
        """Return the last consensus of each slide that has one."""
        answers = [a for a in self._answers(worklist) if a.kind == "consensus"]
        return {each.slide: each for each in sorted(answers, key=lambda each: each.at)}

    def _answers(self, worklist: str) -> list[Answer]:
        """Return the answers of a worklist, those of each reader oldest first."""
        found: list[Answer] = []
        for file in sorted(self._folder(worklist).glob(f"*{SUFFIX}")):
            size = file.stat().st_size
            kept = self._kept.get(file)
            if kept is None or kept[0] != size:
                kept = self._kept[file] = (size, list(read_log(file)))
            found += kept[1]
        return found

    def _folder(self, worklist: str) -> Path:
        return self.path / FOLDER / checked_name(worklist)

    def frame(self, worklist: str = "") -> pd.DataFrame:
        """Return a row per slide and reader: state, time, and the last answers.

        Columns: `worklist`, `slide`, `case`, `reader`, `kind` ("reading" or
        "consensus"), `state`, `at`, `seconds`, and one for each question.
        """
        return answer_table(self, [worklist] if worklist else list(self.worklists))

    def progress(self, worklist: str = "") -> pd.DataFrame:
        """Return a row per worklist and reader.

        Columns: `worklist`, `reader`, the number of slides of each state, `slides`, and
        `last`, when the reader last answered (ISO 8601, UTC; empty: never).
        """
        return progress_table(self.frame(worklist))

    def disagreements(self, worklist: str = "") -> dict[str, list[str]]:
        """Return the slides to be discussed, with the reasons.

        The questions that readers have answered differently, and "discuss" where one of
        them asks for it; without slides that have a consensus.
        """
        made = self.worklist(worklist)
        agreed = self.consensus(made.name)
        found = {}
        for slide, by_reader in self.last(made.name).items():
            if slide in agreed:
                continue
            answers = list(by_reader.values())
            reasons = [
                question.name
                for question in made.form.questions
                if question.kind == "choice"
                and len(
                    {
                        a.answers[question.name]
                        for a in answers
                        if question.name in a.answers
                    }
                )
                > 1
            ]
            if any(each.state == "discuss" for each in answers):
                reasons.append("discuss")
            if reasons:
                found[slide] = reasons
        return found

    def agreements(
        self, worklist: str = "", *, rounds: int = 2000, seed: int = 0
    ) -> list[Agreement]:
        """Return the agreement on each choice and number of the form.

        Of slides that are done; see `agreement`.
        """
        made = self.worklist(worklist)
        answers = {
            slide: {
                reader: answer.answers
                for reader, answer in by_reader.items()
                if answer.state == "done"
            }
            for slide, by_reader in self.last(made.name).items()
        }
        return agreement_of(made.form, answers, self.cases, rounds=rounds, seed=seed)

    def agreement(
        self, worklist: str = "", *, rounds: int = 2000, seed: int = 0
    ) -> pd.DataFrame:
        """Return the agreement of the readers, with intervals at 95 %.

        Cohen's kappa of each pair of readers (with quadratic weights too, if the choice
        is `ordered`), Fleiss' kappa of three and more, ICC(2,1) of numbers.

        Parameters
        ----------
        worklist : str
            May be left out if there is one.
        rounds : int
            Number of bootstrap samples.
        seed : int

        Returns
        -------
        DataFrame
            Columns `question`, `measure`, `readers`, `slides`, `cases`, `value`, `low`,
            `high`; in `attrs["method"]` how the intervals were made.
        """
        found = self.agreements(worklist, rounds=rounds, seed=seed)
        table = frame_of(found)
        table.attrs["method"] = method_of(found)
        return table

    def region_agreement(
        self, worklist: str = "", *, rounds: int = 2000, seed: int = 0
    ) -> pd.DataFrame:
        """Return the Dice coefficients of what readers have drawn, by class and pair.

        Of slides that both have done: twice the shared area by the sum of both areas,
        in mm² over all slides. Columns as of `agreement`; `question` is the class.
        """
        done = {
            slide: [who for who, answer in by.items() if answer.state == "done"]
            for slide, by in self.last(self.worklist(worklist).name).items()
        }
        bootstrap = Bootstrap(self.cases, rounds, seed)
        parts = region_agreements(self.path, self._open_slide, done, bootstrap)
        found = list(parts)
        table = frame_of(found)
        table.attrs["method"] = method_of(found)
        return table

    def export(self, path: str | Path, worklist: str = "") -> Path:
        """Write the answers: .csv and .parquet the last ones, .json all that happened.

        Raises
        ------
        StudyError
            If the suffix is none of these.
        """
        file = Path(path)
        if file.suffix not in _FORMATS:
            message = f"'{file.name}' ends in none of {', '.join(_FORMATS)}."
            raise StudyError(message, "Choose one of them.")
        if file.suffix == ".json":
            lines = [json.loads(answer.line()) for answer in self.history(worklist)]
            replace_file(file, json.dumps(lines, indent=1, ensure_ascii=False).encode())
        elif file.suffix == ".csv":
            replace_file(file, self.frame(worklist).to_csv(index=False).encode())
        else:
            self.frame(worklist).to_parquet(file, index=False)
        return file
