"""Stains in the app: what is painted is what was computed, whatever is chosen."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from app_page import AppPage
from browser import IN_A_PAGE, app_served
from stained_slide import write_stained
from workbench.app.panels.stain.state import layer_of
from workbench.geometry import Box
from workbench.layers.recoloured import difference_picture
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import REFERENCES, Reference, load_reference
from workbench.stain.slide_fit import fit_slide
from workbench.synthetic import write_slide

pytestmark = IN_A_PAGE

FIRST, SECOND = "a-first.tif", "b-second.tif"
CENTRE = (800, 650)
BOX = Box.at(700, 550, 192, 192)
BLOCK = 8
"""Side of the blocks that are compared: JPEG is about as exact as that."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stains")
    write_stained(folder / FIRST, width=1600, height=1280)
    write_slide(folder / SECOND, size=(1280, 1280), seed=3, scanner="borealis")
    (folder / "c-broken.svs").write_bytes(b"nothing")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(folder, runs):
    with app_served(folder, runs) as address:
        yield address


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(folder / FIRST) as opened:
        yield opened


def blocks(pixels):
    """Return the means of blocks of pixels, float64 (rows, columns, 3)."""
    side = BOX.width // BLOCK
    return pixels[..., :3].reshape(side, BLOCK, side, BLOCK, 3).mean((1, 3))


def painted(app):
    """Return what the canvas shows of the box, for shifts of a pixel at most."""
    assert app.scale() == pytest.approx(1, abs=1e-6)
    left, top = (round(at) for at in app.on_canvas(BOX.x0, BOX.y0))
    canvas = app.figure.canvas()
    return [
        canvas[row : row + BOX.height, column : column + BOX.width]
        for row in range(top - 1, top + 2)
        for column in range(left - 1, left + 2)
    ]


def shows(app, expected, *, unlike=None):
    """Wait until the canvas shows these pixels in the box, block by block."""

    def check():
        apart = min(
            (np.abs(blocks(seen) - blocks(expected)) for seen in painted(app)),
            key=np.mean,
        )
        assert apart.mean() < 1, apart.mean()
        assert apart.max() < 8, apart.max()

    if unlike is not None:
        assert np.abs(blocks(expected) - blocks(unlike)).mean() > 3
    app.eventually(check)


def opened(watched, url, name=FIRST, **query):
    x, y = CENTRE
    return AppPage.open(watched, url, slide=name, at=f"{x},{y},1", **query)


def choose_reference(app, name):
    app.frame.get_by_role("radio", name=name).click()


def test_reference_method_and_look_repaint_the_slide_as_computed(watched, url, slide):
    app = opened(watched, url)
    app.tab("Stain")
    pixels = slide.read(BOX).pixels
    shows(app, pixels)
    before = pixels
    for method, reference in (
        ("macenko", "he-standard"),
        ("macenko", "he-violet"),
        ("vahadane", "he-violet"),
        ("vahadane", "he-pale"),
        ("reinhard", "he-pale"),
        ("reinhard", "he-deep"),
        ("macenko", "he-deep"),
    ):
        app.press(method)
        choose_reference(app, reference)
        normalizer = fit_normalizer(slide, load_reference(reference), method=method)
        expected = normalizer(pixels)
        unlike = before if reference != "he-deep" or method == "reinhard" else None
        shows(app, expected, unlike=unlike)
        before = expected
    app.press("difference")
    shows(app, difference_picture(pixels, before), unlike=before)
    stains = fit_slide(slide, "macenko", REFERENCES["he-deep"])
    for look in ("hematoxylin", "eosin", "residual"):
        app.press(look)
        layer = layer_of(stains, look)
        shows(app, layer._recolour(pixels), unlike=before)
    app.press("as scanned")
    shows(app, pixels, unlike=before)
    app.page.wait_for_url(re.compile(r"look=as\+scanned"))
    app.is_clean()


def test_an_address_brings_back_method_reference_and_look(watched, url, slide):
    app = opened(watched, url, normalize="vahadane", reference="he-rose", look="eosin")
    layer = layer_of(fit_slide(slide, "vahadane", REFERENCES["he-rose"]), "eosin")
    pixels = slide.read(BOX).pixels
    shows(app, layer._recolour(pixels), unlike=pixels)
    app.tab("Stain")
    chosen = app.frame.get_by_role("radio", name="he-rose")
    assert chosen.get_attribute("aria-checked") == "true"
    old = opened(watched, url, normalize="macenko", raw="1")
    shows(old, pixels)
    old.is_clean()


