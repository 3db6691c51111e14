"""What a record says about the slide of a result."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.slide.slide import Slide


def slide_facts(slide: Slide) -> dict[str, Any]:
    """Return what a record says about a slide, without its folder.

    Raises
    ------
    SlideChangedError
        If the file has changed before its id is known.
    """
    box = slide.bounds
    given = slide.mpp_is_given
    shown = [asdict(each) for each in slide.channels if each.shown]
    return {
        "id": slide.id,
        "size": list(slide.size),
        "mpp": slide.mpp,
        "name": slide.name,
        "mpp_from": "given by the user" if given else "declared by the slide",
        "reader": slide.reader_name,
        "bounds": [box.x0, box.y0, box.x1, box.y1],
        "stored_mpp": list(slide.pixel_size.xy or ()),
        "pixel_scale": list(slide.frame.scale),
        **plane_fact(slide),
        **({"channels": shown} if shown else {}),
    }


def plane_fact(slide: Slide) -> dict[str, int]:
    """Return the number of the focal plane as `plane`; nothing of a slide with one."""
    return {"plane": slide.plane} if slide.depth > 1 else {}
