"""HDF5 files: the layout is recognized by the names and attributes in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from workbench.errors import FeaturesError
from workbench.features.formats import atlaspatch, clam, h5_table, stamp, trident
from workbench.features.h5_file import open_h5

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from workbench.features.stored import Request, StoredFeatures


class Layout(Protocol):
    """A module that knows the layout of one tool."""

    def matches(self, file: h5py.File, /) -> bool:
        """Return whether the file has this layout."""

    def read(self, path: Path, file: h5py.File, request: Request, /) -> StoredFeatures:
        """Read the file."""


LAYOUTS: Final[tuple[Layout, ...]] = (atlaspatch, stamp, trident, clam, h5_table)
"""Modules of layouts; the first that matches reads the file."""


def read_h5(path: Path, request: Request) -> StoredFeatures:
    """Read a file in the first layout that matches.

    Raises
    ------
    FeaturesError
        If none does, or the file is damaged.
    """
    with open_h5(path) as file:
        for layout in LAYOUTS:
            if layout.matches(file):
                return layout.read(path, file, request)
        found = ", ".join(sorted(file)[:9]) or "nothing"
    raise FeaturesError(path, f"no tool is known that writes such a file ({found})")
