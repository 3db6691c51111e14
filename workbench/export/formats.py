"""Formats that runs are exported to: names, suffixes, content and receivers.

The one list of them: the command line, `export_run`, the cards of the app and the table
in the documentation are made from it. Writers are imported when they are used.
"""

from __future__ import annotations

from typing import Final

from workbench.errors import RunError
from workbench.export.dicom.formats import DICOM_FORMATS
from workbench.export.export_format import ExportFormat

FORMATS: Final = (
    ExportFormat(
        name="geojson",
        label="QuPath",
        group="Pathology tools",
        usual=True,
        suffixes=(".geojson.gz", ".geojson"),
        writers={
            "scores": "geojson:write_geojson",
            "instances": "instances:write_detections",
        },
        holds={
            "scores": "tile objects with measurements",
            "instances": "detections with classes and measurements",
        },
        receiver="QuPath",
        tested="rules of the parser of QuPath 0.6",
        read_by="annotations import",
    ),
    ExportFormat(
        name="csv",
        label="Table",
        group="Tables and shapes",
        usual=True,
        suffixes=(".csv",),
        writers={
            "scores": "wsinfer_csv:write_csv",
            "instances": "instances:write_rows",
        },
        holds={
            "scores": "a row for each cell, in the columns of WSInfer",
            "instances": "a row for each instance: position, class, score, measures",
        },
        receiver="WSInfer, R, pandas",
        tested="pandas 2",
        read_by="open_features",
    ),
    ExportFormat(
        name="ome-tiff",
        label="Raster",
        group="Pictures",
        usual=True,
        suffixes=(".ome.tiff", ".ome.tif"),
        writers={"scores": "ometiff:write_ometiff"},
        holds={"scores": "float32 values, a channel for each class, NaN where none"},
        receiver="QuPath, Fiji, napari",
        tested="tifffile, ome-types 0.7.0",
    ),
    ExportFormat(
        name="coco",
        label="COCO",
        group="Editors",
        suffixes=(".coco.json",),
        writers={"instances": "stores.coco:write_coco"},
        holds={"instances": "polygons of one image, the slide"},
        receiver="COCO tools",
        tested="pycocotools 2.0.11",
        read_by="annotations import",
    ),
    ExportFormat(
        name="coco-rle",
        label="COCO masks",
        group="Editors",
        suffixes=(".rle.json",),
        writers={"instances": "stores.coco:write_coco_rle"},
        holds={"instances": "masks as run lengths; slides below 2^32 pixels"},
        receiver="COCO tools",
        tested="pycocotools 2.0.11",
        read_by="annotations import",
    ),
    ExportFormat(
        name="parquet",
        label="Parquet",
        group="Tables and shapes",
        suffixes=(".parquet",),
        writers={
            "instances": "instances:write_geoparquet",
            "vectors": "vectors:write_parquet",
        },
        holds={
            "instances": "GeoParquet 1.1: outline, class, score, measures",
            "vectors": "a row for each tile, with its vector",
        },
        receiver="geopandas, DuckDB, QGIS",
        tested="geopandas 1.2.0, geoparquet-validator 0.2.0",
        read_by="open_features (vectors)",
    ),
    ExportFormat(
        name="trident",
        label="TRIDENT",
        group="Pathology tools",
        usual=True,
        suffixes=(".h5",),
        writers={"vectors": "dispatch:write_run_trident"},
        holds={"vectors": "features and coordinates of tiles"},
        receiver="TRIDENT, CLAM, Patho-Bench",
        tested="layout of TRIDENT",
        read_by="open_features",
    ),
    ExportFormat(
        name="spatialdata",
        label="SpatialData",
        group="Tables and shapes",
        suffixes=(".zarr",),
        writers={
            "scores": "dispatch:write_run_spatialdata",
            "instances": "stores.cells:write_cells",
            "vectors": "dispatch:write_run_spatialdata",
        },
        holds={
            "scores": "cells as shapes, scores as an AnnData table",
            "instances": "outlines as shapes, measures as an AnnData table",
            "vectors": "tiles as shapes, vectors as an AnnData table",
        },
        receiver="spatialdata, wsidata, LazySlide",
        tested="spatialdata 0.7.3, wsidata 0.12.0",
        read_by="open_features",
    ),
    ExportFormat(
        name="ome-zarr",
        label="OME-Zarr labels",
        group="Pictures",
        suffixes=(".ome.zarr",),
        writers={
            "scores": "stores.labels:write_labels",
            "instances": "stores.labels:write_labels",
        },
        holds={
            "scores": "values as an image, the highest class as labels",
            "instances": "density as an image, a pyramid of labels at full resolution",
        },
        receiver="napari, Vizarr, QuPath",
        tested="ome-zarr-models 1.7",
    ),
    ExportFormat(
        name="tiatoolbox",
        label="TIAToolbox",
        group="Pathology tools",
        suffixes=(".db",),
        writers={
            "scores": "stores.tiatoolbox:write_tiatoolbox",
            "instances": "stores.tiatoolbox:write_tiatoolbox",
        },
        holds={
            "scores": "cells with the highest class as `type` and all scores",
            "instances": "outlines with the class as `type`, `prob` and measures",
        },
        receiver="TIAToolbox and its viewer",
        tested="SQLiteStore of TIAToolbox 2.1.3",
    ),
    ExportFormat(
        name="geopackage",
        label="GeoPackage",
        group="Tables and shapes",
        suffixes=(".gpkg",),
        writers={
            "scores": "stores.geopackage:write_geopackage",
            "instances": "stores.geopackage:write_geopackage",
        },
        holds={
            "scores": "cells with their scores, indexed by place",
            "instances": "outlines with class, score and measures, indexed by place",
        },
        receiver="QGIS, geopandas, GDAL",
        tested="GDAL by pyogrio 0.13.0",
    ),
    ExportFormat(
        name="histomicsui",
        label="HistomicsUI",
        group="Pathology tools",
        suffixes=(".histomicsui.json",),
        writers={
            "scores": "stores.histomicsui:write_histomicsui",
            "instances": "stores.histomicsui:write_histomicsui",
        },
        holds={
            "scores": "a heatmap of points with values for each class",
            "instances": "closed polylines by class, measures as user data",
        },
        receiver="HistomicsUI, Digital Slide Archive",
        tested="schema of girder-large-image-annotation 1.35.6",
    ),
    ExportFormat(
        name="wsinfer",
        label="WSInfer",
        group="Pathology tools",
        writers={"scores": "stores.wsinfer:write_wsinfer"},
        holds={
            "scores": "the output folder of `wsinfer run`: CSV, GeoJSON, HDF5, mask"
        },
        receiver="WSInfer and what reads its output",
        tested="layout of WSInfer 0.6.1, schema of wsinfer-zoo 0.6.3",
    ),
    ExportFormat(
        name="tissuumaps",
        label="TissUUmaps",
        group="Pathology tools",
        writers={
            "scores": "stores.tissuumaps:write_tissuumaps",
            "instances": "stores.tissuumaps:write_tissuumaps",
        },
        holds={
            "scores": "a `.tmap` project: centres of cells with values as markers",
            "instances": "a `.tmap` project: centres as markers, and outlines",
        },
        receiver="TissUUmaps",
        tested="tissuumaps-schema 1.3.0",
    ),
    ExportFormat(
        name="xopat",
        label="xOpat",
        group="Pathology tools",
        writers={"scores": "stores.xopat:write_xopat"},
        holds={"scores": "session and a grey pyramid for each class"},
        receiver="xOpat",
        tested="tifffile",
    ),
    ExportFormat(
        name="ro-crate",
        label="RO-Crate",
        group="Archives",
        writers={
            "scores": "stores.ro_crate:write_ro_crate",
            "instances": "stores.ro_crate:write_ro_crate",
            "vectors": "stores.ro_crate:write_ro_crate",
        },
        holds={
            "scores": "the run folder, described as Process Run Crate 0.5",
            "instances": "the run folder, described as Process Run Crate 0.5",
            "vectors": "the run folder, described as Process Run Crate 0.5",
        },
        receiver="Workflow Run Crate: WorkflowHub, Zenodo",
        tested="roc-validator 0.13, rocrate 0.16",
        read_by="replay, open_run (its folder `run`)",
    ),
    ExportFormat(
        name="cvat",
        label="Tiles for CVAT",
        group="Editors",
        writers={"instances": "stores.cvat:write_cvat"},
        holds={"instances": "tiles of 1024 px with instances, COCO, places in names"},
        receiver="CVAT, Label Studio",
        tested="pycocotools 2.0.11",
        read_by="annotations import",
        reads_slide=True,
    ),
    *(ExportFormat(**fields) for fields in DICOM_FORMATS),
)
"""All formats of `workbench export`, those of scores first."""


