"""Images of a TIFF: the scan with its levels, and associated images."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from workbench.slide.readers.tiff.channel_stack import (
    ChannelStack,
    ome_stack,
    plain_stack,
)
from workbench.slide.readers.tiff.directory import SeveralFilesError
from workbench.slide.readers.tiff.ome import OmeImage, read_ome
from workbench.slide.readers.tiff.philips import crop_to_scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.slide.readers.tiff.directory import Directory

_ASPECT: Final = 0.01
"""Relative tolerance of the aspect ratio of levels, in addition to rounding."""

_PYRAMID_COUNTS: Final = 4
"""Weight of an image with levels: it is preferred to one this many times as large."""

_ARRAY: Final = re.compile(r'\{"shape": \[((?:\d{1,9}(?:, )?){1,16})\]')
"""Description that tifffile writes."""

_PICTURE: Final = 3
"""Dimensions of one image: rows, columns and samples."""

_BESIDE: Final = re.compile(
    r"\b(label|macro|thumbnail|overview|preview|slide ?(?:photo|image)|navigation)\b",
    re.IGNORECASE,
)
_NAMES: Final = {
    "overview": "macro",
    "preview": "thumbnail",
    "navigation": "macro",
}


@dataclass(frozen=True, slots=True)
class TiffLevel:
    """One stored resolution of an image."""

    directory: Directory
    size: tuple[int, int]
    """Width and height of the scanned area, without padding to whole tiles."""

    apart: tuple[Directory, ...] = ()
    """Directories of green and blue, if the colours are stored as separate images."""

    @property
    def directories(self) -> tuple[Directory, ...]:
        """All directories of the level."""
        return (self.directory, *self.apart)


@dataclass(frozen=True, slots=True)
class TiffImage:
    """One image of a TIFF."""

    name: str
    """Name in the file; "" if it has none."""

    levels: tuple[TiffLevel, ...]
    """Levels, largest first."""

    is_associated: bool = False
    """Whether it is a label, macro or thumbnail, not a scan."""

    problem: str = ""
    """Why it cannot be shown, as a clause; empty if no reason is known."""

    ome: OmeImage | None = None
    stack: ChannelStack | None = None
    """Its channels, if they are not RGB."""

    from_series: bool = False
    """Whether its levels are listed as separate images."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the largest level."""
        return self.levels[0].size


def images_of(directories: Sequence[Directory], vendor: str) -> tuple[TiffImage, ...]:
    """Return the images of a file, in its order.

    Raises
    ------
    ClaimError
        If the XML of the file cannot be used.
    SeveralFilesError
        If the XML, or all images that it describes, are in other files.
    """
    if vendor == "ome":
        return _ome_images(directories)
    if vendor == "philips":
        return _philips_images(directories)
    stack, problem = plain_stack(directories, _level_directories)
    if stack is not None or problem:
        first = directories[0]
        levels = tuple(TiffLevel(each, each.size) for each in _level_directories(first))
        return (TiffImage("", levels, problem=problem, stack=stack),)
    return tuple(_group_by_shape(directories, vendor))


def scan_of(images: Sequence[TiffImage]) -> int:
    """Return the number of the default image: the largest that is no label or macro.

    An image with levels is preferred to a slightly larger one without.
    """

    def weight(number: int) -> tuple[bool, float, int]:
        image = images[number]
        width, height = image.size
        levels = _PYRAMID_COUNTS if len(image.levels) > 1 else 1
        return (not image.is_associated, width * height * levels, -number)

    return max(range(len(images)), key=weight)


def _ome_images(directories: Sequence[Directory]) -> tuple[TiffImage, ...]:
    images = []
    for image in read_ome(directories[0].description):
        if image.directory is None or image.directory >= len(directories):
            continue
        first = directories[image.directory]
        levels = _levels(first, first.children)
        stack, problem = ome_stack(image, directories, _level_directories)
        if image.channels > 1 and first.samples == 1 and not (stack or problem):
            problem = image.not_rgb_reason or _find_plane_problem(image, directories)
            levels = levels if problem else _combine_channels(image, directories)
        associated = _is_associated(image.name)
        images.append(TiffImage(image.name, levels, associated, problem, image, stack))
    if not images:
        reason = "its OME-XML describes no image that is in this file"
        raise SeveralFilesError(reason)
    return tuple(images)


