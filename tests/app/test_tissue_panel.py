"""Tissue in the app: what is shown, what is said of it, and what a run does with it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from patience import LONG_S
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.app.catalog.site import Site
from workbench.app.session import Session
from workbench.errors import OutOfBoundsError
from workbench.slide.slide import open_slide
from workbench.synthetic import write_pyramid
from workbench.tissue import TissueChoice, find_tissue

MODEL = "stain-concentration"


def opened(folder, runs):
    app = Session(Site.of([folder], runs))
    app.begin(model=MODEL)
    return app


@pytest.fixture
def app(tmp_path):
    write_stained(tmp_path / "tissue.tif", width=1280, height=1024)
    return opened(tmp_path, tmp_path / "runs")


@pytest.mark.slow
def test_tissue_is_shown_with_its_area_and_goes_again(app):
    before = len(app.viewer.layers)
    app.tissue._shown.value = True
    assert len(app.viewer.layers) == before + 1
    area = find_tissue(app.slide).area_mm2(app.slide.mpp)
    assert f"{area:,.3g} mm²" in app.tissue._facts.object
    app.tissue._shown.value = False
    assert len(app.viewer.layers) == before


@pytest.mark.slow
def test_tissue_is_found_once_for_all_parts_of_the_app(app, monkeypatch):
    found = []

    def counted(slide, **options):
        found.append(slide)
        return find_tissue(slide, **options)

    for user in ("app.panels.slide_tissue", "stain.tissue_sample", "stain.slide_fit"):
        monkeypatch.setattr(f"workbench.{user}.find_tissue", counted)
    app.stain.preset(method="macenko")
    fitted = app.stain.fitted
    app.tissue._shown.value = True
    assert "mm²" in app.tissue._facts.object
    assert len(fitted.sample.boxes) > 0
    assert found == [app.slide]


@pytest.mark.slow
def test_what_is_said_of_a_place_is_shown_and_in_the_recipe(app):
    place = shapely.box(0, 0, 300, 300)
    app.tissue.offer_annotation(Annotation(geometry=place, name="Stamp"))
    assert not app.tissue._is_ink.disabled
    assert app.tissue._of.object == "'Stamp' is chosen:"
    app.tissue.mark(tissue=False)
    recipe = app.runs.recipe
    chosen = TissueChoice.of(recipe)
    assert chosen.no_tissue_in.box.width == 300
    expected = find_tissue(app.slide, choice=chosen).area_mm2(app.slide.mpp)
    assert f"{expected:,.3g} mm²" in app.tissue._facts.object
    app.tissue.forget()
    assert app.runs.recipe.no_tissue_in is None


@pytest.mark.parametrize("chosen", [None, Annotation(geometry=shapely.Point(9, 9))])
@pytest.mark.slow
def test_without_an_area_that_is_chosen_that_is_said(app, chosen):
    app.tissue.offer_annotation(chosen)
    assert app.tissue._is_ink.disabled
    assert app.tissue._is_tissue.disabled
    assert "click an annotation there" in app.tissue._of.object
    with pytest.raises(OutOfBoundsError, match="No annotation is chosen"):
        app.tissue.mark(tissue=True)


@pytest.mark.slow
def test_a_run_over_nothing_says_so_and_leaves_no_run(tmp_path):
    blank = np.full((1024, 1024, 3), 243, np.uint8)
    write_pyramid(tmp_path / "blank.tif", blank, mpp=0.5)
    app = opened(tmp_path, tmp_path / "runs")
    app.runs.start()
    job = app.runs.job
    assert job.wait(LONG_S)
    app.runs.poll()
    bar = app.slide_notices.no_tissue
    assert bar.visible
    assert "No tissue was found on 'blank.tif'" in app.slide_notices._nowhere.object
    with open_slide(tmp_path / "blank.tif") as slide:
        assert app.site.run_library.saved(slide) == []
    assert not list((tmp_path / "runs").glob("blank*"))
    app.slide_notices.everywhere.clicks += 1
    assert not bar.visible
    assert app.runs.job.wait(60)
    app.runs.poll()
    saved = app.runs.job.run
    assert saved.status == "finished"
    assert saved.tiles_total == len(saved.grid)
    # For this once: the next run looks for tissue again.
    assert app.runs.recipe.tissue_only
