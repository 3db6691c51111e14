"""Judgement of DICOM files by dicom3tools."""

from __future__ import annotations

import shutil
import subprocess

import pytest

TILED_FULL = (
    "PerFrameFunctionalGroups",
    "PlanePosition",
    "PlaneOrientation",
    "SegmentIdentification",
    "FrameContent",
    "DimensionIndex",
)
"""Names in errors about what TILED_FULL images need not have: that part of the standard
is newer than the validator."""

MISTAKEN = ("CommonZCoordinateValue",)
"""Names in errors about attributes that are not there: highdicom's own objects have
them too."""


def errors_of(path, *, allowed=TILED_FULL):
    """Return the errors that `dciodvfy` prints, without those about newer rules."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian's package dicom3tools)")
    said = subprocess.run(
        ["dciodvfy", path], capture_output=True, text=True, check=False
    )
    lines = (said.stdout + said.stderr).splitlines()
    assert lines, "dciodvfy said nothing"
    errors = [line for line in lines if line.startswith("Error")]
    return [
        line
        for line in errors
        if not any(name in line for name in (*allowed, *MISTAKEN))
    ]
