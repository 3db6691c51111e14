"""Identifiers of DICOM objects, derived from the content of slides and runs.

The same slide or run gives the same identifiers, so that a result refers to the slide
that is converted later, and a second export replaces the first one in an archive.
"""

from __future__ import annotations

import importlib
import uuid
from typing import Any, Final

from workbench.errors import MissingPackageError

NAMESPACE: Final = uuid.UUID("0b5c6a2e-6d0f-5a52-9b1e-2f1c8a4b7d10")
"""Namespace of the UUIDs from which the identifiers are made."""

MANUFACTURER: Final = "Slide Workbench"
MODEL_NAME: Final = "workbench"


def derived_uid(*parts: object) -> str:
    """Return the UID of some texts: 2.25 and a UUID of version 5 (ITU-T X.667)."""
    text = "\x1f".join(str(part) for part in parts)
    return f"2.25.{uuid.uuid5(NAMESPACE, text).int}"


def import_dicom(module: str) -> Any:
    """Import a module of the workbench that needs the libraries for DICOM.

    Raises
    ------
    MissingPackageError
        If the extra `dicom` is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError("dicom") from error  # noqa: EM101 - its name