def look_at(app, x, y):
    """Go to a place at full size, and see that nothing leads away from it again."""
    app.frame.evaluate(
        """([x, y]) => {
          const { x_range, y_range } = probe.figure().model;
          const { width, height } = probe.canvas().getBoundingClientRect();
          x_range.setv({ start: x - width / 2, end: x + width / 2 });
          y_range.setv({ start: y + height / 2, end: y - height / 2 });
        }""",
        [x, y],
    )
    app.page.wait_for_timeout(1500)
    app.figure.settle()
    assert app.scale() == pytest.approx(1, abs=1e-6)


def test_a_region_of_another_slide_is_the_reference(watched, url, folder, slide):
    app = AppPage.open(watched, url, slide=SECOND, normalize="macenko")
    app.tab("Stain")
    app.says("Fitted to the whole slide.")
    app.page.get_by_label("Draw a box").first.click()
    app.drag(Box(400, 400, 800, 800))
    app.press("Take the drawn box")
    drawn = app.frame.get_by_role("radio", name=f"box of {SECOND}")
    drawn.wait_for()
    app.eventually(lambda: checked(drawn))
    app.tab("Slides")
    app.frame.get_by_text(FIRST).first.click()
    app.eventually(lambda: look_at(app, *CENTRE))
    with open_slide(folder / SECOND) as other:
        region = other.read(Box(400, 400, 800, 800)).pixels
    known = Reference.of_pixels(region, name="x")
    pixels = slide.read(BOX).pixels
    shows(app, fit_normalizer(slide, known)(pixels), unlike=pixels)
    app.is_clean()


def checked(radio):
    assert radio.get_attribute("aria-checked") == "true"


def test_an_uploaded_picture_and_a_saved_reference(watched, url, runs, folder, slide):
    with open_slide(folder / SECOND) as other:
        region = other.read(Box(300, 300, 900, 900)).pixels
    picture = io.BytesIO()
    Image.fromarray(region).save(picture, "PNG")
    app = opened(watched, url, normalize="macenko")
    app.tab("Stain")
    app.says("Fitted to the whole slide.")
    chosen = app.page.locator("input[type=file][accept*=image]")

    def upload(name, kind, content):
        file = {"name": name, "mimeType": kind, "buffer": content}
        chosen.set_input_files(file)

    upload("mine.png", "image/png", picture.getvalue())
    app.eventually(lambda: checked(app.frame.get_by_role("radio", name="mine.png")))
    known = Reference.of_pixels(region, name="x")
    pixels = slide.read(BOX).pixels
    normalized = fit_normalizer(slide, known)(pixels)
    shows(app, normalized, unlike=pixels)

    upload("bad.png", "image/png", b"no picture at all")
    app.says("not a readable image")
    upload("bad.json", "application/json", b'{"name": "half"}')
    app.says("bad.json")
    checked(app.frame.get_by_role("radio", name="mine.png"))
    shows(app, normalized)

    app.press("Save or download this reference")
    app.frame.get_by_label("Save it as").fill("our lab")
    app.press("Save")
    saved = app.frame.get_by_role("radio", name="our lab")
    saved.wait_for()
    (path,) = (runs / "references" / "saved").glob("*.json")
    assert load_reference(str(path)).stains == known.stains
    choose_reference(app, "he-violet")
    violet = fit_normalizer(slide, REFERENCES["he-violet"])(pixels)
    shows(app, violet, unlike=normalized)
    again = opened(watched, url, normalize="macenko", reference="saved/our-lab")
    shows(again, normalized)
    app.is_clean()


def test_the_adviser_compares_all_slides_and_its_medoid_is_taken(
    watched, url, folder, slide
):
    app = opened(watched, url)
    app.tab("Stain")
    app.press("Compare the stains of all slides")
    take = app.frame.get_by_role("button", name="Take it as the reference")
    take.wait_for()
    for name in (FIRST, SECOND, "c-broken.svs"):
        app.says(name)
    app.says(re.compile("unreadable"))
    proposed = app.frame.get_by_text("proposed as the reference").first.inner_text()
    name = FIRST if FIRST in proposed else SECOND
    take.click()
    with open_slide(folder / name) as medoid:
        aim = fit_slide(medoid, None, REFERENCES["he-rose"]).sample.histogram
    known = Reference.of_histogram(aim, name=name)
    pixels = slide.read(BOX).pixels
    shows(app, fit_normalizer(slide, known)(pixels))
    app.frame.get_by_role("radio", name=name).wait_for()
    # Bokeh measures a plot in a dialog that opens before it has laid it out, once.
    app.is_clean(but="reading 'top_panel'")
