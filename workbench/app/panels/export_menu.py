"""Export of a result from its card, as a file for another tool."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.connection import NOWHERE
from workbench.app.widgets.controls import STYLE
from workbench.app.widgets.download import Download
from workbench.errors import RunError
from workbench.export.dispatch import export_run

if TYPE_CHECKING:
    from workbench.app.widgets.background import Background
    from workbench.models.card import Task
    from workbench.results.run import Run

_MAX_BYTES: Final = 200_000_000
"""Largest file that is sent through the page's connection."""

_RASTER: Final = {"Raster (.ome.tiff)": ".ome.tiff"}
_TILES: Final = {
    "Table (.csv)": ".csv",
    "Tiles for QuPath (.geojson.gz)": ".geojson.gz",
    **_RASTER,
}
_INSTANCES: Final = {
    "Table (.csv)": ".csv",
    "Detections for QuPath (.geojson.gz)": ".geojson.gz",
    "GeoParquet (.parquet)": ".parquet",
    "COCO (.coco.json)": ".coco.json",
    **{f"Density: {label}": suffix for label, suffix in _RASTER.items()},
}
_VECTORS: Final = {"Vectors (.parquet)": ".parquet"}


def formats_of(task: Task) -> dict[str, str]:
    """Return what runs of a task can be exported to: label and suffix."""
    if task == "instances":
        return _INSTANCES
    return {**_VECTORS, **_TILES} if task == "embedding" else _TILES


class ExportMenu(pn.viewable.Viewer):
    """A button with the formats that a run can be exported to.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._run: Run | None = None
        self._formats: dict[str, str] = {}
        self.download = Download(**NOWHERE)
        self._menu = pmui.MenuButton(
            label="Export",
            icon="download",
            items=[],
            **{**STYLE, "variant": "outlined"},
        )
        self._menu.on_click(lambda item: self.export(self._formats[item["label"]]))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pmui.Row(
            self._menu, self.download, sizing_mode="stretch_width", margin=0
        )

    def show(self, run: Run | None) -> None:
        """Export another run from now on."""
        self._run = run
        self._formats = {} if run is None else formats_of(run.card.task)
        self._menu.items = [{"label": label} for label in self._formats]
        self._menu.disabled = run is None

    def export(self, suffix: str) -> None:
        """Write the run to a file in a thread, then send it to the browser."""
        run = self._run
        if run is None:
            return
        name = f"{Path(run.record['slide']['name']).stem}-{run.card.name}{suffix}"
        self._menu.loading = True

        def done() -> None:
            self._menu.loading = False

        def send(content: bytes) -> None:
            done()
            self.download.file = {"name": name, "data": content}

        self._background.do(lambda: content_of(run, suffix), send, otherwise=done)


def content_of(run: Run, suffix: str) -> bytes:
    """Return the content of the file that a run is exported to.

    Raises
    ------
    RunError
        If the run cannot be exported, or the file is too large to be sent.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-export-") as folder:
        path = export_run(run, Path(folder) / f"run{suffix}")
        size = path.stat().st_size
        if size > _MAX_BYTES:
            message = f"The file has {size / 1e6:,.0f} MB, too much for this page."
            raise RunError(message, "Use `workbench export` on the server.")
        return path.read_bytes()
