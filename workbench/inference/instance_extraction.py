"""Extraction of instances from the maps of a network, in threads beside the network.

Decoding, tracing and measuring of a tile release the interpreter lock, so they run in
threads while the network predicts the next batches. The number of waiting batches is
bounded, so memory stays flat.
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
from workbench.instances.stitching.claims import ClaimKind, Claims, kinds_of, survey
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
"""Batches whose instances may be extracted while the network goes on."""

_MAX_THREADS: Final = 16
_UM2_PER_MM2: Final = 1e6

_STAINS: Final = {
    "hematoxylin_od": ("H&E", 0),
    "eosin_od": ("H&E", 1),
    "dab_od": ("H-DAB", 1),
}
"""Stain of each measure: the mean optical density of an instance, from its tile."""


class ExtractedInstances(NamedTuple):
    """The instances of one batch."""

    batch: Batch
    density: NDArray[np.float32]
    """Instances per covered mm², float32 (N, classes, cells, cells); NaN for cells
    outside the region, and for tiles with outputs that are not finite."""
    objects: bytes
    """Encoded claims."""
    seconds: float
    """Seconds of the extraction, summed over all threads."""


class InstanceExtractor:
    """Extracts the instances of tiles; thread-safe.

    Parameters
    ----------
    card : ModelCard
    grid : Grid
    mpp : float
        Micrometres per level-0 pixel.
    region : Box or Area, optional
        Region of the run; None: the whole slide.
    min_score : float, optional
        Instances with a lower score are left out; None: the value of the card.
    stained : bool
        Whether the pixels are of stains in bright field; else amounts of stain are NaN.
    """

    def __init__(
        self,
        card: ModelCard,
        grid: Grid,
        mpp: float,
        region: Box | Area | None = None,
        *,
        min_score: float | None = None,
        stained: bool = True,
    ) -> None:
        card = card.with_min_score(min_score)
        self._card, self._grid, self._mpp = card, grid, mpp
        self._region = region
        self.classes = len(card.classes)
        self._decode = decoder_of(card)
        self._stains = {
            name: STAIN_SETS[kind].tables(index) * (1 if stained else np.nan)
            for name, (kind, index) in _STAINS.items()
        }

    def extract(
        self, tile: int, maps: NDArray[np.float32], pixels: NDArray[np.uint8]
    ) -> Claims | None:
        """Return the claims of a tile; None if the output of the network is not finite.

        Parameters
        ----------
        tile : int
            Number of the tile in the grid.
        maps : float32 (C, H, W)
            Maps of the network for the tile.
        pixels : uint8 (tile_px, tile_px, 3)
        """
        if not np.isfinite(maps).all():
            return None
        labels, classes, scores = self._decode(maps)
        planes = labels if labels.ndim == 3 else labels[None]  # noqa: PLR2004
        confident = np.asarray(scores, np.float32) >= self._card.min_score
        parts = [
            self._claims(
                tile, plane, np.asarray(classes), np.where(confident, scores, -1)
            )
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
        """Trace the instances of a plane that are in the core of the tile or touch it.

        Instances with a negative score are left out.
        """
        grid, box = self._grid, self._grid.tile(tile)
        side = grid.tile_px
        if labels.shape != (side, side):  # the network works at another tile size
            labels = cv2.resize(labels, (side, side), interpolation=cv2.INTER_NEAREST)
        scale = box.width / side
        whole, first = largest_parts(_clear_outside(labels, grid.on_slide(tile)))
        core = grid.core(tile)
        edges = np.array([core.x0, core.y0, core.x1, core.y1], float)
        edges = (edges - [box.x0, box.y0, box.x0, box.y0]) / scale
        kinds = kinds_of(survey(whole, len(first), edges), grid, tile)
        selected = (kinds >= 0) & (scores[: len(first)] >= 0)
        outlines = rings(
            whole, np.where(selected, first, -1), origin=(box.x0, box.y0), scale=scale
        )
        labels_kept = np.flatnonzero(selected)
        instances = Instances(
            points=outlines.points,
            ends=outlines.ends[labels_kept],
            classes=classes[labels_kept].astype(np.uint16),
            scores=scores[labels_kept].astype(np.float32),
        )
        tiles = np.full(len(labels_kept), tile, np.int64)
        return Claims(instances, tiles, kinds[labels_kept].astype(np.uint8))

    def density(self, tile: int, claims: Claims | None) -> NDArray[np.float32]:
        """Return instances per covered mm², float32 (classes, cells, cells).

        The covered part of a cell lies on the slide and in the region; the density of
        a cell without one is NaN.
        """
        card, core = self._card, self._grid.core(tile)
        shape = len(card.classes), card.cells, card.cells
        if claims is None:
            return np.full(shape, np.nan, np.float32)
        own = claims.instances.take(claims.kinds != ClaimKind.BEYOND)
        points = centroids(own)
        if self._region is not None:
            inside = within(self._region, *points.T)
            own, points = own.take(inside), points[inside]
        cell = self._grid.step / card.cells
        at = (points - [core.x0, core.y0]) // cell
        column, row = np.clip(at, 0, card.cells - 1).astype(int).T
        counts = np.zeros(shape, np.float32)
        np.add.at(counts, (own.classes.astype(int), row, column), 1)
        steps = np.arange(card.cells + 1) * cell
        right, down = np.minimum(core.x0 + steps, core.x1), core.y0 + steps
        covered = covered_px(right, np.minimum(down, core.y1), self._region)
        mm2 = np.where(covered > 0, covered, np.nan) * (self._mpp**2 / _UM2_PER_MM2)
        return (counts / mm2).astype(np.float32)


def _clear_outside(labels: NDArray[np.int32], inside: Box) -> NDArray[np.int32]:
    """Return labels with 0 outside a box: beyond the edge of the slide."""
    height, width = labels.shape
    if inside == Box(0, 0, width, height):
        return labels
    cleared = np.zeros_like(labels)
    part = np.s_[inside.y0 : inside.y1, inside.x0 : inside.x1]
    cleared[part] = labels[part]
    return cleared


def extract_instances(
    predicted: Iterable[tuple[Batch, NDArray[np.float32]]], extractor: InstanceExtractor
) -> Generator[ExtractedInstances, None, None]:
    """Extract the instances of each batch, in order, in threads.

    Parameters
    ----------
    predicted : iterable of (Batch, float32 (N, C, H, W))
        Batches and their maps; up to two are consumed ahead of the results.
    extractor : InstanceExtractor

    Yields
    ------
    ExtractedInstances
    """
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[ExtractedInstances]] = deque()
    # `gather` waits for the tiles of a batch, so it needs a thread of its own.
    tiles = ThreadPoolExecutor(threads, thread_name_prefix="extract")
    gathering = ThreadPoolExecutor(1, thread_name_prefix="gather")

    def extract(tile: int, maps: Any, pixels: Any) -> tuple[Any, Any, float]:
        began = time.perf_counter()
        claims = extractor.extract(tile, maps, pixels)
        density = extractor.density(tile, claims)
        return claims, density, time.perf_counter() - began

    def gather(batch: Batch, futures: list[Future[Any]]) -> ExtractedInstances:
        tiles_done = [future.result() for future in futures]
        claims = Claims.concatenate([c for c, _, _ in tiles_done if c is not None])
        density = np.stack([density for _, density, _ in tiles_done])
        seconds = sum(seconds for *_, seconds in tiles_done)
        return ExtractedInstances(
            batch, density, encode(claims, extractor.classes), seconds
        )

    try:
        for batch, maps in predicted:
            futures = [
                tiles.submit(extract, int(tile), maps[i], batch.pixels[i])
                for i, tile in enumerate(batch.indices)
            ]
            waiting.append(gathering.submit(gather, batch, futures))
            while len(waiting) > _AHEAD or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        tiles.shutdown(wait=False, cancel_futures=True)
        gathering.shutdown(wait=False, cancel_futures=True)
