"""Exports scores as the output folder of WSInfer, as `wsinfer run` leaves it."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from PIL import Image

import workbench
from workbench.export.cells import Cells
from workbench.export.file_frame import boxes_in, stored_frame
from workbench.export.geojson import write_geojson
from workbench.export.wsinfer_csv import write_csv

if TYPE_CHECKING:
    from workbench.results.run import Run


def write_wsinfer(run: Run, path: Path) -> None:
    """Write the folder.

    model-outputs-csv/SLIDE.csv, model-outputs-geojson/SLIDE.geojson, patches/SLIDE.h5
    (coordinates in stored pixels), masks/SLIDE.jpg (tiles that the model was run on,
    one pixel a cell) and run_metadata_TIME.json.
    """
    stem = Path(run.record["slide"]["name"]).stem
    for name in ("model-outputs-csv", "model-outputs-geojson", "patches", "masks"):
        (path / name).mkdir(parents=True, exist_ok=True)
    write_csv(run, path / "model-outputs-csv" / f"{stem}.csv")
    write_geojson(run, path / "model-outputs-geojson" / f"{stem}.geojson")
    _write_patches(run, path / "patches" / f"{stem}.h5")
    there = np.isfinite(run.heatmap.values).any(axis=0)
    mask = Image.fromarray(np.where(there, 255, 0).astype(np.uint8))
    mask.save(path / "masks" / f"{stem}.jpg")
    time = datetime.fromisoformat(run.record["created"])
    file = path / f"run_metadata_{time:%Y%m%dT%H%M%S}.json"
    text = json.dumps(_metadata(run), indent=2, ensure_ascii=False)
    file.write_text(text, encoding="utf-8")


def _write_patches(run: Run, path: Path) -> None:
    boxes = boxes_in(stored_frame(run), Cells.of(run).boxes)
    side = int(np.rint(run.heatmap.cell / stored_frame(run).scale[0]))
    with h5py.File(path, "w") as file:
        coords = file.create_dataset("coords", data=boxes[:, :2], compression="gzip")
        coords.attrs["patch_size"] = side
        coords.attrs["patch_level"] = 0
        coords.attrs["patch_spacing_um_px"] = run.card.mpp


def _metadata(run: Run) -> dict[str, Any]:
    """Return what WSInfer records of a run, as far as ours has it."""
    card, record = run.card, run.record
    config = {
        "spec_version": "1.0",
        "architecture": card.name,
        "num_classes": len(card.classes),
        "patch_size_pixels": card.tile_px,
        "spacing_um_px": card.mpp,
        "class_names": list(card.classes),
        "transform": [],
    }
    return {
        "model": {
            "config": config,
            "huggingface_location": None,
            "path": None,
            "sha256": card.sha256,
        },
        "runtime": {
            "version": workbench.__version__,
            "program": "Slide Workbench",
            "working_dir": None,
            "args": record["recipe"],
            "python_executable": None,
            "python_version": platform.python_version(),
            "in_container": None,
            "pytorch_version": None,
            "cuda_version": None,
            "git": None,
            "wsinfer_zoo_version": None,
        },
        "timestamp": record["created"],
    }
