"""Philips TIFF: what was scanned of each level, pixel sizes, pictures in the XML."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Final

import simplejpeg

from workbench.slide import limits
from workbench.slide.readers.tiff.directory import ClaimError
from workbench.slide.readers.tiff.ome import parse_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPACING: Final = re.compile(r'Name="DICOM_PIXEL_SPACING"[^>]*>([^<]*)<', re.IGNORECASE)
_NUMBER: Final = re.compile(r"[\d.]+(?:[eE][-+]?\d+)?")
_BESIDE: Final = {"LABELIMAGE": "label", "MACROIMAGE": "macro"}
_UM: Final = 1000.0
_SAME: Final = 0.02


def spacings(description: str) -> list[tuple[float, float]]:
    """Return micrometres per pixel along x and y: of the scan, then of its levels."""
    found = []
    for text in _SPACING.findall(description):
        numbers = [float(each) * _UM for each in _numbers(text)]
        if len(numbers) == 2 and min(numbers) > 0:  # noqa: PLR2004 - rows, columns
            found.append((numbers[1], numbers[0]))
    return found


def _numbers(text: str) -> list[str]:
    return [each for each in _NUMBER.findall(text) if each.strip(".")]


def cut_to_scan(
    description: str, sizes: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the sizes of levels without what pads them to whole tiles.

    By how much each level is shrunk is the ratio of the spacings that the file lists,
    and the nearest power of two where it lists none.
    """
    width, height = sizes[0]
    listed = spacings(description)[1:]  # the first is that of the whole scan
    cut = []
    for number, (padded_width, padded_height) in enumerate(sizes):
        if len(listed) >= len(sizes):
            shrink = listed[number][0] / listed[0][0]
        else:
            shrink = 2.0 ** round(math.log2(width / padded_width))
        shrink = float(round(shrink)) if abs(shrink - round(shrink)) < _SAME else shrink
        cut.append(
            (
                max(1, min(padded_width, int(width / shrink))),
                max(1, min(padded_height, int(height / shrink))),
            )
        )
    return cut


def pictures_beside(description: str) -> dict[str, bytes]:
    """Return the label and macro that lie in the XML, by name: each a JPEG.

    What is empty, damaged or larger than `limits.MAX_ASSOCIATED_PX` is left out.
    """
    if not any(kind in description for kind in _BESIDE):
        return {}
    try:
        root = parse_xml(description)
    except ClaimError:
        return {}
    found: dict[str, bytes] = {}
    for element in root.iter("DataObject"):
        told = {each.get("Name"): each.text for each in element.iterfind("Attribute")}
        name = _BESIDE.get((told.get("PIM_DP_IMAGE_TYPE") or "").strip())
        data = _jpeg(told.get("PIM_DP_IMAGE_DATA") or "")
        if name and data:
            found.setdefault(name, data)
    return found


def _jpeg(text: str) -> bytes:
    """Return a JPEG in base 64 that is small enough to be shown; else nothing."""
    try:
        data = base64.b64decode(text)
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except (binascii.Error, ValueError):
        return b""
    return data if 0 < width * height <= limits.MAX_ASSOCIATED_PX else b""
