"""Files of features, written by the rules of each tool's own code."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import shapely
import torch
import zarr

from made_slides import write_flat

SIDE = 512
"""Side of a tile in level-0 pixels."""


def write_blank(path, *, mpp=0.5):
    """Write an empty slide of 3072 x 2560 pixels, under the tiles of all files here."""
    return write_flat(
        path, np.full((2560, 3072, 3), 240, np.uint8), resolution=(1e4 / mpp,) * 2
    )


def tiles(count=12, dimensions=7, *, dtype=np.float32, seed=0):
    """Return corners that are on no grid, and vectors of random bits."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 2000, (count, 2))
    return corners, rng.normal(size=(count, dimensions)).astype(dtype)


TRIDENT = {
    "patch_size": 256,
    "patch_size_level0": SIDE,
    "level0_magnification": 40,
    "target_magnification": 20,
    "overlap": 0,
    "name": "slide",
    "savetodir": "/job/20x_256px_0px_overlap/patches",
    "level0_width": 3072,
    "level0_height": 2560,
}


def write_trident(path, corners, vectors=None, *, encoder="uni_v2", **facts):
    """Write as TRIDENT's `save_h5`: chunks of one row that can grow."""
    with h5py.File(path, "w") as file:
        coords = _growing(file, "coords", corners.astype(np.int64), 1)
        coords.attrs.update({**TRIDENT, **facts})
        if vectors is not None:
            features = _growing(file, "features", vectors, 1)
            about = {"name": "slide", "savetodir": "/job", "encoder": encoder or "None"}
            features.attrs.update(about)
    return path


def write_trident_slide(path, corners, vector):
    """Write the vector of a slide as TRIDENT does."""
    with h5py.File(path, "w") as file:
        _growing(file, "features", vector, 1).attrs["name"] = "slide"
        _growing(file, "coords", corners.astype(np.int64), 1).attrs.update(TRIDENT)
    return path


def write_clam_coordinates(path, corners, *, level=1, downsample=(2.0, 2.0), side=256):
    """Write as CLAM's `create_patches_fp.py`."""
    with h5py.File(path, "w") as file:
        coords = _growing(file, "coords", corners.astype(np.int64), 1)
        coords.attrs["patch_size"] = side
        coords.attrs["patch_level"] = level
        coords.attrs["downsample"] = downsample
        coords.attrs["downsampled_level_dim"] = (1536, 1280)
        coords.attrs["level_dim"] = (1536, 1280) if level else (3072, 2560)
        coords.attrs["name"] = "slide"
        coords.attrs["save_path"] = "/results/patches"
    return path


def write_clam(path, corners, vectors):
    """Write as CLAM's `extract_features_fp.py`: 32 rows a chunk, batch by batch."""
    with h5py.File(path, "w") as file:
        features = _growing(file, "features", vectors[:5], 32)
        coords = _growing(file, "coords", corners[:5].astype(np.int32), 32)
        for rows, new in ((features, vectors[5:]), (coords, corners[5:])):
            rows.resize(len(rows) + len(new), axis=0)
            rows[5:] = new
    return path


def write_attention(path, corners, scores):
    """Write as CLAM's `create_heatmaps.py`."""
    with h5py.File(path, "w") as file:
        _growing(file, "attention_scores", scores, 32)
        _growing(file, "coords", corners.astype(np.int32), 32)
    return path


def write_stamp(path, corners_um, feats, **facts):
    """Write as STAMP: contiguous arrays, facts at the root."""
    with h5py.File(path, "w") as file:
        file["coords"] = corners_um
        file["feats"] = feats
        file.attrs.update(facts)
    return path


STAMP_2_1 = {
    "stamp_version": "2.4.0",
    "extractor": "uni2",
    "unit": "um",
    "tile_size_um": 256.0,
    "tile_size_px": 224,
    "code_hash": "0f1e",
    "feat_type": "tile",
}
STAMP_2_0 = {"extractor": "ctranspath", "unit": "um", "tile_size": 256.0}


