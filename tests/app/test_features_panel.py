"""Files of features in the app: found, placed or asked about, and looked at."""

from __future__ import annotations

import json
import re

import numpy as np
import param
import pytest
import shapely
import torch

import workbench as wb
from feature_files import (
    SIDE,
    STAMP_2_1,
    write_atlaspatch,
    write_attention,
    write_clam,
    write_clam_coordinates,
    write_slide2vec,
    write_spatialdata_store,
    write_stamp,
    write_table,
    write_trident,
)
from stained_slide import write_stained
from vision_language import clip_text, write_tokenizer, write_weights
from workbench.app.catalog.feature_files import find_feature_files
from workbench.app.catalog.feature_indexes import IndexLibrary
from workbench.app.catalog.site import Site
from workbench.app.panels.features.derived import (
    ALIKE,
    COMPONENTS,
    GROUPS,
    LIKELIEST,
)
from workbench.app.panels.features.scaling import LINEAR, RANKED
from workbench.app.panels.features.source import FileSource
from workbench.app.panels.features.vector_map import UMAP
from workbench.app.session import RESULTS, Session
from workbench.app.url_state import Address, FeaturesLook
from workbench.errors import WorkbenchError
from workbench.features import open_features
from workbench.features.index_building import build_index
from workbench.geometry import Box
from workbench.layers import TileClassLayer, TileOutlineLayer
from workbench.models import load_text_encoder

