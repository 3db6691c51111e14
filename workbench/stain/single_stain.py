"""A slide as if it had been stained with one of its stains alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from workbench.errors import StainError
from workbench.stain.deconvolution import STAIN_SETS, StainSet, find_stains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MAX_OD: Final = 2.5
"""Optical density (base 10) at which the colour no longer changes."""

_STEPS: Final = 4096


@dataclass(frozen=True, eq=False)
class SingleStain:
    """Maps pixels to the colours of one stain alone; thread-safe.

    Examples
    --------
    >>> stains = wb.stain.find_stains("H&E")
    >>> pixels = slide.read((0, 0, 64, 64)).pixels
    >>> wb.stain.SingleStain(stains, "eosin")(pixels).shape
    (64, 64, 3)
    """

    stains: StainSet
    """The stains of the slide."""

    name: str
    """The stain that is shown; not the residual, which has no colour."""

    def __post_init__(self) -> None:
        """Refuse a name that is no stain of the set, and the residual.

        Raises
        ------
        StainError
            If there is no such stain.
        """
        index = self.stains.index(self.name)
        if self.name == "residual":
            message = "The residual of two stains has no colour of its own."
            raise StainError(message, f"Choose {' or '.join(self.stains.names[:2])}.")
        amounts = np.linspace(0, _MAX_OD, _STEPS, dtype=np.float32)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_table", self.stains.colours(index, amounts))

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the map of a published stain: of H&E, or of H-DAB for "dab".

        Parameters
        ----------
        name : str
            "hematoxylin", "eosin" or "dab".

        Raises
        ------
        StainError
            If there is no such stain.
        """
        for stains in STAIN_SETS:
            if name in find_stains(stains).names[:2]:
                return cls(find_stains(stains), name)
        known = sorted({n for s in STAIN_SETS.values() for n in s.names[:2]})
        message = f"There is no published stain '{name}'."
        raise StainError(message, f"There are: {', '.join(known)}.")

    @property
    def method(self) -> str:
        """Name of the change of colours."""
        return f"{self.name} alone"

    @property
    def fingerprint(self) -> str:
        """Text that is equal for equal maps."""
        numbers = repr((self.stains.names, self.stains.vectors.tolist(), self.name))
        whole = f"{numbers} {self.stains.white}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the stains, ready for JSON; `from_dict` reads them."""
        stains = {
            "names": list(self.stains.names),
            "stains": self.stains.vectors.tolist(),
            "white": list(self.stains.white),
        }
        return {"method": self.method, "stain": self.name, "source": stains}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Return the map in a record of `to_dict`.

        Raises
        ------
        StainError
            If the record is not one of a single stain.
        """
        try:
            source = record["source"]
            names, white = map(tuple, (source["names"], source["white"]))
            vectors = np.array(source["stains"], np.float64).reshape(3, 3)
            return cls(StainSet(names, vectors, white), str(record["stain"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"The record of a stain cannot be used: {error!r}."
            raise StainError(message, "Name a published stain.") from error

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the colours, uint8 (..., 3), of sRGB pixels, uint8 (..., 3)."""
        amount = self.stains.amount(pixels, self._index)  # type: ignore[attr-defined]
        np.multiply(amount, (_STEPS - 1) / _MAX_OD, out=amount)
        np.clip(amount, 0, _STEPS - 1, out=amount)
        shown: NDArray[np.uint8] = self._table[np.rint(amount).astype(np.intp)]  # type: ignore[attr-defined]
        return shown
