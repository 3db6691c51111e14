"""What readers have drawn on a slide, side by side, for leads alone."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

import workbench as wb
from made_slides import write_tiff
from study_server import routed
from workbench.app.catalog.site import Site
from workbench.app.gallery.reader_regions import COLOURS
from workbench.app.gallery.study_site import StudySite
from workbench.reading.regions import reader_folder

ROLES = {"ann": "reader", "bob": "reader", "lea": "lead"}
QUERY = "worklist=first&slide=a"


@pytest.fixture
def study(tmp_path):
    """A study of one white slide on which two readers have drawn areas."""
    file = tmp_path / "a.tif"
    write_tiff(file, np.full((512, 512, 3), 240, np.uint8), compression="zlib")
    made = wb.make_study(tmp_path / "study", pd.DataFrame({"path": [str(file)]}))
    (made.path / "forms").mkdir()
    form = {"title": "F", "properties": {"grade": {"enum": ["low", "high"]}}}
    (made.path / "forms" / "f.json").write_text(json.dumps(form))
    made.readings().assign("first", ["ann", "bob"], blind=["readers"])
    return made


def draw(study, reader, *boxes, classification="tumour"):
    with study.open_slide("a") as slide:
        folder = reader_folder(study.path, reader) / "annotations"
        notes = wb.open_annotations(slide, folder=folder)
        for box in boxes:
            shape = shapely.box(*box)
            drawn = wb.Annotation(geometry=shape, classification=classification)
            notes.put(drawn, by=reader)


@pytest.fixture
def ask(study):
    site = StudySite(study, Site.of_study(study), lambda user: ROLES[user])
    with routed(site) as asker:
        yield asker
    site.close()


def pixels_near(body, colour):
    """Return the number of pixels of a JPEG that have about a colour."""
    pixels = np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)
    return int((abs(pixels - colour).max(axis=2) < 40).sum())


def test_readers_regions_are_compared(ask, study):
    draw(study, "ann", (100, 100, 200, 200))
    draw(study, "bob", (150, 100, 250, 200), (300, 300, 310, 310))
    draw(study, "bob", (300, 100, 340, 120), classification="fold")
    found = ask(f"study/regions?{QUERY}", user="lea").json
    ann, bob = found["readers"]
    assert (ann["name"], ann["shapes"], bob["shapes"]) == ("ann", 1, 3)
    area = 100 * 100 * 0.5**2 / 1e6
    assert ann["drawn"] == [
        {"class": "tumour", "shapes": 1, "mm2": pytest.approx(area)}
    ]
    assert [each["class"] for each in bob["drawn"]] == ["fold", "tumour"]
    dice = {each["class"]: each["dice"] for each in found["overlaps"]}
    assert dice == {"fold": 0, "tumour": pytest.approx(2 * 5000 / 20100, abs=1e-4)}
    pictures = {
        reader: ask(f"study/regions.jpg?{QUERY}&reader={reader}", user="lea").body
        for reader in ("", "ann", "bob")
    }
    seen = {
        reader: [pixels_near(body, colour) > 100 for colour in COLOURS[:2]]
        for reader, body in pictures.items()
    }
    assert seen == {"": [True, True], "ann": [True, False], "bob": [False, True]}


def test_a_slide_without_drawings_is_shown_as_it_is(ask):
    found = ask(f"study/regions?{QUERY}", user="lea").json
    assert [each["shapes"] for each in found["readers"]] == [0, 0]
    assert found["overlaps"] == []
    body = ask(f"study/regions.jpg?{QUERY}", user="lea").body
    assert Image.open(io.BytesIO(body)).size == (900, 900)


def test_only_leads_see_what_others_have_drawn(ask, study):
    draw(study, "ann", (100, 100, 200, 200))
    for path in ("regions", "regions.jpg"):
        assert ask(f"study/{path}?{QUERY}", user="bob").status == 403
        assert ask(f"study/{path}?worklist=first&slide=b", user="lea").status >= 400
    refused = ask(f"study/regions.jpg?{QUERY}&reader=eve", user="lea")
    assert refused.status == 404
