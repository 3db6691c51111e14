"""Export of results in the app: each format is what the writers make of the run."""

from __future__ import annotations

import pytest

from stained_slide import write_stained
from workbench.app.panels import export_menu
from workbench.app.panels.export_menu import ExportMenu, formats_of
from workbench.app.widgets.background import Background
from workbench.export.dispatch import export_run
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
def test_every_format_is_the_file_of_the_writers(runs, menu, task, tmp_path):
    found = runs[task]
    menu.show(found)
    for suffix in formats_of(task).values():
        menu.export(suffix)
        file = menu.download.file
        assert file["name"] == f"stained-{found.card.name}{suffix}"
        path = export_run(found, tmp_path / f"run{suffix}")
        assert len(file["data"]) == path.stat().st_size
        if suffix in (".csv", ".coco.json"):  # others hold the time of writing
            assert file["data"] == path.read_bytes()
    assert menu.told == []


def test_every_format_of_a_task_can_be_written(runs, tmp_path):
    for task, found in runs.items():
        suffixes = list(formats_of(task).values())
        assert len(set(suffixes)) == len(suffixes)
        for suffix in suffixes:
            assert export_run(found, tmp_path / f"{task}{suffix}").stat().st_size


def test_a_file_that_is_too_large_for_the_page_is_refused(runs, menu, monkeypatch):
    monkeypatch.setattr(export_menu, "_MAX_BYTES", 10)
    menu.show(runs["measurement"])
    menu.export(".csv")
    assert "too much for this page" in menu.told[0]
    assert menu.download.file == {}


def test_nothing_is_exported_without_a_run(menu):
    menu.show(None)
    menu.export(".csv")
    assert menu.download.file == {}
    assert menu.told == []
