"""Philips TIFF: scanned area of each level, pixel sizes, images in the XML."""

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
    """Return micrometres per pixel along x and y of the scan, then of each level."""
    pairs = []
    for text in _SPACING.findall(description):
        numbers = [float(each) * _UM for each in _numbers(text)]
        if len(numbers) == 2 and min(numbers) > 0:  # noqa: PLR2004 - rows, columns
            pairs.append((numbers[1], numbers[0]))
    return pairs


def _numbers(text: str) -> list[str]:
    return [each for each in _NUMBER.findall(text) if each.strip(".")]


def crop_to_scan(
    description: str, sizes: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the sizes of levels without their padding to whole tiles.

    The downsample of each level is the ratio of the pixel spacings in the file, or the
    nearest power of two if the file has none.
    """
    width, height = sizes[0]
    listed = spacings(description)[1:]  # the first is that of the whole scan
    cropped = []
    for number, (padded_width, padded_height) in enumerate(sizes):
        if len(listed) >= len(sizes):
            shrink = listed[number][0] / listed[0][0]
        else:
            shrink = 2.0 ** round(math.log2(width / padded_width))
        shrink = float(round(shrink)) if abs(shrink - round(shrink)) < _SAME else shrink
        cropped.append(
            (
                max(1, min(padded_width, int(width / shrink))),
                max(1, min(padded_height, int(height / shrink))),
            )
        )
    return cropped


def associated_images(description: str) -> dict[str, bytes]:
    """Return the label and macro in the XML by name, as JPEG files.

    Images that are empty, damaged or larger than `limits.MAX_ASSOCIATED_PX` are
    skipped.
    """
    if not any(kind in description for kind in _BESIDE):
        return {}
    try:
        root = parse_xml(description)
    except ClaimError:
        return {}
    images: dict[str, bytes] = {}
    for element in root.iter("DataObject"):
        texts = {each.get("Name"): each.text for each in element.iterfind("Attribute")}
        name = _BESIDE.get((texts.get("PIM_DP_IMAGE_TYPE") or "").strip())
        data = _decode_base64_jpeg(texts.get("PIM_DP_IMAGE_DATA") or "")
        if name and data:
            images.setdefault(name, data)
    return images


def _decode_base64_jpeg(text: str) -> bytes:
    """Return a JPEG from base 64; empty if it is damaged or too large."""
    try:
        data = base64.b64decode(text)
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except (binascii.Error, ValueError):
        return b""
    return data if 0 < width * height <= limits.MAX_ASSOCIATED_PX else b""
