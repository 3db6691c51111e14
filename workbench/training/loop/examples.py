"""`Examples`: all labelled tiles of a training, with their split."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import TrainingError
from workbench.slide.slide import open_slide
from workbench.training.loop.sources import (
    PICTURES,
    LabelImage,
    Outlines,
    PictureSource,
    SlideSource,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.training.loop.recipe import TrainingRecipe

SPLITS: Final = ("train", "validation")
_GEOJSON: Final = (".geojson", ".json", ".gz", ".zip")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a CSV of slides."""

    slide: Path
    labels: Path | None
    """GeoJSON or label image; None: the annotations of the app."""

    patient: str
    split: str
    """"train" or "validation"; empty: not said."""


@dataclass(frozen=True, eq=False, slots=True)
class Examples:
    """All labelled tiles, numbered through all sources."""

    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    source: NDArray[np.int64]
    """Index of the source of each tile, int64 (N,)."""

    row: NDArray[np.int64]
    """Number of the tile within its source, int64 (N,)."""

    codes: NDArray[np.int64]
    """Class of each tile, int64 (N,)."""

    group: NDArray[np.str_]
    """Patient, slide or picture of each tile: what a split never divides, (N,)."""

    held: NDArray[np.bool_]
    """Whether a tile is held out, bool (N,)."""

    opened: ExitStack
    """Closes the slides."""

    notes: tuple[str, ...] = ()
    """Sentences about the split."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.codes)

    def read(self, numbers: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return tiles by their numbers, uint8 (N, side, side, 3)."""
        return self._gather(numbers, lambda one, rows: one.read(rows, threads))

    def masks(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class of each pixel of tiles, uint8 (N, side, side)."""
        return self._gather(numbers, lambda one, rows: one.masks(rows))

    def stains(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the stain vectors of the slides of tiles, float64 (N, 2, 3)."""
        return np.stack([self.sources[i].stains for i in self.source[numbers].tolist()])

    def _gather(self, numbers: NDArray[np.int64], read: Any) -> NDArray[np.uint8]:
        found: Any = None
        for index in np.unique(self.source[numbers]).tolist():
            mine = np.flatnonzero(self.source[numbers] == index)
            part = read(self.sources[index], self.row[numbers[mine]])
            if found is None:
                found = np.empty((len(numbers), *part.shape[1:]), np.uint8)
            found[mine] = part
        return np.asarray(found)

    def summary(self) -> dict[str, Any]:
        """Return counts and split, ready for JSON."""
        parts = {"train": ~self.held, "validation": self.held}
        counts = {
            name: np.bincount(self.codes[mask], minlength=len(self.classes)).tolist()
            for name, mask in parts.items()
        }
        groups = {n: sorted(set(self.group[m].tolist())) for n, m in parts.items()}
        return {"classes": list(self.classes), "tiles": counts, "groups": groups}

    def close(self) -> None:
        """Close the slides."""
        self.opened.close()


def open_examples(recipe: TrainingRecipe) -> Examples:
    """Return the examples that a recipe names; close them after use.

    Raises
    ------
    TrainingError
        If there are none, a class has none to learn from, or a file is wrong.
    SlideError
        If a slide cannot be opened.
    """
    path = Path(recipe.labels).expanduser()
    with ExitStack() as stack:
        if recipe.labels and path.is_dir():
            made = _pictures(path, recipe)
        elif path.is_file():
            made = _slides(path, recipe, stack)
        else:
            message = f"There are no labels at '{recipe.labels}'."
            raise TrainingError(message, "Give a CSV of slides, or a folder of tiles.")
        found = _join(recipe, made, stack.pop_all())
    _require_examples(found, recipe)
    return found


def _slides(path: Path, recipe: TrainingRecipe, stack: ExitStack) -> Any:
    rows = read_rows(path)
    slides = [stack.enter_context(open_slide(row.slide)) for row in rows]
    images = [r.labels is not None and r.labels.suffix not in _GEOJSON for r in rows]
    if any(images) and not recipe.classes:
        message = "A label image holds numbers, whose classes are not known."
        raise TrainingError(message, "Name the classes in their order: classes=...")
    outlines = [
        None if image else Outlines.read(slide, row.labels, ())
        for slide, row, image in zip(slides, rows, images, strict=True)
    ]
    named = {a.classification for o in outlines if o for a in o.annotations}
    classes = recipe.classes or tuple(sorted(named))
    sources, groups, splits = [], [], []
    for slide, row, known in zip(slides, rows, outlines, strict=True):
        labels: Outlines | LabelImage
        if known is not None:
            labels = Outlines(known.annotations, classes)
        else:
            assert row.labels is not None  # noqa: S101 - an image has a file
            labels = LabelImage.read(slide, row.labels, classes)
        sources.append(SlideSource.of(slide, labels, recipe))
        groups.append(row.patient or slide.id)
        splits.append(row.split)
    sizes = [len(each.codes) for each in sources]
    return sources, np.repeat(groups, sizes), np.repeat(splits, sizes), classes


def read_rows(path: Path) -> list[Row]:
    """Return the lines of a CSV of slides; paths are relative to it.

    Raises
    ------
    TrainingError
        If it has no column `slide`, no line, or a split of another name.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        message = f"'{path}' cannot be read as a CSV of slides: {error}."
        raise TrainingError(message, "Give columns slide and labels.") from error
    rows = []
    for line in lines:
        if not line.get("slide"):
            message = f"'{path}' has a line without a slide."
            raise TrainingError(message, "Give columns slide and labels.")
        split = (line.get("split") or "").strip()
        if split and split not in SPLITS:
            message = f"'{path}': split = '{split}' is none of train, validation."
            raise TrainingError(message, "Correct it, or leave the column empty.")
        labels = line.get("labels")
        beside = path.parent / labels if labels else None
        patient = (line.get("patient") or "").strip()
        rows.append(Row(path.parent / line["slide"], beside, patient, split))
    if not rows:
        message = f"'{path}' names no slide."
        raise TrainingError(message, "Give a line for each slide.")
    return rows


def _pictures(path: Path, recipe: TrainingRecipe) -> Any:
    """Return pictures in folders by class, below `train` and `validation` if any."""
    if recipe.task == "segmentation":
        message = f"'{path}' is a folder of tiles, which have one class each."
        raise TrainingError(message, "Give a CSV of slides for a segmentation.")
    parts = {name: path / name for name in SPLITS if (path / name).is_dir()}
    files: list[tuple[Path, str, str]] = [
        (file, folder.name, split)
        for split, part in (parts or {"": path}).items()
        for folder in sorted(part.iterdir())
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in PICTURES
    ]
    classes = recipe.classes or tuple(sorted({name for _, name, _ in files}))
    used = [each for each in files if each[1] in classes]
    codes = np.array([classes.index(name) for _, name, _ in used], np.int64)
    paths = tuple(file for file, _, _ in used)
    source = PictureSource(path.name, paths, codes, recipe.tile_px)
    groups = np.array([str(file.relative_to(path)) for file in paths], np.str_)
    splits = np.array([split for *_, split in used], np.str_)
    return [source], groups, splits, classes


def _join(
    recipe: TrainingRecipe,
    found: tuple[Sequence[Source], NDArray[np.str_], NDArray[np.str_], tuple[str, ...]],
    stack: ExitStack,
) -> Examples:
    """Return sources, groups, splits and classes as one table of examples."""
    sources, group, said, classes = found
    sizes = [len(each.codes) for each in sources]
    codes = np.concatenate([np.empty(0, np.int64), *(each.codes for each in sources)])
    notes: list[str] = []
    if (said != "").any():
        held = said == "validation"
    else:
        held, notes = hold_out(group, codes, recipe)
    if isinstance(sources[0], PictureSource) and not (said != "").any() and held.any():
        notes.append(
            "Pictures of one slide may be on both sides of the split, which flatters:"
            " put them into the folders train and validation."
        )
    return Examples(
        sources=tuple(sources),
        classes=classes,
        source=np.repeat(np.arange(len(sources)), sizes),
        row=np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in sizes)]),
        codes=codes,
        group=group,
        held=held,
        opened=stack,
        notes=tuple(notes),
    )


def hold_out(
    group: NDArray[np.str_], codes: NDArray[np.int64], recipe: TrainingRecipe
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which tiles are held out, and sentences about it.

    Whole groups are, in an order that depends on the seed and their names alone, as
    long as each class keeps a group to learn from.
    """
    names = sorted(set(group.tolist()))
    order = np.random.default_rng(recipe.seed).permutation(len(names))
    wanted = round(recipe.validation * len(names))
    if recipe.validation and len(names) > 1:
        wanted = max(1, wanted)
    held = np.zeros(len(group), bool)
    count = 0
    for index in order.tolist():
        if count == wanted:
            break
        mine = group == names[index]
        rest = ~(held | mine)
        if set(codes[mine].tolist()) <= set(codes[rest].tolist()):
            held |= mine
            count += 1
    notes = []
    if recipe.validation and count < max(1, wanted):
        notes.append(
            f"{count} of {len(names)} slides or patients are held out: the others are"
            " needed to learn from."
        )
    return held, notes


def _require_examples(examples: Examples, recipe: TrainingRecipe) -> None:
    """Raise if there is nothing to learn from, or nothing of a class."""
    learnt = examples.codes[~examples.held]
    if not len(learnt):
        examples.close()
        message = f"'{recipe.labels}' labels no tile to learn from."
        remedy = "Label larger areas, or lower min_coverage or tile_px."
        raise TrainingError(message, remedy)
    if recipe.task == "segmentation":
        return  # its classes are in its pixels
    for code, name in enumerate(examples.classes):
        if not (learnt == code).any():
            examples.close()
            message = f"The class '{name}' has no tile to learn from."
            remedy = "Label some, lower min_coverage, or leave it out of `classes`."
            raise TrainingError(message, remedy)
