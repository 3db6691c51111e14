"""Where files of different formats hold their provenance."""

from __future__ import annotations

from typing import Final

TABLE: Final = "workbench_provenance"
"""Table of an SQLite file; it has one row with the column `record`."""

META: Final = "workbench-provenance"
"""Name of the `meta` element of an HTML page, and of the metadata of safetensors."""

NAMESPACE: Final = "slide-workbench/provenance"
"""Namespace of the annotation in OME-XML."""

TIFF_TAG: Final = 65_001
"""Private tag (ASCII) of the first image of a TIFF that has no OME-XML."""

FOLDER_FILE: Final = "provenance.json"
"""File with the provenance of a folder that is no Zarr store."""
