"""Stored pixels that are not square: read, measured, run and exported as they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

import made_dicom
import made_slides
import workbench as wb
from workbench.errors import MissingMppError, OutOfBoundsError
from workbench.export import export_run
from workbench.geometry import FileFrame
from workbench.slide.pixel_size import PixelSize, mpp_text, parse_mpp
from workbench.slide.readers.array import ArrayReader
from workbench.slide.square_pixels import SquareReader
from workbench.tissue import find_tissue

X, Y = 0.25, 0.5
GLASS, STAIN = (243, 243, 243), (170, 90, 160)


def disc_slide(folder, *, x=X, y=Y, radius_um=200.0, side_um=1000.0):
    """Write a slide of one disc of tissue, round in micrometres."""
    width, height = round(side_um / x), round(side_um / y)
    across = (np.arange(width) + 0.5) * x - side_um / 2
    down = (np.arange(height) + 0.5) * y - side_um / 2
    inside = np.hypot(across[None, :], down[:, None]) < radius_um
    pixels = np.where(inside[..., None], STAIN, GLASS).astype(np.uint8)
    path = folder / "disc.tif"
    made_slides.write_flat(path, pixels, resolution=(1e4 / x, 1e4 / y))
    return path


@pytest.fixture(params=[(X, Y), (Y, X), (0.3, 0.31)])
def sides(request):
    return request.param


@pytest.mark.slow
def test_a_disc_is_round_and_has_its_area(tmp_path, sides):
    x, y = sides
    with wb.open_slide(disc_slide(tmp_path, x=x, y=y)) as slide:
        assert slide.pixel_size.xy == pytest.approx((x, y))
        assert slide.mpp == pytest.approx(min(x, y))
        assert slide.size == pytest.approx((1000 / min(x, y),) * 2, abs=2)
        region = slide.read(slide.box, mpp=5.0)
        assert region.size == (200, 200)
        dark = region.pixels[..., 1] < 170
        assert dark.sum(axis=0).max() == pytest.approx(80, abs=1)
        assert dark.sum(axis=1).max() == pytest.approx(80, abs=1)
        area = find_tissue(slide).area_mm2(slide.require_mpp())
        assert area == pytest.approx(np.pi * 0.2**2, rel=0.05)


@pytest.mark.slow
def test_both_numbers_are_told(tmp_path):
    with wb.open_slide(disc_slide(tmp_path)) as slide:
        assert "0.25 x 0.5" in slide._repr_mimebundle_()["text/html"]
        assert str(slide.pixel_size) == "0.25 x 0.5 µm"


def test_pixels_stay_as_stored_if_asked(tmp_path):
    with wb.open_slide(disc_slide(tmp_path), square=False) as slide:
        assert slide.size == (4000, 2000)
        assert slide.mpp is None
        with pytest.raises(MissingMppError, match=r"0\.25 x 0\.5 µm"):
            slide.require_mpp()
        assert slide.read(slide.box, mpp=5.0).size == (200, 200)
        assert slide.frame == FileFrame()


def test_a_slide_keeps_its_pixels_when_it_travels(tmp_path):
    import pickle  # noqa: PLC0415

    with wb.open_slide(disc_slide(tmp_path), square=False) as slide:
        again = pickle.loads(pickle.dumps(slide))  # noqa: S301
        assert again.size == slide.size
        again.close()


def test_ways_of_showing_do_not_share_what_is_drawn(tmp_path):
    path = disc_slide(tmp_path)
    with wb.open_slide(path) as square, wb.open_slide(path, square=False) as stored:
        assert square.id == stored.id
        assert square.pixels_id != stored.pixels_id


def test_given_sizes_replace_declared_ones(tmp_path):
    with wb.open_slide(disc_slide(tmp_path), mpp=(0.5, 1.0)) as slide:
        assert slide.mpp == pytest.approx(0.5)
        assert slide.with_mpp(0.4).size == (4000, 2000)
        assert slide.with_mpp((0.4, 0.2)).size == (8000, 2000)


@pytest.mark.parametrize("mpp", [(0.25, 50.0), (0.25, 0.0), (0.1, 1.0), (-1, 0.5)])
def test_what_no_slide_can_have_is_refused(tmp_path, mpp):
    path = disc_slide(tmp_path)
    with pytest.raises(OutOfBoundsError):
        wb.open_slide(path, mpp=mpp)


def test_a_declared_size_out_of_bounds_is_asked_for(tmp_path):
    path = tmp_path / "odd.tif"
    pixels = made_slides.tissue_like()
    made_slides.write_flat(path, pixels, resolution=(1e4 / 0.25, 1e4 / 2.0))
    with wb.open_slide(path) as slide:
        assert slide.mpp is None
        assert "0.25 x 2" in slide.mpp_problem


def test_sides_within_a_percent_are_one_length():
    size = PixelSize((0.25, 0.252))
    assert size.is_square
    assert size.scale == (1, 1)
    assert size.square == pytest.approx((0.25 * 0.252) ** 0.5)


@given(
    box=st.tuples(
        st.integers(-20, 150),
        st.integers(-20, 150),
        st.integers(1, 90),
        st.integers(1, 90),
    ),
    ratio=st.sampled_from([1.5, 2.0, 2.37, 3.0]),
)
def test_boxes_that_meet_have_no_seam(box, ratio):
    pixels = np.random.default_rng(3).integers(0, 256, (100, 120, 3), np.uint8)
    reader = SquareReader(ArrayReader(pixels), (1.0, ratio), "array")
    width, height = reader.levels[0].size
    whole = reader.read_batch(0, [(0, 0)], width, height)[0]
    x, y, w, h = box
    part = reader.read_batch(0, [(x, y)], w, h)[0]
    expected = np.full((h, w, 3), 255, np.uint8)
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
    if x0 < x1 and y0 < y1:
        expected[y0 - y : y1 - y, x0 - x : x1 - x] = whole[y0:y1, x0:x1]
    assert np.array_equal(part, expected)


def test_places_are_kept_by_the_interpolation():
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None, None], 3, 2)
    reader = SquareReader(ArrayReader(np.repeat(ramp, 4, 1)), (1.0, 2.0), "array")
    got = reader.read_batch(0, [(0, 0)], 4, 200)[0][:, 0, 0].astype(float)
    wanted = np.clip((np.arange(200) + 0.5) / 2 - 0.5, 0, 99) * 2
    assert np.abs(got - wanted).max() <= 0.5


@given(
    x=st.floats(0.05, 20).map(lambda v: float(f"{v:.6g}")),
    y=st.one_of(st.none(), st.floats(0.9, 1.1)),
)
def test_what_is_written_is_what_is_read(x, y):
    mpp = x if y is None else (x, min(20.0, max(0.05, float(f"{x * y:.6g}"))))
    assert parse_mpp(mpp_text(mpp)) == mpp


def test_a_file_frame_is_undone():
    frame = FileFrame((1.0, 2.0), (10.0, 20.0))
    points = np.array([[10.0, 20.0], [30.0, 50.0]])
    assert np.array_equal(frame.of_slide(points), [[0, 0], [20, 15]])
    assert np.array_equal(frame.to_slide(frame.of_slide(points)), points)


CENTRES = [(40.0 + 25 * i, 40.0 + 25 * j) for i in range(20) for j in range(20)]
"""Of dark nuclei 10 µm across, in micrometres."""


def nuclei_slide(folder, x, y):
    """Write a slide of nuclei that are round in micrometres, 540 µm a side."""
    width, height = round(540 / x), round(540 / y)
    across = (np.arange(width) + 0.5) * x
    down = (np.arange(height) + 0.5) * y
    pixels = np.full((height, width, 3), (228, 180, 205), np.uint8)
    for cx, cy in CENTRES:
        rows = np.flatnonzero(np.abs(down - cy) < 6)
        columns = np.flatnonzero(np.abs(across - cx) < 6)
        far = np.hypot(across[columns][None, :] - cx, down[rows][:, None] - cy)
        pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][far < 5] = (
            90,
            60,
            130,
        )
    path = folder / "nuclei.tif"
    made_slides.write_flat(path, pixels, resolution=(1e4 / x, 1e4 / y))
    return path


def found_nuclei(folder, x, y):
    with wb.open_slide(nuclei_slide(folder, x, y)) as slide:
        asked = {"model": "nuclei-watershed", "tissue_only": False}
        return wb.run(slide, **asked, out=folder / "run")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return a run on oblong pixels."""
    return found_nuclei(tmp_path_factory.mktemp("oblong"), X, Y)


