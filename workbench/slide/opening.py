"""Which reader opens a file: decided by what is in it, not by its name."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import fsspec

from workbench.errors import (
    BrokenSlideError,
    OutOfBoundsError,
    SlideNotFoundError,
    UnsupportedSlideError,
)
from workbench.slide.reader import number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.slide.reader import Reader

_HEAD: Final = 512
_SAMPLE: Final = 1 << 16

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"RIFF", b"\0\0\0\x0cjP  ")


def open_reader(path: str, image: int | str | None = None) -> Reader:
    """Open a file with the reader that is made for its content.

    Parameters
    ----------
    path : str
    image : int or str, optional
        Number or name of one of the file's images; by default its scan.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError
    OutOfBoundsError
        If it holds no such image.
    """
    kind = _kind(path)
    if kind == "tiff":
        return _open_tiff(path, image)
    reader = _OPENERS[kind](path)
    if image is not None:
        try:
            number_of(path, reader.images, image, reader.default_image)
        except OutOfBoundsError:
            reader.close()
            raise
    return reader


def _kind(path: str) -> str:
    if is_url(path):
        return "zarr" if path.rstrip("/").endswith(".zarr") else "tiff"
    local = Path(path)
    if not local.exists():
        raise SlideNotFoundError(path)
    if local.is_dir():
        is_zarr = any((local / name).exists() for name in ("zarr.json", ".zgroup"))
        return "zarr" if is_zarr else "dicom"
    try:
        with local.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise BrokenSlideError(path, str(error)) from error
    if head.startswith(_TIFF):
        return "tiff"
    if head[128:132] == b"DICM":
        return "dicom"
    if path.lower().endswith(".mrxs"):  # MIRAX: a JPEG of the glass, slide beside it
        return "openslide"
    return "image" if head.startswith(_IMAGES) else "openslide"


def is_url(path: str) -> bool:
    """Tell whether a path is an fsspec URL rather than a local file."""
    return "://" in path


def _open_tiff(path: str, image: int | str | None) -> Reader:
    opening = importlib.import_module("workbench.slide.tiff_opening")
    reader: Reader = opening.open_tiff(path, image)
    return reader


def _open_dicom(path: str) -> Reader:
    """Open with OpenSlide; what it refuses wsidicom may read."""
    dicom = _optional("workbench.slide.dicom", path, "dicom")
    files = dicom.instances_of(path)
    reader: Reader = _try_openslide(str(files[0])) or dicom.DicomReader(path)
    return reader


def _open_other(path: str) -> Reader:
    _optional("workbench.slide.openslide", path, "openslide")
    reader = _try_openslide(path)
    if reader is None:
        reason = "its content is of no known slide or image format"
        raise UnsupportedSlideError(
            path,
            reason,
            "If it was a slide, the copy is damaged: copy it again. Otherwise convert"
            " it to a pyramidal TIFF.",
        )
    return reader


def _open_image(path: str) -> Reader:
    reader: Reader = importlib.import_module("workbench.slide.array").open_image(path)
    return reader


def _open_zarr(path: str) -> Reader:
    reader: Reader = importlib.import_module("workbench.slide.zarr").ZarrReader(path)
    return reader


_OPENERS: Final[dict[str, Callable[[str], Reader]]] = {
    "dicom": _open_dicom,
    "zarr": _open_zarr,
    "image": _open_image,
    "openslide": _open_other,
}


def _try_openslide(path: str) -> Reader | None:
    opening = importlib.import_module("workbench.slide.tiff_opening")
    reader: Reader | None = opening.try_openslide(path)
    return reader


def _optional(module: str, path: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedSlideError(
            path,
            f"it needs a library that is not installed ({error.name})",
            f"pip install 'slide-workbench[{extra}]'",
        ) from error


def fingerprint(path: str) -> str:
    """Return what identifies the content: 32 hex digits, whatever the name.

    Hashes the size and samples of the head, middle and tail of a file, or those of
    every metadata file and the sizes of the rest of a folder.
    """
    digest = hashlib.sha256()
    if is_url(path):
        with fsspec.open(path, "rb") as file:
            _sample(file, digest)
    elif Path(path).is_dir():
        root = Path(path)
        for each in sorted(file for file in root.rglob("*") if file.is_file()):
            size = each.stat().st_size
            digest.update(f"{each.relative_to(root)} {size}".encode())
            if size < _SAMPLE:
                digest.update(each.read_bytes())
    else:
        with Path(path).open("rb") as file:
            _sample(file, digest)
    return digest.hexdigest()[:32]


def _sample(file: Any, digest: Any) -> None:
    end = file.seek(0, 2)
    digest.update(str(end).encode())
    for start in (0, max(0, end // 2 - _SAMPLE), max(0, end - _SAMPLE)):
        file.seek(start)
        digest.update(file.read(_SAMPLE))
