"""Files of labels: a CSV of slides, folders of pictures, COCO files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import TrainingError
from workbench.slide.slide import open_slide
from workbench.training.loop.coco import CocoFile, read_coco
from workbench.training.loop.objects import (
    UNNAMED,
    NumberedObjects,
    OutlinedObjects,
)
from workbench.training.loop.pictures import (
    PICTURES,
    LabelledPictures,
    PictureSource,
)
from workbench.training.loop.rasters import read_raster
from workbench.training.loop.sources import (
    UNLABELLED,
    LabelImage,
    Outlines,
    SlideSource,
    Source,
    read_codes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.training.loop.recipe import TrainingRecipe
    from workbench.training.loop.sources import Labels

SPLITS: Final = ("train", "validation")
_GEOJSON: Final = (".geojson", ".json", ".gz", ".zip")
_IMAGES: Final = ("images", "img")
_LABELS: Final = ("masks", "labels", "label")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a CSV of slides."""

    slide: Path
    labels: Path | None
    """GeoJSON, label image or run; None: the annotations of the app."""

    patient: str
    split: str
    """"train" or "validation"; empty: not said."""


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Sources with the split of their tiles."""

    sources: Sequence[Source]
    group: NDArray[np.str_]
    """Patient, slide or picture of each tile, (N,)."""

    split: NDArray[np.str_]
    """"train" or "validation" of each tile; empty: not said, (N,)."""

    classes: tuple[str, ...]


def find_labels(path: Path, recipe: TrainingRecipe, stack: ExitStack) -> Found:
    """Return the examples that a file or folder of labels names.

    Raises
    ------
    TrainingError
        If it is none, or does not fit the task.
    SlideError, AnnotationError
        If a slide or its labels cannot be read.
    """
    if path.is_file():
        if path.suffix.lower() == ".json":
            return _coco([(read_coco(path), "")], recipe)
        return _slides(path, recipe, stack)
    files = {name: path / f"{name}.json" for name in SPLITS}
    if all(file.is_file() for file in files.values()):
        return _coco([(read_coco(f), name) for name, f in files.items()], recipe)
    parts = {name: path / name for name in SPLITS if (path / name).is_dir()}
    labelled = [
        (pair, name)
        for name, part in (parts or {"": path}).items()
        if (pair := _pair(part)) is not None
    ]
    if labelled and recipe.task != "classification":
        return _label_images(labelled, recipe)
    return _folders_of_classes(path, parts, recipe)


def _slides(path: Path, recipe: TrainingRecipe, stack: ExitStack) -> Found:
    rows = read_rows(path)
    slides = [stack.enter_context(open_slide(row.slide)) for row in rows]
    numbered = [
        row.labels is not None
        and not row.labels.is_dir()
        and row.labels.suffix not in _GEOJSON
        for row in rows
    ]
    read = _objects if recipe.task == "instances" else _areas
    labels, classes = read(rows, slides, numbered, recipe)
    sources, groups, splits = [], [], []
    for slide, row, known in zip(slides, rows, labels, strict=True):
        sources.append(SlideSource.of(slide, known, recipe))
        groups.append(row.patient or slide.id)
        splits.append(row.split)
    sizes = [len(each.codes) for each in sources]
    return Found(sources, np.repeat(groups, sizes), np.repeat(splits, sizes), classes)


def _areas(
    rows: list[Row], slides: list[Slide], numbered: list[bool], recipe: TrainingRecipe
) -> tuple[list[Labels], tuple[str, ...]]:
    """Return the labels of each slide for a class of each tile or pixel."""
    if any(numbered) and not recipe.classes:
        message = "A label image holds numbers, whose classes are not known."
        raise TrainingError(message, "Name the classes in their order: classes=...")
    found = [
        None if image else Outlines.read(slide, row.labels, ())
        for slide, row, image in zip(slides, rows, numbered, strict=True)
    ]
    named = {a.classification for o in found if o for a in o.annotations}
    classes = recipe.classes or tuple(sorted(named))
    labels: list[Labels] = []
    for slide, row, known in zip(slides, rows, found, strict=True):
        if known is not None:
            labels.append(Outlines(known.annotations, classes))
        else:
            assert row.labels is not None  # noqa: S101 - an image has a file
            labels.append(LabelImage.read(slide, row.labels, classes))
    return labels, classes


def _objects(
    rows: list[Row], slides: list[Slide], numbered: list[bool], recipe: TrainingRecipe
) -> tuple[list[Labels], tuple[str, ...]]:
    """Return the objects of each slide."""
    found: list[OutlinedObjects | NumberedObjects] = []
    named: set[str] = set()
    for slide, row, image in zip(slides, rows, numbered, strict=True):
        if image:
            assert row.labels is not None  # noqa: S101 - an image has a file
            found.append(NumberedObjects.read(slide, row.labels))
            named.add((recipe.classes or (UNNAMED,))[0])
        else:
            outlined = OutlinedObjects.read(slide, row.labels)
            found.append(outlined)
            named |= set(outlined.names.tolist())
    classes = recipe.classes or tuple(sorted(named))
    labels: list[Labels] = [
        each.with_classes(classes) if isinstance(each, OutlinedObjects) else each
        for each in found
    ]
    return labels, classes


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


def _folders_of_classes(
    path: Path, parts: dict[str, Path], recipe: TrainingRecipe
) -> Found:
    """Return pictures in folders by class."""
    if recipe.task != "classification":
        message = f"'{path}' is a folder of tiles, which have one class each."
        remedy = "Give a CSV of slides, images with masks beside them, or COCO."
        raise TrainingError(message, remedy)
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
    return Found([source], groups, splits, classes)


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of images and of their labels; None: there are none."""
    images = [folder / name for name in _IMAGES if (folder / name).is_dir()]
    labels = [folder / name for name in _LABELS if (folder / name).is_dir()]
    return (images[0], labels[0]) if images and labels else None


