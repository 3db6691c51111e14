"""The command palette offers what can be done now, and does what is chosen."""

from __future__ import annotations

import pytest

from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.layout import full_page
from workbench.app.session import Session
from workbench.app.widgets.command_palette import Command, CommandPalette


def choose(palette, label):
    """Choose a command as the browser does; return how it was offered."""
    palette.asked += 1
    offered = next(each for each in palette.commands if each["label"] == label)
    number = palette.chosen.get("number", 0) + 1
    palette.chosen = {"id": offered["id"], "number": number}
    return offered


def test_commands_are_collected_when_the_palette_opens():
    done = []
    offers = [Command("Run nuclei", "Run", lambda: done.append("run"))]
    palette = CommandPalette(lambda: offers)
    assert palette.commands == []
    choose(palette, "Run nuclei")
    choose(palette, "Run nuclei")
    assert done == ["run", "run"]
    offers[0] = Command("Run nuclei", "Run", lambda: done.append("no"), "It is active")
    assert choose(palette, "Run nuclei")["reason"] == "It is active"
    palette.chosen = {"id": "Run/of another page", "number": 9}
    assert done == ["run", "run"]


@pytest.fixture
def app(tmp_path):
    (tmp_path / "slides").mkdir()
    for name in ("one.tif", "two.tif"):
        write_stained(tmp_path / "slides" / name, width=512, height=512)
    session = Session(Site.of([tmp_path / "slides"], tmp_path / "runs"))
    session.begin(slide="one.tif")
    yield session
    session.close()


@pytest.mark.slow
def test_a_session_offers_what_its_panels_can_do(app):
    offered = choose(app.palette, "Normalize with macenko")
    assert (offered["group"], offered["reason"]) == ("Stain", "")
    assert app.stain.method == "macenko"
    choose(app.palette, "Divide the view: raw | normalized")
    assert app.viewer.swipe == 0.5
    choose(app.palette, "Keep this view")
    choose(app.palette, "Hide annotations")
    assert app.annotations.editor.shown is False
    choose(app.palette, "Show annotations")
    assert app.annotations.editor.shown is True
    assert choose(app.palette, "Open slide one.tif")["reason"] == "It is open"
    choose(app.palette, "Open slide two.tif")
    assert app.slide.name == "two.tif"


@pytest.mark.slow
def test_a_page_offers_its_theme_and_its_drawer(app):
    page = full_page(app)
    dark = page.dark_theme
    choose(app.palette, "Switch between light and dark")
    assert page.dark_theme is not dark
    choose(app.palette, "Close the drawer")
    assert page.sidebar_open is False
    choose(app.palette, "Open the drawer")
    assert page.sidebar_open is True


def test_what_cannot_be_done_has_a_reason_and_does_nothing(app):
    assert choose(app.palette, "Cancel the run")["reason"] == "No run is active"
    reason = choose(app.palette, "Show normalized")["reason"]
    assert reason == "Choose a stain method first"
    assert app.stain.look == "as scanned"


def test_every_command_has_a_label_of_its_own(app):
    app.palette.asked += 1
    commands = app.palette.commands
    assert len({each["id"] for each in commands}) == len(commands)
    assert len(commands) == len(app.palette.collect())
