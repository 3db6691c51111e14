"""Views of registered slides that show the same tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.app.viewer.viewer import Viewer
    from workbench.registration.registration import Registration, Side

MAIN: Final[dict[str, Any]] = {"main": True}
"""Link of the viewer whose slide the others are registered to."""

_NODES: Final = 49
"""Nodes along the longer side of a slide."""


def link_viewers(main: Viewer, other: Viewer, registration: Registration) -> None:
    """Let two viewers on one page show the same tissue, whichever of them is moved.

    Pan, zoom, turns and flips follow: the centres correspond by the registration, with
    its bending; scale and angle by its affine part.

    Parameters
    ----------
    main, other : Viewer
        Viewers of the two slides that were registered, in any order.
    registration : Registration

    Raises
    ------
    RegistrationError
        If it is of other slides.
    """
    side = registration.side_of(main.slide)
    registration.require(other.slide, side="moving" if side == "fixed" else "fixed")
    main.stage.tissue = MAIN
    other.stage.tissue = tissue_link(registration, side)
    main.lock = other.lock = main.lock or "tissue"


def tissue_link(registration: Registration, main: Side) -> dict[str, Any]:
    """Return where one slide of a registration lies in the other, for the browser.

    Parameters
    ----------
    registration : Registration
    main : "fixed" or "moving"
        The slide that the other is shown beside.

    Returns
    -------
    dict
        `TissueLinkSpec` of `messages.d.ts`.
    """
    fixed, moving = registration.fixed, registration.moving
    # From the fixed slide to the moving one, in pixels.
    linear = registration.transform.affine[:, :2] * (fixed["mpp"] / moving["mpp"])
    to_moving = _grid(fixed["size"], registration.to_moving)
    to_fixed = _grid(moving["size"], registration.to_fixed)
    if main == "fixed":
        return _spec(np.linalg.inv(linear), forth=to_fixed, back=to_moving)
    return _spec(linear, forth=to_moving, back=to_fixed)


def _spec(
    linear: NDArray[np.float64], forth: dict[str, Any], back: dict[str, Any]
) -> dict[str, Any]:
    return {"linear": linear.T.ravel().tolist(), "forth": forth, "back": back}


def _grid(
    size: tuple[int, int], transform: Callable[[Any], NDArray[np.float64]]
) -> dict[str, Any]:
    """Return where the nodes of a grid over a slide lead."""
    spacing = max(size) / (_NODES - 1)
    columns, rows = (max(2, round(side / spacing) + 1) for side in size)
    step = [size[0] / (columns - 1), size[1] / (rows - 1)]
    y, x = np.mgrid[:rows, :columns]
    nodes = np.stack([x, y], axis=-1).reshape(-1, 2) * step
    points = transform(nodes).round(1).ravel().tolist()
    return {"step": step, "columns": columns, "points": points}
