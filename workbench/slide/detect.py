"""Choice of the reader for a file, by its content, not by its name."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final, cast

from workbench.errors import OutOfBoundsError, UnsupportedSlideError
from workbench.slide.location import Location, import_optional, locate, slide_errors
from workbench.slide.readers.base import find_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.slide.readers.base import Reader


def open_reader(path: str | Location, image: int | str | None = None) -> Reader:
    """Open a file with the reader for its content.

    Parameters
    ----------
    path : str or Location
        The file, folder or URL.
    image : int or str, optional
        Number or name of one of the file's images; default: the scan.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
        If the file does not exist, has no reader, is damaged or cannot be read.
    OutOfBoundsError
        If the file holds no such image.
    """
    location = locate(path) if isinstance(path, str) else path
    with slide_errors(location.path):
        if location.kind == "tiff":
            return _open_tiff(location.path, image)
        if location.kind == "zarr":
            return _open_zarr(location, image)
        if location.kind == "fastslide":
            return _open_fastslide(location.path, image)
        reader = _OPENERS[location.kind](location.path)
    if image is not None:
        try:
            number = find_image(
                location.path, reader.images, image, reader.default_image
            )
        except OutOfBoundsError:
            reader.close()
            raise
        if number != reader.image:  # of these readers fastslide alone knows several
            reader.close()
            return _open_fastslide(location.path, image)
    return reader


def _open_tiff(path: str, image: int | str | None) -> Reader:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    reader: Reader = opening.open_tiff(path, image)
    return reader


def _open_dicom(path: str) -> Reader:
    """Open with OpenSlide, or with wsidicom what OpenSlide does not support."""
    files = import_optional("workbench.slide.readers.dicom.files", path, "dicom")
    slide = files.slide_at(path)
    # OpenSlide finds the levels only in the folder of the given file.
    together = len({os.path.dirname(file) for file in slide.paths}) == 1  # noqa: PTH120
    reader: Any = _try_openslide(slide.first) if together else None
    colours = import_optional("workbench.slide.readers.dicom.samples", path, "dicom")
    samples = colours.mistaken_samples(slide.levels, path)
    if reader is None:
        dicom = import_optional("workbench.slide.readers.dicom.reader", path, "dicom")
        reader = dicom.DicomReader(path, slide)
    return cast("Reader", reader if samples is None else reader.with_samples(samples))


def _open_web(url: str) -> Reader:
    web = import_optional("workbench.slide.readers.dicom.web", url, "dicom")
    reader: Reader = web.WebReader(url)
    return reader


def _open_other(path: str) -> Reader:
    """Open with OpenSlide, or with fastslide a CZI that OpenSlide does not support."""
    import_optional("workbench.slide.readers.openslide", path, "openslide")
    reader = _try_openslide(path)
    if reader is None and path.lower().endswith(".czi"):
        return _open_fastslide(path, None)
    if reader is None:
        reason = "its content has no known slide or image format"
        raise UnsupportedSlideError(
            path,
            reason,
            "If it is a slide, the copy is damaged: copy it again. Otherwise convert"
            " it to a pyramidal TIFF.",
        )
    return reader


def _open_fastslide(path: str, image: int | str | None) -> Reader:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    reader: Reader = opening.open_fastslide(path, image)
    return reader


def _open_image(path: str) -> Reader:
    plain = importlib.import_module("workbench.slide.readers.plain_image")
    reader: Reader = plain.open_image(path)
    return reader


def _open_zarr(location: Location, image: int | str | None) -> Reader:
    module = importlib.import_module("workbench.slide.readers.zarr.reader")
    try:
        reader: Reader = module.ZarrReader(location, image)
    except module.NotRgbError:
        planes = importlib.import_module("workbench.slide.readers.zarr.planes")
        composite = importlib.import_module("workbench.slide.channels.composite_reader")
        reader = composite.CompositeReader(planes.ZarrPlanes(location, image))
    return reader


def _open_tiles(path: str) -> Reader:
    module = importlib.import_module("workbench.slide.readers.tiles.reader")
    reader: Reader = module.TilesReader(path)
    return reader


_OPENERS: Final[dict[str, Callable[[str], Reader]]] = {
    "dicom": _open_dicom,
    "dicomweb": _open_web,
    "image": _open_image,
    "openslide": _open_other,
    "tiles": _open_tiles,
}


def _try_openslide(path: str) -> Reader | None:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    reader: Reader | None = opening.try_openslide(path)
    return reader
