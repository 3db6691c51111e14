"""What is needed to compute a result again: its slide, its options, its model."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import ProvenanceError, RecipeError, SlideNotFoundError
from workbench.models.devices import resolve_devices
from workbench.provenance.magic import kind_of
from workbench.provenance.reading import read_provenance
from workbench.recipe import Recipe
from workbench.reproduction.exported import comparable
from workbench.reproduction.pixels import KINDS
from workbench.results.run import Run, open_run
from workbench.slide.slide import Slide, open_slide
from workbench.system.paths import exists

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from workbench.provenance.provenance import Provenance

_KINDS: Final = ("run", "export", "features")
_REMEDIES: Final = {
    "model": "Train it again: `workbench train` with the recipe in its training.json.",
    "report": "Replay the run that it is of.",
    "registration": "Register the two slides again: `workbench register`.",
}
"""What to do about an artefact that no run computes, by its kind."""


@dataclass(frozen=True, slots=True)
class Request:
    """A result with what made it."""

    path: Path
    """The run folder or the exported file."""

    run: Run | None
    """The run; None for an exported file."""

    made: Provenance
    """What made it."""

    @classmethod
    def of(cls, source: Run | str | os.PathLike[str]) -> Request:
        """Read what made a run or a file.

        Raises
        ------
        ProvenanceError
            If that is not known, or it cannot be computed again.
        """
        path = source.path if isinstance(source, Run) else Path(source)
        made = read_provenance(path)
        if origin := made.run.get("imported"):
            name = origin.get("name") if isinstance(origin, dict) else origin
            reason = f"it was imported from '{name}', which no model of ours computes"
            raise ProvenanceError(path, reason)
        run = open_run(path) if kind_of(path) == "run" else None
        if made.kind in KINDS:
            return cls(path, None, made)
        if made.kind not in _KINDS or not made.recipe or not made.model:
            reason = f"it holds {made.kind}, which no run computes again"
            raise ProvenanceError(path, reason, _REMEDIES.get(made.kind, ""))
        if run is None and not comparable(path):
            reason = "its content cannot be compared with that of another file"
            raise ProvenanceError(path, reason, "Replay the run that it is from.")
        return cls(path, run, made)

    @property
    def of_pixels(self) -> bool:
        """Whether it holds pixels of a slide, which no run computes."""
        return self.made.kind in KINDS

    @property
    def finished(self) -> bool:
        """Whether the result is complete."""
        return self.made.run.get("status") == "finished"

    def recipe(self, device: str | None) -> Recipe:
        """Return the options, with the device, arithmetic and chunks of the run.

        A device that this machine lacks is replaced by "auto".

        Raises
        ------
        RecipeError
            If `device` is not one of this machine.
        """
        options = self.run.record["recipe"] if self.run else self.made.recipe
        session = self.made.sessions[-1] if self.made.sessions else {}
        recipe = Recipe.of(**options).replace(
            batch_size=self.made.run.get("batch_size", "auto"),
            compile=bool(session.get("compiled")),
            precision=self.made.run.get("precision", "auto"),
        )
        wanted = device or session.get("device") or "auto"
        try:
            resolve_devices(wanted)
        except RecipeError:
            if device:
                raise
            wanted = "auto"
        return recipe.replace(device=wanted)

    @contextmanager
    def slide(self, given: Slide | str | os.PathLike[str] | None) -> Iterator[Slide]:
        """Open the slide: that given, else that of the record, else one beside it.

        Raises
        ------
        SlideNotFoundError
            If it is at none of these places.
        SlideError
            If it cannot be opened.
        """
        if isinstance(given, Slide):
            yield given
            return
        facts = self.made.slide
        by_user = str(facts.get("mpp_from", "")).startswith("given")
        place = given if given is not None else self._place(str(facts.get("name", "")))
        mpp = facts.get("mpp") if by_user else None
        icc = self.of_pixels and bool(self.made.recipe.get("icc"))
        with open_slide(place, mpp=mpp, icc=icc) as slide:
            yield slide.at_plane(facts["plane"]) if "plane" in facts else slide

    def _place(self, name: str) -> str:
        recorded = self.run.record["slide"].get("path", "") if self.run else ""
        if recorded and ("://" in recorded or exists(Path(recorded))):
            return str(recorded)
        folders = (self.path.parent, self.path.parent.parent, Path())
        for folder in folders if name else ():
            if exists(folder / name):
                return str(folder / name)
        raise SlideNotFoundError(recorded or name or "the slide of the result")
