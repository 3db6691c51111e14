"""What earlier versions saved under their ids is found, taken over, or asked about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile

import made_slides
import workbench as wb
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import Annotations, open_annotations
from workbench.app.catalog.runs import RunLibrary
from workbench.app.catalog.site import Site
from workbench.app.panels.bookmarks import Bookmarks
from workbench.app.session import Session
from workbench.cli import main
from workbench.errors import SharedIdError
from workbench.recipe import Recipe
from workbench.slide.identity.former_ids import is_former
from workbench.slide.migration import claim, unclaimed

MODEL = "stain-concentration"


@pytest.fixture
def compressed(tmp_path):
    (tmp_path / "slides").mkdir()
    return Path(made_slides.jpeg_ycbcr(tmp_path / "slides"))


@pytest.fixture
def cores(tmp_path):
    """Two slides that had one id: they differ between the samples alone."""
    (tmp_path / "slides").mkdir()
    paths = []
    for number in range(2):
        pixels = np.full((900, 900, 3), 243, np.uint8)
        pixels[200:300, 100 + 300 * number :][:, :200] = 120
        path = tmp_path / "slides" / f"core {number}.tif"
        tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)
        paths.append(path)
    return paths


def saved_before(slide, runs, name="old"):
    """Save what an earlier version would have, under the slide's former id."""
    (former,) = slide.former.ids
    for kind in ("annotations", "bookmarks"):
        (runs / kind).mkdir(parents=True, exist_ok=True)
    mark = Annotation(geometry=shapely.box(1, 1, 50, 50), name=name)
    mine = Annotations(slide, runs / "scratch")
    mine.put(mark, by="me")
    old = runs / "annotations" / f"{former}.jsonl"
    old.write_bytes(mine.path.read_bytes())
    view = {"name": name, "query": "slide=x", "made": "2026-01-01T00:00:00+00:00"}
    (runs / "bookmarks" / f"{former}.json").write_text(json.dumps([view]))
    return former, old


def names(slide, runs):
    return [each.name for each in open_annotations(slide, folder=runs / "annotations")]


def old_run(slide, runs, former):
    """Make a run, and have its record speak of the former id."""
    run = wb.run(slide, model=MODEL, out=runs / "one", tissue_only=False)
    record = json.loads((runs / "one" / "run.json").read_text())
    record["slide"]["id"] = former
    (runs / "one" / "run.json").write_text(json.dumps(record))
    return run


def test_ids_of_both_kinds_are_told_apart(compressed):
    with wb.open_slide(compressed) as slide:
        assert not is_former(slide.id)
        assert all(is_former(each) for each in slide.former.ids)
        assert slide.former.certain


def test_work_on_a_compressed_slide_is_taken_over(compressed, tmp_path):
    runs = tmp_path / "runs"
    with wb.open_slide(compressed, mpp=0.5) as slide:
        former, old = saved_before(slide, runs)
        before = old.read_bytes()
        assert names(slide, runs) == ["old"]
        found = open_annotations(slide, folder=runs / "annotations")
        found.put(next(iter(found)).replace(name="edited"), by="me")
        assert names(slide, runs) == ["edited"]
        assert old.read_bytes() == before
        bookmarks = Bookmarks(runs / "bookmarks")
        assert [each.name for each in bookmarks.of(slide)] == ["old"]
        bookmarks.save(slide, "new", "")
        assert [each.name for each in bookmarks.of(slide)] == ["old", "new"]
        bookmarks.delete(slide, "old")
        assert [each.name for each in bookmarks.of(slide)] == ["new"]
        old_run(slide, runs, former)
        assert [each.run.path.name for each in RunLibrary(runs).saved(slide)] == ["one"]
        again = wb.run(slide, model=MODEL, out=runs / "one", tissue_only=False)
        assert again.status == "finished"
        assert again.record["slide"]["id"] == slide.id
        assert unclaimed(runs, slide) == []


