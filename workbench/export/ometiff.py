"""Exports heatmaps as OME-TIFF rasters of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import tifffile

from workbench.export.cells import measures_of
from workbench.provenance.places import NAMESPACE
from workbench.provenance.runs import provenance_of

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.results.run import Run

_TILE: Final = (256, 256)


def write_ometiff(run: Run, path: Path) -> None:
    """Write float32 (classes, rows, columns), NaN where there is no value.

    The physical size of a pixel is that of a cell, so that the raster aligns with the
    slide when both have the same origin. What made it is a comment annotation.
    """
    heatmap = run.heatmap
    cell_um = heatmap.cell * run.record["slide"]["mpp"]
    made = provenance_of(run).derive("export")
    metadata = {
        "axes": "CYX",
        "Name": f"{run.card.name} on {run.record['slide']['name']}",
        "PhysicalSizeX": cell_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": cell_um,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": list(measures_of(run))},
        "CommentAnnotation": {"Namespace": NAMESPACE, "Value": made.text},
    }
    tifffile.imwrite(
        path,
        heatmap.values,
        ome=True,
        metadata=metadata,
        photometric="minisblack",
        tile=_TILE,
        compression="zlib",
    )
