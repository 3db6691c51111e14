"""RGB slides of several focal planes: each is read, named by its place in µm."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import made_slides
import workbench as wb
from made_planes import PLANES, ome_tiff, ome_zarr
from workbench.errors import OutOfBoundsError


@pytest.mark.parametrize("write", [ome_tiff, ome_zarr], ids=lambda f: f.__name__)
def test_each_plane_is_read_where_it_lies(write, tmp_path):
    path, first = write(tmp_path)
    box = wb.Box(30, 40, 330, 250)
    with wb.open_slide(path) as slide:
        assert slide.planes == (0.0, 1.5, 3.0)
        assert (slide.depth, slide.plane) == (3, first)
        assert f"number {first} is shown" in " ".join(slide.notes)
        ids = set()
        for number, plane in enumerate(PLANES):
            shown = slide.at_plane(number)
            assert (shown.plane, shown.id, shown.mpp) == (number, slide.id, 0.5)
            np.testing.assert_array_equal(shown.read(box).pixels, plane[40:250, 30:330])
            small = shown.read(shown.box, size=(200, 150)).pixels
            half = made_slides.halves(plane, 2)[1]
            assert np.abs(small.astype(int) - half).max() <= 1
            ids.add(shown.pixels_id)
            copy = pickle.loads(pickle.dumps(shown))  # noqa: S301
            np.testing.assert_array_equal(copy.read(box).pixels, shown.read(box).pixels)
            copy.close()
            again = shown.with_mpp(0.25)
            assert (again.plane, again.mpp) == (number, 0.25)
        assert len(ids) == 3
        assert slide.pixels_id in ids
        for wrong in (-1, 3):
            with pytest.raises(OutOfBoundsError, match="has 3, counted from 0"):
                slide.at_plane(wrong)


def test_other_slides_have_one_plane(tmp_path):
    path = made_slides.write_tiff(tmp_path / "one.tif", PLANES[0])
    with wb.open_slide(path) as slide:
        assert (slide.planes, slide.plane, slide.depth) == ((None,), 0, 1)
        np.testing.assert_array_equal(
            slide.at_plane(0).read(slide.box).pixels, PLANES[0]
        )