@pytest.mark.slow
def test_instances_have_the_size_that_they_have_on_square_pixels(measured, tmp_path):
    rows = measured.instances.frame()
    other = found_nuclei(tmp_path, X, X).instances.frame()
    assert len(rows) == pytest.approx(len(CENTRES), rel=0.03)
    assert len(rows) == pytest.approx(len(other), rel=0.01)
    for name in ("area_um2", "perimeter_um", "solidity"):
        assert rows[name].median() == pytest.approx(other[name].median(), rel=0.06)
    assert rows["eccentricity"].median() < 0.3  # an axis at most 5 % longer


@pytest.mark.slow
def test_exports_are_in_stored_pixels(measured, tmp_path):
    run, wanted = measured, np.array(CENTRES) / (X, Y)
    export_run(run, tmp_path / "found.csv")
    table = np.genfromtxt(tmp_path / "found.csv", delimiter=",", names=True, dtype=None)
    assert near(np.stack([table["x"], table["y"]], 1), wanted) < 3
    export_run(run, tmp_path / "found.geojson")
    found = json.loads((tmp_path / "found.geojson").read_text())["features"]
    rings = [np.array(f["geometry"]["coordinates"][0]) for f in found]
    assert near(np.array([ring[:-1].mean(axis=0) for ring in rings]), wanted) < 3
    high = np.median([np.ptp(ring, axis=0) for ring in rings], axis=0)
    assert high[0] / high[1] == pytest.approx(Y / X, rel=0.15)
    export_run(run, tmp_path / "found.coco.json")
    coco = json.loads((tmp_path / "found.coco.json").read_text())
    assert (coco["images"][0]["width"], coco["images"][0]["height"]) == (2160, 1080)
    assert run.record["slide"]["stored_mpp"] == pytest.approx([X, Y])


