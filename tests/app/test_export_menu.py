"""Export of results in the app: each format is what the writers make of the run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from stained_slide import write_stained
from workbench.app.panels import export_menu
from workbench.app.panels.export_menu import ExportMenu, offers_of
from workbench.app.widgets.background import Background
from workbench.export.dispatch import export_run
from workbench.export.formats import formats_of as export_formats
from workbench.inference.engine import run
from workbench.slide.slide import open_slide


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a run of each task, by its task."""
    folder = tmp_path_factory.mktemp("exported")
    write_stained(folder / "stained.tif", width=768, height=768)
    with open_slide(folder / "stained.tif") as slide:
        found = [
            run(slide, model=model, out=folder / model)
            for model in ("nuclear-density", "nuclei-watershed", "tissue-features")
        ]
    return {each.card.task: each for each in found}


@pytest.fixture
def menu():
    told: list[str] = []
    made = ExportMenu(Background(told.append))
    made.told = told
    return made


@pytest.mark.parametrize("task", ["measurement", "instances", "embedding"])
@pytest.mark.slow
def test_every_format_is_the_file_of_the_writers(runs, menu, task, tmp_path):
    found = runs[task]
    menu.show(found)
    for offer in offers_of(task)[1:]:
        to, suffix = offer.to, offer.suffix
        menu.export(to, suffix)
        file = menu.download.file
        path = export_run(found, tmp_path / f"run-{to}{suffix}", to=to)
        ending = f"{suffix}.zip" if path.is_dir() else suffix
        assert file["name"] == f"stained-{found.card.name}{ending}"
        if path.is_dir():
            listed = zipfile.ZipFile(io.BytesIO(file["data"])).namelist()
            inside = {Path(*Path(n).parts[1:]) for n in listed if not n.endswith("/")}
            written = {p.relative_to(path) for p in path.rglob("*") if p.is_file()}
            assert len(inside) == len(written)
            continue
        assert abs(len(file["data"]) - path.stat().st_size) < 64  # times of writing
        if suffix in (".csv", ".coco.json"):  # others hold the time of writing
            assert file["data"] == path.read_bytes()
    assert menu.told == []


def test_every_format_of_a_task_is_in_the_menu(runs):
    for task in runs:
        named = [offer.to for offer in offers_of(task)[1:]]
        assert len(set(named)) == len(named)
        own = {f.name for f in export_formats(task) if f.takes(task)}
        assert set(named) == (own | {"ome-tiff"}) - {"cvat"}


@pytest.mark.parametrize("task", ["measurement", "instances", "embedding"])
def test_the_menu_has_the_usual_formats_and_a_dialog_all_in_groups(runs, menu, task):
    menu.show(runs[task])
    labels = [item["label"] for item in menu._menu.items]
    assert labels[0] == "Report (.html)"
    assert labels[-1].startswith("More formats")
    assert 2 < len(labels) <= 6
    menu._chosen(labels[-1])
    assert menu._dialog.open
    groups = [offer.group for offer in menu.offers[1:]]
    rows = [part for part in menu._dialog.objects if hasattr(part, "objects")]
    assert len(rows) == len(groups)
    assert len(menu._dialog.objects) == len(rows) + len(set(groups))
    assert all(offer.holds.endswith(".") for offer in menu.offers[1:])


def test_the_first_entry_is_the_report(runs, menu):
    menu.show(runs["measurement"])
    assert menu.offers[0].label == "Report (.html)"
    menu._chosen("Report (.html)")
    page = menu.download.file["data"].decode()
    assert menu.download.file["name"].endswith(".html")
    assert "research use" in page.lower()
    assert str(runs["measurement"].path.parent) not in page
    assert menu.told == []


def test_a_file_that_is_too_large_for_the_page_is_refused(runs, menu, monkeypatch):
    monkeypatch.setattr(export_menu, "_MAX_BYTES", 10)
    menu.show(runs["measurement"])
    menu.export("csv", ".csv")
    assert "too much for this page" in menu.told[0]
    assert menu.download.file == {}


def test_nothing_is_exported_without_a_run(menu):
    menu.show(None)
    menu.export("csv", ".csv")
    assert menu.download.file == {}
    assert menu.told == []