def focal_planes(image: TiffImage, count: int) -> int:
    """Return the number of focal planes of an RGB image that are all in the file.

    Parameters
    ----------
    image : TiffImage
    count : int
        Number of directories of the file.
    """
    ome = image.ome
    if ome is None or image.stack is not None or image.from_series:
        return 1
    channels = len(image.levels[0].directories)
    if channels * ome.depth > count:
        return 1
    places = ((c, z) for c in range(channels) for z in range(ome.depth))
    numbers = [ome.plane_directories.get(place) for place in places]
    known = {each for each in numbers if each is not None and each < count}
    return ome.depth if len(known) == len(numbers) else 1


def notes_on_planes(image: TiffImage, depth: int, z: int) -> list[str]:
    """Return sentences about the focal planes and times that are not shown."""
    ome, notes = image.ome, []
    if ome is not None and ome.times > 1:
        notes.append(f"It has {ome.times} times; the first is shown.")
    if depth > 1:
        notes.append(f"It has {depth} focal planes; number {z} is shown, from 0.")
    elif ome is not None and ome.depth > 1:
        notes.append(
            f"It has {ome.depth} focal planes, not all in this file; the first is"
            " shown."
        )
    return notes


def in_focal_plane(
    image: TiffImage, directories: Sequence[Directory], z: int
) -> TiffImage:
    """Return an image in another focal plane; see `focal_planes`."""
    if image.ome is None or z == 0:
        return image
    numbers = [
        image.ome.plane_directories[channel, z]
        for channel in range(len(image.levels[0].directories))
    ]
    firsts = [directories[number] for number in numbers if number is not None]
    levels = zip(*(_levels(each, each.children) for each in firsts), strict=True)
    return replace(
        image,
        levels=tuple(
            TiffLevel(red.directory, red.size, tuple(each.directory for each in others))
            for red, *others in levels
        ),
    )


def _find_plane_problem(image: OmeImage, directories: Sequence[Directory]) -> str:
    """Return why the colour planes cannot be combined, as a clause; "" if they can."""
    numbers = image.directories
    if any(each is None or each >= len(directories) for each in numbers):
        return "its channels are in several files"
    if len(set(numbers)) < len(numbers):
        return "its OME-XML assigns one plane to two channels"
    forms = {
        tuple((level.size, level.directory.form) for level in levels)
        for levels in _levels_of_channels(image, directories)
    }
    return "" if len(forms) == 1 else "its channels are not stored in the same way"


def _combine_channels(
    image: OmeImage, directories: Sequence[Directory]
) -> tuple[TiffLevel, ...]:
    """Return the levels of an image whose colours are stored as separate images."""
    return tuple(
        TiffLevel(red.directory, red.size, tuple(each.directory for each in others))
        for red, *others in zip(*_levels_of_channels(image, directories), strict=True)
    )


def _levels_of_channels(
    image: OmeImage, directories: Sequence[Directory]
) -> list[tuple[TiffLevel, ...]]:
    firsts = [directories[number] for number in image.directories if number is not None]
    return [_levels(first, first.children) for first in firsts]


def _philips_images(directories: Sequence[Directory]) -> tuple[TiffImage, ...]:
    tiled = [each for each in directories if each.tile is not None]
    others = [each for each in directories if each.tile is None]
    first = tiled[0] if tiled else directories[0]
    levels = [first]
    for each in tiled[1:]:
        if each.size[0] < levels[-1].size[0] or each.size[1] < levels[-1].size[1]:
            levels.append(each)
    sizes = crop_to_scan(first.description, [each.size for each in levels])
    scan = TiffImage("", tuple(map(TiffLevel, levels, sizes)))
    associated = (
        _single_image(each, "philips") for each in others if each is not first
    )
    return (scan, *associated)


