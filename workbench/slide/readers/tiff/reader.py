"""Reader of TIFF slides of all vendors, through their stored tiles or strips."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

import fsspec
import simplejpeg
import tifffile

from workbench.errors import (
    BrokenSlideError,
    SlideNotFoundError,
    SlideReadError,
    UnsupportedSlideError,
    WorkbenchError,
)
from workbench.geometry import Box
from workbench.slide import limits
from workbench.slide.readers.base import EncodedTile, ImageInfo, Level, find_image
from workbench.slide.readers.level_selection import scales
from workbench.slide.readers.pread import PositionedFile
from workbench.slide.readers.tiff import scale
from workbench.slide.readers.tiff.channel_stack import unnamed_stack_remedy
from workbench.slide.readers.tiff.directory import (
    ICC_PROFILE,
    Directory,
    SeveralFilesError,
    read_directories,
)
from workbench.slide.readers.tiff.images import (
    TiffImage,
    TiffLevel,
    focal_planes,
    images_of,
    in_focal_plane,
    names_of,
    notes_on_planes,
    scan_of,
)
from workbench.slide.readers.tiff.missing_tiles import MissingTiles
from workbench.slide.readers.tiff.philips import associated_images
from workbench.slide.readers.tiff.samples import (
    JPEG_2000,
    first_bytes,
    is_subsampled_jpeg_2000,
    samples_of_pages,
)
from workbench.slide.readers.tiff.series import combine_series, shows_the_same
from workbench.slide.readers.tiff.tile_assembly import fill
from workbench.slide.readers.tiff.tiles import COMPRESSIONS, StoredTiles
from workbench.slide.readers.tiff.vendors import vendor_of
from workbench.slide.readers.tile_cache import empty_pixels
from workbench.slide.zip_member import is_archived, open_archived

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_CHANNELS = 3
_WHITE = (255, 255, 255)
_PHILIPS: Final = "philips"
_ONE_FILE: Final = (
    "Put the files together into one OME-TIFF (for example with bfconvert)."
)
_NAME_CHANNELS: Final = (
    "If they are red, green and blue, name them Red, Green and Blue in its OME-XML; if"
    " they are stains, name them after these (for example with tiffcomment)."
)


class NotReadDirectlyError(UnsupportedSlideError):
    """`TiffReader` cannot decode the stored pixels; OpenSlide may be able to."""


class NotRgbError(UnsupportedSlideError):
    """The image consists of channels, which `TiffPlanes` reads."""


class TiffReader:
    """Reads any TIFF of 8-bit colours with a supported storage.

    Parameters
    ----------
    path : str
        A local path or an fsspec URL.
    image : int or str, optional
        Number or name of the image; default: the scan.
    z : int
        Focal plane of an OME-TIFF, 0 for the first.

    Raises
    ------
    SlideNotFoundError, BrokenSlideError, UnsupportedSlideError
        If the file does not exist, is damaged, or its colours are not supported.
    NotReadDirectlyError, NotRgbError
        If this reader cannot decode the stored pixels, or they are channels.
    """

    def __init__(
        self, path: str, image: int | str | None = None, *, z: int = 0
    ) -> None:
        self._path, self.z = path, z
        self._handle = open_file(path)
        self._close = weakref.finalize(self, self._handle.close)
        try:
            self._file = PositionedFile(self._handle)
            self._describe(image)
        except WorkbenchError:
            self.close()
            raise
        except SeveralFilesError as error:
            self.close()
            raise UnsupportedSlideError(path, str(error), _ONE_FILE) from error
        except Exception as error:
            self.close()
            raise BrokenSlideError(path, str(error) or type(error).__name__) from error

    def _describe(self, image: int | str | None) -> None:
        """Parse all metadata; runs in the constructor, before threads read."""
        size = self._handle.seek(0, 2)
        directories = read_directories(self._file, size)
        vendor = self._vendor = vendor_of(directories)
        self._handle.seek(0)
        self._tiff = tifffile.TiffFile(self._handle)
        images = images_of(directories, vendor.name)
        self._images = combine_series(images, self._are_same)
        names = names_of(self._images)
        self.images: Sequence[ImageInfo] = tuple(
            ImageInfo(name, each.size, is_associated=each.is_associated)
            for name, each in zip(names, self._images, strict=True)
        )
        self.default_image = scan_of(self._images)
        self.image = find_image(self._path, self.images, image, self.default_image)
        stored = [
            name
            for number, name in enumerate(names)
            if number != self.image and _is_small(self._images[number])
        ]
        self._embedded: Mapping[str, bytes] = {}
        if vendor.name == _PHILIPS:
            self._embedded = associated_images(directories[0].description)
        self.associated_names: Sequence[str] = (
            *stored,
            *(name for name in self._embedded if name not in stored),
        )
        self.name = f"tifffile {tifffile.__version__}"
        shown = self._images[self.image]
        self.depth = focal_planes(shown, len(directories))
        self.step_um = None if shown.ome is None else shown.ome.step_um
        self._describe_levels(in_focal_plane(shown, directories, self.z), size)

    def _describe_levels(self, shown: TiffImage, size: int) -> None:
        if shown.stack is not None:
            raise NotRgbError(self._path, "it consists of channels")
        declared = self._describe_shown(shown, _WHITE)
        self._stored = [self._tiles(level) for level in shown.levels]
        if (end := max(stored.end for stored in self._stored)) > size:
            reason = f"it ends after {size:,} of {end:,} bytes"
            raise BrokenSlideError(self._path, reason)
        self.levels = tuple(
            Level(
                stored.limit,
                _downsample(shown.size, stored.limit),
                stored.size if stored.is_tiled else None,
                stored.reductions,
            )
            for stored in self._stored
        )
        self._missing = MissingTiles(
            self._stored,
            scales(self.levels),
            self.background,
            from_coarser=self._vendor.name != _PHILIPS,
        )
        self._reduced = [
            {n: stored.reduced(n) for n in stored.reductions} for stored in self._stored
        ]
        self.notes: Sequence[str] = (*declared.notes, *self._notes(shown))

    def _describe_shown(
        self, shown: TiffImage, background: tuple[int, int, int]
    ) -> scale.Declared:
        """Check an image and describe what does not depend on the stored pixels."""
        for directory in (d for level in shown.levels for d in level.directories):
            directory.check()
        if shown.problem:
            ome = shown.ome
            colours = (
                ome is not None and ome.channels == _CHANNELS and ome.not_rgb_reason
            )
            remedy = _NAME_CHANNELS if colours else unnamed_stack_remedy(shown.problem)
            raise UnsupportedSlideError(self._path, shown.problem, remedy)
        first = shown.levels[0].directory
        self.background = background
        self.icc_profile = first.raw(ICC_PROFILE) or None
        self.bounds = Box(0, 0, *shown.size)
        declared = scale.declared(shown, self._vendor.name)
        self.declared_mpp_xy = declared.mpp
        self.declared_mpp = declared.mpp and declared.mpp[0]
        self.properties: Mapping[str, str] = _properties(first, self._vendor.name)
        return declared

    def _notes(self, shown: TiffImage) -> list[str]:
        notes = []
        if self._vendor.name != _PHILIPS:
            notes = [
                f"The level at 1/{level.downsample:.4g} lacks {count:,} of"
                f" {stored.rows * stored.columns:,} tiles; they are shown from other"
                " levels."
                for level, stored, count in zip(
                    self.levels, self._stored, self._missing.counts, strict=True
                )
                if count
            ]
        if shown.from_series:
            notes.append("Its levels are stored as separate images.")
        notes += self._notes_on_images()
        if shown.levels[0].apart:
            notes.append("Red, green and blue are stored as three images.")
        return [*notes, *notes_on_planes(shown, self.depth, self.z)]

    def _notes_on_images(self) -> list[str]:
        others = sum(not each.is_associated for each in self._images)
        if others < 2:  # noqa: PLR2004
            return []
        name = self.images[self.image].name
        return [f"The file holds {others} images; this is '{name}'."]

    def _are_same(self, *levels: TiffLevel) -> bool:
        """Return whether two levels show the same image.

        False for an image that cannot be read.
        """
        try:
            for directory in (d for level in levels for d in level.directories):
                directory.check()
            return shows_the_same(*map(self._tiles, levels))
        except Exception:  # noqa: BLE001 - any error of a decoder
            return False

    def _tiles(self, level: TiffLevel) -> StoredTiles:
        """Return the tiles of a level with the meaning of their samples."""
        pages = [self._page(directory) for directory in level.directories]
        samples = samples_of_pages(pages, self._path)
        return StoredTiles(pages, self._file, _WHITE, samples, level.size)

    def _page(self, directory: Directory) -> tifffile.TiffPage:
        """Parse a directory with tifffile, if this reader can decode its pixels."""
        if directory.compression not in COMPRESSIONS:
            reason = f"its compression is number {directory.compression}"
            raise NotReadDirectlyError(self._path, reason)
        self._tiff.filehandle.seek(directory.offset)
        page = tifffile.TiffPage(self._tiff, index=0)
        if int(page.imagedepth) != 1:
            reason = f"it is a volume of {page.imagedepth} planes"
            raise UnsupportedSlideError(self._path, reason)
        is_jpeg_2000 = directory.compression in JPEG_2000
        if is_jpeg_2000 and is_subsampled_jpeg_2000(first_bytes(page)):
            reason = "it is JPEG 2000 with reduced colour"
            raise NotReadDirectlyError(self._path, reason)
        return page

    def in_focal_plane(self, z: int) -> TiffReader:
        """Open the file again in another focal plane, 0 for the first."""
        return type(self)(self._path, self.image, z=z)

    @property
    def is_trusted(self) -> bool:
        """Whether files of this vendor are read by this reader, not by OpenSlide."""
        return self._vendor.library == "direct"

    @property
    def waited_s(self) -> float:
        """Seconds of waiting for stored tiles, summed over all threads."""
        return self._file.seconds

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return boxes of one size, uint8 (N, height, width, 3).

        Each stored tile is decoded once, even if several boxes share it.
        """
        if out is None:
            out = empty_pixels((len(origins), height, width, _CHANNELS))
        try:
            fill(out, self._reduced[level][reduction], origins, threads)
        except Exception as error:
            place = f"level {level} at {origins[0]}"
            reason = str(error) or type(error).__name__
            raise SlideReadError(self._path, place, reason) from error
        return out

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        """Return a stored JPEG tile; see `Reader.encoded_tile`."""
        stored = self._stored[level]
        if not (0 <= column < stored.columns and 0 <= row < stored.rows):
            return None
        data = stored.encoded(row * stored.columns + column, wait=wait)
        return None if data is None else EncodedTile(data, "image/jpeg")

    def is_blank(self, level: int, column: int, row: int) -> bool:
        """Return whether no level has pixels of a tile; see `Reader.is_blank`."""
        stored = self._stored[level]
        index = row * stored.columns + column
        return bool(stored.missing_at(index)) and stored.fill(index) is None

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        numbers = {each.name: number for number, each in enumerate(self.images)}
        try:
            if name not in numbers:
                return _decode_jpeg(self._embedded[name])
            return self._read_level(self._images[numbers[name]].levels[-1])
        except WorkbenchError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise SlideReadError(self._path, f"its image '{name}'", reason) from error

    def _read_level(self, level: TiffLevel) -> NDArray[np.uint8]:
        """Return a whole level, uint8 (height, width, 3)."""
        for directory in level.directories:
            directory.check()
        width, height = level.size
        out = empty_pixels((1, height, width, _CHANNELS))
        fill(out, self._tiles(level), [(0, 0)], 1)
        pixels: NDArray[np.uint8] = out[0]
        return pixels

    def close(self) -> None:
        """Close the file."""
        self._close()


