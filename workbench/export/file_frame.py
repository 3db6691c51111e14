"""Frames of exported files, in stored pixels instead of level-0 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.geometry import FileFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.results.run import Run


def stored_frame(run: Run) -> FileFrame:
    """Return the frame of stored pixels of a run's slide.

    It differs from level-0 pixels if stored pixels are not square.
    """
    x, y = run.record["slide"].get("pixel_scale", (1.0, 1.0))
    return FileFrame((x, y))


def scanned_frame(run: Run) -> FileFrame:
    """Return the frame of QuPath: stored pixels from the corner of the scanned area."""
    left, upper = run.record["slide"]["bounds"][:2]
    return FileFrame(stored_frame(run).scale, (left, upper))


def boxes_in(frame: FileFrame, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return boxes (x0, y0, x1, y1), int64 (N, 4), in whole pixels of a frame."""
    corners = frame.of_slide(boxes.reshape(-1, 2, 2))
    return np.rint(corners).astype(np.int64).reshape(-1, 4)