WIDTH, HEIGHT = 3072, 2560
CORNERS = np.array([(100, 40), (1111, 707), (2000, 1900), (400, 1300), (2300, 100)])
VALUES = np.array([0.1, 0.9, 0.5, 0.3, 0.7])
VECTORS = np.stack([VALUES, 1 - VALUES, VALUES**2], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "slide.tif"
    write_stained(path, width=WIDTH, height=HEIGHT)
    return path


@pytest.fixture
def folder(picture, tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    (served / "slide.tif").hardlink_to(picture)
    return served


@pytest.fixture
def begin(folder, tmp_path):
    """Return a way to begin a session with the tab of results open."""
    begun = []

    def start():
        app = Session(Site.of([folder], tmp_path / "runs"))
        app.begin(slide="slide.tif")
        app.open_section(RESULTS)
        begun.append(app)
        return app

    yield start
    for app in begun:
        app.close()


def slide_to(slider, value):
    slider.value = value
    with param.edit_constant(slider):
        slider.value_throttled = value


def said(app):
    return str(app.message.object) if app.message.visible else ""


def centres():
    return (CORNERS + SIDE // 2).tolist()


# -- which files are listed


def test_only_files_of_the_slide_within_the_folders_are_listed(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in ("job/features_uni", "job/patches", ".cache", "run"):
        (root / folder).mkdir(parents=True)
    elsewhere.mkdir()
    write_trident(root / "job" / "features_uni" / "a.h5", CORNERS, VECTORS)
    write_trident(root / "job" / "features_uni" / "a-2.h5", CORNERS, VECTORS)
    write_trident(root / "job" / "patches" / "a_patches.h5", CORNERS)
    write_attention(root / "a_blockmap.h5", CORNERS, VALUES[None])
    write_table(root / "a.csv", CORNERS, VALUES)
    write_table(root / "ab.csv", CORNERS, VALUES)
    write_table(root / ".cache" / "a.csv", CORNERS, VALUES)
    write_table(root / "run" / "a.csv", CORNERS, VALUES)
    (root / "run" / "run.json").write_text("{}")
    (root / "a_broken.h5").write_bytes(b"half of it")
    write_table(elsewhere / "a_secret.csv", CORNERS, VALUES)
    (root / "a_secret.csv").symlink_to(elsewhere / "a_secret.csv")
    (root / "linked").symlink_to(elsewhere)
    slides = ["a.tif", "a-2.tif", "b.tif"]
    found = find_feature_files([root], "a.tif", slides)
    assert [file.line for file in found] == [
        "table · a.csv",
        "CLAM · a_blockmap.h5",
        "unknown layout · a_broken.h5",
        "TRIDENT · job/features_uni/a.h5",
        "coordinates · job/patches/a_patches.h5",
    ]
    (other,) = find_feature_files([root], "deeper/a-2.tif", slides)
    assert other.name == "job/features_uni/a-2.h5"
    assert find_feature_files([root / "a.csv"], "a.tif", slides) == []


@pytest.mark.slow
def test_files_are_looked_for_when_the_tab_is_opened(begin, folder):
    write_trident(folder / "slide.h5", CORNERS, VECTORS)
    app = begin()
    assert app.features.choice.options == ["TRIDENT · slide.h5"]
    app.open_section("Slides")
    app.slides.choose(app.slides.chosen)
    write_trident(folder / "slide_2.h5", CORNERS, VECTORS)
    app.open_section(RESULTS)
    assert len(app.features.choice.options) == 1  # once for each opened slide


# -- each format, and what is asked for


def trident(folder):
    write_trident(folder / "slide.h5", CORNERS, VECTORS)


def clam(folder):
    for name in ("patches", "h5_files", "pt_files"):
        (folder / name).mkdir()
    write_clam_coordinates(folder / "patches" / "slide.h5", CORNERS)
    write_clam(folder / "h5_files" / "slide.h5", CORNERS, VECTORS)


def tensor(folder):
    clam(folder)
    (folder / "h5_files" / "slide.h5").unlink()
    torch.save(torch.from_numpy(VECTORS), folder / "pt_files" / "slide.pt")


def atlaspatch(folder):
    write_atlaspatch(folder / "slide.h5", CORNERS, uni=VECTORS)


def slide2vec(folder):
    write_slide2vec(folder, CORNERS, VECTORS)


def spatialdata(folder):
    write_spatialdata_store(folder / "slide.zarr", CORNERS, VECTORS)


def stamp(folder):
    um = (CORNERS * 0.5).astype(np.float32)
    write_stamp(folder / "slide.h5", um, VECTORS, **STAMP_2_1)


def parquet(folder):
    names = ("minx", "miny", "width", "height")
    write_table(folder / "slide.parquet", CORNERS, VALUES, names=names)


def attention(folder):
    write_attention(folder / "slide_blockmap.h5", CORNERS, VALUES[None])
    (folder / "patches").mkdir()
    write_clam_coordinates(folder / "patches" / "slide.h5", CORNERS)


WRITERS = [
    *(trident, clam, tensor, atlaspatch, slide2vec),
    *(spatialdata, stamp, parquet, attention),
]


def opened(app, place=0):
    app.features.open(app.features.choice.options[place])
    assert said(app) == ""
    return app.overlays.overlays[-1]


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS, ids=lambda each: each.__name__)
def test_a_listed_file_opens_with_each_tile_in_its_place(begin, folder, write):
    write(folder)
    app = begin()
    shown = opened(app)
    assert len(app.features.choice.options) == 1
    found = [shown.features.nearest(*centre) for centre in centres()]
    assert found == list(range(len(CORNERS)))
    np.testing.assert_allclose(shown.features.boxes[:, :2], CORNERS, atol=0.01)
    if shown.features.scores is None:
        assert shown.channel.value == COMPONENTS
        layer = shown.handle.layer
        assert all(layer.value_at(*centre) for centre in centres())
        vectors = np.asarray(shown.features.vectors[:], float)
        np.testing.assert_allclose(vectors, VECTORS, atol=1e-3)
    else:
        for centre, value in zip(centres(), VALUES, strict=True):
            assert shown.handle.layer.value_at(*centre) == pytest.approx(value)


@pytest.mark.slow
def test_what_a_file_leaves_open_is_asked_for_one_after_the_other(begin, folder):
    write_table(folder / "slide.csv", CORNERS, VALUES, names=("x", "y"))
    app = begin()
    app.features.open(app.features.choice.value)
    question = app.features.question
    assert (question.asked, app.overlays.overlays) == (True, [])
    assert "unit of its coordinates is not stored" in str(question._sentence.object)
    assert str(folder) not in str(question._sentence.object)
    question.answer()  # nothing is chosen yet
    assert question.asked
    assert list(question.choice.options) == ["level-0 pixels", "micrometres"]
    question.choice.value = "px"
    question.answer()
    assert "size of a tile is not stored" in str(question._sentence.object)
    question.number.value = "wide"
    with pytest.raises(WorkbenchError, match="'wide' is not a number of pixels"):
        question.answer()
    question.number.value = str(SIDE)
    question.answer()
    assert not question.asked
    (shown,) = app.overlays.overlays
    assert shown.handle.layer.value_at(*centres()[1]) == pytest.approx(0.9)


@pytest.mark.slow
def test_one_of_several_encoders_is_asked_for(begin, folder):
    write_atlaspatch(folder / "slide.h5", CORNERS, uni=VECTORS, conch=VECTORS[:, :2])
    app = begin()
    app.features.open(app.features.choice.value)
    question = app.features.question
    assert list(question.choice.options) == ["conch", "uni"]
    question.choice.value = "conch"
    question.answer()
    assert app.overlays.overlays[0].features.dimensions == 2


@pytest.mark.slow
def test_the_file_of_coordinates_is_asked_for(begin, folder):
    (folder / "deep" / "down" / "vectors").mkdir(parents=True)
    torch.save(
        torch.from_numpy(VECTORS), folder / "deep" / "down" / "vectors" / "slide.pt"
    )
    write_trident(folder / "slide_patches.h5", CORNERS)
    app = begin()
    app.features.open(app.features.choice.value)
    question = app.features.question
    label = next(each for each in question.choice.options if "coordinates" in each)
    question.choice.value = question.choice.options[label]
    question.answer()
    (shown,) = app.overlays.overlays
    np.testing.assert_array_equal(shown.features.boxes[:, :2], CORNERS)


def test_coordinates_beside_the_served_folder_are_not_read(begin, folder):
    for outside in (folder.parent, folder.parent.parent):
        (outside / "patches").mkdir()
        write_trident(outside / "patches" / "slide_patches.h5", CORNERS)
    torch.save(torch.from_numpy(VECTORS), folder / "slide.pt")
    (folder / "patches").mkdir()
    link = folder / "patches" / "slide_patches.h5"
    link.symlink_to(folder.parent / "patches" / "slide_patches.h5")
    app = begin()
    app.features.open(app.features.choice.value)
    assert app.features.question.asked
    assert app.overlays.overlays == []
    link.unlink()
    write_trident(link, CORNERS)
    app.features.open(app.features.choice.value)
    assert len(app.overlays.overlays) == 1


@pytest.mark.slow
def test_an_answer_that_names_no_listed_file_is_refused(begin, folder, tmp_path):
    torch.save(torch.from_numpy(VECTORS), folder / "slide.pt")
    secret = write_trident(tmp_path / "secret.h5", CORNERS)
    app = begin()
    app.features.open(app.features.choice.value)
    for name in (str(secret), "../secret.h5"):
        app.features.question._answered(name)
        assert "is not in the served folders" in said(app)
        assert app.overlays.overlays == []


def test_features_of_another_slide_are_refused_with_the_numbers(begin, folder):
    write_trident(folder / "slide.h5", CORNERS, VECTORS, level0_width=9000)
    app = begin()
    app.features.open(app.features.choice.value)
    assert app.overlays.overlays == []
    assert "9,000 x 2,560 pixels, this one has 3,072 x 2,560" in said(app)


def damaged(folder):
    (folder / "slide.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))


def pickled(folder):
    torch.save({"run": print}, folder / "slide.pt")


def bare(folder):
    write_trident(folder / "slide.h5", CORNERS)  # listed by no layout of its own


def empty(folder):
    (folder / "slide.csv").write_text("name,stain\na,b\n")


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (damaged, "'slide.h5' cannot be used as features: it is damaged"),
        (pickled, "it holds objects that can run code"),
        (empty, "it has no columns x and y"),
    ],
    ids=["damaged", "pickled", "no place"],
)
def test_a_bad_file_gives_a_sentence(begin, folder, write, sentence):
    write(folder)
    app = begin()
    app.features.open(app.features.choice.value)
    assert sentence in said(app)
    assert str(folder) not in said(app)
    assert app.overlays.overlays == []


def test_a_file_of_coordinates_alone_is_not_listed(begin, folder):
    bare(folder)
    assert begin().features.choice.options == []


@pytest.mark.slow
def test_an_uploaded_file_is_opened_and_its_copy_deleted(begin, tmp_path):
    path = write_trident(tmp_path / "mine.h5", CORNERS, VECTORS)
    app = begin()
    app.features.upload.param.update(value=path.read_bytes(), filename="../mine.h5")
    (shown,) = app.overlays.overlays
    copy = shown.features.path
    assert copy.name == "mine.h5"
    assert copy.is_file()
    app.close()
    assert not copy.exists()


# -- scores


def scores_shown(begin, folder, values):
    names = ("minx", "miny", "width", "height")
    write_table(folder / "slide.csv", CORNERS, np.asarray(values), names=names)
    app = begin()
    return opened(app), app


def test_raw_attention_is_ranked_at_first_and_told_as_stored(begin, folder):
    shown, _ = scores_shown(begin, folder, [1e-6, 0.9, 2e-6, 3e-6, 4e-6])
    assert shown.scaling.value == RANKED
    assert (shown.window.start, shown.window.end) == (0, 100)
    assert shown.handle.reading(*centres()[3]) == "tumour 3e-06 (percentile 50)"
    assert "percentile" in str(shown._seen.object)
    shown.scaling.value = LINEAR
    assert (shown.window.start, shown.window.end) == pytest.approx((1e-6, 0.9))
    assert shown.handle.reading(*centres()[3]) == "tumour 3e-06"
    shown.channel.value = "stroma"
    assert shown.scaling.value == RANKED  # of its own values


def test_even_scores_are_shown_as_they_are(begin, folder):
    shown, _ = scores_shown(begin, folder, VALUES)
    assert shown.scaling.value == LINEAR
    assert shown.channel.options == ["tumour", "stroma"]
    assert shown.threshold.value == shown.threshold.start  # none is hidden
    slide_to(shown.threshold, 0.4)
    assert shown.handle.layer.style.threshold == 0.4
    shown.summary.value = "the highest"
    assert shown.handle.layer.style.summary == "highest"
    app_layers = [handle.layer.name for handle in shown._viewer.layers]
    assert app_layers[-1] == "tumour"


def test_the_histogram_counts_the_tiles_in_view(begin, folder):
    shown, app = scores_shown(begin, folder, VALUES)

    def counted():
        return int(re.search(r'data-values="(\d+)"', str(shown._seen.object))[1])

    assert counted() == 5
    app.viewer.viewport = Box(0, 0, 1000, 1000)
    assert counted() == 1


# -- tiles in strips


def test_strips_hold_the_highest_and_lowest_tiles_and_go_there(begin, folder):
    shown, app = scores_shown(begin, folder, VALUES)
    assert shown.strips.strips == {}  # pictures are read once they are wanted
    shown.strips._fold.active = [0]
    highest, lowest = shown.strips.strips["Highest"], shown.strips.strips["Lowest"]
    keys = [[item["key"] for item in strip.items] for strip in (highest, lowest)]
    assert keys == [["1", "4", "2", "3", "0"], ["0", "3", "2", "4", "1"]]
    assert [item["name"] for item in highest.items[:2]] == ["0.9", "0.7"]
    for number in (1, 2):  # the same tile again, too
        highest.clicked = {"key": "4", "number": number}
        assert shown.selected.tolist() == [4]
        box = app.viewer.stage.goal["box"]
        assert box == [2300 - SIDE, 100 - SIDE, 2300 + 2 * SIDE, 100 + 2 * SIDE]
    shown.channel.value = "stroma"
    assert [item["key"] for item in highest.items][:2] == ["0", "3"]


# -- vectors


def vectors_shown(begin, folder, write=trident):
    write(folder)
    app = begin()
    shown = opened(app)
    shown.channel.value = GROUPS
    slide_to(shown.number, 2)
    return shown, app


@pytest.mark.slow
def test_groups_are_a_class_overlay_with_typical_tiles(begin, folder):
    shown, _ = vectors_shown(begin, folder)
    layer = shown.handle.layer
    assert isinstance(layer, TileClassLayer)
    groups = [layer.value_at(*centre) for centre in centres()]
    assert set(groups) == {"group 1", "group 2"}
    assert groups[0] == groups[3] != groups[1]
    shown.strips._fold.active = [0]
    names = [
        item["name"] for item in shown.strips.strips["Typical of each group"].items
    ]
    assert names == ["group 1", "group 2"]


def test_a_lasso_in_the_map_outlines_its_tiles_and_a_click_marks_its_tile(
    begin, folder
):
    shown, app = vectors_shown(begin, folder)
    app.viewer.tap = tuple(centres()[2])
    assert shown.selected.tolist() == []  # neither the map is open, nor compared
    shown.map._fold.active = [0]
    points = shown.map.points
    assert points.shape == (5, 2)
    shown.map.scatter.drawn = shapely.MultiPoint(points[[1, 4]]).buffer(1e-3)
    assert shown.selected.tolist() == [1, 4]
    assert isinstance(app.viewer.layers[-1].layer, TileOutlineLayer)
    assert "2 tiles outlined" in str(shown.outlined.text.object)
    app.viewer.tap = tuple(CORNERS[2].tolist())
    assert shown.selected.tolist() == [2]
    marked = shown.map.scatter._chosen.data
    assert (marked["x"][0], marked["y"][0]) == pytest.approx(tuple(points[2]))
    app.viewer.tap = (3000, 2500)  # no tile
    assert shown.selected.tolist() == [2]
    shown.select([])
    assert not any(isinstance(h.layer, TileOutlineLayer) for h in app.viewer.layers)


def test_points_of_the_map_have_the_colours_of_the_slide(begin, folder):
    shown, _ = vectors_shown(begin, folder)
    shown.map._fold.active = [0]
    entries = dict(shown.handle.layer.entries)
    expected = [entries[shown.handle.layer.value_at(*centre)] for centre in centres()]
    assert shown.map.scatter._source.data["colour"] == expected


@pytest.mark.slow
def test_a_click_compares_all_tiles_with_one(begin, folder):
    shown, app = vectors_shown(begin, folder)
    shown.channel.value = ALIKE
    assert shown.scores is None
    assert shown._hint.visible
    shown.strips._fold.active = [0]
    app.viewer.tap = tuple(centres()[1])
    wide = VECTORS.astype(float)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    for centre, expected in zip(centres(), wide @ wide[1], strict=True):
        assert shown.handle.layer.value_at(*centre) == pytest.approx(expected, abs=1e-6)
    keys = [int(item["key"]) for item in shown.strips.strips["Most alike"].items]
    assert keys == np.argsort(-(wide @ wide[1]), kind="stable").tolist()
    assert "similarity 1" in str(shown.outlined.text.object)


def test_features_that_are_removed_leave_nothing_on_the_slide(begin, folder):
    shown, app = vectors_shown(begin, folder)
    before = len(app.viewer.layers)
    shown.select([0])
    app.overlays.remove(shown)
    assert len(app.viewer.layers) == before - 1
    app.viewer.tap = tuple(centres()[1])
    assert app.overlays.overlays == []


@pytest.mark.slow
def test_a_file_that_is_shown_already_is_not_shown_twice(begin, folder):
    shown, app = vectors_shown(begin, folder)
    app.features.open(app.features.choice.value)
    assert app.overlays.overlays == [shown]
    assert app.overlays.address()["overlays"] == ()  # runs alone
    again = FileSource(open_features(folder / "slide.h5", app.slide), "other")
    assert app.overlays.show_features(again) is not shown


def test_an_overlay_is_shown_beside_in_place_of_here_and_comes_back(begin, folder):
    shown, app = scores_shown(begin, folder, VALUES)
    app.overlays.compare(shown)
    (beside,) = app.compare.beside
    there = beside.viewer.layers[-1]
    assert (shown.handle.visible, there.visible) == (False, True)
    assert app.viewer.lock == beside.viewer.lock != ""
    shown.channel.value = "stroma"
    shown.opacity.value = 0.3
    assert (there.layer.name, there.opacity) == ("stroma", 0.3)
    shown.visible.value = False
    assert not there.visible
    shown.visible.value = True
    assert app.compare.address()["beside"] == ()  # an address names slides alone
    app.compare.remove(beside)
    assert shown.handle.visible
    assert not shown.compare.disabled
    app.overlays.compare(shown)
    app.overlays.remove(shown)
    assert app.compare.beside == []


# -- in the address


@pytest.mark.slow
def test_a_link_shows_the_files_again_as_they_were(begin, folder):
    write_table(folder / "slide.csv", CORNERS, VALUES, names=("x", "y"))
    write_trident(folder / "slide.h5", CORNERS, VECTORS)
    first = begin()
    first.features.open("table · slide.csv")
    first.features.question._answered("px")
    first.features.question._answered(512.0)
    scores = first.overlays.overlays[0]
    scores.channel.value, scores.opacity.value = "stroma", 0.3
    first.features.open("TRIDENT · slide.h5")
    vectors = first.overlays.overlays[1]
    vectors.channel.value = ALIKE
    first.viewer.tap = tuple(centres()[3])
    query = first.url_sync.address.query
    assert str(folder) not in query
    app = begin()
    app.begin_at(Address.parse(query))
    again, alike = app.overlays.overlays
    assert (again.key, again.channel.value) == ("slide.csv", "stroma")
    assert again.opacity.value == 0.3
    assert again.features.boxes[0].tolist() == [100, 40, 612, 552]
    assert alike.channel.value == ALIKE
    assert alike.handle.layer.value_at(*centres()[3]) == pytest.approx(1)
    assert app.url_sync.address.query == query


@pytest.mark.slow
def test_a_link_opens_no_file_that_is_not_listed(begin, folder, tmp_path):
    secret = write_trident(tmp_path / "slide_secret.h5", CORNERS, VECTORS)
    write_trident(folder / "slide.h5", CORNERS, VECTORS)
    app = begin()
    looks = [
        FeaturesLook(run=name, channel="", colours="", opacity=1, threshold=0)
        for name in (str(secret), "../slide_secret.h5", "slide.tif", "gone.h5")
    ]
    app.begin_at(Address(slide="slide.tif", features=tuple(looks)))
    assert (app.overlays.overlays, said(app)) == ([], "")
    app.features.upload.param.update(value=secret.read_bytes(), filename="mine.h5")
    assert len(app.overlays.overlays) == 1
    assert app.url_sync.address.features == ()


# -- like tiles of other slides


@pytest.fixture
def study(picture, folder):
    """Three slides, each with a file of vectors; one vector is in all of them."""
    for number, name in enumerate(("slide", "other", "third")):
        if name != "slide":
            (folder / f"{name}.tif").hardlink_to(picture)
        vectors = np.roll(VECTORS, number, axis=0) + number / 50
        vectors[number] = VECTORS[1] * (1 + number)
        (folder / "uni").mkdir(exist_ok=True)
        write_trident(folder / "uni" / f"{name}.h5", CORNERS, vectors)
    (folder / "empty.tif").hardlink_to(picture)
    return folder


def others_shown(begin):
    app = begin()
    app.features.open("TRIDENT · uni/slide.h5")
    (shown,) = app.overlays.overlays
    shown.others.fold.active = [0]
    return app, shown


@pytest.mark.usefixtures("study")
@pytest.mark.slow
def test_an_index_is_made_and_other_slides_are_searched(begin):
    app, shown = others_shown(begin)
    others = shown.others
    assert "no index of this encoder yet" in str(others.state.object)
    others.start.clicks += 1
    assert "15 tiles of 3 slides" in str(others.state.object)
    assert "Slides without a file of this encoder: 1." in str(others.state.object)
    shown.select([0])  # the vector that all have
    assert [each.slide for each in others.hits][:1] != ["slide.tif"]
    assert {each.slide for each in others.hits} == {"other.tif", "third.tif"}
    wanted = next(each for each in others.hits if each.slide == "third.tif")
    assert wanted.similarity == pytest.approx(1, abs=1e-3)
    assert wanted.places[0].row == 2
    assert wanted.places[0].file == "uni/third.h5"
    assert all(item["url"].startswith("data:image/jpeg") for item in wanted.items)
    shown.channel.value = ALIKE
    others._go_to(wanted.places[0])
    assert app.slides.chosen == "third.tif"
    assert (app.viewer.view.x, app.viewer.view.y) == tuple(centres()[2])
    (there,) = app.overlays.overlays
    assert (there.key, there.channel.value) == ("uni/third.h5", ALIKE)
    assert there.handle.layer.value_at(*centres()[2]) == pytest.approx(1)
    assert there.others is not None
    again, found = others_shown(begin)  # another session finds the index
    assert found.others.index is not None
    again.viewer.tap = tuple(centres()[0])
    assert {each.slide for each in found.others.hits} == {"other.tif", "third.tif"}


@pytest.mark.slow
def test_an_index_beside_the_slides_is_taken_and_none_from_elsewhere(
    begin, study, tmp_path
):
    files = [open_features(path) for path in sorted((study / "uni").glob("*.h5"))]
    build_index(files, tmp_path / "outside")
    (study / "linked").symlink_to(tmp_path / "outside")
    (study / "inner").mkdir()
    for each in (tmp_path / "outside").iterdir():
        (study / "inner" / each.name).symlink_to(each)
    _, shown = others_shown(begin)
    assert shown.others.index is None
    other = write_trident(tmp_path / "slide.h5", CORNERS, VECTORS, encoder="conch")
    build_index([open_features(other)], study / "conch")
    build_index(files[:1], study / "uni" / "index")
    _, shown = others_shown(begin)
    assert shown.others.index.path == study / "uni" / "index"
    shown.select([1])
    assert [each.slide for each in shown.others.hits] == ["other.tif"]


@pytest.mark.slow
def test_slides_of_one_name_are_searched_by_their_folders(begin, picture, folder):
    write_trident(folder / "slide.h5", CORNERS, VECTORS)
    for name in ("left", "right", "stray"):
        (folder / name / "uni").mkdir(parents=True)
        write_trident(folder / name / "uni" / "x.h5", CORNERS, VECTORS)
    for name in ("left", "right"):
        (folder / name / "x.tif").hardlink_to(picture)
    listed = find_feature_files([folder], "left/x.tif", ["left/x.tif", "right/x.tif"])
    assert [file.name for file in listed] == ["left/uni/x.h5", "stray/uni/x.h5"]
    app = begin()
    app.features.open("TRIDENT · slide.h5")
    (shown,) = app.overlays.overlays
    shown.others.fold.active = [0]
    shown.others.start.clicks += 1
    shown.select([0])
    hits = shown.others.hits
    assert {each.slide for each in hits} == {"left/x.tif", "right/x.tif"}
    files = {each.slide: each.places[0].file for each in hits}
    assert files["right/x.tif"] == "right/uni/x.h5"


@pytest.mark.slow
def test_runs_of_slides_of_one_name_are_told_apart_by_their_content(tmp_path):
    options = {"model": "tissue-features", "tissue_only": False, "progress": False}
    for side, name in enumerate(("left", "right"), 1):
        (tmp_path / "slides" / name).mkdir(parents=True)
        path = tmp_path / "slides" / name / "x.tif"
        write_stained(path, width=512, height=256 * side)
        with wb.open_slide(path) as slide:
            run = wb.run(slide, out=tmp_path / "runs" / name, **options)
    site = Site.of([tmp_path / "slides"], tmp_path / "runs")
    indexes = IndexLibrary(site.library, site.run_library)
    features = open_features(run.path)
    index, _ = indexes.build(features, {})
    assert set(index.slides) == {"left/x.tif", "right/x.tif"}
    assert indexes.own_name(index, features) == "right/x.tif"
    assert indexes.served(index) == {name: name for name in index.slides}
    (tmp_path / "slides" / "left" / "x.tif").rename(tmp_path / "slides" / "y.tif")
    site = Site.of([tmp_path / "slides"], tmp_path / "runs")
    indexes = IndexLibrary(site.library, site.run_library)
    assert set(indexes.served(index)) == {"right/x.tif"}


@pytest.mark.usefixtures("study")
def test_the_making_of_an_index_is_cancelled(begin, monkeypatch):
    _, shown = others_shown(begin)
    monkeypatch.setattr("workbench.app.widgets.work_line._DELAY_S", 0.0)
    monkeypatch.setattr(
        shown.others.work, "_show", lambda *_: shown.others.work.cancel()
    )
    shown.others.start.clicks += 1
    assert shown.others.index is None
    assert shown.others.start.visible
    assert not shown.others.work.busy


# -- text prompts


@pytest.mark.slow
def test_texts_are_classes_of_the_tiles(begin, folder, tmp_path, monkeypatch):
    place = tmp_path / "models" / "plip"
    place.mkdir(parents=True)
    write_weights(place / "weights.safetensors", clip_text())
    write_tokenizer(place / "tokenizer.json")
    card = {"name": "plip", "weights": "weights.safetensors"}
    (place / "card.json").write_text(json.dumps(card))
    monkeypatch.setenv("WORKBENCH_MODELS", str(tmp_path / "models"))
    vectors = load_text_encoder("plip").encode(["tumour", "stroma"])
    write_trident(folder / "slide.h5", CORNERS, vectors[[0, 1, 1, 0, 1]])
    app = begin()
    shown = opened(app)
    assert shown.prompts.possible
    with pytest.raises(WorkbenchError, match="0 texts"):
        shown.prompts.score()
    shown.prompts.texts.value = "tumour\n\n stroma \ntumour"
    shown.prompts.start.clicks += 1
    assert shown.channel.value == LIKELIEST
    found = [shown.handle.layer.value_at(*centre) for centre in centres()]
    assert found == ["tumour", "stroma", "stroma", "tumour", "stroma"]
    shown.channel.value = "text: stroma"
    assert shown.handle.layer.value_at(*centres()[1]) > 0.5
    shown.prompts.texts.value = "a tumour"
    shown.prompts.start.clicks += 1
    assert shown.channel.value == "text: a tumour"
    assert shown.scores.values.min() < 0.99


@pytest.mark.slow
def test_without_a_text_tower_there_are_no_prompts(begin, folder, monkeypatch):
    monkeypatch.setenv("WORKBENCH_MODELS", str(folder / "none"))
    shown, _ = vectors_shown(begin, folder)
    assert not shown.prompts.possible
    assert shown.prompts not in shown._folds()


@pytest.mark.slow
def test_the_map_is_one_of_components_or_umap(begin, folder):
    shown, _ = vectors_shown(begin, folder)
    shown.map._fold.active = [0]
    assert "Principal components." in str(shown.map._shown.object)
    if len(shown.map.method.options) == 1:
        pytest.skip("umap-learn is not installed")
    shown.map.method.value = UMAP
    assert "UMAP." in str(shown.map._shown.object)
    assert np.isfinite(shown.map.points).all()
