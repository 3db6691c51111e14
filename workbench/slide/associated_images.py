"""Label, macro and thumbnail of a slide, read on access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.readers.base import Reader


class AssociatedImages(Mapping[str, "NDArray[np.uint8]"]):
    """The associated images of a slide by name, uint8 (H, W, 3) each."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        """Read an image; `KeyError` if the slide has none of that name."""
        if name not in self._reader.associated_names:
            raise KeyError(name)
        return self._reader.associated(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._reader.associated_names)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._reader.associated_names)
