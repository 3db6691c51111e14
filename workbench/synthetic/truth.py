"""Ground truth of a synthetic slide, saved next to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.errors import SlideNotFoundError
from workbench.synthetic.layout import BACKGROUND, CLASSES

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Truth:
    """Exact ground truth of a synthetic slide."""

    classes: tuple[str, ...]
    """Names of the region classes, in the order of their numbers."""

    downsample: int
    """Level-0 pixels per cell of the rasters."""

    class_map: NDArray[np.uint8]
    """Region class, uint8 (rows, columns)."""

    artefacts: NDArray[np.uint8]
    """Artefact of each cell, uint8 (rows, columns): 0 none, 1 fold, 2 pen."""

    concentrations: NDArray[np.float16]
    """Mean hematoxylin and eosin of each cell, float16 (rows, columns, 2)."""

    nuclei: pd.DataFrame
    """One row per nucleus: x, y (level-0 pixels), class, hematoxylin, outline
    (alternating x and y, level-0 pixels)."""

    stain: str = "he"
    """Name of the staining; if it is not "he", `concentrations` are those of the two
    stains in `workbench.synthetic.stains.STAININGS`."""

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """Tissue mask, bool (rows, columns)."""
        return np.asarray(self.class_map != BACKGROUND)

    def share(self, name: str, box: tuple[int, int, int, int]) -> float:
        """Return the share of a class in a level-0 box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = (round(edge / self.downsample) for edge in box)
        part = self.class_map[max(0, y0) : y1, max(0, x0) : x1]
        return float((part == self.classes.index(name)).mean()) if part.size else 0.0

    def save(self, slide: str | os.PathLike[str]) -> Path:
        """Write the truth next to the slide; return its folder."""
        folder = folder_of(slide)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            folder / "rasters.npz",
            class_map=self.class_map,
            artefacts=self.artefacts,
            concentrations=self.concentrations,
        )
        self.nuclei.to_parquet(folder / "nuclei.parquet", index=False)
        about = {
            "classes": self.classes,
            "downsample": self.downsample,
            "stain": self.stain,
        }
        (folder / "truth.json").write_text(json.dumps(about))
        return folder


def folder_of(slide: str | os.PathLike[str]) -> Path:
    """Return the folder that holds the truth of a slide."""
    path = Path(slide)
    return path.with_name(path.name + ".truth")


def load_truth(slide: str | os.PathLike[str]) -> Truth:
    """Load the ground truth of a synthetic slide.

    Raises
    ------
    SlideNotFoundError
        If none is saved next to it.
    """
    folder = folder_of(slide)
    if not (folder / "truth.json").is_file():
        raise SlideNotFoundError(folder)
    about = json.loads((folder / "truth.json").read_text())
    with np.load(folder / "rasters.npz", allow_pickle=False) as rasters:
        return Truth(
            classes=tuple(about["classes"]),
            downsample=about["downsample"],
            stain=about.get("stain", "he"),  # absent in older files, all H&E
            nuclei=pd.read_parquet(folder / "nuclei.parquet"),
            **{name: rasters[name] for name in rasters.files},
        )


def empty_truth(size: tuple[int, int], downsample: int) -> Truth:
    """Return a truth with empty rasters."""
    columns, rows = (-(-side // downsample) for side in size)
    return Truth(
        CLASSES,
        downsample,
        np.zeros((rows, columns), np.uint8),
        np.zeros((rows, columns), np.uint8),
        np.zeros((rows, columns, 2), np.float16),
        pd.DataFrame(),
    )
