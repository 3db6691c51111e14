"""Channel panel: rows of the browser, the display that they make, a model's input."""

from __future__ import annotations

from dataclasses import replace

import pytest

from made_channels import made_values, write_ome
from workbench.app.panels.channels import ChannelPanel
from workbench.app.panels.stain.panel import StainPanel
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background
from workbench.slide.slide import open_slide


@pytest.fixture
def slide(tmp_path):
    values = made_values(3, 300, 300)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["DAPI", "CD3", "CK"])
    with open_slide(path) as opened:
        yield opened


@pytest.fixture
def background():
    background = Background(pytest.fail)
    yield background
    background.close()


@pytest.fixture
def panel(slide, background):
    panel = ChannelPanel(background)
    panel.attach(Viewer(slide))
    low = [each.minimum for each in slide.channels]
    panel._measured([(value, 60_000.0) for value in low])
    return panel


def test_rows_are_the_channels_and_change_them(panel, slide):
    rows = [dict(row) for row in panel.list.rows]
    assert [row["name"] for row in rows] == ["DAPI", "CD3", "CK"]
    assert all(row["whole"] and row["high"] >= row["maximum"] for row in rows)
    rows[1] |= {"shown": False, "colour": "#123456", "gamma": 0.5, "maximum": 9}
    rows[1]["minimum"] = 4
    panel.list.changed = {"rows": rows}
    changed = replace(
        slide.channels[1],
        shown=False,
        colour="#123456",
        gamma=0.5,
        minimum=4.0,
        maximum=9.0,
    )
    assert panel.channels == (slide.channels[0], changed, slide.channels[2])
    panel.list.resets += 1
    assert panel.channels[1].maximum == slide.channels[1].maximum
    assert panel.channels[1].colour == "#123456"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Other"},
        {"colour": "red; background: url(x)"},
        {"minimum": "no number"},
        {"maximum": float("nan")},
        {"gamma": 1000},
    ],
)
def test_impossible_rows_change_nothing(panel, slide, wrong):
    rows = [dict(row) for row in panel.list.rows]
    rows[0] |= wrong
    panel.list.changed = {"rows": rows}
    assert panel.channels == slide.channels
    panel.list.changed = {"rows": rows[:1]}
    panel.list.changed = {}
    assert panel.channels == slide.channels


def test_the_model_gets_the_contrast_that_is_shown(panel):
    panel.show([replace(e, minimum=5.0, maximum=900.0) for e in panel.channels])
    panel.mapping.value = "DAPI; CD3@1:2; eosin=CK; none"
    assert panel.options == {
        "channels": ["DAPI@5:900", " CD3@1:2", "eosin=CK@5:900", " none"]
    }


def test_no_stains_are_offered(slide, background, tmp_path):
    stain = StainPanel(background, tmp_path)
    stain.preset(method="macenko")
    stain.attach(Viewer(slide))
    assert not stain._body.visible
    assert stain.options == {"normalize": None}
    assert stain.fitted is None
