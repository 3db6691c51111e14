"""Features of other tools over a slide, in a real browser: pixels, plots, pictures."""

from __future__ import annotations

import json
import re
import shutil
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
import torch

from app_page import NEAR, OPACITY, AppPage
from browser import IN_A_PAGE, app_served
from feature_files import (
    SIDE,
    STAMP_2_1,
    write_atlaspatch,
    write_attention,
    write_blank,
    write_clam,
    write_clam_coordinates,
    write_slide2vec,
    write_spatialdata_store,
    write_stamp,
    write_table,
    write_trident,
)
from sampling import few_of
from vision_language import clip_text, write_tokenizer, write_weights
from workbench.geometry import Box
from workbench.layers.colormaps import class_colour, colours
from workbench.models import load_text_encoder

pytestmark = IN_A_PAGE

GLASS = 240
CORNERS = np.array([(100, 40), (1111, 707), (2000, 1900), (400, 1300), (2300, 100)])
"""Tiles that are on no grid."""

MIDDLE = tuple((CORNERS[1] + SIDE // 2).tolist())
VALUES = np.array([0.1, 0.9, 0.5, 0.3, 0.7])
ANGLES = np.array([0.0, 1.4, 0.6, 0.3, 1.0])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
LOWEST_SHOWN = 0.02
TEXTS = ["tumour", "stroma of the lung"]
IS_STROMA = np.array([0, 1, 1, 0, 1])


# -- scores and vectors of the same tiles, as each tool writes them


def attention(folder, stem):
    write_attention(folder / f"{stem}_blockmap.h5", CORNERS, VALUES[None])


def csv(folder, stem):
    write_table(folder / f"{stem}.csv", CORNERS, VALUES)


def parquet(folder, stem):
    names = ("minx", "miny", "width", "height")
    write_table(folder / f"{stem}.parquet", CORNERS, VALUES, names=names)


def h5_table(folder, stem):
    names = ("x_px", "y_px", "width_px", "height_px")
    write_table(folder / f"{stem}.h5", CORNERS, VALUES, names=names)


def lazyslide(folder, stem):
    scores = pd.DataFrame({"tumour": VALUES, "stroma": 1 - VALUES})
    path = write_spatialdata_store(
        folder / f"{stem}.zarr", CORNERS, VECTORS, prompts=scores
    )
    assert path.is_dir()


def trident(folder, stem):
    write_trident(folder / f"{stem}.h5", CORNERS, VECTORS)


def clam(folder, stem):
    for name in ("patches", "h5_files"):
        (folder / name).mkdir()
    write_clam_coordinates(folder / "patches" / f"{stem}.h5", CORNERS)
    write_clam(folder / "h5_files" / f"{stem}.h5", CORNERS, VECTORS)


def tensor(folder, stem):
    for name in ("patches", "pt_files"):
        (folder / name).mkdir()
    write_clam_coordinates(folder / "patches" / f"{stem}.h5", CORNERS)
    torch.save(torch.from_numpy(VECTORS), folder / "pt_files" / f"{stem}.pt")


def stamp(folder, stem):
    um = (CORNERS * 0.5).astype(np.float32)
    write_stamp(folder / f"{stem}.h5", um, VECTORS.astype(np.float16), **STAMP_2_1)


def atlaspatch(folder, stem):
    write_atlaspatch(folder / f"{stem}.h5", CORNERS, uni=VECTORS)


def slide2vec(folder, stem):
    write_slide2vec(folder, CORNERS, VECTORS)
    for path in sorted(folder.glob("*/slide.*")):
        path.rename(path.with_name(path.name.replace("slide", stem, 1)))


SCORES = [attention, csv, parquet, h5_table, lazyslide]
VECTOR_FILES = [trident, clam, tensor, stamp, atlaspatch, slide2vec]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(tmp_path_factory, runs):
    """Serve a blank slide for each format, with its file in a folder of its own."""
    root = tmp_path_factory.mktemp("features")
    for write in (*SCORES, *VECTOR_FILES):
        name = write.__name__
        (root / name).mkdir()
        write_blank(root / f"{name}.tif")
        write(root / name, name)
    write_blank(root / "many.tif")
    write_many(root / "many.h5")
    write_blank(root / "twin.tif")
    write_many(root / "twin.h5", turned=True)
    write_blank(root / "texts.tif")
    models = tmp_path_factory.mktemp("models")
    write_texts(root / "texts.h5", models / "plip")
    write_blank(root / "bad.tif")
    (root / "bad_half.h5").write_bytes((root / "many.h5").read_bytes()[:3000])
    with app_served(root, runs, env={"WORKBENCH_MODELS": str(models)}) as address:
        yield address


def write_texts(path, model):
    """Write tiles whose vectors are those of two texts, by a small made text tower."""
    model.mkdir()
    write_weights(model / "weights.safetensors", clip_text())
    write_tokenizer(model / "tokenizer.json")
    card = {"name": "plip", "weights": "weights.safetensors"}
    (model / "card.json").write_text(json.dumps(card))
    texts = load_text_encoder(model / "weights.safetensors").encode(TEXTS)
    write_trident(path, CORNERS, texts[IS_STROMA], encoder="plip")


def write_many(path, *, turned=False):
    """Write tiles of two kinds in two columns, of different vectors."""
    rows = np.arange(6)
    corners = np.array([(x, 400 * row) for x in (200, 1600) for row in rows])
    rng = np.random.default_rng(1)
    kinds = np.repeat([0, 1], 6)
    kinds = 1 - kinds if turned else kinds
    vectors = np.eye(4)[kinds * 2] + rng.normal(size=(12, 4)) / 40
    sizes = {"patch_size_level0": 384, "patch_size": 384}
    write_trident(path, corners, vectors.astype(np.float32), **sizes)
    return corners, vectors


class Page(AppPage):
    """The app with the tab of results."""

    @classmethod
    def of(cls, watched, url, slide):
        app = cls.open(watched, url, slide=slide)
        app.tab("Results")
        return app

    def open_listed(self, line):
        self.says(line)
        self.press("Open")

    def unfold(self, title):
        self.frame.get_by_role("button", name=title, exact=True).click()

    def drag_handle(self, label, share):
        """Click on the track of a slider."""
        slider = self.frame.get_by_role("slider", name=label).first
        box = slider.locator("xpath=ancestor::*[contains(@class,'MuiSlider-root')]")
        place = box.first.bounding_box()
        x = place["x"] + share * place["width"]
        self.page.mouse.click(x, place["y"] + place["height"] / 2)

    def show_two_groups(self):
        self.choose("Show", "groups of tiles")
        self.frame.get_by_role("menuitem").first.wait_for(state="detached")
        self.says("group 5")
        self.drag_handle("Groups", 0.0)
        self.frame.get_by_text("group 5").first.wait_for(state="detached")

    def paints(self, wanted):
        """Wait until boxes have their colours, and the glass around each is bare."""

        def check():
            colour = self.snapshot()
            for (x, y), shade in wanted.items():
                inside = Box(x + 12, y + 12, x + SIDE - 12, y + SIDE - 12)
                expected = (1 - OPACITY) * GLASS + OPACITY * np.asarray(shade, float)
                assert np.abs(colour(inside) - expected).max() < NEAR, (x, y)
                for beside in edges_of(x, y):
                    assert np.abs(colour(beside) - GLASS).max() < NEAR, beside

        self.eventually(check)

    def left_half(self):
        """Return the corners of the left half of the map of vectors on the page."""
        return self.frame.evaluate(
            """() => {
              const walk = (v) => [v, ...(v.children?.() ?? []).flatMap(walk)];
              const plots = [...Bokeh.index].flatMap(walk);
              const map = plots.find((v) => v.model.type === "Figure"
                && v.model.below[0]?.axis_label === "component 1");
              if (!map?.frame.bbox.width) return null;
              const { left, top } = map.canvas_view.el.getBoundingClientRect();
              const { x0, y0, y1 } = map.frame.bbox;
              const middle = map.frame.x_scale.compute(0);
              return [left + x0 + 3, top + y0 + 3, left + middle, top + y1 - 3];
            }"""
        )

    def outlined(self):
        """Return which tiles of `many` have a yellow line along their left edge."""
        colour = self.snapshot()
        found = []
        for x in (200, 1600):
            for row in range(6):
                line = Box(x + 1, 400 * row + 60, x + 7, 400 * row + 320)
                red, green, blue = colour(line)
                if red > 150 and green > 130 and blue < 100:
                    found.append((x, 400 * row))
        return found


def edges_of(x, y):
    """Return thin boxes around a tile, a little outside of its edges."""
    far = SIDE + 12
    return [
        Box(x - 22, y + 100, x - 12, y + 400),
        Box(x + far, y + 100, x + far + 10, y + 400),
        Box(x + 100, y - 22, x + 400, y - 12),
        Box(x + 100, y + far, x + 400, y + far + 10),
    ]


def shades(values, low, high):
    table = colours("viridis", 255)
    places = np.rint((np.clip(values, low, high) - low) / (high - low) * 254)
    return table[places.astype(int)]


ASKED = {"attention": (), "csv": ("level-0 pixels",), "lazyslide": ("prompts",)}
"""What is chosen for what a file leaves open."""

TITLES = {"attention": "attention", "h5_table": "stroma"}
"""First score; HDF5 has its names in the order of the alphabet."""


def each_of(writers, *, few):
    """Try each format; `make test` a few, as all are drawn in tests/layers too."""
    cases = few_of(writers, few, attrgetter("__name__"))
    return pytest.mark.parametrize("write", cases, ids=attrgetter("__name__"))


@each_of(SCORES, few=("attention",))
def test_foreign_scores_lie_where_the_tool_meant_them(watched, url, write):
    name = write.__name__
    app = Page.of(watched, url, f"{name}.tif")
    app.open_listed(re.compile(rf"{name}/{name}"))
    for option in ASKED.get(name, ()):
        app.choose(re.compile("Unit|Encoder"), option)
        app.press("Place the tiles")
    if name == "attention":
        app.fill("Side of a tile", str(SIDE))
        app.press("Place the tiles")
    values, title = (VALUES, TITLES.get(name, "tumour"))
    if title == "stroma":
        values = 1 - values
    wanted = shades(values, values.min(), values.max())
    app.paints(dict(zip(map(tuple, CORNERS.tolist()), wanted, strict=True)))
    app.page.mouse.move(*app.figure.screen(*MIDDLE))
    app.says(re.compile(rf"{title} {values[1]:.4g}\b"))
    app.is_clean()


@each_of(VECTOR_FILES, few=("atlaspatch",))
def test_likeness_of_foreign_vectors_lies_in_the_tiles_of_the_tool(watched, url, write):
    name = write.__name__
    app = Page.of(watched, url, f"{name}.tif")
    app.open_listed(re.compile(rf"{name}/.*{name}"))
    app.says(re.compile("5 tiles, "))
    app.figure.settle()
    app.choose("Show", "like one tile")
    app.frame.get_by_role("menuitem").first.wait_for(state="detached")
    app.says("Click a tile on the slide to see which others are like it.")
    similar = app.frame.get_by_text("1 tile outlined: similarity 1")

    def compared():
        # A menu that is still open takes the first click.
        app.page.mouse.click(*app.figure.screen(*MIDDLE))
        app.page.wait_for_timeout(500)
        assert similar.count()

    app.eventually(compared)
    app.frame.get_by_role("button", name="Clear the outlines").click()
    likeness = np.cos(ANGLES - ANGLES[1])
    wanted = shades(likeness, np.quantile(likeness, LOWEST_SHOWN), 1.0)
    app.paints(dict(zip(map(tuple, CORNERS.tolist()), wanted, strict=True)))
    app.is_clean()


def test_a_lasso_in_the_map_outlines_its_tiles_and_a_click_marks_one(watched, url):
    app = Page.of(watched, url, "many.tif")
    app.open_listed("TRIDENT · many.h5")
    app.show_two_groups()
    app.says("group 2")
    app.unfold("Map of the vectors")
    left, top, right, bottom = app.eventually(lambda: _there(app.left_half()))
    mouse = app.page.mouse
    mouse.move(left, top)
    mouse.down()
    for place in ((right, top), (right, bottom), (left, bottom), (left, top)):
        mouse.move(*place, steps=5)
    mouse.up()
    app.says("6 tiles outlined")
    one = app.eventually(lambda: _whole(app.outlined()))
    app.page.mouse.click(*app.figure.screen(1600 + 190, 800 + 190))
    app.says("1 tile outlined")
    assert app.eventually(lambda: _whole(app.outlined(), 1)) == [(1600, 800)]
    assert len({x for x, _ in one}) == 1  # one kind of tiles is one column
    app.is_clean()


def _there(place):
    assert place is not None
    return place


def _whole(found, count=6):
    assert len(found) == count, found
    return found


def test_a_picture_in_a_strip_leads_to_its_tile_each_time(watched, url):
    app = Page.of(watched, url, "many.tif")
    app.open_listed("TRIDENT · many.h5")
    app.show_two_groups()
    app.unfold("Tiles")
    picture = app.frame.get_by_role("button", name=re.compile("^group 2, tile at"))
    label = picture.get_attribute("aria-label")
    x, y = (int(each.replace(",", "")) for each in re.findall(r"[\d,]*\d", label)[1:])
    for _ in range(2):
        picture.click()

        def near(x=x, y=y):
            assert app.scale() > 0.5
            where = app.on_canvas(x + 192, y + 192)
            canvas = app.figure.canvas()
            middle = canvas.shape[1] / 2, canvas.shape[0] / 2
            assert np.abs(np.subtract(where, middle)).max() < 40

        app.eventually(near)
        app.page.keyboard.press("0")
        app.eventually(lambda: _far(app))
    app.is_clean()


def test_a_like_tile_of_another_slide_is_opened_and_kept_in_the_address(
    watched, url, runs
):
    shutil.rmtree(runs / "indexes", ignore_errors=True)
    app = Page.of(watched, url, "many.tif")
    app.open_listed("TRIDENT · many.h5")
    app.unfold("Like this in other slides")
    app.says("There is no index of this encoder yet")
    app.press("Index all slides")
    app.says(re.compile("Index of 24 tiles of 2 slides"))
    app.page.mouse.click(*app.figure.screen(200 + 190, 800 + 190))
    app.says("1 tile outlined")
    app.says(re.compile("twin.tif: cosine up to"))
    picture = app.frame.get_by_role(
        "button", name=re.compile(r"^[01]\.\d{3}, tile at")
    ).first
    label = picture.get_attribute("aria-label")
    x, y = (int(each.replace(",", "")) for each in re.findall(r"[\d,]*\d", label)[2:])
    assert x == 1600  # where tiles of this kind lie there
    picture.click()
    app.page.wait_for_url(re.compile("slide=twin.tif.*features=twin.h5"))
    app.figure.settle()
    app.says("TRIDENT, 12 tiles")

    def near():
        canvas = app.figure.canvas()
        middle = canvas.shape[1] / 2, canvas.shape[0] / 2
        assert np.abs(np.subtract(app.on_canvas(x + 192, y + 192), middle)).max() < 40

    app.eventually(near)
    app.page.reload()
    app.figure.settle()
    app.tab("Results")
    app.says("TRIDENT, 12 tiles")
    app.is_clean()


def test_text_prompts_are_classes_on_the_tiles_of_the_tool(watched, url):
    app = Page.of(watched, url, "texts.tif")
    app.open_listed("TRIDENT · texts.h5")
    app.unfold("Text prompts")
    app.frame.get_by_label("Prompts, one a line").fill("\n".join(TEXTS))
    app.press("Score the tiles")
    app.says(re.compile("likeliest text"))
    shades = [class_colour(kind) for kind in IS_STROMA]
    app.paints(dict(zip(map(tuple, CORNERS.tolist()), shades, strict=True)))
    app.is_clean()


def _far(app):
    assert app.scale() < 0.5


def test_a_bad_file_gives_a_sentence_and_nothing_else(watched, url):
    app = Page.of(watched, url, "bad.tif")
    app.open_listed("unknown layout · bad_half.h5")
    app.says(re.compile("'bad_half.h5' cannot be used as features: it is damaged"))
    assert app.frame.get_by_label("Remove").count() == 0
    app.is_clean()


def test_an_uploaded_file_of_another_slide_is_refused(watched, url, tmp_path):
    path = tmp_path / "mine.h5"
    write_trident(path, CORNERS, VECTORS, level0_width=9000)
    app = Page.of(watched, url, "bad.tif")
    app.says("bad_half.h5")
    app.page.locator("input[type=file]").first.set_input_files(path)
    app.says(re.compile("'mine.h5' .*9,000 x 2,560 pixels, this one has 3,072 x 2,560"))
    write_trident(path, CORNERS, VECTORS)
    app.page.locator("input[type=file]").first.set_input_files(path)
    app.says("TRIDENT, 5 tiles")
    app.is_clean()
