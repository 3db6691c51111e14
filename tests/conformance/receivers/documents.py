"""COCO, OME, TissUUmaps, WSInfer's zoo, GeoJSON, GeoParquet and GeoPackage."""

from __future__ import annotations

import json

import geojson_validator
import geopandas
import geoparquet_validator
import numpy as np
import ome_types
import ome_zarr_models
import pyogrio
import tissuumaps_schema
import wsinfer_zoo.client
from geojson_pydantic import FeatureCollection
from pycocotools.coco import COCO
from receiving import check, main


def _masks(path):
    coco = COCO(str(path))
    return coco, coco.loadAnns(coco.getAnnIds())


@check("coco", "pycocotools")
def polygons(folder, expected):
    """COCO loads the polygons, and their masks have their areas."""
    coco, found = _masks(folder / "instances-coco.coco.json")
    assert len(found) == expected["instances"]
    names = {each["id"]: each["name"] for each in coco.loadCats(coco.getCatIds())}
    assert list(names.values()) == expected["classes"]
    mask = coco.annToMask(found[7])
    assert mask.shape == tuple(expected["size"][::-1])


@check("coco-rle", "pycocotools")
def run_lengths(folder, expected):
    """COCO decodes the masks; they are those of the polygons up to the edge."""
    coco, found = _masks(folder / "instances-coco-rle.rle.json")
    outlines, polygons_ = _masks(folder / "instances-coco.coco.json")
    assert len(found) == expected["instances"]
    for each, other in list(zip(found, polygons_))[::50]:
        mask = coco.annToMask(each).astype(bool)
        drawn = outlines.annToMask(other).astype(bool)
        assert mask.sum() == each["area"]
        assert np.count_nonzero(mask ^ drawn) <= 0.2 * drawn.sum() + 8


@check("cvat", "pycocotools")
def tiles(folder, expected):
    """COCO loads the outlines of the tiles, each with its image."""
    path = folder / "instances-cvat"
    coco, found = _masks(path / "annotations" / "instances_default.json")
    assert 0.95 * expected["instances"] < len(found) <= expected["instances"]
    for image in coco.loadImgs(coco.getImgIds()):
        assert (path / "images" / image["file_name"]).is_file()


@check("ome-tiff", "ome-types")
def ome_xml(folder, expected):
    """The OME-XML of the raster is valid, and has the size of a cell."""
    ome = ome_types.from_tiff(folder / "scores-ome-tiff.ome.tiff")
    pixels = ome.images[0].pixels
    assert [c.name for c in pixels.channels] == [
        f"prob_{name}" for name in expected["score_classes"]
    ]
    assert pixels.physical_size_x == 10.0


@check("convert: ome-tiff", "ome-types")
def converted_ome_xml(folder, expected):
    """The OME-XML of a converted slide is valid, with pixel size and annotation."""
    ome = ome_types.from_tiff(folder / "converted.ome.tiff")
    pixels = ome.images[0].pixels
    assert (pixels.size_x, pixels.size_y) == tuple(expected["size"])
    assert abs(pixels.physical_size_x - expected["mpp"]) < 1e-6
    assert ome.structured_annotations


@check("convert: ome-zarr", "ome-zarr-models")
def converted_zarr(folder, expected):
    """Converted slides of 0.4 and 0.5 are valid images of their version."""
    for name, version in (("converted.ome.zarr", "0.4"), ("converted.zarr", "0.5")):
        image = ome_zarr_models.open_ome_zarr(folder / name, version=version)
        assert type(image).__name__ == "Image", type(image)


@check("ome-zarr", "ome-zarr-models")
def labels(folder, expected):
    """The store is a valid image, and its labels valid labels."""
    from ome_zarr_models.v04.image_label import ImageLabel
    from zarr import open_group

    for kind, name in (("instances", "instances"), ("scores", "classes")):
        path = folder / f"{kind}-ome-zarr.ome.zarr"
        ome_zarr_models.open_ome_zarr(path, version="0.4")
        ImageLabel.from_zarr(open_group(path / "labels" / name, mode="r"))


@check("tissuumaps", "tissuumaps-schema")
def tmap(folder, expected):
    """The schema of projects accepts them."""
    for kind in ("instances", "scores"):
        path = folder / f"{kind}-tissuumaps" / "slide.tmap"
        content = json.loads(path.read_text(encoding="utf-8"))
        project = tissuumaps_schema.current.Project.model_validate(content)
        assert project.marker_files


@check("wsinfer", "wsinfer-zoo")
def zoo_schema(folder, expected):
    """The schema of the zoo accepts the model's configuration of the run."""
    (path,) = (folder / "scores-wsinfer").glob("run_metadata_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert wsinfer_zoo.client.validate_config_json(content["model"]["config"])


@check("geojson", "geojson-pydantic")
def features(folder, expected):
    """Every feature is valid by the models of the specification."""
    for name in ("instances-plain.geojson", "scores-wsinfer/model-outputs-geojson"):
        path = folder / name
        path = next(path.glob("*.geojson")) if path.is_dir() else path
        FeatureCollection.model_validate_json(path.read_text(encoding="utf-8"))


@check("geojson", "geojson-validator")
def structure(folder, expected):
    """The validator finds no fault of structure."""
    path = folder / "instances-plain.geojson"
    assert not geojson_validator.validate_structure(json.loads(path.read_text()))


@check("parquet", "geoparquet-validator")
def geoparquet(folder, expected):
    """All tests of the core class of GeoParquet pass."""
    report = geoparquet_validator.check(str(folder / "instances-parquet.parquet"))
    assert geoparquet_validator.conformant(report, "core"), [
        o for o in report["outcomes"] if o["status"] == "fail"
    ]


@check("parquet", "geopandas")
def geopandas_parquet(folder, expected):
    """read_parquet gives the outlines."""
    table = geopandas.read_parquet(folder / "instances-parquet.parquet")
    assert len(table) == expected["instances"]
    assert abs(table.geometry.area.sum() / expected["area_px"] - 1) < 1e-9


@check("geopackage", "pyogrio")
def gdal(folder, expected):
    """GDAL reads the layer, its fields and, by its index, a box of it."""
    path = folder / "instances-geopackage.gpkg"
    assert ["instances", "Polygon"] in pyogrio.list_layers(path).tolist()
    table = pyogrio.read_dataframe(path, layer="instances")
    assert len(table) == expected["instances"]
    assert abs(table.geometry.area.sum() / expected["area_px"] - 1) < 1e-9
    assert table["class"].value_counts().to_dict() == expected["instances_of"]
    part = pyogrio.read_dataframe(path, layer="instances", bbox=tuple(expected["box"]))
    assert expected["in_box"] <= len(part) < expected["instances"]
    info = pyogrio.read_info(path, layer="instances")
    assert info["capabilities"]["fast_spatial_filter"]


main()
