"""Converts a slide to VL Whole Slide Microscopy: one file a level."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import imagecodecs
import numpy as np

from workbench.dicom.facts import FrameLayout, SlideFacts
from workbench.dicom.identifiers import import_dicom
from workbench.errors import OutOfBoundsError, RunError
from workbench.export.features import complete_or_absent
from workbench.geometry import Box
from workbench.provenance.dicom_tag import tag_dataset
from workbench.provenance.pixels import provenance_of_pixels
from workbench.slide.readers.jpeg_header import read_jpeg_header
from workbench.system.long_work import counted, followed
from workbench.system.thread_pool import available_cores, run_parallel

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.progress import Progress
    from workbench.provenance.provenance import Provenance
    from workbench.slide.readers.base import EncodedTile, Level
    from workbench.slide.slide import Slide

TILE_PX: Final = 256
"""Side of the tiles of levels that are encoded here."""

QUALITY: Final = 90
"""JPEG quality of tiles that are encoded here."""

SMALLEST_PX: Final = 1024
"""Longer side of the coarsest level at most: coarser levels are made if there are
none."""

_BASELINE: Final = 0xC0
_SUBSAMPLING: Final = {"YBR_FULL_422": "422", "RGB": "444"}
_POWER_TOLERANCE: Final = 0.02
_BATCH: Final = 32
_TRIED: Final = 4096
"""Tiles among which one that is stored is looked for."""


class PixelMap(Protocol):
    """A function of pixels with a name, such as a `Normalizer`."""

    @property
    def method(self) -> str | None:
        """Name of the method."""
        ...

    @property
    def fingerprint(self) -> str:
        """Text that is equal for equal functions."""
        ...

    def __call__(self, pixels: Any, /) -> Any:
        """Return the mapped pixels, uint8 (N, H, W, 3)."""
        ...


def write_dicom_slide(
    slide: Slide,
    folder: str | os.PathLike[str],
    *,
    normalizer: PixelMap | None = None,
    quality: int = QUALITY,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """Convert a slide to DICOM (VL Whole Slide Microscopy), one file a level.

    Stored JPEG tiles are copied unchanged; other levels are encoded as JPEG tile by
    tile. Levels are made by halving until the longer side has at most 1,024 px.
    Identifiers are derived from the slide's id, so results exported before refer to
    the converted slide too. No label, macro or name of the file is written, since they
    may identify a patient.

    Parameters
    ----------
    slide : Slide
        It must have a pixel size.
    folder : path
        Folder to write; an existing one is replaced once the new one is complete.
    normalizer : Normalizer, optional
        Maps the pixels; all levels are then encoded again, as a series of its own in
        the same study and frame of reference.
    quality : int
        JPEG quality of tiles that are encoded, 1 to 100.
    progress : callable or True, optional
        Called with a `Progress` several times a second; True draws a bar.
    cancel : threading.Event, optional
        Stops the conversion when it is set.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    MissingMppError
        If the pixel size is not known.
    OutOfBoundsError
        If the quality is out of bounds.
    MissingPackageError
        If the extra `dicom` is not installed.
    RunError
        If the folder cannot be written.
    SlideReadError
        If pixels cannot be read.
    StoppedError
        If it was stopped; nothing is written then.

    Examples
    --------
    >>> folder = wb.export.write_dicom_slide(slide, "converted.dicom")
    >>> wb.open_slide(folder).size == slide.size
    True
    """
    if not 1 <= quality <= 100:  # noqa: PLR2004
        message = f"{quality} is no quality of a JPEG."
        raise OutOfBoundsError(message, "Give a quality of 1 to 100.")
    folder = Path(folder)
    header = import_dicom("workbench.dicom.slide_header")
    files = import_dicom("workbench.export.dicom.frame_file")
    facts = facts_of(slide, normalizer, quality)
    made = _provenance(slide, normalizer, quality)
    layouts = _choose_levels(slide, stored=normalizer is None)
    total = sum(layout.tiles[0] * layout.tiles[1] for layout, _ in layouts)
    done = 0
    try:
        with (
            followed(progress, "converting", "tiles", cancel=cancel),
            complete_or_absent(folder) as part,
        ):
            part.mkdir(parents=True)
            for number, (layout, level) in enumerate(layouts):
                tiles = (
                    _stored_frames(slide, level, layout)
                    if level is not None and layout.stored
                    else _encoded_frames(slide, layout, normalizer, quality)
                )
                plain = partial(header.level_header, facts, layout)
                make = partial(_tagged, plain, made)
                frames = counted(tiles, total, before=done)
                files.write_frames(part / f"level-{number}.dcm", make, frames)
                done += layout.tiles[0] * layout.tiles[1]
    except OSError as error:
        message = f"'{folder}' cannot be written: {error.strerror or error}."
        raise RunError(message, "Choose another place, or make room.") from error
    return folder


def _provenance(slide: Slide, normalizer: PixelMap | None, quality: int) -> Provenance:
    """Return what made the objects, without the name of the file."""
    options = {"to": "dicom", "quality": quality, "icc": slide.icc}
    made = provenance_of_pixels(slide, "slide", options, normalizer)
    facts = {name: value for name, value in made.slide.items() if name != "name"}
    parents = ({"kind": "slide", "name": "", "digest": slide.id},)
    return replace(made, slide=facts, parents=parents)


def _tagged(
    make_header: Callable[..., Dataset], made: Provenance, *, ratio: float
) -> Dataset:
    """Return the attributes of a level, with what made it."""
    dataset = make_header(ratio=ratio)
    tag_dataset(dataset, made)
    return dataset


def facts_of(
    slide: Slide, normalizer: PixelMap | None = None, quality: int = QUALITY
) -> SlideFacts:
    """Return what the DICOM objects of a slide say about it.

    Raises
    ------
    MissingMppError
        If the pixel size is not known.
    """
    ids, words = [], []
    converted = slide.pixels_id.removeprefix(slide.id).startswith("-icc")
    if converted:
        ids.append("icc")
    if normalizer is not None:
        ids.append(normalizer.fingerprint)
        words.append(f"Stain normalization: {normalizer.method or 'none'}")
    if quality != QUALITY:
        ids.append(f"quality {quality}")
    plain = normalizer is None and not converted
    return SlideFacts(
        id=slide.id,
        size=slide.size,
        mpp=slide.require_mpp(),
        processing=", ".join(words),
        processing_id=" ".join(ids),
        icc_profile=_usable_profile(slide.icc_profile) if plain else None,
        properties=slide.properties,
    )


def _usable_profile(profile: bytes | None) -> bytes | None:
    """Return a profile for RGB as DICOM requires it; None if it is none."""
    if profile is None or len(profile) < 128 or profile[16:20] != b"RGB ":  # noqa: PLR2004
        return None
    changed = profile[:12] + b"scnr" + profile[16:84] + bytes(16) + profile[100:]
    return changed + b"\0" * (len(changed) % 2)


def _choose_levels(
    slide: Slide, *, stored: bool
) -> list[tuple[FrameLayout, int | None]]:
    """Return the layout of each level, with the level of the slide that it copies.

    All levels have tiles of one size, without which wsidicom reads only the first.
    """
    tile = (TILE_PX, TILE_PX)
    layouts: list[tuple[FrameLayout, int | None]] = []
    for number, level in enumerate(slide.levels):
        if not _is_power_of_two(level.downsample):
            continue  # readers number levels by halvings
        photometric = _photometric(slide, number, level) if stored else None
        if photometric is not None and level.tile is not None and not layouts:
            tile = level.tile
        if photometric is not None and level.tile == tile:
            layout = FrameLayout(level.size, tile, photometric)
        else:
            layout = FrameLayout(level.size, tile, stored=False)
        layouts.append((layout, number))
    width, height = layouts[-1][0].size
    while max(width, height) > SMALLEST_PX:
        width, height = max(1, width // 2), max(1, height // 2)
        layouts.append((FrameLayout((width, height), tile, stored=False), None))
    return layouts


def _is_power_of_two(downsample: float) -> bool:
    halvings = np.log2(downsample)
    return bool(abs(halvings - round(halvings)) < _POWER_TOLERANCE)


def _photometric(slide: Slide, number: int, level: Level) -> str | None:
    """Return the colour space of a level's JPEG tiles; None if it has none.

    Only baseline JPEG is copied: progressive ones have no place in DICOM.
    """
    if level.tile is None:
        return None
    columns, rows = (
        -(-side // tile) for side, tile in zip(level.size, level.tile, strict=True)
    )
    for index in range(min(columns * rows, _TRIED)):  # the first ones may be blank
        tile = slide.encoded_tile(number, index % columns, index // columns)
        if tile is not None:
            return _photometric_of(tile)
    return None


def _photometric_of(tile: EncodedTile) -> str | None:
    header = read_jpeg_header(tile.data) if tile.media_type == "image/jpeg" else None
    if header is None or header.frame != _BASELINE or header.bits != 8:  # noqa: PLR2004
        return None
    if len(header.components) != 3:  # noqa: PLR2004
        return None
    return "RGB" if header.colours == "rgb" else "YBR_FULL_422"


def _stored_frames(slide: Slide, number: int, layout: FrameLayout) -> Iterator[bytes]:
    """Yield the stored tiles of a level; one that is not stored is encoded."""
    columns, rows = layout.tiles
    blank: bytes | None = None
    for row in range(rows):
        for column in range(columns):
            tile = slide.encoded_tile(number, column, row)
            if tile is not None and _photometric_of(tile) == layout.photometric:
                yield tile.data
                continue
            box = _box_of(slide, layout, column, row)
            pixels = slide.read_tiles([box], layout.tile)[0]
            if (pixels != slide.background).any():
                yield _jpeg(pixels, layout.photometric, QUALITY)
                continue
            blank = blank or _jpeg(pixels, layout.photometric, QUALITY)
            yield blank


def _encoded_frames(
    slide: Slide, layout: FrameLayout, normalizer: PixelMap | None, quality: int
) -> Iterator[bytes]:
    """Yield the tiles of a level, read, mapped and encoded batch by batch."""
    columns, rows = layout.tiles
    threads = available_cores()
    boxes = [
        _box_of(slide, layout, column, row)
        for row in range(rows)
        for column in range(columns)
    ]
    for start in range(0, len(boxes), _BATCH):
        batch = boxes[start : start + _BATCH]
        pixels = slide.read_tiles(batch, layout.tile, threads=threads)
        if normalizer is not None:
            pixels = normalizer(pixels)
        encoded: list[bytes] = [b""] * len(batch)

        def encode(
            number: int,
            pixels: NDArray[np.uint8] = pixels,
            encoded: list[bytes] = encoded,
        ) -> None:
            encoded[number] = _jpeg(pixels[number], layout.photometric, quality)

        run_parallel([partial(encode, n) for n in range(len(batch))], threads)
        yield from encoded


def _box_of(slide: Slide, layout: FrameLayout, column: int, row: int) -> Box:
    """Return the level-0 box of a tile of a level."""
    across, down = (
        full / side for full, side in zip(slide.size, layout.size, strict=True)
    )
    width, height = layout.tile
    return Box(
        round(column * width * across),
        round(row * height * down),
        round((column + 1) * width * across),
        round((row + 1) * height * down),
    )


def _jpeg(pixels: NDArray[np.uint8], photometric: str, quality: int) -> bytes:
    encoded = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(pixels),
        level=quality,
        colorspace="RGB",
        outcolorspace="RGB" if photometric == "RGB" else "YCBCR",
        subsampling=_SUBSAMPLING[photometric],
    )
    return bytes(encoded)
