"""`Analysis`: one recipe over all slides of a study.

A folder below `runs` of the study:

analysis.json   the recipe
SLIDE/          the run folder of each slide
.results/       results of finished runs, each line of one slide
.ended.json     states of slides that have ended
claims/         lock and attempts of each slide
workers/        what each process works on, and what it wrote to standard error
control         "pause" or "cancel"; absent: work
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from workbench.errors import RecipeError, StudyError
from workbench.recipe import Recipe
from workbench.results.run import Run, open_run
from workbench.study.claims import CLAIMS, SUFFIX, Claim, SlideState
from workbench.study.ended_slides import EndedSlides
from workbench.study.kept_results import KeptResults
from workbench.study.slide_table import safe_name
from workbench.study.written import written_now
from workbench.system.atomic_files import disk_errors, replace_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.study.slide_table import SlideRow
    from workbench.study.study import Study

RECORD: Final = "analysis.json"
WORKERS: Final = "workers"
_CONTROL: Final = "control"
_OF_ONE_SLIDE: Final = ("region", "tissue_in", "no_tissue_in")
_NEW: Final = SlideState()

Control = Literal["work", "pause", "cancel"]
"""What the processes of an analysis are asked to do."""


class Analysis:
    """One recipe over all slides of a study; made by `analysis_of`.

    Attributes
    ----------
    study : Study
    path : Path
    name : str
    recipe : Recipe
    results : KeptResults
    """

    def __init__(self, study: Study, path: Path) -> None:
        self.study, self.path, self.name = study, path, path.name
        file = path / RECORD
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            self.recipe = _moved(Recipe.of(**record["recipe"]), study)
        except (OSError, ValueError, KeyError, TypeError, RecipeError) as error:
            message = f"'{file}' cannot be read as an analysis: {error}."
            raise StudyError(message, "Run the study again with its recipe.") from error
        self._ended: dict[str, SlideState] = {}
        self._kept = EndedSlides(path)
        self.results = KeptResults(path)

    def run_folder(self, slide: SlideRow) -> Path:
        """Return the run folder of a slide."""
        return self.path / slide.name

    def open_run(self, slide: str) -> Run:
        """Open the run of a slide by its name.

        Raises
        ------
        StudyError, RunError
            If there is no such slide, or no run of it.
        """
        return open_run(self.run_folder(self.study.row(slide)))

    def claim(self, slide: SlideRow) -> Claim:
        """Return the claim on a slide."""
        return Claim(self.path / CLAIMS, slide, self.run_folder(slide))

    def states(self, rows: list[SlideRow] | None = None) -> dict[str, SlideState]:
        """Return the state of each slide, by name, in the order of the table.

        The states of slides that have ended are not read again.
        """
        rows = self.study.rows if rows is None else rows
        begun = self._begun()
        states = {}
        for row in rows:
            state = self._ended.get(row.name, _NEW)
            if not state.ended and row.name in begun:
                state = self._state(row, begun[row.name])
            states[row.name] = state
        self._kept.save()
        return states

    def _begun(self) -> dict[str, os.DirEntry[str]]:
        """Return the files of attempts, by slide."""
        with disk_errors(self.path), os.scandir(self.path / CLAIMS) as entries:
            return {
                entry.name.removesuffix(SUFFIX): entry
                for entry in entries
                if entry.name.endswith(SUFFIX)
            }

    def _state(self, row: SlideRow, file: os.DirEntry[str]) -> SlideState:
        """Return the state of a slide that was not known to have ended."""
        size = file.stat().st_size
        state = self._kept.get(row, size)
        if state is None:
            state = self.claim(row).state()
            if state.ended:
                self._kept.put(row, size, state)
        if state.ended:
            self._ended[row.name] = state
        return state

    def counts(self) -> Counter[str]:
        """Return the number of slides of each status."""
        return Counter(state.status for state in self.states().values())

    def runs(self) -> Iterator[tuple[SlideRow, Run]]:
        """Yield each slide whose run is finished, with the run."""
        rows = self.study.rows
        states = self.states(rows)
        for row in rows:
            if states[row.name].status == "finished":
                yield row, open_run(self.run_folder(row))

    @property
    def control(self) -> Control:
        """What the processes are asked to do."""
        try:
            text = (self.path / _CONTROL).read_text(encoding="utf-8").strip()
        except OSError:
            return "work"
        return "pause" if text == "pause" else "cancel"

    def pause(self) -> None:
        """Let all processes, on all machines, wait after their current chunk."""
        replace_file(self.path / _CONTROL, b"pause")

    def cancel(self) -> None:
        """Let all processes, on all machines, end after their current chunk."""
        replace_file(self.path / _CONTROL, b"cancel")

    def resume(self) -> None:
        """Undo `pause` and `cancel`; ended processes must be started again."""
        with disk_errors(self.path):
            (self.path / _CONTROL).unlink(missing_ok=True)

    def retry(self) -> int:
        """Open the refused slides again; return their number."""
        rows = self.study.rows
        states = self.states(rows)
        refused = [row for row in rows if states[row.name].status == "refused"]
        for row in refused:
            self.claim(row).reset()
            self._ended.pop(row.name, None)
        return len(refused)

    def __repr__(self) -> str:
        """Return a one-line description."""
        counts = ", ".join(f"{n:,} {name}" for name, n in self.counts().items())
        return f"<Analysis '{self.name}' of '{self.study.path}': {counts}>"


def analysis_of(study: Study, recipe: Recipe, name: str = "") -> Analysis:
    """Return the analysis of a recipe, made if it is new.

    Parameters
    ----------
    study : Study
    recipe : Recipe
        Without a reference, it gets that of the study.
    name : str
        Default: the names of the model and of the normalization.

    Raises
    ------
    RecipeError
        If the recipe is for one slide, or an analysis of that name has another one.
    """
    if given := next((n for n in _OF_ONE_SLIDE if getattr(recipe, n) is not None), ""):
        message = f"{given} is of one slide, not of a study."
        raise RecipeError(message, "Leave it out, or run that slide by itself.")
    if recipe.normalize and recipe.reference == Recipe().reference:
        recipe = recipe.replace(reference=study.reference or recipe.reference)
    method = f"-{recipe.normalize}" if recipe.normalize else ""
    name = safe_name(name or f"{Path(recipe.model).name}{method}")
    folder = study.path / "runs" / name
    text = recipe.model_dump(mode="json")
    if is_file(folder / RECORD):
        found = Analysis(study, folder)
        before = found.recipe.model_dump(mode="json")
        changed = [key for key in text if text[key] != before[key] and key != "device"]
        if changed:
            message = (
                f"The analysis '{name}' has {changed[0]} = {before[changed[0]]!r}, not"
                f" {text[changed[0]]!r}."
            )
            raise RecipeError(message, "Give this one another name (--name).")
        return found
    for part in (CLAIMS, WORKERS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    record = {"recipe": text, **written_now()}
    replace_file(folder / RECORD, json.dumps(record, indent=2).encode())
    return Analysis(study, folder)


def _moved(recipe: Recipe, study: Study) -> Recipe:
    """Return the recipe with the study's reference where the study is now."""
    last = study.reference
    moved = last and Path(last).name == Path(recipe.reference).name
    return recipe.replace(reference=last) if moved else recipe


def analyses(study: Study) -> dict[str, Analysis]:
    """Return the analyses of a study, by name."""
    files = sorted((study.path / "runs").glob(f"*/{RECORD}"))
    return {file.parent.name: Analysis(study, file.parent) for file in files}


def find_analysis(study: Study, name: str = "") -> Analysis:
    """Return an analysis by name; without a name, the only one.

    Raises
    ------
    StudyError
        If there is none, or several to choose from.
    """
    found = analyses(study)
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    known = ", ".join(found) or "none"
    message = (
        f"The study '{study.path}' has no analysis '{name}'."
        if name
        else f"The study '{study.path}' has {len(found)} analyses."
    )
    raise StudyError(message, f"Name one of them; there are: {known}.")
