"""Tiles that a device decodes: the same pixels; all else goes through the host.

No GPU is needed: torchvision's decoder for the CPU stands in for that of the device.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.io import ImageReadMode, decode_jpeg

from fakes import FakeSlide, MeanColour, fake_card
from labelled_slides import reading_card
from workbench.geometry import Box
from workbench.inference import device_transfer, engine, predictor
from workbench.inference.gpu_jpegs import (
    GpuJpegDecoder,
    cuda_decoder,
    nvimagecodec_decoder,
)
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide

CPU = torch.device("cpu")
WHOLE = Recipe(tissue_only=False, batch_size=16, device="cpu", precision="float32")
SIDE = 700


class StandIn:
    """Decodes as a device does; notes how many files each call brings."""

    def __init__(self, change=lambda pixels: pixels):
        self.change = change
        self.calls = []

    def __call__(self, files):
        self.calls.append(len(files))
        return [self.change(each) for each in decode_jpeg(files, ImageReadMode.RGB)]


def write(path, **how):
    pixels = FakeSlide((SIDE, SIDE - 60)).pixels
    how = {"compression": "jpeg", "photometric": "ycbcr", "subsampling": (2, 2), **how}
    with tifffile.TiffWriter(path) as writer:
        for level, extra in enumerate(({"subifds": 1}, {"subfiletype": 1})):
            part = np.ascontiguousarray(pixels[:: 4**level, :: 4**level])
            writer.write(
                part,
                tile=(64, 64),
                resolution=(20000 / 4**level,) * 2,  # 0.5 µm per pixel
                resolutionunit="CENTIMETER",
                **extra,
                **how,
            )
    return path


pytestmark = pytest.mark.usefixtures("undivided")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("jpegs") / "slide.tiff")


@pytest.fixture(scope="module")
def slide(path):
    with open_slide(path, exact=True) as slide:
        assert len(slide.levels) == 2
        yield slide


def made(slide, boxes, size):
    encoded = slide.read_encoded(boxes, size)
    tiles = GpuJpegDecoder(StandIn(), CPU).tiles(encoded)
    return tiles.permute(0, 2, 3, 1).numpy()


def test_tiles_as_they_are_stored_are_the_same_bits(slide):
    boxes = [Box.at(x, y, 100, 80) for x in (0, 37, 650, -20) for y in (3, 128, 600)]
    expected = slide.read_tiles(boxes, (100, 80))
    np.testing.assert_array_equal(made(slide, boxes, (100, 80)), expected)


@settings(max_examples=25)
@given(
    corners=st.lists(
        st.tuples(st.integers(-50, SIDE), st.integers(-50, SIDE)), min_size=1
    ),
    side=st.integers(10, 75),
    size=st.integers(36, 40),
)
def test_tiles_that_are_averaged_are_within_a_grey_level(slide, corners, side, size):
    # Larger ones are of the second level, which has a fourth of the resolution.
    aligned = [(x // 4 * 4, y // 4 * 4) for x, y in [(0, 0), *corners[:6]]]
    boxes = [Box.at(x, y, side * 4, side * 4) for x, y in aligned]
    expected = slide.read_tiles(boxes, (size, size)).astype(int)
    found = made(slide, boxes, (size, size)).astype(int)
    assert np.abs(found - expected).max() <= 1


def test_a_part_of_the_boxes_needs_its_own_files_only(slide):
    boxes = [Box.at(x, 32, 64, 64) for x in range(0, 640, 64)]
    encoded = slide.read_encoded(boxes, (64, 64))
    part = encoded[6:8]
    assert (len(part), len(part.files)) == (2, 4)
    assert len(encoded.files) == 20
    decoded = GpuJpegDecoder(StandIn(), CPU)
    whole, some = decoded.tiles(encoded), decoded.tiles(part)
    assert torch.equal(whole[6:8], some)
    np.testing.assert_array_equal(part.read(), encoded.read()[6:8])
    beyond = slide.read_encoded([*boxes[:1], Box.at(900, 0, 64, 64)], (64, 64))
    assert (decoded.tiles(beyond[1:])[0] == 255).all()


def test_what_is_not_made_of_whole_jpeg_pixels_is_read_decoded(slide, tmp_path):
    boxes = [Box.at(0, 0, 64, 64)]
    assert slide.read_encoded(boxes, (64, 64)).files
    assert slide.read_encoded(boxes, (65, 64)) is None  # enlarged
    assert slide.read_encoded(boxes, (16, 16)).limit == slide.levels[1].size
    assert slide.read_encoded([Box.at(2, 0, 64, 64)], (16, 16)) is None  # cut through
    how = {"compression": "deflate", "photometric": "rgb", "subsampling": None}
    with open_slide(write(tmp_path / "deflated.tiff", **how)) as other:
        assert other.read_encoded(boxes, (64, 64)) is None
    assert cuda_decoder(CPU) is None


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run with a stand-in for the device's decoder, or with none."""

    def run(path, name, decode=None, **options):
        network = MeanColour()
        model = TileModel(fake_card(tile_px=48), network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )
        monkeypatch.setattr(device_transfer, "cuda_decoder", lambda _: decode)
        with open_slide(path, exact=True) as slide:
            done = engine.run(slide, WHOLE, out=tmp_path / name, **options)
        return done, network

    return run


