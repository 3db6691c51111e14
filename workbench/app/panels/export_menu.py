"""Export of a result from its card, as a file for another tool."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.connection import NOWHERE
from workbench.app.widgets.controls import STYLE, button, note, stack
from workbench.app.widgets.download import Download
from workbench.app.widgets.work_line import WorkLine
from workbench.errors import RunError
from workbench.export.dispatch import export_run
from workbench.export.export_format import content_of_task
from workbench.export.formats import formats_of as export_formats

if TYPE_CHECKING:
    from workbench.app.widgets.background import Background
    from workbench.models.card import Task
    from workbench.results.run import Run

_MAX_BYTES: Final = 200_000_000
"""Largest file that is sent through the page's connection."""

_RASTER: Final = "ome-tiff"
"""The only format of scores that is offered for runs with results of another kind."""

_AS_SCORES: Final = {"instances": "Density", "embedding": "Length of the vector"}
"""What is written of a task where a format has no place for its own results."""

_MORE: Final = "More formats …"
_GROUPS: Final = (
    "Pictures",
    "Tables and shapes",
    "Pathology tools",
    "Editors",
    "DICOM",
    "Archives",
)
"""Headings of formats, in their order."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A format that the run of a card can be exported to."""

    label: str
    to: str
    """Name of the format."""

    suffix: str = ""
    """Suffix of its files; empty: a folder, which is sent as a ZIP file."""

    group: str = ""
    usual: bool = False
    """Whether it is in the menu itself, not behind its last entry."""

    holds: str = ""
    """What the file holds, and for which programs."""


_REPORT: Final = Offer("Report (.html)", "report", ".html", usual=True)


def offers_of(task: Task) -> tuple[Offer, ...]:
    """Return what runs of a task can be exported to.

    Formats that hold pixels of the slide are left to the command line.
    """
    found = []
    for each in export_formats(task):
        own = each.takes(task)
        if each.reads_slide or not (own or each.name == _RASTER):
            continue
        suffix = each.suffixes[0] if each.suffixes else ""
        label = f"{each.label} ({suffix or 'folder'})"
        if not own:
            label = f"{_AS_SCORES.get(task, 'Scores')}: {label}"
        what = each.holds[content_of_task(task) if own else "scores"]
        said = f"{what[0].upper()}{what[1:]}. For {each.receiver}."
        found.append(
            Offer(
                label,
                each.name,
                suffix,
                each.group,
                each.usual and own,
                said.replace("`", ""),
            )
        )
    order = sorted(found, key=lambda offer: _GROUPS.index(offer.group))
    return (_REPORT, *order)


class ExportMenu(pn.viewable.Viewer):
    """A button with the usual formats of a run; a dialog has all, with what they hold.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._run: Run | None = None
        self.offers: tuple[Offer, ...] = ()
        """What the run can be exported to."""
        self.download = Download(**NOWHERE)
        self.work = WorkLine(background, "exporting", "objects")
        self._menu = pmui.MenuButton(
            label="Export",
            icon="download",
            items=[],
            **{**STYLE, "variant": "outlined"},
        )
        self._dialog: Any = None
        self._place = stack(self._menu, self.work, self.download)
        self._menu.on_click(lambda item: self._chosen(item["label"]))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._place

    def show(self, run: Run | None) -> None:
        """Export another run from now on."""
        self._run = run
        self.offers = () if run is None else offers_of(run.card.task)
        usual = [offer for offer in self.offers if offer.usual]
        # Without a tooltip, which would be the name for screen readers.
        items: list[Any] = [{"label": offer.label} for offer in usual]
        if len(usual) < len(self.offers):
            items += [{"label": "---"}, {"label": _MORE}]
        self._menu.items = items
        self._menu.disabled = run is None
        if self._dialog is not None:
            self._dialog.open = False

    def _chosen(self, label: str) -> None:
        if label == _MORE:
            self.show_all()
            return
        offer = next(each for each in self.offers if each.label == label)
        self.export(offer.to, offer.suffix)

    def show_all(self) -> None:
        """Show all formats by group, with what they hold."""
        if self._dialog is None:
            self._dialog = pmui.Dialog(
                title="Export",
                show_close_button=True,
                width_option="md",
            )
            self._place.append(self._dialog)
        groups = itertools.groupby(self.offers[1:], key=lambda offer: offer.group)
        self._dialog.objects = [
            part for name, offers in groups for part in self._group(name, offers)
        ]
        self._dialog.open = True

    def _group(self, name: str, offers: Any) -> list[Any]:
        """Return a heading and a row for each format of a group."""
        rows = []
        for offer in offers:
            chosen = button(
                offer.label,
                variant="text",
                sizing_mode=None,
                width=230,
                margin=0,
                sx={"justifyContent": "flex-start", "textAlign": "left"},
            )
            chosen.on_click(lambda _, offer=offer: self._take(offer))
            rows.append(
                pmui.Row(
                    chosen,
                    note(offer.holds),
                    sizing_mode="stretch_width",
                    margin=0,
                    sx={"alignItems": "center", "gap": "12px"},
                )
            )
        return [note(name, variant="subtitle2", margin=(10, 2, 2, 2)), *rows]

    def _take(self, offer: Offer) -> None:
        self._dialog.open = False
        self.export(offer.to, offer.suffix)

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

        self.work.run(
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
        if to == _REPORT.to:
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
