"""Files that tools write beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.features.stored import Request


def find_coordinates(path: Path, request: Request) -> Path | None:
    """Return the file with the coordinates of a file of vectors; None: not found.

    CLAM and TRIDENT keep it in a folder `patches` of the same job, as `<slide>.h5` and
    `<slide>_patches.h5`; CLAM has coordinates in `h5_files` too.
    """
    name = path.stem.removesuffix("_blockmap")
    folders = (path.parent, *list(path.parents)[1:3])
    beside = [
        folder / "patches" / file
        for folder in folders
        for file in (f"{name}_patches.h5", f"{name}.h5")
    ]
    beside += [folder / "h5_files" / f"{name}.h5" for folder in folders]
    return next((each for each in beside if each != path and request.finds(each)), None)
