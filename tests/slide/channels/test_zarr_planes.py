"""OME-Zarr with channels: stored values at each level, names, colours, contrast."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

import workbench as wb
from contracts import ReaderContract
from made_channels import halves, made_values
from workbench.errors import UnsupportedSlideError

SHOWN = [
    {
        "label": "DAPI",
        "color": "0000FF",
        "active": True,
        "window": {"start": 100, "end": 9000, "min": 0, "max": 65535},
    },
    {"label": "CD3", "color": "00FF00", "active": False},
    {"label": "CK", "color": "no colour", "window": {"start": 5, "end": 5}},
]


def write_zarr(path, values, axes, *, version=3, omero=None, chunks=None):
    """Write an OME-Zarr 0.5 (Zarr v3) or 0.4 (v2) with two levels."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    datasets = []
    for number, level in enumerate((values, halves(values))):
        array = group.create_array(
            str(number),
            shape=level.shape,
            dtype=level.dtype,
            chunks=chunks or (*(1,) * (level.ndim - 2), 128, 128),
        )
        array[:] = level
        step = [1.0] * (level.ndim - 2) + [0.5 * 2**number] * 2
        datasets.append(
            {
                "path": str(number),
                "coordinateTransformations": [{"type": "scale", "scale": step}],
            }
        )
    named = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in axes]
    about = {"multiscales": [{"axes": named, "datasets": datasets}]}
    if omero is not None:
        about["omero"] = {"channels": omero}
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", **about}
    else:
        about["multiscales"][0]["version"] = "0.4"
        group.attrs.update(about)
    return str(path)


class TestContract(ReaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("channels")
        return write_zarr(folder / "a.zarr", made_values(4, 400, 500), "cyx")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_values_are_those_of_the_arrays(kind, version, tmp_path):
    values = made_values(3, 300, 410, kind)
    path = write_zarr(tmp_path / "a.zarr", values, "cyx", version=version, omero=SHOWN)
    with wb.open_slide(path) as slide:
        assert (slide.dtype, slide.mpp) == (np.dtype(kind), 0.5)
        for level, expected in zip(slide.levels, (values, halves(values)), strict=True):
            seen = slide.read_channels(slide.box, size=level.size).values
            np.testing.assert_array_equal(seen, expected)
        some = slide.read_channels((5, 7, 205, 100), channels=["CK", "DAPI"]).values
        np.testing.assert_array_equal(some, values[[2, 0], 7:100, 5:205])


def test_display_is_that_of_omero(tmp_path):
    values = made_values(3, 300, 410)
    path = write_zarr(tmp_path / "a.zarr", values, "cyx", omero=SHOWN)
    with wb.open_slide(path) as slide:
        dapi, cd3, ck = slide.channels
        assert (dapi.name, dapi.colour, dapi.shown) == ("DAPI", "#0000ff", True)
        assert (dapi.minimum, dapi.maximum) == (100, 9000)
        assert (cd3.colour, cd3.shown, ck.shown) == ("#00ff00", False, False)
        low, high = np.percentile(halves(values)[2], (1, 99.8))
        assert (ck.minimum, ck.maximum) == (low, high)


def test_focal_planes_and_times(tmp_path):
    values = made_values(2, 200, 210, depth=3)
    stored = np.stack([np.moveaxis(values, 0, 1)] * 2)  # t z c y x
    path = write_zarr(tmp_path / "a.zarr", stored, "tzcyx")
    with wb.open_slide(path) as slide:
        assert slide.depth == 3
        middle = slide.read_channels(slide.box).values
        np.testing.assert_array_equal(middle, values[:, 1])
        last = slide.read_channels(slide.box, z=2).values
        np.testing.assert_array_equal(last, values[:, 2])
        assert any("planes along z" in note for note in slide.notes)


def test_one_channel_without_an_axis_of_channels(tmp_path):
    values = made_values(1, 200, 210)[0]
    path = write_zarr(tmp_path / "a.zarr", values, "yx")
    with wb.open_slide(path) as slide:
        assert [each.name for each in slide.channels] == ["Channel 1"]
        np.testing.assert_array_equal(slide.read_channels(slide.box).values[0], values)


@pytest.mark.parametrize("kind", [np.int16, np.uint32, np.float64])
def test_other_types_are_refused(kind, tmp_path):
    path = write_zarr(tmp_path / "a.zarr", made_values(2, 90, 90).astype(kind), "cyx")
    with pytest.raises(UnsupportedSlideError, match=np.dtype(kind).name) as caught:
        wb.open_slide(path)
    assert "Convert" in caught.value.remedy
