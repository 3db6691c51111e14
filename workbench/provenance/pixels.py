"""The provenance of pixels made from a slide: converted slides and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.provenance.provenance import Provenance
from workbench.provenance.software import versions
from workbench.results.slide_facts import slide_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.slide.slide import Slide


def provenance_of_pixels(
    slide: Slide, kind: str, options: Mapping[str, Any], pixel_map: Any = None
) -> Provenance:
    """Return what made pixels from a slide.

    It has no time, so that equal work gives equal files.

    Parameters
    ----------
    slide : Slide
    kind : str
        "slide" for a converted slide, "picture" for an image.
    options : mapping
        What was asked for, ready for JSON.
    pixel_map : callable, optional
        The change of colours. Its `to_dict()`, which a `Normalizer` and a `SingleStain`
        have, becomes `normalizer`; of any other function the name alone is known.

    Returns
    -------
    Provenance

    Raises
    ------
    SlideChangedError
        If the file has changed before its id is known.
    """
    normalizer: dict[str, Any] = {}
    chosen = dict(options)
    if pixel_map is not None:
        name = getattr(pixel_map, "method", None) or getattr(
            pixel_map, "__name__", type(pixel_map).__name__
        )
        chosen["colours"] = str(name)
        if to_dict := getattr(pixel_map, "to_dict", None):
            normalizer = dict(to_dict())
    facts = slide_facts(slide)
    return Provenance(
        kind=kind,
        slide=facts,
        recipe=chosen,
        normalizer=normalizer,
        sessions=({"packages": dict(versions())},),
        software=dict(versions()),
        parents=({"kind": "slide", "name": slide.name, "digest": slide.id},),
    )
