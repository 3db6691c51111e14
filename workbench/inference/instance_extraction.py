"""From a network's maps to objects in their place, beside the network's own work.

Decoding, tracing and measuring of a tile release the interpreter lock, so they run in
threads while the network answers the next batches; only so many batches wait that
memory stays flat.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

from workbench.geometry import Box
from workbench.instances.instances import Instances
from workbench.instances.measure import measure
from workbench.instances.outline_codec import centroids
from workbench.instances.stitching.claims import Claims, Kind, kinds_of, survey
from workbench.instances.stitching.codec import encode
from workbench.instances.tracing import largest_parts, rings
from workbench.models.instance_decoders import decoder_of
from workbench.stain.deconvolution import STAIN_SETS
from workbench.tiling.coverage import covered_px, within

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.models.card import ModelCard
    from workbench.tiling.grid import Grid
    from workbench.tiling.prefetch import Batch

_AHEAD: Final = 2
"""Batches whose objects may be looked for while the network goes on."""

_MOST_THREADS: Final = 16
_UM2_PER_MM2: Final = 1e6

_STAINS: Final = {
    "hematoxylin_od": ("H&E", 0),
    "eosin_od": ("H&E", 1),
    "dab_od": ("H-DAB", 1),
}
"""What is measured of each object, as a mean of the slide's own colours."""


class Found(NamedTuple):
    """The objects of one batch."""

    batch: Batch
    density: NDArray[np.float32]
    """Objects for each mm² covered, float32 (N, classes, cells, cells); NaN for cells
    outside the region, and for a tile for which the network gave no number."""
    objects: bytes
    """Claims, encoded."""
    seconds: float
    """How long it took, of all threads together."""


class InstanceExtractor:
    """Finds the objects of tiles; safe from any number of threads.

    Parameters
    ----------
    card : ModelCard
    grid : Grid
    mpp : float
        Micrometres per level-0 pixel.
    region : Box or Area, optional
        What was asked for; None: the whole slide.
    """

    def __init__(
        self,
        card: ModelCard,
        grid: Grid,
        mpp: float,
        region: Box | Area | None = None,
    ) -> None:
        self._card, self._grid, self._mpp = card, grid, mpp
        self._region = region
        self.classes = len(card.classes)
        self._decode = decoder_of(card)
        self._stains = {
            name: STAIN_SETS[kind].tables(index)
            for name, (kind, index) in _STAINS.items()
        }

    def find(
        self, tile: int, maps: NDArray[np.float32], pixels: NDArray[np.uint8]
    ) -> Claims | None:
        """Return what a tile claims; None if the network gave no number.

        Parameters
        ----------
        tile : int
            Number in the grid.
        maps : float32 (C, H, W)
            What the network said of it.
        pixels : uint8 (tile_px, tile_px, 3)
        """
        if not np.isfinite(maps).all():
            return None
        labels, classes, scores = self._decode(maps)
        planes = labels if labels.ndim == 3 else labels[None]  # noqa: PLR2004
        sure = np.asarray(scores, np.float32) >= self._card.min_score
        parts = [
            self._claims(tile, plane, np.asarray(classes), np.where(sure, scores, -1))
            for plane in planes
        ]
        claims = parts[0] if len(parts) == 1 else Claims.concatenate(parts)
        box = self._grid.tile(tile)
        measured = measure(claims.instances, pixels, box, self._mpp, self._stains)
        return Claims(measured, claims.tiles, claims.kinds)

    def _claims(
        self,
        tile: int,
        labels: NDArray[np.int32],
        classes: NDArray[Any],
        scores: NDArray[Any],
    ) -> Claims:
        """Trace the objects of a plane that are this tile's business.

        Those with a negative score are left out.
        """
        grid, box = self._grid, self._grid.tile(tile)
        side = grid.tile_px
        if labels.shape != (side, side):  # the network saw the tile at another size
            labels = cv2.resize(labels, (side, side), interpolation=cv2.INTER_NEAREST)
        scale = box.width / side
        whole, first = largest_parts(_cleared(labels, grid.on_slide(tile)))
        core = grid.core(tile)
        edges = np.array([core.x0, core.y0, core.x1, core.y1], float)
        edges = (edges - [box.x0, box.y0, box.x0, box.y0]) / scale
        kinds = kinds_of(survey(whole, len(first), edges), grid, tile)
        wanted = (kinds >= 0) & (scores[: len(first)] >= 0)
        outlines = rings(
            whole, np.where(wanted, first, -1), origin=(box.x0, box.y0), scale=scale
        )
        which = np.flatnonzero(wanted)
        instances = Instances(
            points=outlines.points,
            ends=outlines.ends[which],
            classes=classes[which].astype(np.uint16),
            scores=scores[which].astype(np.float32),
        )
        tiles = np.full(len(which), tile, np.int64)
        return Claims(instances, tiles, kinds[which].astype(np.uint8))

    def density(self, tile: int, claims: Claims | None) -> NDArray[np.float32]:
        """Return objects for each mm² that is covered: (classes, cells, cells).

        Of a cell only what lies on the slide and in the region is covered; where that
        is nothing the density is NaN.
        """
        card, core = self._card, self._grid.core(tile)
        shape = len(card.classes), card.cells, card.cells
        if claims is None:
            return np.full(shape, np.nan, np.float32)
        own = claims.instances.take(claims.kinds != Kind.BEYOND)
        places = centroids(own)
        if self._region is not None:
            inside = within(self._region, *places.T)
            own, places = own.take(inside), places[inside]
        cell = self._grid.step / card.cells
        at = (places - [core.x0, core.y0]) // cell
        column, row = np.clip(at, 0, card.cells - 1).astype(int).T
        counts = np.zeros(shape, np.float32)
        np.add.at(counts, (own.classes.astype(int), row, column), 1)
        steps = np.arange(card.cells + 1) * cell
        right, down = np.minimum(core.x0 + steps, core.x1), core.y0 + steps
        covered = covered_px(right, np.minimum(down, core.y1), self._region)
        mm2 = np.where(covered > 0, covered, np.nan) * (self._mpp**2 / _UM2_PER_MM2)
        return (counts / mm2).astype(np.float32)


