"""Addresses restored part by part, each when what it needs is there."""

from __future__ import annotations

import pytest

from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.panels.compare import COLOURS
from workbench.app.server.serve import session
from workbench.app.session import Session
from workbench.app.url_state import Address
from workbench.app.url_sync import RUNS_LISTED, SLIDE_SHOWN, UrlSync
from workbench.app.viewer.view import View
from workbench.app.widgets.background import Background


class Part:
    """A part of the app that records what it is asked to restore."""

    def __init__(self, name, log, **fields):
        self.name = name
        self.log = log
        self.fields = fields
        self.changed = None

    def address(self):
        return self.fields

    def restore(self, address):
        self.log.append((self.name, address.slide))

    def on_address_change(self, call):
        self.changed = call


@pytest.fixture
def log():
    return []


@pytest.fixture
def parts(log):
    return {
        "slides": Part("slides", log, slide="a.tif", image=None),
        "stain": Part("stain", log, normalize="macenko"),
        "compare": Part("compare", log, divider="off"),
        "overlays": Part("overlays", log),
    }


@pytest.fixture
def sync(parts):
    return UrlSync(
        Background(lambda _: None),
        parts["slides"],
        at_once=[parts["stain"]],
        on_slide=[parts["compare"]],
        on_runs=[parts["overlays"]],
    )


def names(log):
    return [name for name, _ in log]


def test_the_address_holds_what_every_part_says(sync):
    assert sync.address == Address(slide="a.tif", normalize="macenko", divider="off")


def test_parts_of_another_slide_wait_for_it_and_for_its_runs(sync, parts, log):
    sync.go(Address(slide="b.tif"))
    assert names(log) == ["stain", "slides"]
    parts["slides"].fields["slide"] = "b.tif"
    sync.happened(SLIDE_SHOWN)
    assert names(log) == ["stain", "slides", "compare"]
    sync.happened(RUNS_LISTED)
    assert names(log) == ["stain", "slides", "compare", "overlays"]


def test_all_is_restored_at_once_on_the_slide_that_is_open(sync, log):
    sync.go(Address(slide="a.tif"))
    assert names(log) == ["stain", "compare", "overlays"]


def test_another_image_of_the_open_slide_is_opened(sync, log):
    sync.go(Address(slide="a.tif", image=1))
    assert names(log) == ["stain", "slides"]


def test_runs_of_the_old_slide_do_not_end_the_wait_for_the_new_one(sync, parts, log):
    sync.go(Address(slide="b.tif"))
    sync.happened(RUNS_LISTED)  # a run on the slide that is still open has ended
    assert names(log) == ["stain", "slides"]
    parts["slides"].fields["slide"] = "b.tif"
    sync.happened(SLIDE_SHOWN)
    sync.happened(RUNS_LISTED)
    assert names(log) == ["stain", "slides", "compare", "overlays"]


def test_nothing_is_restored_on_a_slide_that_the_user_opened_instead(sync, parts, log):
    sync.go(Address(slide="b.tif"))
    parts["slides"].fields["slide"] = "c.tif"
    sync.happened(SLIDE_SHOWN)
    sync.happened(RUNS_LISTED)
    parts["slides"].fields["slide"] = "b.tif"
    sync.happened(SLIDE_SHOWN)
    assert names(log) == ["stain", "slides"]


def test_events_are_ignored_while_no_address_is_restored(sync, log):
    sync.go(Address(slide="a.tif"))
    log.clear()
    sync.happened(SLIDE_SHOWN)
    sync.happened(RUNS_LISTED)
    assert log == []


def test_an_address_that_follows_replaces_the_one_before(sync, parts, log):
    sync.go(Address(slide="b.tif"))
    sync.go(Address(slide="c.tif"))
    parts["slides"].fields["slide"] = "c.tif"
    log.clear()
    sync.happened(SLIDE_SHOWN)
    sync.happened(RUNS_LISTED)
    assert log == [("compare", "c.tif"), ("overlays", "c.tif")]


def test_a_change_of_any_part_is_written_once_the_slide_is_seen(sync, parts):
    parts["stain"].changed("an event")
    assert sync.bar.query == ""
    parts["compare"].fields["view"] = Address.parse("at=10,20,4").view
    parts["overlays"].changed()
    assert Address.parse(sync.bar.query) == sync.address


@pytest.mark.slow
def test_the_url_follows_every_panel_and_restores_it(tmp_path):
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "a.tif", width=640, height=512)
    write_stained(tmp_path / "slides" / "b.tif", width=640, height=512)
    site = Site.of([tmp_path / "slides"], tmp_path / "runs")
    app = Session(site)
    app.begin(slide="a.tif")
    bar = app.url_sync.bar

    def changes(change):
        before = bar.query
        change()
        return bar.query != before

    assert changes(lambda: setattr(app.viewer, "view", View(100.0, 80.0, 2.0)))
    assert changes(lambda: app.runs.preset(model="nuclear-density"))
    assert changes(lambda: app.stain.preset(method="macenko"))
    assert changes(lambda: app.stain.preset(look="hematoxylin"))
    assert changes(lambda: setattr(app.compare, "swiped", COLOURS))
    assert changes(lambda: setattr(app.viewer, "swipe", 0.25))
    assert changes(lambda: app.compare.add("b.tif"))
    assert changes(lambda: setattr(app.compare, "together", False))
    assert changes(lambda: setattr(app.viewer, "mirrored", True))
    asked = Address.parse(bar.query)
    assert asked == app.url_sync.address

    other = Session(site)
    other.begin(slide="b.tif")
    other.url_sync.go(asked)
    assert other.url_sync.address == asked
    assert other.viewer.slide.name == "a.tif"


def test_a_session_of_the_server_begins_with_its_first_slide(tmp_path):
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "a.tif", width=640, height=512)
    write_stained(tmp_path / "slides" / "b.tif", width=640, height=512)
    app = session(Site.of([tmp_path / "slides"], tmp_path / "runs"), first="b.tif")
    assert app.slide.name == "b.tif"
