"""What the readers of a slide have drawn, side by side: pictures, areas, overlap."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from workbench.errors import StudyError
from workbench.geometry import Box
from workbench.layers.annotations import draw_annotations
from workbench.layers.encode import encode_jpeg
from workbench.layers.figure import snapshot
from workbench.reading.regions import drawn_by, overlaps

if TYPE_CHECKING:
    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.access import Access
    from workbench.app.gallery.reading_desk import ReadingDesk
    from workbench.slide.slide import Slide
    from workbench.study.study import Study

COLOURS: Final = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
"""Colours of the readers, in alphabetical order; people who see few colours tell them
apart (M. Okabe and K. Ito, 2008)."""

_LONGEST_PX: Final = 900
_MARGIN: Final = 0.08
"""Of a picture around the shapes, as a share of their extent."""

_LEAST_MARGIN: Final = 32
_LINE_PX: Final = 6
_PALE: Final = 0.6
"""Contrast of the slide below the shapes."""

_MM2: Final = 1e6


class ReaderRegions:
    """Compares what the readers of a worklist have drawn on a slide. For leads only.

    Parameters
    ----------
    study : Study
    desk : ReadingDesk
    """

    def __init__(self, study: Study, desk: ReadingDesk) -> None:
        self._study, self._desk = study, desk

    def report(self, access: Access, worklist: str, slide: str) -> dict[str, Any]:
        """Return who has drawn what, and how far they agree.

        Returns
        -------
        dict
            `readers`: name, colour, `shapes`, and `drawn`, a row per class (`class`,
            `shapes`, `mm2`, None without a pixel size). `overlaps`: a row per class and
            pair (`class`, `readers`, `dice`).

        Raises
        ------
        StudyError
            If the user is no lead, or the slide is not in the worklist.
        """
        names = self._readers(access, worklist, slide)
        with self._study.open_slide(slide) as opened:
            drawn = drawn_by(opened, self._study.path, names)
            scale = None if opened.mpp is None else opened.mpp**2 / _MM2
        readers = [
            {
                "name": name,
                "colour": "#{:02x}{:02x}{:02x}".format(*_colour(names, name)),
                "shapes": len(drawn[name]),
                "drawn": _classes(drawn[name], scale),
            }
            for name in names
        ]
        found = [
            {
                "class": label or "no class",
                "readers": list(pair),
                "dice": round(dice, 4),
            }
            for label, pair, dice in overlaps(drawn)
        ]
        return {"readers": readers, "overlaps": found}

    def picture(
        self, access: Access, worklist: str, slide: str, reader: str = ""
    ) -> bytes:
        """Return a JPEG of what readers have drawn, each in their colour.

        Parameters
        ----------
        access : Access
        worklist, slide : str
        reader : str
            Whose shapes are drawn; empty: those of all. The part of the slide is that
            with the shapes of all readers, so that pictures are alike.

        Raises
        ------
        StudyError
            If the user is no lead, or there is no such reader of the slide.
        SlideError
            If the slide cannot be read.
        """
        names = self._readers(access, worklist, slide)
        if reader and reader not in names:
            message = f"'{slide}' is not assigned to '{reader}'."
            raise StudyError(message, "Choose a reader of the slide.")
        with self._study.open_slide(slide) as opened:
            drawn = drawn_by(opened, self._study.path, names)
            box = _box(opened, [each for shapes in drawn.values() for each in shapes])
            width = round(_LONGEST_PX * min(1.0, box.width / box.height))
            pixels = snapshot(opened, box=box, width=max(1, width))
        shown = [
            replace(each, colour=_colour(names, name), name="")
            for name in ([reader] if reader else names)
            for each in drawn[name]
        ]
        paled = (255 - _PALE * (255.0 - pixels)).astype(np.uint8)
        return encode_jpeg(draw_annotations(paled, shown, box, line_px=_LINE_PX)).data

    def _readers(self, access: Access, worklist: str, slide: str) -> list[str]:
        if not access.leads:
            message = "Only leads compare what readers have drawn."
            raise StudyError(message, "Ask a lead of the study.")
        assigned = self._desk.readings.worklist(worklist).assigned
        if slide not in assigned:
            message = f"'{worklist}' has no slide '{slide}'."
            raise StudyError(message, "Choose a slide of the worklist.")
        return sorted(assigned[slide])


def _colour(names: list[str], name: str) -> tuple[int, int, int]:
    return COLOURS[names.index(name) % len(COLOURS)]


def _classes(shapes: list[Annotation], scale: float | None) -> list[dict[str, Any]]:
    """Return the number and area of the shapes of each class."""
    numbers = Counter(each.classification for each in shapes)
    areas: Counter[str] = Counter()
    for each in shapes:
        areas[each.classification] += each.geometry.area
    return [
        {
            "class": label or "no class",
            "shapes": number,
            "mm2": None if scale is None else float(f"{areas[label] * scale:.4g}"),
        }
        for label, number in sorted(numbers.items())
    ]


def _box(slide: Slide, shapes: list[Annotation]) -> Box:
    """Return the part of a slide around shapes; without any, the whole slide."""
    if not shapes:
        return slide.box
    bounds = shapely.total_bounds([each.geometry for each in shapes])
    x0, y0, x1, y1 = (round(float(each)) for each in bounds)
    margin = max(_LEAST_MARGIN, round(_MARGIN * max(x1 - x0, y1 - y0)))
    found = Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)).grow(margin)
    return found.intersection(slide.box) if found.intersects(slide.box) else slide.box
