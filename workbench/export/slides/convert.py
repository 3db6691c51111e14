"""Converts a slide to a pyramid in another file; a killed conversion is continued."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import filelock
import numpy as np
import simplejpeg

from workbench.errors import OutOfBoundsError, RunError
from workbench.export.slides import descriptions
from workbench.export.slides.plan import ConversionPlan
from workbench.export.slides.pyramid import PyramidBuilder, in_tiles
from workbench.export.slides.tiff_file import TiffFile, bytes_tag, text_tag
from workbench.export.slides.zarr_store import ZarrStore
from workbench.provenance.pixels import provenance_of_pixels
from workbench.provenance.places import TIFF_TAG
from workbench.system.atomic_files import disk_errors, move_file, replace_folder
from workbench.system.long_work import followed
from workbench.system.thread_pool import available_cores

if TYPE_CHECKING:
    import os
    import threading

    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.export.slides.plan import Block
    from workbench.export.slides.sink import FileSink
    from workbench.geometry import BoxLike
    from workbench.progress import Progress
    from workbench.provenance.provenance import Provenance
    from workbench.slide.slide import Slide

PixelMap = Callable[[Any], Any]
"""Changes the colours of uint8 (N, H, W, 3) or (H, W, 3), pixel by pixel; thread-safe,
such as a `Normalizer`."""

SLIDE_FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "ome-tiff": (".ome.tiff", ".ome.tif"),
    "svs": (".svs",),
    "ome-zarr": (".ome.zarr", ".zarr"),
    "ome-zarr-0.5": (),
}
"""Formats of whole slides, each with its suffixes. OME-Zarr is of version 0.4."""

QUALITY: Final = 90
_CHECKPOINT_S: Final = 10.0
"""Interval in seconds at which a conversion can be continued."""

_THUMBNAIL_PX: Final = 768
_ZARR_TILE_PX: Final = 512
_TIFF_TILE_PX: Final = 256
_LEVELS: Final = 9
"""Grey levels of each channel by which a function of colours is identified."""


@dataclass(frozen=True, eq=False, slots=True)
class _Task:
    """A conversion with all that identifies it."""

    slide: Slide
    plan: ConversionPlan
    to: str
    pixel_map: PixelMap | None
    area: Area | None
    quality: int

    @property
    def facts(self) -> dict[str, Any]:
        """Return how the result is made, ready for JSON."""
        method = getattr(self.pixel_map, "method", None)
        changed = method or getattr(self.pixel_map, "__name__", "changed")
        facts: dict[str, Any] = {
            "slide": self.slide.name,
            "slide_id": self.slide.id,
            "box": [getattr(self.plan.box, side) for side in ("x0", "y0", "x1", "y1")],
            "step": self.plan.step,
            "colours": changed if self.pixel_map is not None else "as stored",
        }
        if fingerprint := getattr(self.pixel_map, "fingerprint", None):
            facts["colours_fingerprint"] = str(fingerprint)
        if self.area is not None:
            facts["area"] = hashlib.sha256(repr(self.area).encode()).hexdigest()[:16]
        return facts

    @property
    def made(self) -> Provenance:
        """Return what made the result; equal conversions have equal ones."""
        options: dict[str, Any] = {
            "to": self.to,
            "box": self.facts["box"],
            "mpp": self.plan.mpp,
            "step": self.plan.step,
            "quality": self.quality,
            "icc": self.slide.icc,
        }
        if self.area is not None:
            options["area"] = self.area.coordinates
        return provenance_of_pixels(self.slide, "slide", options, self.pixel_map)

    @property
    def identity(self) -> str:
        """Return text that is equal for conversions with equal results."""
        cube = np.linspace(0, 255, _LEVELS).astype(np.uint8)
        colours = np.stack(np.meshgrid(cube, cube, cube), -1).reshape(_LEVELS, -1, 3)
        if self.pixel_map is not None:
            colours = self.pixel_map(colours)
        colour_id = hashlib.sha256(np.asarray(colours).tobytes()).hexdigest()
        plan = [self.plan.tile_px, *self.plan.sizes, self.to, self.quality]
        return json.dumps([self.facts, plan, self.slide.pixels_id, colour_id])

    def change(self, tiles: NDArray[np.uint8], block: Block) -> NDArray[np.uint8]:
        """Return the tiles of a block as they are written."""
        if self.pixel_map is not None:
            flat = tiles.reshape(-1, *tiles.shape[2:])
            tiles = np.asarray(self.pixel_map(flat)).reshape(tiles.shape)
        if self.area is not None:
            inside = self.area.mask(block.box, (block.width, block.height))
            white = np.array(self.slide.background, np.uint8)
            kept = in_tiles(inside, self.plan.tile_px)
            tiles = np.where(kept[..., None], tiles, white)
        return tiles


def convert_slide(  # noqa: PLR0913 - options that have nothing to do with each other
    slide: Slide,
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    pixel_map: PixelMap | None = None,
    box: BoxLike | None = None,
    area: Area | None = None,
    mpp: float | None = None,
    quality: int = QUALITY,
    threads: int | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """Write a slide, or a part of it, as a pyramid in another format.

    The slide is read block by block, so memory does not grow with its size. While it
    is written the file has another name; called again after a kill with the same
    options, the conversion continues where it was at most 10 s before.

    Parameters
    ----------
    slide : Slide
    path : path
        Ends in .ome.tiff, .svs or .ome.zarr, unless `to` is given.
    to : str, optional
        A name in `SLIDE_FORMATS`: "ome-tiff" (BigTIFF, JPEG tiles), "svs" (the same
        with a description in the form of Aperio), "ome-zarr" (version 0.4, without
        loss) or "ome-zarr-0.5". Default: by the suffix.
    pixel_map : callable, optional
        Changes the colours of uint8 (..., 3), pixel by pixel, such as a `Normalizer`.
        Default: they stay, and so does the colour profile of the file.
    box : Box or (x0, y0, x1, y1), optional
        Part to convert, in level-0 pixels. Default: the whole slide.
    area : Area, optional
        Outside of it pixels are background; `box` is then its box if not given.
    mpp : float, optional
        Micrometres per pixel of the result. Default: that of the slide.
    quality : int
        JPEG quality, 1 to 100.
    threads : int, optional
        Number of threads. Default: one for each core.
    progress : callable or True, optional
        Called with a `Progress` several times a second; True draws a bar.
    cancel : threading.Event, optional
        Stops the conversion when it is set; the next one continues it.

    Returns
    -------
    Path
        The file or folder; it is written completely or not at all.

    Raises
    ------
    OutOfBoundsError
        If there is no such format, the box is not on the slide, or the resolution is
        finer than that of the slide.
    MissingMppError
        If `mpp` is given and that of the slide is not known.
    RunError
        If the file cannot be written, or another process is writing it.
    SlideReadError
        If pixels cannot be read.
    StoppedError
        If it was stopped; there is no file then.

    Examples
    --------
    >>> part = wb.export.convert_slide(slide, "part.ome.tiff", box=(0, 0, 900, 600))
    >>> wb.open_slide(part).size
    (900, 600)
    """
    path = Path(path)
    kind = _format_of(path, to)
    if not 1 <= quality <= 100:  # noqa: PLR2004
        message = f"JPEG quality {quality} is not from 1 to 100."
        raise OutOfBoundsError(message, "The usual one is 90.")
    tile = _ZARR_TILE_PX if kind.startswith("ome-zarr") else _tile_px(slide)
    part = area.box if area is not None and box is None else box
    plan = ConversionPlan.of(slide, box=part, mpp=mpp, tile_px=tile)
    task = _Task(slide, plan, kind, pixel_map, area, quality)
    unfinished = path.with_name(f".part-{path.name}")
    lock = filelock.FileLock(f"{unfinished}.lock")
    try:
        with (
            lock.acquire(timeout=0),
            disk_errors(path),
            followed(
                progress, "converting", "tiles", cancel=cancel, path=str(unfinished)
            ),
        ):
            _write(task, unfinished, threads or available_cores())
            _move(unfinished, path)
    except filelock.Timeout:
        message = f"Another process is writing '{path}'."
        raise RunError(message, "Wait for it, or choose another name.") from None
    except OSError as error:
        message = f"'{path}' cannot be written: {error.strerror or error}."
        raise RunError(message, "Choose another place, or make room.") from error
    Path(lock.lock_file).unlink(missing_ok=True)
    return path


def _format_of(path: Path, to: str | None) -> str:
    if to in SLIDE_FORMATS:
        return str(to)
    name = path.name.lower()
    for kind, suffixes in SLIDE_FORMATS.items():
        if to is None and suffixes and name.endswith(suffixes):
            return kind
    message = f"'{to or path.name}' is no format that slides are converted to."
    names = [f"{n} ({', '.join(s)})" if s else n for n, s in SLIDE_FORMATS.items()]
    raise OutOfBoundsError(message, f"Use one of: {', '.join(names)}.")


def _tile_px(slide: Slide) -> int:
    """Return the side of the stored tiles if it suits, so that each is read once."""
    stored = slide.levels[0].tile
    if stored and stored[0] == stored[1] and stored[0] in (256, 512, 1024):
        return int(stored[0])
    return _TIFF_TILE_PX


def _write(task: _Task, part: Path, threads: int) -> None:
    """Write all tiles and the metadata; begin where an equal conversion ended."""
    state_file = part.with_name(f"{part.name}.state.npz")
    known = _read_state(state_file, task.identity) if part.exists() else None
    if known is None:
        _remove(part)
        state_file.unlink(missing_ok=True)
    sink = _sink(task, part, continued=known is not None)
    try:
        builder = PyramidBuilder(task.slide, task.plan, sink, task.change, threads)
        start = 0
        if known is not None:
            start = int(known["strips"])
            sink.restore(known)
            builder.restore(known)
        saved = time.monotonic()
        if start < task.plan.strips:
            for strip in builder.strips(start):
                if time.monotonic() - saved > _CHECKPOINT_S:
                    state = {**builder.state(), **sink.state()}
                    _save_state(state_file, state, strip + 1, task.identity)
                    saved = time.monotonic()
        _finish(task, sink)
    finally:
        sink.close()
    state_file.unlink(missing_ok=True)


def _sink(task: _Task, part: Path, *, continued: bool) -> FileSink:
    if task.to.startswith("ome-zarr"):
        version = "0.5" if task.to.endswith("0.5") else "0.4"
        return ZarrStore(part, task.plan, version, new=not continued)  # type: ignore[arg-type]
    return TiffFile(part, task.plan, task.quality, new=not continued)


def _finish(task: _Task, sink: FileSink) -> None:
    name, facts = task.slide.name, task.facts
    # A profile is of the stored colours: changed ones are plain sRGB.
    changed = task.pixel_map is not None or task.slide.icc
    profile = None if changed else task.slide.icc_profile
    if isinstance(sink, ZarrStore):
        sink.finish(name, {**facts, **task.made.block}, profile)
        return
    assert isinstance(sink, TiffFile)  # noqa: S101 - there are only these two
    made = task.made.text
    tags = {305: text_tag("Slide Workbench"), TIFF_TAG: text_tag(made)}
    if profile is not None:
        tags[34675] = bytes_tag(profile)
    if task.to == "ome-tiff":
        del tags[TIFF_TAG]  # OME-XML has a place for it
        tags[270] = text_tag(descriptions.ome_xml(task.plan, name, facts, made))
        sink.finish(tags, nested=True)
        return
    line = descriptions.aperio_line(task.plan, task.quality, facts)
    tags[270] = text_tag(line)
    sink.finish(tags, nested=False, thumbnail=_thumbnail(task, sink))


def _thumbnail(task: _Task, file: TiffFile) -> tuple[bytes, str]:
    """Return a JPEG of the whole result, and its description."""
    plan = task.plan
    # Of the result, because the slide may have no coarse level to read it from.
    level = next(
        (n for n, size in enumerate(plan.sizes) if max(size) <= 2 * _THUMBNAIL_PX),
        len(plan.sizes) - 1,
    )
    pixels = file.read_level(level)
    ratio = min(1.0, _THUMBNAIL_PX / max(plan.sizes[level]))
    width, height = (max(1, round(side * ratio)) for side in plan.sizes[level])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    data = simplejpeg.encode_jpeg(small, task.quality, "RGB", "444")
    return data, descriptions.aperio_thumbnail_line(plan, width, height)


def _read_state(path: Path, identity: str) -> dict[str, Any] | None:
    """Return the state of an equal conversion; None if there is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return state if str(state.pop("identity", "")) == identity else None


def _save_state(
    path: Path, state: dict[str, NDArray[Any]], strips: int, identity: str
) -> None:
    part = path.with_name(f"{path.name}~")
    about = {"strips": np.array(strips), "identity": np.array(identity)}
    whole: dict[str, Any] = {**about, **state}
    with part.open("wb") as file:
        np.savez(file, **whole)
        file.flush()
    move_file(part, path)


def _move(part: Path, path: Path) -> None:
    if part.is_dir():
        replace_folder(part, path)
    else:
        move_file(part, path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
