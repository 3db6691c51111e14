"""The demo: slides that need no download, and the main job done on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench import engine
from workbench.models.catalogue import model_names
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide
from workbench.synthetic import write_slide

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from workbench.results import Progress
    from workbench.store import Run

SLIDES: Final = "slides"
RUNS: Final = "runs"
"""Folders of the demo, below the one that it is given."""

_MODEL: Final = "tissue-classes"
_SIZE: Final = (6144, 6144)


@dataclass(frozen=True, slots=True)
class MadeSlide:
    """A slide that the demo makes."""

    name: str
    scanner: str
    seed: int


MADE: Final = (
    MadeSlide("made-aurora.tiff", "aurora", 101),
    MadeSlide("made-borealis.tiff", "borealis", 102),
)
"""Two slides of different scanners; the first is the one the demo runs on."""


def make_slides(folder: Path, *, said: Callable[[str], object] = str) -> list[Path]:
    """Make the demo slides, or take those that are there.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    said : callable
        Takes a line for each slide that is made.

    Returns
    -------
    list of Path
        The slide that the demo runs on first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for made in MADE:
        path = folder / made.name
        if not path.exists():
            said(f"making {path}")
            # Under its name only once it is whole, whatever happens meanwhile.
            part = path.with_name(f"part-{path.name}")
            write_slide(part, size=_SIZE, seed=made.seed, scanner=made.scanner)
            part.rename(path)
        paths.append(path)
    return paths


def demo_recipe() -> Recipe:
    """Return what the demo runs: the bundled classifier, in the reference's colours."""
    names = model_names()
    model = _MODEL if _MODEL in names else "nuclear-density"
    return Recipe.of(model=model, normalize="macenko")


def run_demo(
    slide: Path,
    runs: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """Do the main job on a demo slide, without an app.

    Returns
    -------
    Run
        In a folder below `runs`; the one that is there, if it is finished.
    """
    recipe = demo_recipe()
    out = runs / f"demo-{slide.stem}-{recipe.model}"
    with open_slide(slide) as opened:
        return engine.run(opened, recipe, out=out, progress=progress, cancel=cancel)
