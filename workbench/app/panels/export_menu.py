"""Export of a result from its card, as a file for another tool."""

from __future__ import annotations

import shutil
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
from workbench.export.formats import formats_of as export_formats

if TYPE_CHECKING:
    from workbench.app.widgets.background import Background
    from workbench.models.card import Task
    from workbench.results.run import Run

_MAX_BYTES: Final = 200_000_000
"""Largest file that is sent through the page's connection."""

_RASTER: Final = "ome-tiff"
"""The only format of scores that is offered for runs with results of another kind."""

_REPORT: Final = "report"
"""Name of the report in the menu, beside those of the formats."""

_AS_SCORES: Final = {"instances": "Density", "embedding": "Length of the vector"}
"""What is written of a task where a format has no place for its own results."""


def formats_of(task: Task) -> dict[str, tuple[str, str]]:
    """Return what runs of a task can be exported to: label, name of format, suffix.

    A folder is sent as a ZIP file. Formats that hold pixels of the slide are left to
    the command line.
    """
    menu = {}
    for each in export_formats(task):
        if each.reads_slide or not (each.takes(task) or each.name == _RASTER):
            continue
        suffix = each.suffixes[0] if each.suffixes else ""
        label = f"{each.label} ({suffix or 'folder'})"
        if not each.takes(task):
            label = f"{_AS_SCORES.get(task, 'Scores')}: {label}"
        menu[label] = (each.name, suffix)
    return menu


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
        self._formats: dict[str, tuple[str, str]] = {}
        self.download = Download(**NOWHERE)
        self._menu = pmui.MenuButton(
            label="Export",
            icon="download",
            items=[],
            **{**STYLE, "variant": "outlined"},
        )
        self._menu.on_click(lambda item: self.export(*self._formats[item["label"]]))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pmui.Row(
            self._menu, self.download, sizing_mode="stretch_width", margin=0
        )

    def show(self, run: Run | None) -> None:
        """Export another run from now on."""
        self._run = run
        report = {"Report (.html)": (_REPORT, ".html")}
        self._formats = {} if run is None else report | formats_of(run.card.task)
        self._menu.items = [{"label": label} for label in self._formats]
        self._menu.disabled = run is None

    def export(self, to: str, suffix: str = "") -> None:
        """Write the run in a format in a thread, then send it to the browser."""
        run = self._run
        if run is None:
            return
        stem = f"{Path(run.record['slide']['name']).stem}-{run.card.name}"
        self._menu.loading = True

        def done() -> None:
            self._menu.loading = False

        def send(written: tuple[str, bytes]) -> None:
            done()
            name, content = written
            self.download.file = {"name": name, "data": content}

        self._background.do(
            lambda: content_of(run, to, f"{stem}{suffix}"), send, otherwise=done
        )


def content_of(run: Run, to: str, name: str) -> tuple[str, bytes]:
    """Return name and content of the file that a run is exported to.

    A folder becomes a ZIP file.

    Raises
    ------
    RunError
        If the run cannot be exported, or the file is too large to be sent.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-export-") as folder:
        path = Path(folder) / name
        if to == _REPORT:
            from workbench.report.writing import write_report  # noqa: PLC0415 - slow

            write_report(run, path)
        else:
            path = export_run(run, path, to=to)
        if path.is_dir():
            path = Path(shutil.make_archive(str(path), "zip", folder, path.name))
        size = path.stat().st_size
        if size > _MAX_BYTES:
            message = f"The file has {size / 1e6:,.0f} MB, too much for this page."
            raise RunError(message, "Use `workbench export` on the server.")
        return path.name, path.read_bytes()
