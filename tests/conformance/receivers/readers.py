"""Receivers that live beside the workbench: QuPath's rules and readers of slides."""

from __future__ import annotations

import numpy as np
import openslide
import tifffile
import tiffslide
import zarr
from receiving import check, main

from qupath_rules import read_objects


@check("geojson", "QuPath 0.4 to 0.6, our statement of its parser")
def instances(folder, expected):
    """Instances are detections with classes, and nothing is dropped."""
    for name in ("instances-plain.geojson", "instances-geojson.geojson.gz"):
        found = read_objects(folder / name)
        assert {each.kind for each in found} == {"detection"}
        assert not any(each.lost for each in found)
        for kind, number in expected["instances_of"].items():
            assert sum(each.classification == kind for each in found) == number
        assert set(found[0].measurements) == {"score", "area_um2"}


@check("geojson", "QuPath 0.4 to 0.6, our statement of its parser")
def scores(folder, expected):
    """Scores are tiles with all values as measurements, and nothing is dropped."""
    found = read_objects(folder / "scores-geojson.geojson.gz")
    assert len(found) == expected["cells"]
    assert {each.kind for each in found} == {"tile"}
    assert not any(each.lost for each in found)
    values = list(found[0].measurements.values())
    assert np.allclose(values, expected["first_values"], atol=1e-6)


@check("geojson", "QuPath 0.4 to 0.6, our statement of its parser")
def bounds(folder, expected):
    """Places count from the scanned area, which is what QuPath shows."""
    left, upper = expected["bounds"][:2]
    found = read_objects(folder / "bounded-geojson.geojson.gz")
    x, y = found[0].points[0][0]
    assert [x, y] == [
        expected["first_cell"][0] - left,
        expected["first_cell"][1] - upper,
    ]


@check("ome-tiff", "tifffile")
def values(folder, expected):
    """The raster holds values, not colours."""
    raster = tifffile.imread(folder / "scores-ome-tiff.ome.tiff")
    assert raster.dtype == np.float32
    assert np.allclose(raster[:, 0, 0], expected["first_values"])


@check("xopat", "tifffile")
def grey(folder, expected):
    """A grey pyramid holds the values in 254 steps."""
    (path,) = (folder / "scores-xopat").glob("1-*.tiff")
    raster = tifffile.imread(path)
    step = round(expected["first_values"][1] * 254) + 1
    assert abs(int(raster[0, 0]) - step) <= 1


@check("convert: svs", "openslide-python")
def openslide_svs(folder, expected):
    """OpenSlide sees Aperio: all levels, pixel size, magnification."""
    with openslide.OpenSlide(folder / "converted.svs") as slide:
        facts = slide.properties
        assert facts["openslide.vendor"] == "aperio"
        assert abs(float(facts["openslide.mpp-x"]) - expected["mpp"]) < 1e-6
        assert facts["openslide.objective-power"] == "20"
        assert slide.dimensions == tuple(expected["size"])
        assert slide.level_count == 3


@check("convert: svs", "tiffslide")
def tiffslide_svs(folder, expected):
    """tiffslide sees the same levels and pixel size."""
    with tiffslide.TiffSlide(folder / "converted.svs") as slide:
        assert slide.level_count == 3
        assert abs(slide.properties["tiffslide.mpp-x"] - expected["mpp"]) < 1e-6


@check("convert: ome-tiff", "tifffile")
def tifffile_ome(folder, expected):
    """tifffile sees one series with its levels."""
    with tifffile.TiffFile(folder / "converted.ome.tiff") as file:
        (series,) = file.series
        assert file.is_ome
        assert len(series.levels) == 3
        assert series.shape[:2] == tuple(expected["size"][::-1])


@check("convert: ome-zarr", "zarr")
def zarr_chunks(folder, expected):
    """zarr reads both versions, and the pixels are equal."""
    old, new = (
        zarr.open_group(folder / name, mode="r")["0"][:]
        for name in ("converted.ome.zarr", "converted.zarr")
    )
    assert old.shape == (3, *expected["size"][::-1])
    assert np.array_equal(old, new)


if __name__ == "__main__":
    main()
