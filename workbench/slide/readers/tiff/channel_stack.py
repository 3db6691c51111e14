"""Images of a TIFF whose channels are not RGB: which directory holds which plane.

Only what the file says is used: OME-XML, ImageJ's description, or that of tifffile with
named axes. Where the order of the planes is not certain the image is refused.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.slide.channels.channel import ChannelFacts
from workbench.slide.readers.tiff.directory import ClaimError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.slide.readers.tiff.directory import Directory
    from workbench.slide.readers.tiff.ome import OmeImage

_SHAPED: Final = '{"shape"'
_IMAGEJ: Final = "ImageJ="
_BYTE: Final = 8
_GREY: Final = 1
_PICTURE: Final = 3
_MOST_CHANNELS: Final = 256


@dataclass(frozen=True, slots=True)
class StackLevel:
    """The planes of one resolution."""

    size: tuple[int, int]
    """Width and height in pixels."""

    planes: tuple[tuple[Directory, ...], ...]
    """For each focal plane the directories of its channels; a single one if the
    channels are the samples of its pixels."""


@dataclass(frozen=True, slots=True)
class ChannelStack:
    """Channels and focal planes of an image that is not stored as RGB."""

    facts: tuple[ChannelFacts, ...]
    levels: tuple[StackLevel, ...]
    """Levels, largest first."""

    times: int = 1
    """Number of time points, of which the first is shown."""

    @property
    def depth(self) -> int:
        """Number of focal planes."""
        return len(self.levels[0].planes)

    @property
    def are_samples(self) -> bool:
        """Whether the channels are the samples of a pixel, not separate images."""
        return len(self.levels[0].planes[0]) == 1 < len(self.facts)


def ome_stack(
    image: OmeImage,
    directories: Sequence[Directory],
    levels_of: Callable[[Directory], Sequence[Directory]],
) -> tuple[ChannelStack | None, str]:
    """Return the channels that OME-XML describes, and why they cannot be read.

    Parameters
    ----------
    image : OmeImage
    directories : sequence of Directory
        The directories of the file.
    levels_of : callable
        Returns the levels of a directory, largest first.

    Returns
    -------
    ChannelStack or None
        None if the image is RGB or grey in 8 bits, or cannot be read.
    str
        Why it cannot be read, as a clause; "" if it can, or if it is RGB.
    """
    if image.directory is None or image.directory >= len(directories):
        return None, ""
    first = directories[image.directory]
    count = _count_samples(first, image)
    if not count:
        return None, ""
    if count > _MOST_CHANNELS:
        return None, f"it has {count:,} channels; {_MOST_CHANNELS} are supported"
    facts = image.facts if len(image.facts) == count else (ChannelFacts(),) * count
    if image.declared_size != first.size:
        reason = "its OME-XML declares {} x {} pixels, its image has {} x {}"
        raise ClaimError(reason.format(*image.declared_size, *first.size))
    apart = 1 if first.samples > 1 else count
    planes: list[tuple[Directory, ...]] = []
    for z in range(image.depth):
        numbers = [image.plane_directories.get((c, z)) for c in range(apart)]
        if any(each is None or each >= len(directories) for each in numbers):
            return None, _missing_reason(image, apart)
        planes.append(tuple(directories[each] for each in numbers if each is not None))
    used = [each.offset for plane in planes for each in plane]
    if len(set(used)) < len(used):
        return None, "its OME-XML assigns one plane to two channels or focal planes"
    return _with_levels(facts, planes, levels_of, image.times)


def _missing_reason(image: OmeImage, channels: int) -> str:
    held = sum(each is not None for each in image.plane_directories.values())
    return (
        f"its OME-XML declares {channels} channels in {image.depth} focal planes, but"
        f" {held} of these planes are in this file"
    )


def _count_samples(first: Directory, image: OmeImage) -> int:
    """Return the number of channels; 0 for RGB, and for grey images in 8 bits."""
    if first.samples == 1:
        alone = image.channels == 1
        if not alone:
            unclear = image.may_be_rgb and first.bits <= _BYTE
            return image.channels if image.not_rgb_reason and not unclear else 0
        return int(first.bits > _BYTE or image.is_fluorescence)
    fitting = image.channels in {1, first.samples}
    described = image.is_fluorescence or (image.channels > 1 and not image.may_be_rgb)
    if first.samples == _PICTURE and first.bits <= _BYTE and not described:
        return 0
    plain = first.photometric == _GREY and not first.is_alpha_declared
    return first.samples if fitting and plain else 0


def plain_stack(
    directories: Sequence[Directory],
    levels_of: Callable[[Directory], Sequence[Directory]],
) -> tuple[ChannelStack | None, str]:
    """Return the channels of a file of ImageJ or tifffile that names its axes.

    Returns as `ome_stack`; (None, "") for files of others.
    """
    text = directories[0].description
    if text.startswith(_SHAPED):
        described = _shaped_axes(text)
    elif text.startswith(_IMAGEJ):
        described = _imagej_axes(text)
    else:
        return None, ""
    if described is None:
        return None, ""
    first = directories[0]
    if first.samples == 1 and first.bits <= _BYTE and described.count == 1:
        return None, ""
    if first.samples > 1 and first.photometric != _GREY:
        return None, ""
    pages = [each for each in directories if each.size == first.size]
    return _arrange(described, pages, levels_of)


@dataclass(frozen=True, slots=True)
class _Axes:
    """Extents along the axes that are not rows, columns or samples, in page order."""

    extents: tuple[tuple[str, int], ...]
    names: tuple[str, ...] = ()
    samples: int = 1

    def extent(self, axis: str) -> int:
        return math.prod(count for name, count in self.extents if name == axis)

    @property
    def count(self) -> int:
        """Number of channels."""
        return self.extent("C") * self.samples

    def with_planes_as_samples(self, samples: int) -> _Axes:
        """Return the axes with the last as samples, if pages hold it in planes."""
        last = self.extents[-1:]
        if samples == 1 or self.samples > 1 or last != (("C", samples),):
            return self
        return _Axes(self.extents[:-1], self.names, samples)


def _shaped_axes(text: str) -> _Axes | None:
    """Return the axes that tifffile has written; None if it was not given them."""
    try:
        about = json.loads(text)
        axes, shape = about["axes"], [int(each) for each in about["shape"]]
        names = (about.get("Channel") or {}).get("Name") or ()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    known = isinstance(axes, str) and len(axes) == len(shape) and min(shape) > 0
    if not known or not {"Y", "X"} <= set(axes) <= set("TZCYXS"):
        return None
    if len(set(axes)) < len(axes) or axes.index("X") != axes.index("Y") + 1:
        return None
    rows = axes.index("Y")
    pages = tuple(zip(axes[:rows], shape[:rows], strict=True))
    samples = math.prod(shape[rows + 2 :])
    listed = names if isinstance(names, list) else ()
    return _Axes(pages, tuple(str(each) for each in listed), samples)


def _imagej_axes(text: str) -> _Axes | None:
    """Return the axes of an ImageJ stack; None if it names no channels."""
    extents = []
    for axis, name in (("T", "frames"), ("Z", "slices"), ("C", "channels")):
        found = re.search(rf"^{name}=(\d{{1,6}})\s*$", text, re.MULTILINE)
        extents.append((axis, max(1, int(found[1])) if found else 1))
    return None if extents[-1][1] == 1 else _Axes(tuple(extents))


def _arrange(
    axes: _Axes,
    pages: Sequence[Directory],
    levels_of: Callable[[Directory], Sequence[Directory]],
) -> tuple[ChannelStack | None, str]:
    axes = axes.with_planes_as_samples(pages[0].samples)
    expected = math.prod(count for _, count in axes.extents)
    if axes.count > _MOST_CHANNELS:
        return None, f"it has {axes.count:,} channels; {_MOST_CHANNELS} are supported"
    if axes.samples != pages[0].samples:
        return None, f"its pixels have {pages[0].samples} samples, not {axes.samples}"
    if axes.samples > 1 and axes.extent("C") > 1:
        return None, "its channels are stored both as images and as samples"
    if expected != len(pages):
        return None, (
            f"its description declares {expected:,} planes, but it holds {len(pages):,}"
            " images of that size"
        )
    steps, step = {}, 1
    for axis, count in reversed(axes.extents):
        steps[axis] = step
        step *= count
    planes = [
        tuple(
            pages[c * steps.get("C", 0) + z * steps.get("Z", 0)]
            for c in range(axes.extent("C"))
        )
        for z in range(axes.extent("Z"))
    ]
    fitting = axes.names if len(axes.names) == axes.count else ("",) * axes.count
    facts = tuple(ChannelFacts(name) for name in fitting)
    return _with_levels(facts, planes, levels_of, axes.extent("T"))


def _with_levels(
    facts: tuple[ChannelFacts, ...],
    planes: Sequence[tuple[Directory, ...]],
    levels_of: Callable[[Directory], Sequence[Directory]],
    times: int,
) -> tuple[ChannelStack | None, str]:
    """Return the stack with the levels that all its planes have."""
    found = [[levels_of(each) for each in plane] for plane in planes]
    forms = {
        tuple((level.size, *level.form[2:4]) for level in levels)
        for plane in found
        for levels in plane
    }
    if len({form[0] for form in forms}) > 1:
        return None, "its channels are not stored in the same way"
    shared = min(len(form) for form in forms)
    if len({form[:shared] for form in forms}) > 1:
        return None, "the levels of its channels are not stored in the same way"
    levels = tuple(
        StackLevel(
            found[0][0][number].size,
            tuple(tuple(each[number] for each in plane) for plane in found),
        )
        for number in range(shared)
    )
    return ChannelStack(facts, levels, times), ""


def unnamed_stack_remedy(problem: str) -> str:
    """Return what to do about an image whose channels cannot be told apart."""
    if "grey images" not in problem and "array of shape" not in problem:
        return ""
    return (
        "If they are channels, name the axes: save it as OME-TIFF (for example with"
        " bfconvert, or with tifffile.imwrite(..., metadata={'axes': 'CYX'}))."
    )


def describe_stack(stack: ChannelStack) -> list[str]:
    """Return sentences for the user about what is not shown."""
    notes = []
    if stack.times > 1:
        notes.append(f"It has {stack.times} time points; the first is shown.")
    if stack.depth > 1:
        notes.append(f"It has {stack.depth} focal planes; the first is shown.")
    return notes