def _group_by_shape(directories: Iterable[Directory], vendor: str) -> list[TiffImage]:
    """Group directories of one aspect ratio into images, largest level first."""
    given = list(directories)
    order = sorted(given, key=lambda each: -each.size[0] * each.size[1])
    groups: list[list[Directory]] = []
    for each in order:
        named = _is_associated(_own_name(each, vendor))
        fitting = [] if named else [g for g in groups if _is_level_of(each, g, vendor)]
        if fitting:
            fitting[0].append(each)
        else:
            groups.append([each])
    images = []
    for first, *rest in sorted(groups, key=lambda group: given.index(group[0])):
        name = _own_name(first, vendor)
        levels = _levels(first, [*rest, *first.children])
        images.append(
            TiffImage(
                name, levels, _is_associated(name), _find_stack_problem(first, given)
            )
        )
    return images


def _find_stack_problem(first: Directory, others: Sequence[Directory]) -> str:
    """Return why an image is one of a stack, as a clause; empty if it is not."""
    match = _ARRAY.match(first.description)
    shape = [int(side) for side in match[1].split(",")] if match else []
    if len([side for side in shape if side > 1]) > _PICTURE:
        return f"it is an array of shape {shape}, not one image"
    if first.samples != 1:
        return ""
    count = sum(each.samples == 1 and each.size == first.size for each in others)
    if first.description.startswith("ImageJ="):  # one directory for the whole stack
        match = re.search(r"^images=(\d+)", first.description, re.MULTILINE)
        count = max(count, int(match[1][:9]) if match else 1)
    if count == 1:
        return ""
    return f"it holds {count} grey images of one size: channels, planes or times"


def _is_level_of(each: Directory, group: Sequence[Directory], vendor: str) -> bool:
    first = group[0]
    if _is_associated(_own_name(first, vendor)):
        return False
    alike = (each.tile is None) == (first.tile is None)
    return (
        alike
        and each.samples == first.samples
        and _is_smaller(each.size, group[-1].size)
        and _is_shape_of(each.size, first.size)
    )


def _levels(first: Directory, others: Iterable[Directory]) -> tuple[TiffLevel, ...]:
    """Return the smaller versions of the first directory, largest first."""
    levels = [first]
    for each in sorted(others, key=lambda each: -each.size[0]):
        smaller = _is_smaller(each.size, levels[-1].size)
        if smaller and _is_shape_of(each.size, first.size):
            levels.append(each)
    return tuple(TiffLevel(each, each.size) for each in levels)


def _level_directories(first: Directory) -> list[Directory]:
    """Return a directory and its smaller versions, largest first."""
    return [level.directory for level in _levels(first, first.children)]


def _is_smaller(size: tuple[int, int], than: tuple[int, int]) -> bool:
    return size[0] < than[0] and size[1] <= than[1] and min(size) > 0


def _is_shape_of(size: tuple[int, int], full: tuple[int, int]) -> bool:
    across, down = (many / few for many, few in zip(full, size, strict=True))
    rounding = 1 / size[0] + 1 / size[1]
    return abs(across - down) <= max(across, down) * (_ASPECT + 2 * rounding)


def _single_image(directory: Directory, vendor: str) -> TiffImage:
    name = _own_name(directory, vendor)
    level = TiffLevel(directory, directory.size)
    return TiffImage(name, (level,), _is_associated(name))


def _own_name(directory: Directory, vendor: str) -> str:
    """Return the name in a directory, in the format of the vendor; "" if none."""
    text = directory.description[:1024]
    if vendor == "aperio":
        lines = [line.strip() for line in text.splitlines()]
        word = lines[1].split(" ")[0] if len(lines) > 1 else ""
        if word in {"label", "macro"}:
            return word
        is_thumbnail = directory.tile is None and "->" in text
        return "thumbnail" if is_thumbnail else ""
    if vendor == "perkinelmer":
        kind = re.search(r"<ImageType>(\w+)</ImageType>", directory.description)
        return "" if kind is None or kind[1] == "FullResolution" else kind[1].lower()
    found = _BESIDE.search(text)
    is_name = found is not None and len(text.strip()) <= 2 * len(found[0])
    return text.strip().lower() if is_name else ""


def _is_associated(name: str) -> bool:
    return _BESIDE.search(name.replace("_", " ")) is not None


def names_of(images: Sequence[TiffImage]) -> tuple[str, ...]:
    """Return unique names of the images of a file."""
    names: list[str] = []
    for number, image in enumerate(images):
        plain = image.name.strip()
        name = _NAMES.get(plain.lower(), plain) or f"image {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return tuple(names)
