"""Slide: an open whole-slide image, read by box and resolution."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from workbench.errors import MissingMppError, SlideChangedError
from workbench.geometry import Box, FileFrame
from workbench.slide.associated_images import AssociatedImages
from workbench.slide.blockwise import Reading, read_sources
from workbench.slide.channels.access import ChannelAccess
from workbench.slide.detect import open_reader
from workbench.slide.encoded_regions import EncodedBoxes, encoded_boxes
from workbench.slide.icc import to_srgb
from workbench.slide.identity.source import SlideSource, check_reads
from workbench.slide.limits import check_read_size
from workbench.slide.notebook_view import mimebundle
from workbench.slide.output_size import output_size
from workbench.slide.pixel_size import Mpp, PixelSize
from workbench.slide.readers.base import shown_image
from workbench.slide.readers.level_selection import choose_sources, scales
from workbench.slide.region import Region
from workbench.slide.square_pixels import SquareReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.slide.identity.former_ids import FormerIds
    from workbench.slide.readers.base import EncodedTile, ImageInfo, Level, Reader


def open_slide(
    path: str | os.PathLike[str],
    *,
    mpp: Mpp | None = None,
    icc: bool = False,
    exact: bool = False,
    square: bool = True,
    image: int | str | None = None,
) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path : str or path
        A file, a DICOM or OME-Zarr folder, or an fsspec URL.
    mpp : float or (float, float), optional
        Micrometres per stored pixel of level 0, or one number along x and one along y.
        Needed where the file states none, or a wrong one.
    icc : bool
        Convert the pixels to sRGB with the file's ICC profile, if it has one.
    exact : bool
        Between stored levels, average full-resolution stored pixels. By default JPEG
        tiles are decoded at 1/2, 1/4 or 1/8 where that keeps all the detail: much
        faster and equally accurate, but not the same numbers.
    square : bool
        Resample stored pixels that are not square to square ones, so that lengths,
        areas and model inputs are right in every direction. If False, they stay as
        stored and the slide has no `mpp`.
    image : int or str, optional
        Number or name (`Slide.images`) of one of the file's images. Default: the scan,
        which is the largest image that is not a label or macro.

    Returns
    -------
    Slide

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
        If the file does not exist, has no reader, is damaged or cannot be reached.
    SeveralSlidesError, SlideChangedError
        If it is a folder of several slides, or is being written.
    OutOfBoundsError
        If `mpp` is not plausible for a slide, or the file holds no such image.
    ColourProfileError
        If `icc` is set and the file's profile is damaged or not for RGB.
    """
    source = SlideSource(os.fspath(path))
    with source.hint_if_incomplete():
        reader = check_reads(open_reader(source.location, image), source)
    try:
        slide = Slide(source, reader, mpp=mpp, icc=icc, exact=exact, square=square)
        source.require_untouched()
    except BaseException:
        reader.close()
        raise
    return slide