def near(found, wanted):
    """Return the median distance from what was found to the nearest that is there."""
    apart = np.linalg.norm((found[:, None] - wanted[None]) * (X, Y), axis=2) / X
    return float(np.median(apart.min(axis=1)))


@pytest.mark.slow
def test_annotations_are_in_stored_pixels_on_disk(tmp_path):
    path = disc_slide(tmp_path)
    ring = [[100, 50], [300, 50], [300, 250], [100, 250], [100, 50]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "in.geojson").write_text(json.dumps(geometry))
    with wb.open_slide(path) as square, wb.open_slide(path, square=False) as stored:
        marks = wb.open_annotations(square, folder=tmp_path / "marks")
        marks.read(tmp_path / "in.geojson", by="somebody")
        [mark] = marks
        assert mark.geometry.bounds == (100, 100, 300, 500)
        assert mark.measures(square.mpp)["Area µm^2"] == pytest.approx(50 * 100)
        marks.write(tmp_path / "out.geojson")
        again = wb.open_annotations(square, folder=tmp_path / "marks")
        assert next(iter(again)).geometry.equals(mark.geometry)
        raw = wb.open_annotations(stored, folder=tmp_path / "marks")
        assert next(iter(raw)).geometry.bounds == (100, 50, 300, 250)
    [feature] = json.loads((tmp_path / "out.geojson").read_text())["features"]
    found = np.array(feature["geometry"]["coordinates"][0])
    assert sorted(map(tuple, found)) == sorted(map(tuple, ring))


def zarr_slide(folder):
    """Write an OME-Zarr of oblong pixels."""
    path = folder / "oblong.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    planes = np.full((3, 100, 200), 200, np.uint8)
    group.create_array("0", shape=planes.shape, chunks=planes.shape, dtype="uint8")[
        :
    ] = planes
    units = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1.0, Y, X]}]
    image = {
        "version": "0.4",
        "axes": [{"name": "c", "type": "channel"}, *units],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    group.attrs["multiscales"] = [image]
    return path


def dicom_slide(folder):
    """Write a DICOM instance of oblong pixels."""
    pixels = np.full((100, 200, 3), 200, np.uint8)
    return made_dicom.write_instance(folder / "oblong.dcm", pixels, mpp=(X, Y))


def ome_slide(folder):
    """Write an OME-TIFF of oblong pixels, sized in nanometres and millimetres."""
    path = folder / "oblong.ome.tif"
    sizes = {"PhysicalSizeX": X * 1000, "PhysicalSizeXUnit": "nm"}
    sizes |= {"PhysicalSizeY": Y / 1000, "PhysicalSizeYUnit": "mm"}
    pixels = np.full((100, 200, 3), 200, np.uint8)
    metadata = {"axes": "YXS", **sizes}
    tifffile.imwrite(path, pixels, ome=True, photometric="rgb", metadata=metadata)
    return path


@pytest.mark.parametrize("write", [zarr_slide, dicom_slide, ome_slide])
def test_every_format_tells_both_sides(write, tmp_path):
    with wb.open_slide(write(tmp_path)) as slide:
        assert slide.pixel_size.xy == pytest.approx((X, Y))
        assert slide.size == (200, 200)
        assert slide.mpp == pytest.approx(X)
        assert (slide.read(slide.box).pixels == 200).all()
