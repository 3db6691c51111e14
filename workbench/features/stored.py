"""`StoredFeatures`: what a file of features says, before it is placed on a slide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import FeaturesError
from workbench.features.rows import NO_ROWS
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.rows import Rows

Unit = Literal["px", "um"]
"""Unit of coordinates: level-0 pixels as stored in the slide's file, or micrometres."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StoredFeatures:
    """The content of a file in the words of its tool; made by a reader of `formats`."""

    path: Path
    format: str
    corners: NDArray[Any] = field(default_factory=lambda: np.empty((0, 2)))
    """Upper left corner (x, y) of each tile, in `unit`, (N, 2)."""

    unit: Unit | None = "px"
    """Unit of `corners` and `size`; None: the file does not say."""

    size: float | NDArray[Any] | None = None
    """Side of all tiles, or width and height of each, (N, 2), in `unit`; None: not
    stored."""

    vectors: Rows = field(default_factory=lambda: NO_ROWS)
    names: tuple[str, ...] = ()
    values: NDArray[np.float64] | None = None
    """Scores (N, K) of `names`; None: there are none."""

    slide_vector: NDArray[Any] | None = None
    encoder: str = ""
    mpp: float | None = None
    slide_size: tuple[int, int] | None = None
    """Width and height of the slide according to the file, in stored pixels."""

    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a size that is no number; leave out an mpp that is none.

        A reader hands on what the file has under a name, whatever that is.
        """
        if not isinstance(self.mpp, int | float) or not 0 < self.mpp < math.inf:
            object.__setattr__(self, "mpp", None)
        if self.size is None:
            return
        try:
            size = np.asarray(self.size, np.float64)
        except (TypeError, ValueError, OverflowError):
            size = np.empty(0)
        fits = size.shape in ((), (len(self.corners), 2))
        if not fits or not (np.isfinite(size) & (size > 0)).all():
            reason = "the size of a tile is not a positive number"
            raise FeaturesError(self.path, reason)
        object.__setattr__(self, "size", size)


@dataclass(frozen=True, slots=True)
class Request:
    """Which part of a file is asked for, and where else to look."""

    encoder: str | None = None
    """One of several encoders in a file."""

    coordinates: Path | None = None
    """File with the coordinates, of a file that has none of its own."""

    within: Path | None = None
    """Folder outside of which no other file is looked for; None: anywhere."""

    def allows(self, path: Path) -> bool:
        """Return whether a path lies in the folder `within`, with links followed."""
        limit = self.within
        return limit is None or path.resolve().is_relative_to(limit.resolve())

    def finds(self, path: Path) -> bool:
        """Return whether there is such a file that may be read."""
        return is_file(path) and self.allows(path)

    def choose_encoder(self, path: Path, names: Sequence[str]) -> str:
        """Return the encoder that is asked for, or the only one of a file.

        Raises
        ------
        FeaturesError
            If there is none of that name, or there are several and none was named.
        """
        if self.encoder is None and len(names) == 1:
            return names[0]
        if self.encoder in names:
            return str(self.encoder)
        listed = ", ".join(names) or "none"
        remedy = f"Give one of its encoders with encoder= or --encoder: {listed}."
        if self.encoder is None and names:
            error = FeaturesError(path, "it has several encoders", remedy)
            raise error.asking(needed="encoder", choices=tuple(names))
        missing = "encoder" if self.encoder is None else f"'{self.encoder}'"
        raise FeaturesError(path, f"it has no {missing}", remedy)