class Slide(ChannelAccess):
    """An open slide; safe to read from any number of threads."""

    def __init__(
        self,
        source: SlideSource,
        reader: Reader,
        *,
        mpp: Mpp | None = None,
        icc: bool = False,
        exact: bool = False,
        square: bool = True,
    ) -> None:
        path = source.path
        self.pixel_size = PixelSize.of(reader, mpp, path)
        self._stored, self._square = reader, square
        self.images: Sequence[ImageInfo] = reader.images
        self.image: int | None = shown_image(reader)
        self.notes: Sequence[str] = reader.notes
        if square and not self.pixel_size.is_square:
            reader = SquareReader(reader, self.pixel_size.scale, path)
        self.path = path
        self.name = os.path.basename(path.rstrip("/"))  # noqa: PTH119 - also of URLs
        self._source = source
        self._reader = reader
        self._given_mpp = mpp
        self.icc = icc
        self._exact = exact
        self._scales = scales(reader.levels)
        self._profile = to_srgb(reader.icc_profile, path) if icc else None
        self._id = ""
        self.levels: tuple[Level, ...] = reader.levels
        self.size: tuple[int, int] = reader.levels[0].size
        self.bounds: Box = reader.bounds
        self.background = reader.background
        self.properties: Mapping[str, str] = reader.properties
        self.reader_name = reader.name
        self.icc_profile = reader.icc_profile
        self.declared_mpp = reader.declared_mpp
        oblong = not square and not self.pixel_size.is_square
        self._mpp = None if oblong else self.pixel_size.square
        self.associated: Mapping[str, NDArray[np.uint8]] = AssociatedImages(reader)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path and options; unpickling opens the file again."""
        options = (self._given_mpp, self.icc, self._exact, self._square, self.image)
        return (_reopen, (self.path, self.id, self._given_display, *options))

    def __enter__(self) -> Self:
        """Return the slide; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    @property
    def id(self) -> str:
        """Identifier computed from the content; the file is read on first access.

        Raises
        ------
        SlideChangedError
            If the id is first computed after the file has changed.
        """
        self._id = self._id or self._source.id_of(self._stored)
        return self._id

    @property
    def former(self) -> FormerIds:
        """Ids that earlier versions gave to this slide."""
        return self._source.former

    def require_unchanged(self, *, lately: bool = False) -> None:
        """Check that the file has not changed since it was opened; see `SlideSource`.

        Raises
        ------
        SlideChangedError
            If it was replaced, truncated or written to.
        """
        self._source.require_unchanged(lately=lately)

    @property
    def image_number(self) -> int:
        """Index of the open image in `images`."""
        return self._stored.image

    @property
    def box(self) -> Box:
        """Box of the whole slide."""
        return Box(0, 0, *self.size)

    @property
    def waited_s(self) -> float:
        """Seconds of waiting for the file, summed over all threads.

        0 for readers that cannot separate it from decoding.
        """
        return float(getattr(self._reader, "waited_s", 0.0))

    @property
    def pixels_id(self) -> str:
        """Identifier of content and read options: equal ids give equal pixels."""
        shape = "-{:.6g}x{:.6g}".format(*self.frame.scale) if self.frame.scaled else ""
        options = f"{'-icc' * self.icc}{'-exact' * self._exact}{shape}"
        return f"{self.id}{options}{self._display_id}"

    @property
    def frame(self) -> FileFrame:
        """Map between the stored pixels and the pixels of the slide."""
        return FileFrame(self.pixel_size.scale if self._square else (1.0, 1.0))

    @property
    def scanned_frame(self) -> FileFrame:
        """Frame of QuPath: stored pixels, with the origin at the scanned area."""
        return FileFrame(self.frame.scale, (self.bounds.x0, self.bounds.y0))

    @property
    def mpp(self) -> float | None:
        """Micrometres per pixel of level 0, given or declared; None if not known."""
        return self._mpp

    @property
    def mpp_is_given(self) -> bool:
        """Whether the pixel size was given by the user, not declared by the file."""
        return self._given_mpp is not None

    @property
    def mpp_problem(self) -> str:
        """Why `mpp` is None, as a clause; empty if it is known."""
        return self.pixel_size.problem_as(square=self._square)

    def require_mpp(self) -> float:
        """Return `mpp`.

        Raises
        ------
        MissingMppError
            If it is not known.
        """
        if self.mpp is None:
            raise MissingMppError(self.path, self.mpp_problem)
        return self.mpp

    def with_mpp(self, mpp: Mpp) -> Slide:
        """Return the same slide with another pixel size; shares the open file."""
        return self._with_reader(self._stored, mpp)

    def _with_reader(self, reader: Reader, mpp: Mpp | None = None) -> Slide:
        options = {"icc": self.icc, "exact": self._exact, "square": self._square}
        given = self._given_mpp if mpp is None else mpp
        return Slide(self._source, reader, mpp=given, **options)

    def read(
        self,
        box: BoxLike,
        *,
        mpp: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Region:
        """Return the pixels of a box.

        Parameters
        ----------
        box : Box or (x0, y0, x1, y1)
            Level-0 pixels; outside the slide is background.
        mpp : float, optional
            Output resolution in micrometres per pixel; the slide must have an `mpp`.
        size : (int, int), optional
            Output width and height, instead of `mpp`. Default: level-0 pixels.

        Raises
        ------
        OutOfBoundsError
            If the box is empty or the output would exceed `limits.MAX_PIXELS`.
        MissingMppError, SlideReadError
            If the slide's mpp is needed and not known, or pixels cannot be read.
        """
        box = Box.of(box)
        width, height = output_size(self, box, mpp, size)
        if (width, height) == (box.x1 - box.x0, box.y1 - box.y0):
            check_read_size(self.path, 1, width, height)
            pixels = self._read_stored([(box.x0, box.y0)], width, height)[0]
            return Region(pixels, box, self._mpp, self._id or self.id)
        pixels = self.read_tiles([box], (width, height))[0]
        own = self._mpp and self._mpp * (box.x1 - box.x0) / width
        return Region(pixels, box, own, self.id)

    def read_tiles(
        self,
        boxes: Sequence[Box],
        size: tuple[int, int],
        *,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return several boxes at one size, uint8 (N, height, width, 3).

        Each stored tile is decoded once, even if several boxes share it. Needs at most
        about 256 MB in addition to the output; larger boxes are read block by block.

        Parameters
        ----------
        boxes : sequence of Box
            Level-0 pixels.
        size : (int, int)
            Output width and height of each box.
        threads : int
            Number of decoding threads.
        out : uint8 (N, height, width, 3), optional
            Output array, C-contiguous.
        """
        width, height = size
        check_read_size(self.path, len(boxes), width, height)
        if all(box.x1 - box.x0 == width and box.y1 - box.y0 == height for box in boxes):
            origins = [(box.x0, box.y0) for box in boxes]
            return self._read_stored(origins, width, height, threads, out)
        if out is None:
            out = np.empty((len(boxes), height, width, 3), np.uint8)
        sources = choose_sources(
            boxes, size, self.levels, self._scales, exact=self._exact
        )
        read_sources(Reading(self._reader, self._profile, threads), sources, out)
        return out

    def read_encoded(
        self, boxes: Sequence[Box], size: tuple[int, int]
    ) -> EncodedBoxes | None:
        """Return boxes as the stored JPEG tiles that cover them, for decoding on a GPU.

        `size` is the output width and height of each box. None where `encoded_boxes`
        returns None, and where a colour profile is applied.
        """
        if self._profile is not None:
            return None
        return encoded_boxes(
            self._reader,
            choose_sources(boxes, size, self.levels, self._scales, exact=True),
            size,
            read=lambda: self.read_tiles(boxes, size),
        )

    def _read_stored(
        self,
        origins: list[tuple[int, int]],
        width: int,
        height: int,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return level-0 pixels without resampling."""
        read = self._reader.read_batch
        pixels = read(0, origins, width, height, threads=threads, out=out)
        if self._profile is not None:
            self._profile.to_srgb(pixels)
        return pixels

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        """Return a stored tile as a complete image file.

        None if there is no such tile, if a colour profile is applied, or, without
        `wait`, if the tile would have to be read from disk.
        """
        if self._profile is not None:
            return None
        return self._reader.encoded_tile(level, column, row, wait=wait)

    def thumbnail(self, max_px: int = 1024) -> Region:
        """Return the whole slide with its longer side at most `max_px` pixels."""
        scale = min(1.0, max_px / max(self.size))
        width, height = (max(1, round(side * scale)) for side in self.size)
        return self.read(self.box, size=(width, height))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return mimebundle(self)

    def __repr__(self) -> str:
        """Return name, size and mpp."""
        mpp = f"{self.mpp:.4g}" if self.mpp else "unknown"
        return f"Slide({self.name!r}, {self.size[0]} x {self.size[1]} px, mpp {mpp})"


def _reopen(path: str, expected_id: str, display: Any, *options: Any) -> Slide:
    names = ("mpp", "icc", "exact", "square", "image")
    slide = open_slide(path, **dict(zip(names, options, strict=True)))
    if slide.id != expected_id:
        slide.close()
        raise SlideChangedError(path)
    if display is None:
        return slide
    channels, z, absorbing = display
    if channels is None:
        return slide.at_plane(z)
    return slide.with_channels(channels, z=z, absorbing=absorbing)
