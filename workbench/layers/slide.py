"""The slide itself as a layer: its RGB pixels, or its channels."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from workbench.layers.encode import encode_jpeg
from workbench.layers.layer import Pyramid
from workbench.layers.tile_pixels import ChannelTiles, TilePixels
from workbench.slide.channels.composite import compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.layers.layer import Legend
    from workbench.slide.channels.channel import Channel
    from workbench.slide.readers.base import EncodedTile
    from workbench.slide.slide import Slide

_STORED_TILE_PX: Final = range(128, 1025)
_JPEG: Final = "image/jpeg"


class SlideLayer:
    """A slide as it was scanned.

    If the file stores square JPEG tiles, the pyramid uses their size, and zooms that
    are stored are served as the stored bytes, neither decoded nor encoded again.
    Other zooms are read and encoded as JPEG.

    Tiles at the right and lower edge have full size; the part outside the slide is
    background, and the viewer does not draw it.

    Parameters
    ----------
    slide : Slide
    tile_px : int, optional
        Side of the tiles in pixels; by default that of the stored tiles. Larger tiles
        need fewer requests, but none of them is served as stored.
    """

    legend: Legend | None = None

    def __init__(self, slide: Slide, *, tile_px: int | None = None) -> None:
        self.name = slide.name
        self.pyramid = slide_pyramid(slide, tile_px=tile_px)
        self._slide = slide
        self._stored = _stored_levels(slide, self.pyramid)
        self._pixels = TilePixels(slide, self.pyramid)

    @property
    def version(self) -> str:
        """The id of the slide's pixels, computed from the content of the file."""
        return self._slide.pixels_id

    def require_unchanged(self) -> None:
        """Check that the slide's file is still the one that was opened.

        Raises
        ------
        SlideChangedError
            If it is not: tiles that were drawn before show another slide.
        """
        self._slide.require_unchanged(lately=True)

    @property
    def drawing(self) -> str:
        """Cache key, shared by all layers of this slide with this tile size."""
        return f"slide {self._slide.pixels_id} {self.pyramid.tile_px}"

    def tile_in_memory(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a stored tile that is in the system's memory, else None."""
        if z not in self._stored:
            return None
        stored = self._slide.encoded_tile(self._stored[z], x, y, wait=False)
        return stored if stored is not None and stored.media_type == _JPEG else None

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as JPEG.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        if z in self._stored:
            stored = self._slide.encoded_tile(self._stored[z], x, y)
            if stored is not None and stored.media_type == _JPEG:
                return stored
        return encode_jpeg(self._pixels.tile(z, x, y))


class ChannelsLayer:
    """A slide with channels, in their colours and contrast.

    Parameters
    ----------
    tiles : ChannelTiles
        Shared by all displays of a slide.
    channels : sequence of Channel, optional
        All channels; by default those of the slide.
    """

    legend: Legend | None = None

    def __init__(
        self, tiles: ChannelTiles, channels: Sequence[Channel] | None = None
    ) -> None:
        slide = tiles.slide
        self.name = slide.name
        self.pyramid = tiles.pyramid
        self.tiles = tiles
        self.channels = tuple(slide.channels if channels is None else channels)
        self._shown = [n for n, each in enumerate(self.channels) if each.shown]
        digest = hashlib.sha256(repr(self.channels).encode()).hexdigest()
        self._display = digest[:16]

    @property
    def version(self) -> str:
        """Version; changes with the slide and with the display."""
        return f"{self.tiles.slide.pixels_id}-{self._display}"

    @property
    def drawing(self) -> str:
        """Cache key, shared by all layers of this slide and display."""
        slide, side = self.tiles.slide, self.pyramid.tile_px
        return f"channels {slide.pixels_id} {self._display} {side}"

    def require_unchanged(self) -> None:
        """Check that the slide's file is still the one that was opened.

        Raises
        ------
        SlideChangedError
            If it is not: tiles that were drawn before show another slide.
        """
        self.tiles.slide.require_unchanged(lately=True)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as JPEG, with full colour resolution.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        values = self.tiles.planes((z, x, y), self._shown)
        shown = [self.channels[number] for number in self._shown]
        return encode_jpeg(compose(values, shown), subsampling="444")

    def value_at(self, x: float, y: float) -> str | None:
        """Return the stored values of the shown channels at a level-0 point."""
        slide, column, row = self.tiles.slide, int(x), int(y)
        if not (0 <= column < slide.size[0] and 0 <= row < slide.size[1]):
            return None
        names = [self.channels[number].name for number in self._shown]
        if not names:
            return None
        box = (column, row, column + 1, row + 1)
        values = slide.read_channels(box, channels=names).values[:, 0, 0].tolist()
        pairs = zip(names, values, strict=True)
        return ", ".join(f"{name} {value:.5g}" for name, value in pairs)


def slide_layer(slide: Slide) -> SlideLayer | ChannelsLayer:
    """Return the layer of a slide as scanned: its RGB pixels, or its channels."""
    return ChannelsLayer(ChannelTiles(slide)) if slide.channels else SlideLayer(slide)


def slide_pyramid(slide: Slide, *, tile_px: int | None = None) -> Pyramid:
    """Return the pyramid of a slide, with the size of its stored tiles if possible."""
    if tile_px is not None:
        return Pyramid(slide.size, tile_px)
    tile = slide.levels[0].tile
    if tile is None or tile[0] != tile[1] or tile[0] not in _STORED_TILE_PX:
        return Pyramid(slide.size)
    first = slide.encoded_tile(0, 0, 0)
    if first is None or first.media_type != _JPEG:
        return Pyramid(slide.size)
    return Pyramid(slide.size, tile[0])


def _stored_levels(slide: Slide, pyramid: Pyramid) -> dict[int, int]:
    """Return, by zoom, the level whose stored tiles are the tiles of that zoom."""
    stored = {}
    for z in range(pyramid.max_zoom + 1):
        factor = pyramid.downsample(z)
        for number, level in enumerate(slide.levels):
            square = level.tile == (pyramid.tile_px, pyramid.tile_px)
            if square and _is_scaled(slide.size, level.size, factor):
                stored[z] = number
    return stored


def _is_scaled(size: tuple[int, int], smaller: tuple[int, int], factor: int) -> bool:
    """Return whether `smaller` is `size` divided by `factor`, rounded up or down.

    Sizes are compared because the stated downsample is a ratio of rounded sizes, such
    as 4.0002 where the scanner used 4.
    """
    pairs = zip(size, smaller, strict=True)
    return all(abs(few * factor - many) < factor for many, few in pairs)
