"""Regions that readers have drawn: where they are, and how far two readers agree."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations
from typing import TYPE_CHECKING, Final

import shapely

from workbench.annotations.collection import open_annotations
from workbench.reading.agreement import Agreement, Bootstrap, dice_agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from workbench.annotations.annotation import Annotation
    from workbench.slide.slide import Slide

READERS: Final = "readers"
_ANNOTATIONS: Final = "annotations"
_MM2: Final = 1e6


def reader_folder(study: Path, reader: str) -> Path:
    """Return the folder of what a reader draws in the app, apart from other readers."""
    digest = hashlib.sha256(reader.encode()).hexdigest()[:8]
    stem = re.sub(r"[^\w-]+", "_", reader)[:40]
    return study / _ANNOTATIONS / READERS / f"{stem}-{digest}"


def region_agreements(
    study: Path,
    open_slide: Callable[[str], Slide],
    done: Mapping[str, list[str]],
    bootstrap: Bootstrap,
) -> Iterator[Agreement]:
    """Yield the Dice coefficients of the regions of each pair of readers, by class.

    Parameters
    ----------
    study : Path
    open_slide : callable
        Opens a slide by its name.
    done : dict
        The readers who are done with each slide; one without regions has drawn none.
    bootstrap : Bootstrap
    """
    drawn: dict[str, dict[str, dict[str, BaseGeometry]]] = {}
    scale = {}
    for name, readers in done.items():
        with open_slide(name) as slide:
            drawn[name] = {each: _regions(slide, study, each) for each in readers}
            scale[name] = (slide.mpp or 1.0) ** 2 / _MM2
    classes = sorted({c for by in drawn.values() for each in by.values() for c in each})
    people = sorted({reader for readers in done.values() for reader in readers})
    for label in classes:
        for pair in combinations(people, 2):
            sizes = {
                name: _sizes(
                    by[pair[0]].get(label), by[pair[1]].get(label), scale[name]
                )
                for name, by in drawn.items()
                if set(pair) <= set(by)
            }
            if any(sum(each) for each in sizes.values()):
                names = (label or "regions", ", ".join(pair))
                yield dice_agreement(sizes, names, bootstrap)


def drawn_by(
    slide: Slide, study: Path, readers: Iterable[str]
) -> dict[str, list[Annotation]]:
    """Return what readers have drawn on a slide, by reader."""
    found: dict[str, list[Annotation]] = {}
    for reader in readers:
        folder = reader_folder(study, reader) / _ANNOTATIONS
        is_there = folder.is_dir()
        found[reader] = (
            list(open_annotations(slide, folder=folder, former="leave"))
            if is_there
            else []
        )
    return found


def overlaps(
    drawn: Mapping[str, list[Annotation]],
) -> Iterator[tuple[str, tuple[str, str], float]]:
    """Yield class, readers and Dice coefficient of the areas of each pair of readers.

    Parameters
    ----------
    drawn : dict
        What each reader has drawn on one slide. Areas of one class are united first; a
        class that neither of a pair has drawn is left out.
    """
    regions = {reader: _united(shapes) for reader, shapes in drawn.items()}
    for label in sorted({name for each in regions.values() for name in each}):
        for pair in combinations(regions, 2):
            one, other = (regions[reader].get(label) for reader in pair)
            first, second, shared = _sizes(one, other, 1.0)
            if first + second:
                yield label, pair, 2 * shared / (first + second)


def _regions(slide: Slide, study: Path, reader: str) -> dict[str, BaseGeometry]:
    """Return the union of a reader's polygons on a slide, by class."""
    return _united(drawn_by(slide, study, [reader])[reader])


def _united(shapes: Iterable[Annotation]) -> dict[str, BaseGeometry]:
    """Return the union of the areas among shapes, by class."""
    parts: dict[str, list[BaseGeometry]] = {}
    for each in shapes:
        if each.geometry.area:
            parts.setdefault(each.classification, []).append(each.geometry)
    return {name: shapely.union_all(areas) for name, areas in parts.items()}


def _sizes(
    first: BaseGeometry | None, second: BaseGeometry | None, scale: float
) -> tuple[float, float, float]:
    """Return the areas of two regions and of what they share, in mm²."""
    one, other = (shape or shapely.Polygon() for shape in (first, second))
    shared = one.intersection(other)
    return one.area * scale, other.area * scale, shared.area * scale
