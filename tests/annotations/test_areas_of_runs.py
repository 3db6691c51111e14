"""Runs and references that are restricted to annotations, from Python and a console."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import shapely
from click.testing import CliRunner

import workbench as wb
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.area import Area
from workbench.cli import main
from workbench.slide.slide import open_slide
from workbench.stain.references import Reference, load_reference, reference_within

MODEL = "nuclear-density"
CORNERS = [(1000, 500), (2600, 700), (2300, 1700), (1100, 2000)]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "stained.tif"
    write_stained(path)
    with open_slide(path) as opened:
        yield opened


def call(*words):
    said = CliRunner().invoke(main, [str(word) for word in words])
    assert said.exit_code == 0, said.output
    return said.stdout


def value_at(run, index):
    """Return the value in the middle of a tile's core."""
    x, y = run.grid.core(index).centre
    return next(iter(run.heatmap.at(x, y).values()))


@pytest.mark.slow
def test_a_run_is_restricted_to_an_annotation_and_goes_on(slide, tmp_path):
    marked = Annotation(geometry=shapely.Polygon(CORNERS))
    options = {"model": MODEL, "region": marked, "batch_size": 1}
    stop = threading.Event()

    def after_one(progress):
        if progress.done:
            stop.set()

    half = wb.run(slide, out=tmp_path / "a", progress=after_one, cancel=stop, **options)
    assert half.status == "cancelled"
    turned = shapely.Polygon([*CORNERS[2:], *CORNERS[:2]])  # the same outline
    run = wb.run(slide, out=tmp_path / "a", **{**options, "region": turned})
    assert run.status == "finished"
    whole = wb.run(slide, out=tmp_path / "b", **options)
    np.testing.assert_array_equal(run.heatmap.values, whole.heatmap.values)
    asked = json.loads((tmp_path / "a" / "run.json").read_text())["recipe"]["region"]
    assert Area.of(asked) == marked.area
    answered = [
        index for index in range(len(run.grid)) if np.isfinite(value_at(run, index))
    ]
    assert answered
    assert set(answered) <= set(run.grid.inside(marked.area).tolist())
    centres = run.grid.centres()[answered]
    assert shapely.contains_xy(marked.geometry, *centres.T).all()


@pytest.mark.slow
def test_a_console_exports_imports_and_restricts_a_run(slide, tmp_path):
    folder = tmp_path / "annotations"
    marked = open_annotations(slide, folder=folder)
    marked.put(
        Annotation(geometry=shapely.Polygon(CORNERS), classification="Tumour"),
        Annotation(geometry=shapely.box(0, 0, 500, 500), classification="Stroma"),
        by="Ada",
    )
    file = tmp_path / "tumour.geojson"
    where = ["--annotations", folder]
    words = [slide.path, file, *where, "--class", "Tumour"]
    assert call("annotations", "export", *words).startswith("1 annotation ")
    other = ["--annotations", tmp_path / "other", "--author", "Ben"]
    said = call("annotations", "import", slide.path, file, *other)
    assert said.startswith("1 annotation ")
    [read] = open_annotations(slide, folder=tmp_path / "other")
    assert (read.author, read.editor) == ("Ada", "Ben")
    out = tmp_path / "run"
    words = ["--model", MODEL, "--region", file, "--out", out, "--no-progress"]
    call("run", slide.path, *words)
    assert wb.open_run(out).recipe.region == read.area.coordinates
    bad = tmp_path / "bad.geojson"
    bad.write_text("no")
    refused = CliRunner().invoke(
        main, ["run", slide.path, "--model", MODEL, "--region", str(bad)]
    )
    assert refused.exit_code == 9
    assert "bad.geojson" in refused.output


@pytest.mark.slow
def test_a_reference_is_of_what_is_enclosed_and_nothing_else(slide, tmp_path):
    area = Area.of(shapely.Polygon(CORNERS))
    reference = reference_within(slide, area, name="nest")
    pixels = slide.read(area.box).pixels
    inside = Reference.of_pixels(
        pixels[area.mask(area.box, pixels.shape[1::-1])], name="x"
    )
    assert reference.stains == inside.stains
    assert reference.lab_mean == inside.lab_mean
    around = Reference.of_pixels(pixels, name="x")
    assert reference.lab_mean != around.lab_mean
    path = tmp_path / "nest.json"
    reference.save(path)
    assert load_reference(str(path)) == reference
