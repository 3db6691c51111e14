"""Strips of tiles with the highest and the lowest values, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import param

from workbench.app.widgets.controls import note, stack
from workbench.app.widgets.gallery import picture_url
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.tile_strip import TileStrip
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

_PICTURE_PX: Final = 72


class TileStrips(pn.viewable.Viewer):
    """A part that unfolds, with a strip of tiles for each label.

    Parameters
    ----------
    background : Background
    slide : Slide
        Slide from which the pictures are read.
    go_to : callable
        Called with the row of a tile whose picture is clicked.
    """

    opened = param.Boolean(doc="Whether it is unfolded.")

    def __init__(
        self, background: Background, slide: Slide, go_to: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._background = background
        self._slide = slide
        self._go_to = go_to
        self._shown: object = None
        self.strips: dict[str, TileStrip] = {}
        """Strips by their label."""
        self._body = stack()
        self._fold = Fold("Tiles", self._body)
        self._fold.param.watch(self._unfolded, "active")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._fold

    def show(
        self,
        boxes: NDArray[np.float64],
        rows: Mapping[str, NDArray[np.int64]],
        names: Callable[[str, int], str],
    ) -> None:
        """Show tiles, unless these are shown already.

        Parameters
        ----------
        boxes : float64 (N, 4)
            All tiles, in level-0 pixels.
        rows : mapping of str to int64 (k,)
            Rows of the tiles of each strip, by its label.
        names : callable
            Returns the name of a tile from the label of its strip and its place there.
        """
        shown = {
            label: [(int(row), names(label, place)) for place, row in enumerate(found)]
            for label, found in rows.items()
        }
        if shown == self._shown:
            return
        self._shown = shown

        def work() -> dict[str, list[dict[str, str]]]:
            return {
                label: strip_items(self._slide, boxes, tiles)
                for label, tiles in shown.items()
            }

        self._background.do(work, self._read, slot=f"strips {id(self)}")

    def _read(self, items: dict[str, list[dict[str, str]]]) -> None:
        if list(items) != list(self.strips):
            self.strips = {label: self._strip(label) for label in items}
            parts = [[note(label), strip] for label, strip in self.strips.items()]
            self._body.objects = [each for part in parts for each in part]
        for label, strip in self.strips.items():
            strip.items = items[label]

    def _strip(self, label: str) -> TileStrip:
        strip = TileStrip(label=label, sizing_mode="stretch_width", margin=0)
        strip.param.watch(lambda event: self._go_to(int(event.new["key"])), "clicked")
        return strip

    def _unfolded(self, event: param.parameterized.Event) -> None:
        self.opened = bool(event.new)


def strip_items(
    slide: Slide, boxes: NDArray[np.float64], tiles: list[tuple[int, str]]
) -> list[dict[str, str]]:
    """Return the items of a strip, with pictures from the slide.

    Parameters
    ----------
    slide : Slide
    boxes : float64 (N, 4)
        All tiles, in level-0 pixels.
    tiles : list of (int, str)
        Row and name of each tile of the strip.
    """
    if not tiles:
        return []
    places = [box_of_tile(boxes[row]) for row, _ in tiles]
    pictures = slide.read_tiles(places, (_PICTURE_PX, _PICTURE_PX))
    return [
        {
            "key": str(row),
            "name": name,
            "title": f"{name}, tile at {box.x0:,}, {box.y0:,}",
            "url": picture_url(np.ascontiguousarray(picture)),
        }
        for (row, name), box, picture in zip(tiles, places, pictures, strict=True)
    ]


def box_of_tile(edges: NDArray[np.float64]) -> Box:
    """Return the edges of a tile rounded to whole pixels, at least one pixel wide."""
    x0, y0, x1, y1 = (round(edge) for edge in edges.tolist())
    return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
