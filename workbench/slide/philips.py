"""Philips TIFF: how much of each level was scanned, and how large its pixels are."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPACING: Final = re.compile(r'Name="DICOM_PIXEL_SPACING"[^>]*>([^<]*)<', re.IGNORECASE)
_NUMBER: Final = re.compile(r"[\d.]+(?:[eE][-+]?\d+)?")
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