def open_file(path: str) -> Any:
    """Open a file or URL for positioned reads.

    Raises
    ------
    SlideNotFoundError, BrokenSlideError, UnsupportedSlideError
        If the file does not exist, cannot be opened, or is compressed in an archive.
    """
    try:
        if is_archived(path):
            return open_archived(path)
        if "://" in path:
            return fsspec.open(path, "rb").open()
        return open(path, "rb")  # noqa: PTH123 - closed by the reader
    except FileNotFoundError as error:
        raise SlideNotFoundError(path) from error
    except WorkbenchError:
        raise
    except Exception as error:
        raise BrokenSlideError(path, str(error) or type(error).__name__) from error


def _decode_jpeg(jpeg: bytes) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(jpeg, "RGB")
    return pixels


def _is_small(image: TiffImage) -> bool:
    """Return whether the coarsest level of an image can be read at once."""
    width, height = image.levels[-1].size
    return 0 < width * height <= limits.MAX_ASSOCIATED_PX


def _downsample(full: tuple[int, int], size: tuple[int, int]) -> float:
    return (full[0] / size[0] + full[1] / size[1]) / 2


def _properties(first: Directory, vendor: str) -> dict[str, str]:
    """Return the metadata of the file as text."""
    texts = {"tiff.vendor": vendor, "tiff.ImageDescription": first.description}
    if vendor == "aperio":
        pairs = scale.aperio(first.description)
        texts |= {f"aperio.{name}": value for name, value in sorted(pairs.items())}
    for name, tag in (("Software", 305), ("Make", 271), ("Model", 272)):
        if text := first.text(tag):
            texts[f"tiff.{name}"] = text
    return {name: value for name, value in texts.items() if value}
