"""Channels as a layer: composed tiles, other displays from cached values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import simplejpeg

import workbench as wb
from made_channels import made_values, write_ome
from workbench.layers import ChannelsLayer, ChannelTiles
from workbench.layers.slide import SlideLayer, slide_layer


def drawn(layer, place):
    return simplejpeg.decode_jpeg(layer.tile(*place).data).astype(int)


def test_tiles_are_the_composite_at_each_zoom(tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(3), names=["A", "B", "C"])
    with wb.open_slide(path) as slide:
        layer = slide_layer(slide)
        assert isinstance(layer, ChannelsLayer)
        for z in range(layer.pyramid.max_zoom + 1):
            for y in range(layer.pyramid.shape(z)[0]):
                box = layer.pyramid.box(z, 0, y)
                expected = slide.read_channels(box, size=(256, 256)).composite().pixels
                apart = np.abs(drawn(layer, (z, 0, y)) - expected)
                assert apart.mean() < 3  # of JPEG


def test_another_display_reads_nothing_and_has_another_version(tmp_path, monkeypatch):
    path = write_ome(tmp_path / "a.ome.tif", made_values(3), names=["A", "B", "C"])
    with wb.open_slide(path) as slide:
        tiles = ChannelTiles(slide)
        first = ChannelsLayer(tiles)
        place = (first.pyramid.max_zoom, 1, 1)
        both = drawn(first, place)
        monkeypatch.setattr(slide, "read_channels", None)
        fewer = [replace(each, shown=each.name != "B") for each in slide.channels]
        second = ChannelsLayer(tiles, fewer)
        assert second.version != first.version
        assert second.drawing != first.drawing
        assert drawn(second, place)[..., 1].mean() < both[..., 1].mean() - 10
        none = [replace(each, shown=False) for each in slide.channels]
        assert not drawn(ChannelsLayer(tiles, none), place).any()


def test_values_at_a_point_are_those_stored(tmp_path):
    values = made_values(2)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["DAPI", "CD3"])
    with wb.open_slide(path) as slide:
        layer = slide_layer(slide)
        at = values[:, 33, 44]
        assert layer.value_at(44.7, 33.2) == f"DAPI {at[0]}, CD3 {at[1]}"
        assert layer.value_at(-1, 5) is None


def test_a_slide_without_levels_is_merged_from_finer_tiles(tmp_path):
    values = made_values(2, 1200, 1300)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B"], levels=1)
    with wb.open_slide(path) as slide:
        layer = slide_layer(slide)
        seen = drawn(layer, (0, 0, 0))
        box = layer.pyramid.box(0, 0, 0)
        expected = slide.read_channels(box, size=(256, 256)).composite().pixels
        assert np.abs(seen - expected).mean() < 3


def test_rgb_slides_keep_their_layer(tmp_path):
    import made_slides  # noqa: PLC0415

    with wb.open_slide(made_slides.ome_zarr(tmp_path)) as slide:
        assert isinstance(slide_layer(slide), SlideLayer)
