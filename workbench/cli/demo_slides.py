"""Slides and run of the demo, which need no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.recipe import Recipe

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from workbench.progress import Progress
    from workbench.results.run import Run

SLIDES: Final = "slides"
RUNS: Final = "runs"
"""Subfolders of the demo's folder."""

_MODEL: Final = "tissue-classes"
_SIZE: Final = (6144, 6144)


@dataclass(frozen=True, slots=True)
class MadeSlide:
    """A synthetic slide of the demo."""

    name: str
    scanner: str
    seed: int


MADE: Final = (
    MadeSlide("made-borealis.tiff", "borealis", 22),
    MadeSlide("made-aurora.tiff", "aurora", 12),
)
"""Two slides of different scanners; the model runs on the first."""

REAL: Final = "real-colon-ihc.tiff"
"""A photograph that scikit-image ships; its pixel size is unknown."""


def make_slides(folder: Path, *, said: Callable[[str], object] = str) -> list[Path]:
    """Make the demo slides that do not exist yet.

    Parameters
    ----------
    folder : Path
        Folder of the slides; created if missing.
    said : callable
        Called with a message for each slide that is made.

    Returns
    -------
    list of Path
        All demo slides; the model runs on the first.
    """
    from workbench.synthetic import write_real_sample, write_slide  # noqa: PLC0415 - see LazyGroup
    from workbench.synthetic.truth import folder_of  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / made.name for made in MADE]
    for made, path in zip(MADE, paths, strict=True):
        # The truth is written last: without it, the slide is incomplete.
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
    """Return the recipe of the demo: the bundled classifier, stain-normalized."""
    from workbench.models.catalogue import model_names  # noqa: PLC0415 - see LazyGroup

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
    """Run the demo's recipe on a slide.

    Returns
    -------
    Run
        In a folder below `runs`; a finished run is reused.
    """
    from workbench.inference import engine  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    recipe = demo_recipe()
    out = runs / f"demo-{slide.stem}-{recipe.model}"
    with open_slide(slide) as opened:
        return engine.run(opened, recipe, out=out, progress=progress, cancel=cancel)
