"""The gallery of a study: its columns, pictures, runs, and the routes behind it."""

from __future__ import annotations

import io
import urllib.parse

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import workbench as wb
from made_slides import write_tiff
from patience import eventually
from studies import two_coloured
from study_server import routed
from workbench.app.catalog.access import EVERYTHING
from workbench.app.catalog.runs import StudyRunLibrary, key_of
from workbench.app.catalog.site import Site
from workbench.app.catalog.study_slides import StudyLibrary
from workbench.app.gallery.columns import Column
from workbench.app.gallery.study_site import StudySite
from workbench.app.gallery.thumbnails import THUMBNAIL_PX, Thumbnails
from workbench.errors import SlideNotFoundError, StudyError
from workbench.study.analysis import Analysis, analysis_of

RECIPE = wb.Recipe(device="cpu", batch_size=4)
NAMES = ["S1", "S2", "broken"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two slides and a broken one, of which the first two were run."""
    folder = tmp_path_factory.mktemp("gallery")
    slides = folder / "outside"
    slides.mkdir()
    for number, side in ((1, 768), (2, 512)):
        pixels = two_coloured(side, seed=number)
        write_tiff(slides / f"S{number}.tif", pixels, compression="zlib", levels=2)
    (slides / "broken.tif").write_bytes(b"II*\0 of nothing")
    rows = {
        "path": [str(slides / f"{name}.tif") for name in NAMES],
        "case": ["P1", "P1", "P2"],
        "diagnosis": ["benign", "tumour", "<b>bold</b>"],
        "age": [61, 7, None],
    }
    made = wb.make_study(folder / "study", pd.DataFrame(rows))
    made.run(RECIPE, workers=0)
    return made


@pytest.fixture
def site(study):
    made = StudySite(study, Site.of_study(study))
    yield made
    made.close()


@pytest.fixture
def ask(site):
    with routed(site) as asker:
        yield asker


def columns(message):
    return {column["name"]: column for column in message["columns"]}


def texts(column):
    return [column["levels"][code] for code in column["codes"]]


# -- columns ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "sent"),
    [
        ([1, None, 0.123456789], {"numbers": [1, None, 0.12346]}),
        ([float("nan"), float("inf"), 2e20], {"numbers": [None, None, 2e20]}),
        (["b", "", "b"], {"levels": ["", "b"], "codes": [1, 0, 1]}),
        ([True, None], {"levels": ["", "True"], "codes": [1, 0]}),
        (["x" * 500], {"levels": ["x" * 399 + "…"], "codes": [0]}),
    ],
)
def test_columns_are_sent_as_numbers_or_as_texts_by_their_numbers(cells, sent):
    message = Column("a", "label", cells).message()
    assert message == {"name": "a", "kind": "label", **sent}


def test_many_different_texts_are_sent_as_they_are():
    cells = [f"S{number}" for number in range(5000)]
    assert Column("a", "slide", cells).message()["texts"] == cells


# -- slides and runs of a study --------------------------------------------------


def test_slides_are_served_by_their_names_in_the_table_alone(study, tmp_path):
    library = StudyLibrary(study)
    assert [entry.name for entry in library.entries()] == NAMES
    assert library.open("S1").size == (768, 768)
    for name in ("S1.tif", "../outside/S1.tif", str(library.path("S1")), ""):
        with pytest.raises(SlideNotFoundError):
            library.open(name)
    site = Site.of_study(study)
    secret = library.path("broken")
    text = site.without_folders(f"'{secret}' is damaged, not {tmp_path}.")
    assert text == f"'broken' is damaged, not {tmp_path}."


def test_slides_can_be_served_under_other_names(study):
    library = StudyLibrary(study, {"slide 1": "S2", "slide 2": "gone"})
    assert [entry.name for entry in library.entries()] == ["slide 1"]
    assert library.open("slide 1").name == "slide 1"
    assert library.open("slide 1").size == (512, 512)


def test_an_analysis_is_the_same_layer_on_all_slides(study):
    library, runs = StudyLibrary(study), StudyRunLibrary(study)
    for name in NAMES[:2]:
        (saved,) = runs.saved(library.open(name))
        assert saved.run.path.name == name
        assert key_of(saved.run) == "tissue-classes"
    place = runs.place(library.open("S1"), RECIPE.replace(normalize="reinhard"))
    assert place.parent == study.path / "single-runs"


# -- the reference of a study ----------------------------------------------------


def test_analyses_without_a_reference_get_that_of_the_study(study):
    colours = wb.load_reference("he-standard").model_copy(update={"name": "a slide"})
    study.set_reference(colours)
    made = analysis_of(study, RECIPE.replace(normalize="macenko"), "with-reference")
    assert made.recipe.reference == study.reference
    assert wb.load_reference(study.reference).name == "a slide"
    moved = study.path.rename(study.path.with_name("moved"))
    elsewhere = wb.open_study(moved)
    again = Analysis(elsewhere, moved / "runs" / "with-reference")
    assert again.recipe.reference == elsewhere.reference
    moved.rename(study.path)
    study.set_reference("")
    assert study.reference == ""
    plain = analysis_of(study, RECIPE.replace(normalize="macenko"), "without")
    assert plain.recipe.reference == "he-standard"
    for name in ("with-reference", "without"):
        (study.path / "runs" / name / "analysis.json").unlink()


# -- routes ----------------------------------------------------------------------


def test_everything_is_behind_the_login_and_changes_are_of_our_own_pages(ask):
    assert ask("study", user="").status == 302
    assert ask("study", user="").headers["Location"].startswith("/login")
    pages = ("table", "progress", "settings", "thumbnail?slide=S1", "report.html")
    for path in pages:
        assert ask(f"study/{path}", user="").status == 403
    for path in ("run", "advice"):
        assert ask(f"study/{path}", {}, user="").status == 403
        assert ask(f"study/{path}", {}, ours=False).status == 403
        assert ask(f"study/{path}", []).status == 400


def test_the_page_escapes_and_has_a_policy(ask):
    page = ask("study")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self' blob: 'nonce-" in policy
    assert "frame-src 'self'" in policy
    assert b"<h1>study</h1>" in page.body


def test_the_table_has_labels_results_and_flags(site, ask):
    slides = ask("study/table").json
    assert slides["names"] == NAMES
    assert texts(columns(slides)["diagnosis"]) == ["benign", "tumour", "<b>bold</b>"]
    assert columns(slides)["age"]["numbers"] == [61, 7, None]
    assert "is damaged" in texts(columns(slides)["problem"])[2]
    stamp = ask("study/progress").json["stamp"]
    found = ask("study/table").json
    assert found["stamp"] == stamp != slides["stamp"]
    table = site.study.table()
    shares = columns(found)["tumour (share)"]["numbers"]
    assert shares[:2] == pytest.approx(table["share_tumour"][:2], rel=1e-4)
    assert shares[2] is None
    assert texts(columns(found)["status"]) == ["finished", "finished", "refused"]
    layer = found["layers"][0]
    assert layer["analysis"] == "tissue-classes"
    assert "tumour" in layer["classes"]


def test_a_lead_saves_the_report_of_an_analysis(ask):
    report = ask("study/report.html?analysis=tissue-classes")
    assert report.headers["Content-Disposition"].startswith("attachment")
    assert b"<html" in report.body
    assert b"tissue-classes" in report.body
    assert ask("study/report.html?analysis=other").status == 404


def pixels(answer):
    assert answer.headers["Content-Type"] == "image/jpeg"
    return np.asarray(Image.open(io.BytesIO(answer.body)), float)


def test_thumbnails_are_small_kept_and_shown_under_a_result(site, ask):
    plain = ask("study/thumbnail?slide=S1")
    assert pixels(plain).shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert "private" in plain.headers["Cache-Control"]
    assert site.picture(EVERYTHING, "S1").data == plain.body
    channel = next(iter(site.study.analysis().open_run("S1").heatmap.classes))
    query = {"slide": "S1", "analysis": "tissue-classes", "class": channel}
    under = ask(f"study/thumbnail?{urllib.parse.urlencode(query)}")
    assert pixels(under).shape == pixels(plain).shape
    assert under.body != plain.body
    for query in ("slide=broken", "slide=none", "slide=S1&analysis=none"):
        assert ask(f"study/thumbnail?{query}").status == 404
    assert ask(f"study/thumbnail?slide={'a' * 400}").status == 400


def test_the_cache_of_thumbnails_is_bounded(site):
    small = Thumbnails(max_bytes=1)
    row = StudyLibrary(site.study).rows["S1"]
    data = small.draw(("a",), row).result()
    assert len(data) > 1
    assert small.kept(("a",)) is None
    small.close()


def test_runs_are_started_and_controlled_in_the_words_of_the_terminal(
    site, ask, monkeypatch
):
    started = []
    monkeypatch.setattr(
        "workbench.study.running.run_analysis",
        lambda analysis, **_: started.append(analysis.name),
    )
    (run,) = ask("study/progress").json["runs"]
    assert run["sentence"] == "2 of 3 slides, 1 refused"
    assert (run["name"], run["left"], run["busy"]) == ("tissue-classes", 0, False)
    assert "nuclei" in ask("study/settings").json["models"]
    assert ask("study/run", {"model": "nuclei", "name": "second"}).json == {}
    eventually(lambda: started == ["second"])
    analysis = site.study.analysis("second")
    assert analysis.recipe.model == "nuclei"
    ask("study/run", {"name": "second", "action": "pause"})
    assert analysis.control == "pause"
    ask("study/run", {"name": "second", "action": "resume"})
    assert analysis.control == "work"
    ask("study/run", {"name": "second", "action": "cancel"})
    assert analysis.control == "cancel"
    wrong = ask("study/run", {"model": "/etc/passwd"})
    assert "There is no such model." in wrong.json["error"]
    assert (
        "no analysis 'none'"
        in (ask("study/run", {"name": "none", "action": "pause"}).json["error"])
    )
    assert ask("study/run", {"name": "second", "action": "explode"}).status == 400
    (analysis.path / "analysis.json").unlink()


def test_a_run_that_fails_says_so(site, monkeypatch):
    def fail(*_, **__):
        message = "No process could work."
        raise StudyError(message, "Look at the machine.")

    monkeypatch.setattr("workbench.study.running.run_analysis", fail)
    site.runs.start(name="tissue-classes")

    def said():
        return site.runs.report()[0]["error"]

    eventually(lambda: said() == "No process could work. Look at the machine.")


@pytest.mark.slow
def test_the_adviser_proposes_a_reference_that_is_set_for_the_study(site, ask):
    refused = ask("study/advice", {"accept": True})
    assert "No reference is proposed" in refused.json["error"]
    ask("study/advice", {})
    eventually(lambda: not ask("study/progress").json["advice"]["busy"])
    advice = ask("study/progress").json["advice"]
    assert advice["sentence"].startswith("2 slides measured")
    assert advice["proposed"] in ("S1.tif", "S2.tif")
    assert ask("study/advice", {"accept": True}).json == {}
    told = ask("study/progress").json["advice"]["reference"]
    assert told == wb.load_reference(site.study.reference).name
    site.study.set_reference("")


def test_measured_quality_is_a_column_of_flags(study, site, ask):
    study.quality()
    ask("study/progress")
    site.snapshots._due = 0.0
    ask("study/progress")
    found = columns(ask("study/table").json)
    assert found["flags"]["kind"] == "flag"
    assert found["blur"]["kind"] == "flag"
    assert len(found["blur"]["numbers"]) == len(NAMES)
