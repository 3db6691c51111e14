"""The demo: slides that need no download, and the main job done on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.inference import engine
from workbench.models.catalogue import model_names
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide
from workbench.synthetic import write_real_sample, write_slide
from workbench.synthetic.truth import folder_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from workbench.progress import Progress
    from workbench.results.run import Run

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
    MadeSlide("made-borealis.tiff", "borealis", 22),
    MadeSlide("made-aurora.tiff", "aurora", 12),
)
"""Two slides of different scanners; the first is the one the demo runs on."""

REAL: Final = "real-colon-ihc.tiff"
"""The real picture that scikit-image ships; it does not say its pixel size."""


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
    paths = [folder / made.name for made in MADE]
    for made, path in zip(MADE, paths, strict=True):
        # The truth is written last: where it is not, the slide is not whole.
        if not (folder_of(path) / "truth.json").exists():
            said(f"making {path}")
            write_slide(path, size=_SIZE, seed=made.seed, scanner=made.scanner)
    real = folder / REAL
    if not real.exists():
        said(f"making {real}")
        part = real.with_name(f".{REAL}")
        write_real_sample(part)
        part.rename(real)
    return [*paths, real]


def demo_recipe() -> Recipe:
    """Return what the demo runs: the bundled classifier, in the reference's colours."""
    names = model_names()
    model = _MODEL if _MODEL in names else "nuclear-density"
    return Recipe.of(model=model, normalize="macenko")


def run_demo(
    slide: Path,
    runs: Path,
    *,
    progress: Callable[[Progress], None] | bool | None = None,
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