def test_a_run_decodes_on_the_device_and_answers_the_same(run, path):
    plain, _ = run(path, "plain")
    decode = StandIn()
    done, _ = run(path, "device", decode)
    assert len(decode.calls) == -(-done.tiles_total // 16)
    assert done.tiles_failed == 0
    np.testing.assert_allclose(
        done.heatmap.values, plain.heatmap.values, atol=0.5 / 255, rtol=0
    )
    stained, _ = run(path, "stained", StandIn(), normalize="macenko")
    assert stained.status == "finished"


def test_memory_that_is_exhausted_halves_what_is_decoded(run, path, monkeypatch):
    def full(_, rgb):
        if len(rgb) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")  # noqa: EM101, TRY003
        return rgb[:, :2].mean((2, 3))

    plain, _ = run(path, "plain")
    monkeypatch.setattr(MeanColour, "forward", full)
    done, _ = run(path, "device", StandIn())
    np.testing.assert_allclose(
        done.heatmap.values, plain.heatmap.values, atol=0.5 / 255, rtol=0
    )


def test_a_device_that_decodes_otherwise_is_not_asked_again(run, path, caplog):
    plain, _ = run(path, "plain")
    swapped = StandIn(lambda pixels: pixels.flip(0) + 40)  # colours taken for others
    done, _ = run(path, "swapped", swapped)
    assert len(swapped.calls) == 1
    assert "decodes these tiles differently" in caplog.text
    np.testing.assert_allclose(
        done.heatmap.values, plain.heatmap.values, atol=0.5 / 255, rtol=0
    )


def test_a_device_that_cannot_decode_is_not_asked_again(run, path, caplog):
    calls = []

    def decode(files):
        calls.append(len(files))
        message = "torchvision was built without nvJPEG"
        raise RuntimeError(message)

    done, _ = run(path, "run", decode)
    assert (done.status, done.tiles_failed, len(calls)) == ("finished", 0, 1)
    assert "without nvJPEG" in caplog.text


def test_a_damaged_tile_is_left_out_and_the_device_goes_on(run, tmp_path):
    path = write(tmp_path / "damaged.tiff")
    plain, _ = run(path, "plain")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        last = -1  # not among the first tiles, by which the device is judged
        start, length = page.dataoffsets[last], page.databytecounts[last]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(length))
    decode = StandIn()
    done, _ = run(path, "run", decode)
    corner = done.grid.touching(Box(640, 576, SIDE, SIDE - 60)).tolist()
    assert sorted(done.failures) == corner
    assert len(decode.calls) > -(-done.tiles_total // 16) - 2
    values, there = done.heatmap.values, ~np.isnan(done.heatmap.values)
    assert np.count_nonzero(~there[0]) == len(corner)
    np.testing.assert_allclose(
        values[there], plain.heatmap.values[there], atol=0.5 / 255, rtol=0
    )


def test_objects_need_their_pixels_on_the_host(monkeypatch):
    monkeypatch.setattr(device_transfer, "cuda_decoder", lambda _: StandIn())
    for task, decodes in (("classification", True), ("instances", False)):
        card = fake_card() if decodes else reading_card(tile_px=64, margin_px=16)
        assert card.task == task
        model = TileModel(card, MeanColour())
        assert predictor.DevicePredictor(model, WHOLE).decodes is decodes


class FakeCodec:
    """nvImageCodec's interface, decoded by torchvision on the CPU."""

    class Decoder:
        def __init__(self, device_id):
            assert device_id == 0

        def decode(self, files):
            tensors = [torch.frombuffer(bytearray(f), dtype=torch.uint8) for f in files]
            try:
                decoded = decode_jpeg(tensors, ImageReadMode.RGB)
            except RuntimeError:
                return [None] * len(files)  # as it does for a damaged file
            return [each.permute(1, 2, 0).contiguous() for each in decoded]


def test_nvimagecodec_decodes_where_torchvision_does_not(run, path, monkeypatch):
    assert nvimagecodec_decoder(CPU) is None
    monkeypatch.setitem(sys.modules, "nvidia", types.ModuleType("nvidia"))
    monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", FakeCodec)
    plain, _ = run(path, "plain")
    done, _ = run(path, "device", nvimagecodec_decoder(CPU))
    np.testing.assert_allclose(
        done.heatmap.values, plain.heatmap.values, atol=0.5 / 255, rtol=0
    )
    with pytest.raises(RuntimeError, match="could not decode"):
        nvimagecodec_decoder(CPU)([torch.zeros(100, dtype=torch.uint8)])
    monkeypatch.setattr(
        "workbench.inference.gpu_jpegs.torchvision_decoder", lambda _: None
    )
    assert cuda_decoder(torch.device("cuda")) is not None