def _label_images(
    parts: list[tuple[tuple[Path, Path], str]], recipe: TrainingRecipe
) -> Found:
    """Return pictures with a label image of the same name each."""
    classes = recipe.classes
    if recipe.task == "segmentation" and not classes:
        message = "A label image holds numbers, whose classes are not known."
        raise TrainingError(message, "Name the classes in their order: classes=...")
    files: list[Path] = []
    beside: list[Path] = []
    splits: list[str] = []
    for (images, labels), split in parts:
        known = {file.stem: file for file in sorted(labels.iterdir())}
        for file in sorted(images.iterdir()):
            if file.suffix.lower() not in PICTURES:
                continue
            if file.stem not in known:
                message = f"'{file}' has no label image in '{labels}'."
                raise TrainingError(message, "Add it, or remove the picture.")
            files.append(file)
            beside.append(known[file.stem])
            splits.append(split)

    def load(number: int) -> NDArray[np.int32]:
        if recipe.task == "instances":
            numbers = read_raster(beside[number])
            return np.stack([numbers, np.sign(numbers)])
        codes = read_codes(beside[number], classes).astype(np.int32)
        known = np.where(codes == UNLABELLED, 0, codes + 1)
        return np.stack([known, known])

    name = parts[0][0][0].parent.name
    source = LabelledPictures(name, tuple(files), load, recipe.tile_px)
    return _by_picture([source], [splits], classes or (UNNAMED,))


def _coco(files: list[tuple[CocoFile, str]], recipe: TrainingRecipe) -> Found:
    """Return the pictures of COCO files."""
    if recipe.task == "classification":
        message = f"'{files[0][0].path}' holds outlines, not one class for each tile."
        raise TrainingError(message, "Train a segmentation or instances.")
    names = tuple(dict.fromkeys(name for file, _ in files for name in file.names))
    classes = recipe.classes or names
    sources = [
        LabelledPictures(
            file.path.name,
            file.files,
            partial(_coco_labels, file, classes),
            recipe.tile_px,
        )
        for file, _ in files
    ]
    splits = [[split] * len(file.files) for file, split in files]
    return _by_picture(sources, splits, classes)


def _coco_labels(
    file: CocoFile, classes: tuple[str, ...], number: int
) -> NDArray[np.int32]:
    return file.labels(number, classes)


def _by_picture(
    sources: Sequence[LabelledPictures],
    splits: Sequence[Sequence[str]],
    classes: tuple[str, ...],
) -> Found:
    """Return sources whose pictures are never divided."""
    groups = [
        np.array([file.name for file in each.files], np.str_)[each.owners()]
        for each in sources
        if each.files
    ]
    said = [
        np.array(split, np.str_)[each.owners()]
        for each, split in zip(sources, splits, strict=True)
        if each.files
    ]
    empty = [np.empty(0, np.str_)]
    return Found(
        sources, np.concatenate(groups or empty), np.concatenate(said or empty), classes
    )