def test_a_run_of_the_same_request_is_found_again(compressed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"model": MODEL, "tissue_only": False, "device": "cpu"}
    with wb.open_slide(compressed, mpp=0.5) as slide:
        (former,) = slide.former.ids
        known, slide._id = slide.id, former
        first = wb.run(slide, **options)
        slide._id = known
        recipe = Recipe(model=MODEL, tissue_only=False)
        assert RunLibrary("runs").place(slide, recipe).samefile(first.path)
        assert wb.run(slide, **options).path == first.path


def test_work_on_a_slide_that_shares_its_id_is_asked_about(cores, tmp_path, capsys):
    runs = tmp_path / "runs"
    one, two = (wb.open_slide(path, mpp=0.5) for path in cores)
    assert one.former == two.former
    assert one.id != two.id
    former, _ = saved_before(one, runs)
    old_run(one, runs, former)
    for slide in (one, two):
        with pytest.raises(SharedIdError, match="--take"):
            names(slide, runs)
        assert Bookmarks(runs / "bookmarks").of(slide) == []
    # A file at the place that the record names, from before the run, is the slide.
    assert unclaimed(runs, one) == ["annotations", "bookmarks"]
    assert unclaimed(runs, two) == ["annotations", "bookmarks", "1 run"]
    with pytest.raises(SharedIdError, match="'one'"):
        wb.run(two, model=MODEL, out=runs / "one", tissue_only=False)
    assert RunLibrary(runs).saved(two) == []

    main(["former", str(cores[1]), "--runs", str(runs)], standalone_mode=False)
    assert "--take or --leave" in capsys.readouterr().out
    words = ["former", str(cores[1]), "--runs", str(runs), "--leave"]
    main(words, standalone_mode=False)
    claim(runs, one, take=True)
    assert names(one, runs) == ["old"]
    assert names(two, runs) == []
    assert [each.name for each in Bookmarks(runs / "bookmarks").of(one)] == ["old"]
    assert [each.run.path.name for each in RunLibrary(runs).saved(one)] == ["one"]
    assert RunLibrary(runs).saved(two) == []
    claim(runs, two, take=True)  # it was that one after all
    assert names(two, runs) == ["old"]


def test_python_says_whose_it_is(cores, tmp_path):
    runs = tmp_path / "runs"
    folder = runs / "annotations"
    with wb.open_slide(cores[0]) as one, wb.open_slide(cores[1]) as two:
        saved_before(one, runs)
        assert len(open_annotations(one, folder=folder, former="take")) == 1
        assert len(open_annotations(two, folder=folder, former="leave")) == 0
        assert len(open_annotations(one, folder=folder)) == 1
        assert len(open_annotations(two, folder=folder)) == 0


@pytest.mark.parametrize("take", [True, False])
@pytest.mark.slow
def test_the_app_asks(take, cores, tmp_path):
    runs = tmp_path / "runs"
    with wb.open_slide(cores[0]) as slide:
        saved_before(slide, runs)
    app = Session(Site.of([tmp_path / "slides"], runs))
    app.begin(slide="core 0.tif")
    assert app.slide_notices.former.visible
    assert app.bookmarks.names == []
    (app.slide_notices.take if take else app.slide_notices.leave).clicks += 1
    assert not app.slide_notices.former.visible
    assert len(app.annotations.editor.edits.annotations) == int(take)
    assert app.bookmarks.names == ["old"] * take
    again = Session(Site.of([tmp_path / "slides"], runs))
    again.begin(slide="core 0.tif")
    assert not again.slide_notices.former.visible


def test_doors_of_a_dicom_slide_had_an_id_each(shared_data, tmp_path):
    folder = shared_data / "wsi" / "CMU-1-Small-Region-dicomA"
    with wb.open_slide(folder, mpp=0.5) as slide:
        assert len(slide.former.ids) == 4
        assert slide.former.certain
        (tmp_path / "a").mkdir()
        for number, former in enumerate(slide.former.ids):
            mine = Annotations(slide, tmp_path / f"scratch {number}")
            box = shapely.box(number, 0, 40, 40)
            mine.put(Annotation(geometry=box, name=str(number)), by="me")
            (tmp_path / "a" / f"{former}.jsonl").write_bytes(mine.path.read_bytes())
        found = open_annotations(slide, folder=tmp_path / "a")
        assert sorted(each.name for each in found) == [*"0123"]
