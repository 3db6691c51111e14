"""Converted slides and pictures, made again and compared pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from workbench.area import Area
from workbench.errors import ProvenanceError, WorkbenchError
from workbench.export.dicom.slide import write_dicom_slide
from workbench.export.slides.convert import convert_slide
from workbench.geometry import Box
from workbench.provenance.embedding import attach
from workbench.provenance.pixels import provenance_of_pixels
from workbench.provenance.reading import read_provenance
from workbench.reproduction.comparison import Comparison
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import Normalizer
from workbench.stain.single_stain import SingleStain

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.provenance.provenance import Provenance
    from workbench.slide.slide import Slide

KINDS: Final = ("slide", "picture")
"""Kinds of artefacts that hold pixels of a slide."""

_BLOCK: Final = 2048


def repeat_pixels(
    path: Path, made: Provenance, slide: Slide, folder: Path
) -> tuple[Comparison, Provenance]:
    """Make pixels again from a slide, by what made them, and compare.

    Stains are not fitted again: the recorded normalizer is used.

    Parameters
    ----------
    path : Path
        The converted slide or picture.
    made : Provenance
        What made it.
    slide : Slide
    folder : Path
        Folder for what is made again.

    Returns
    -------
    Comparison, Provenance
        How level 0 differs, and what made the second one.

    Raises
    ------
    ProvenanceError
        If the change of colours is not recorded, or the record is damaged.
    WorkbenchError
        As `convert_slide`.
    """
    again = folder / path.name
    folder.mkdir(parents=True, exist_ok=True)
    pixel_map = _pixel_map(path, made)
    try:
        _make(made, slide, again, pixel_map)
    except WorkbenchError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = f"its provenance is damaged: {error!r:.200}"
        raise ProvenanceError(path, reason) from error
    with open_slide(path) as before, open_slide(again) as now:
        return compare_pixels(before, now), read_provenance(again)


def _pixel_map(path: Path, made: Provenance) -> Any:
    """Return the recorded change of colours; None: there is none."""
    record = made.normalizer
    if "stain" in record:
        return SingleStain.from_dict(record)
    if record:
        return Normalizer.from_dict(record)
    if name := made.recipe.get("colours"):
        reason = f"its colours were changed by '{name}', which is not recorded"
        raise ProvenanceError(path, reason, "Convert the slide again with it.")
    return None


def _make(made: Provenance, slide: Slide, path: Path, pixel_map: Any) -> None:
    options = made.recipe
    if made.kind == "picture":
        size = tuple(options["size"])
        pixels = slide.read(Box(*options["box"]), size=size).pixels
        Image.fromarray(pixel_map(pixels)).save(path)
        chosen = {name: options[name] for name in ("box", "size", "reference")}
        attach(path, provenance_of_pixels(slide, "picture", chosen, pixel_map))
    elif options["to"] == "dicom":
        quality = int(options["quality"])
        write_dicom_slide(slide, path, normalizer=pixel_map, quality=quality)
    else:
        area = options.get("area")
        convert_slide(
            slide,
            path,
            to=options["to"],
            pixel_map=pixel_map,
            box=tuple(options["box"]),
            area=None if area is None else Area.of(area),
            mpp=None if options["step"] == 1 else options["mpp"],
            quality=int(options["quality"]),
        )


def compare_pixels(before: Slide, now: Slide) -> Comparison:
    """Compare level 0 of two slides, block by block."""
    (width, height), other = before.size, now.size
    whole = width * height
    facts: dict[str, Any] = {"part": "level 0", "unit": "pixels", "before": whole}
    if before.size != other:
        now_px = other[0] * other[1]
        return Comparison(**facts, now=now_px, missing=whole, added=now_px)
    changed, largest, where = 0, 0, None
    for y in range(0, height, _BLOCK):
        for x in range(0, width, _BLOCK):
            box = Box(x, y, min(width, x + _BLOCK), min(height, y + _BLOCK))
            a, b = (each.read(box).pixels.astype(np.int16) for each in (before, now))
            delta = np.abs(a - b).max(axis=2)
            changed += int(np.count_nonzero(delta))
            if delta.max() > largest:
                row, column = np.unravel_index(int(delta.argmax()), delta.shape)
                largest, where = int(delta.max()), (x + int(column), y + int(row))
    return Comparison(
        **facts,
        now=whole,
        changed=changed,
        largest=float(largest),
        value="grey levels" if changed else "",
        where=where,
    )