def formats_of(task: str) -> tuple[ExportFormat, ...]:
    """Return the formats that have a place for the results of a task."""
    return tuple(each for each in FORMATS if each.accepts(task))


def find_format(to: str | None, name: str, task: str) -> ExportFormat:
    """Return the format of a name, or that of the suffix of a file.

    Parameters
    ----------
    to : str or None
        Name of the format; None: by suffix.
    name : str
        Name of the file or folder to write.
    task : str
        Task of the run.

    Raises
    ------
    RunError
        If there is no such format, it cannot hold the results of the task, or the
        file has no suffix of it.
    """
    if to is not None:
        chosen = next((each for each in FORMATS if each.name == to), None)
        if chosen is None:
            message = f"There is no export format '{to}'."
            names = ", ".join(each.name for each in FORMATS)
            raise RunError(message, f"Use one of: {names}.")
        if not chosen.accepts(task):
            message = f"'{to}' cannot hold the results of a run of {task}."
            names = ", ".join(each.name for each in formats_of(task))
            raise RunError(message, f"Use one of: {names}.")
        if chosen.suffixes and not name.lower().endswith(chosen.suffixes):
            message = f"'{name}' is no name of a file of the format '{to}'."
            raise RunError(message, f"Let it end in {' or '.join(chosen.suffixes)}.")
        return chosen
    named = [
        (suffix, each)
        for each in formats_of(task)
        for suffix in each.suffixes
        if name.lower().endswith(suffix)
    ]
    if not named:
        message = f"'{name}' has no suffix of an export format."
        usual = ", ".join(s for each in formats_of(task) for s in each.suffixes)
        remedy = f"Use one of: {usual}; or name a format with --to."
        raise RunError(message, remedy)
    return max(named, key=lambda found: len(found[0]))[1]