def write_atlaspatch(path, corners, *, size=None, unfinished=(), **encoders):
    """Write as AtlasPatch: data sets that grew by batches, and all its attributes.

    Each tile was read with 256 px from level 1 of a slide that has half the pixels
    there. Without the size of the slide two attributes are missing.
    """
    edges = zip(("level0_width", "level0_height"), size or (), strict=False)
    rest = np.tile([256, 256, 1], (len(corners), 1))
    names = [
        f"{path.stem}__x{x}_y{y}_rw256_rh256_lv1_mag40_tmag20_total{len(corners)}"
        for x, y in corners
    ]
    with h5py.File(path, "w") as file:
        for name, rows in (
            ("coords", np.hstack([corners, rest]).astype(np.int32)),
            ("passports", np.array(names, "S160")),
            *((f"features/{name}", each) for name, each in encoders.items()),
            *((f"features/__tmp_{name}", np.zeros((2, 8))) for name in unfinished),
        ):
            grown = file.create_dataset(
                name,
                (0, *rows.shape[1:]),
                rows.dtype,
                maxshape=(None, *rows.shape[1:]),
                chunks=(2, *rows.shape[1:]),
            )
            grown.resize(len(rows), axis=0)
            grown[:] = rows
        file.attrs.update(
            {
                "patch_size": 256,
                "patch_size_level0": SIDE,
                "level0_magnification": 40,
                "target_magnification": 20,
                "overlap": 0,
                **dict(edges),
                "wsi_path": f"/data/{path.stem}.svs",
                "passport_format": "{stem}__x{X}_y{Y}_rw{RW}_rh{RH}_lv{LV}",
                "passport_version": 2,
                "creation_date": "2026-02-09T10:00:00+00:00",
                "num_patches": len(corners),
            }
        )
    return path


def write_slide2vec(folder, corners, vectors, *, suffix=".npz", rows=None):
    """Write as slide2vec and hs2p: an output folder with `tiles`, and metadata."""
    for name in ("tiles", "tile_embeddings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "tiles" / "slide.coordinates.npz",
        x=corners[:, 0],
        y=corners[:, 1],
        tile_index=np.arange(len(corners), dtype=np.int32),
        tissue_fractions=np.ones(len(corners), np.float32),
    )
    path = folder / "tile_embeddings" / f"slide{suffix}"
    if suffix == ".pt":
        torch.save(torch.from_numpy(vectors), path)
    else:
        order = {} if rows is None else {"tile_index": rows}
        np.savez_compressed(path, features=vectors, **order)
    facts = {
        "encoder_name": "virchow2",
        "feature_dim": vectors.shape[1],
        "requested_tile_size_px": 256,
        "requested_spacing_um": 0.5,
        "tile_size_lv0": SIDE,
        "coordinates_npz_path": "/elsewhere/tiles/slide.coordinates.npz",
    }
    path.with_name("slide.meta.json").write_text(json.dumps(facts))
    return path


def write_table(path, corners, scores, *, names=("x", "y", "width", "height")):
    """Write a table of tiles and two scores, as CSV, Parquet or HDF5."""
    size = np.full((len(corners), 2), SIDE)
    places = dict(zip(names, np.hstack([corners, size]).T, strict=False))
    columns = {**places, "tumour": scores, "stroma": 1 - scores}
    if path.suffix == ".csv":
        pd.DataFrame(columns).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pd.DataFrame(columns).to_parquet(path)
    else:
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[name] = values
    return path


def _growing(file, name, values, rows):
    return file.create_dataset(
        name,
        data=values,
        chunks=(rows, *values.shape[1:]),
        maxshape=(None, *values.shape[1:]),
    )


def write_spatialdata_store(
    path, corners, vectors, *, region="tiles", rows=None, masked=False, **tables
):
    """Write as wsidata: shapes in GeoParquet, each table an AnnData on Zarr 3.

    With `masked`, texts are those of anndata 0.13, without it those of 0.12.
    """
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs["tile_spec"] = {region: {"height": 256, "width": 256, "mpp": 0.5}}
    root.attrs["slide_properties"] = {"shape": [2560, 3072], "mpp": 0.5}
    root.create_group("shapes").create_group(region)
    geometries = shapely.box(*corners.T, *(corners + SIDE).T)
    shapes = pd.DataFrame({"tile_id": np.arange(len(corners))})
    shapes["geometry"] = list(shapely.to_wkb(geometries))
    shapes.to_parquet(path / "shapes" / region / "shapes.parquet")
    for name, values in {"uni": vectors, **tables}.items():
        table = root.create_group(f"tables/{name}_{region}")
        keys = {"region_key": "library_id", "instance_key": "tile_id"}
        table.attrs.update({"region": region, **keys})
        table.create_array("X", data=np.asarray(values))
        numbers = np.arange(len(values)) if rows is None else rows
        table.create_group("obs").create_array("tile_id", data=numbers)
        names = list(getattr(values, "columns", range(values.shape[1])))
        var = table.create_group("var")
        var.attrs["_index"] = "_index"
        holder, key = (
            (var.create_group("_index"), "values") if masked else (var, "_index")
        )
        index = holder.create_array(key, shape=(len(names),), dtype="string")
        index[:] = np.array([str(each) for each in names], object)
        if masked:
            holder.create_array("mask", data=np.zeros(len(names), bool))
    return path
