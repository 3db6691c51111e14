"""Channels in the app: what is painted is the composite that was chosen."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from app_page import AppPage
from browser import IN_A_PAGE, app_served
from made_channels import made_values, write_ome

pytestmark = IN_A_PAGE

NAMES = ["DAPI", "CD3", "CK"]
COLOURS = [65535, 16711935, -16776961]
"""Blue, green and red, as OME-XML has them."""

BOX = wb.Box.at(400, 300, 192, 192)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("channels")
    values = made_values(3, 900, 1100)
    write_ome(folder / "a.ome.tif", values, names=NAMES, colours=COLOURS, levels=3)
    return folder


@pytest.fixture(scope="module")
def url(folder, tmp_path_factory):
    with app_served(folder, tmp_path_factory.mktemp("runs")) as address:
        yield address


def painted(app):
    """Return what the canvas shows of the box, in blocks of 8 pixels."""
    left, top = (round(at) for at in app.on_canvas(BOX.x0, BOX.y0))
    canvas = app.figure.canvas()[top : top + BOX.height, left : left + BOX.width, :3]
    return canvas.reshape(24, 8, 24, 8, 3).mean((1, 3))


def shows(app, slide):
    """Wait until the canvas shows the composite of a slide."""
    assert app.scale() == pytest.approx(1, abs=1e-6)
    expected = slide.read(BOX).pixels.reshape(24, 8, 24, 8, 3).mean((1, 3))

    def check():
        apart = np.abs(painted(app) - expected)
        assert apart.mean() < 3, apart.mean()

    app.eventually(check)


_GREEN_OF_MAP = """() => {
  const map = probe.stage().querySelector(".minimap canvas");
  const { data } = map.getContext("2d").getImageData(0, 0, map.width, map.height);
  let sum = 0;
  for (let i = 1; i < data.length; i += 4) sum += data[i];
  return (4 * sum) / data.length;
}"""


def test_channels_are_shown_as_they_are_chosen(watched, url, folder):
    app = AppPage.open(watched, url, slide="a.ome.tif", at="500,400,1")
    with wb.open_slide(folder / "a.ome.tif") as slide:
        dapi, cd3, ck = slide.channels
        app.tab("Stain")
        shows(app, slide)
        app.frame.get_by_text("need the light that a stain absorbs").wait_for()
        assert not app.frame.get_by_text("Method", exact=True).is_visible()

        before = painted(app)
        on_map = app.page.evaluate(_GREEN_OF_MAP)
        app.press("Show CD3")
        hidden = replace(cd3, shown=False)
        shows(app, slide.with_channels([dapi, hidden, ck]))
        assert before[..., 1].mean() > painted(app)[..., 1].mean() + 50

        def the_map_follows():
            assert app.page.evaluate(_GREEN_OF_MAP) < on_map - 50

        app.eventually(the_map_follows)

        bright = replace(ck, maximum=20_000.0)
        field = app.frame.get_by_role("spinbutton", name="Maximum of CK")
        field.fill("20000")
        field.press("Enter")
        shows(app, slide.with_channels([dapi, hidden, bright]))

        app.press("Gamma of DAPI")
        app.frame.get_by_label("Colour of DAPI").fill("#ffffff")
        white = replace(dapi, colour="#ffffff")
        shows(app, slide.with_channels([white, hidden, bright]))

        app.press("Automatic contrast")
        shows(app, slide.with_channels([white, hidden, ck]))
        app.press("Show all")
        shows(app, slide.with_channels([white, cd3, ck]))

        app.tab("Run")
        app.frame.get_by_label(re.compile("Channels for the model")).first.wait_for()
    assert not watched.errors
