"""Our own runs: vectors of an embedding, or the scores of any other model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.features.placement import place
from workbench.features.stored import StoredFeatures
from workbench.recipe import NO_METHOD
from workbench.results.run import open_run

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.features import Features
    from workbench.features.stored import Request
    from workbench.results.run import Run
    from workbench.tiling.grid import Grid

FORMAT: Final = "Slide Workbench run"


def read(path: Path, _: Request) -> StoredFeatures:
    """Read a run folder."""
    return read_run(open_run(path))


def features_of(run: Run) -> Features:
    """Return the vectors or scores that a run has so far, as `open_features` does."""
    return place(read_run(run), None)


def read_run(run: Run) -> StoredFeatures:
    """Return the vectors, or the scores of all cells, that a run has so far.

    The boxes are those of the pixels that the model saw, in stored pixels.
    """
    content: dict[str, Any]
    if run.card.dimensions:
        found = run.embeddings
        boxes = _tile_boxes(run.grid, found.tiles)
        content = {"vectors": found.vectors}
    else:
        heatmap = run.heatmap
        rows, columns = np.nonzero(np.isfinite(heatmap.values).any(axis=0))
        corners = np.stack([columns, rows], axis=1) * heatmap.cell
        boxes = np.hstack([corners, corners + heatmap.cell])
        values = heatmap.values[:, rows, columns].T.astype(np.float64)
        content = {"names": heatmap.classes, "values": values}
    slide = run.record["slide"]
    scale = np.array(slide.get("pixel_scale", (1.0, 1.0)), np.float64)
    width, height = (np.array(slide["size"]) / scale).round().astype(int).tolist()
    return StoredFeatures(
        path=run.path,
        format=FORMAT,
        corners=boxes[:, :2] / scale,
        size=(boxes[:, 2:] - boxes[:, :2]) / scale,
        encoder=run.card.name,
        mpp=run.card.mpp,
        slide_size=(width, height),
        attributes={
            "slide": slide["name"],
            "slide_id": slide["id"],
            "model": run.card.name,
            "model_sha256": run.card.sha256,
            "normalize": run.recipe.normalize or NO_METHOD,
            "reference": run.recipe.reference,
        },
        **content,
    )


def _tile_boxes(grid: Grid, tiles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the boxes of tiles as `Grid.tiles` rounds them, float64 (N, 4)."""
    rows, columns = np.divmod(tiles, grid.columns)
    margin = grid.margin_px * grid.downsample
    corners = np.rint(np.stack([columns, rows], axis=1) * grid.step - margin)
    return np.hstack([corners, corners + np.rint(grid.tile_px * grid.downsample)])
