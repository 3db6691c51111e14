"""The part of a slide that a viewer shows: a box, or an area where it is turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from workbench.area import Area

if TYPE_CHECKING:
    from workbench.app.viewer.viewer import Viewer
    from workbench.geometry import Box

_QUARTER = 90


def seen_region(viewer: Viewer) -> Box | Area:
    """Return the part of the slide in view; the whole slide until it is shown.

    Turned by no whole quarter, what is in view is no upright box: its area is returned.
    Without a part of the slide in view, the box is empty.
    """
    whole = viewer.slide.box
    if viewer.viewport is None:
        return whole
    box: Box = viewer.viewport.intersection(whole)
    corners = viewer.seen_corners
    if corners is None or not viewer.angle % _QUARTER or not box.area:
        return box
    upright = shapely.box(box.x0, box.y0, box.x1, box.y1)
    return Area.of(shapely.Polygon(corners).intersection(upright))