def _cleared(labels: NDArray[np.int32], inside: Box) -> NDArray[np.int32]:
    """Return labels without those beyond the edge of the slide."""
    height, width = labels.shape
    if inside == Box(0, 0, width, height):
        return labels
    cleared = np.zeros_like(labels)
    part = np.s_[inside.y0 : inside.y1, inside.x0 : inside.x1]
    cleared[part] = labels[part]
    return cleared


def find_objects(
    answered: Iterable[tuple[Batch, NDArray[np.float32]]], finder: InstanceExtractor
) -> Generator[Found, None, None]:
    """Find the objects of batch after batch, in order, in threads of their own.

    Parameters
    ----------
    answered : iterable of (Batch, float32 (N, C, H, W))
        Drawn ahead of what is given, by no more than two batches.
    finder : InstanceExtractor

    Yields
    ------
    Found
    """
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[Found]] = deque()
    # Whoever gathers a batch waits for its tiles, so it must not take their threads.
    tiles = ThreadPoolExecutor(threads, thread_name_prefix="find")
    gathering = ThreadPoolExecutor(1, thread_name_prefix="gather")

    def find(tile: int, maps: Any, pixels: Any) -> tuple[Any, Any, float]:
        began = time.perf_counter()
        claims = finder.find(tile, maps, pixels)
        density = finder.density(tile, claims)
        return claims, density, time.perf_counter() - began

    def gather(batch: Batch, found: list[Future[Any]]) -> Found:
        each = [future.result() for future in found]
        claims = Claims.concatenate([c for c, _, _ in each if c is not None])
        density = np.stack([density for _, density, _ in each])
        spent = sum(seconds for *_, seconds in each)
        return Found(batch, density, encode(claims, finder.classes), spent)

    try:
        for batch, maps in answered:
            found = [
                tiles.submit(find, int(tile), maps[i], batch.pixels[i])
                for i, tile in enumerate(batch.indices)
            ]
            waiting.append(gathering.submit(gather, batch, found))
            while len(waiting) > _AHEAD or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        tiles.shutdown(wait=False, cancel_futures=True)
        gathering.shutdown(wait=False, cancel_futures=True)
