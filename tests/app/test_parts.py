"""The parts of the app, without a browser: what they do and what they refuse."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import made_slides
import made_tiffs
from patience import LONG_S, eventually
from stained_slide import write_stained
from workbench.annotations.collection import open_annotations
from workbench.app.catalog.reference_image import MAX_BYTES, save_reference_image
from workbench.app.catalog.runs import RunLibrary
from workbench.app.catalog.site import Site
from workbench.app.jupyter.kernel_server import KernelServer
from workbench.app.jupyter.notebook import Workbench
from workbench.app.panels.run_progress import costs
from workbench.app.panels.slide_details import details_of, remarks_of
from workbench.app.server.config import ServerConfig, server_options
from workbench.app.session import Session
from workbench.app.url_state import Address
from workbench.app.widgets.background import Background, explain
from workbench.app.widgets.controls import recipe_widgets
from workbench.cli.serve import command as serve_command
from workbench.errors import StainError
from workbench.models.catalogue import find_card
from workbench.progress import Progress
from workbench.recipe import Recipe, options
from workbench.slide.slide import open_slide

MODEL = "stain-concentration"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    write_stained(folder / "tissue.tif", width=1280, height=1024)
    return folder


@pytest.fixture
def slide(folder):
    with open_slide(folder / "tissue.tif") as opened:
        yield opened


@pytest.fixture
def app(folder, tmp_path):
    app = Session(Site.of([folder], tmp_path / "runs"))
    app.begin(model=MODEL)
    return app


def finished(app):
    job = app.runs.job
    assert job.wait(LONG_S)
    app.runs.poll()
    return job.run


# --- errors become sentences


def test_what_a_user_can_act_on_explains_itself():
    assert explain(StainError("It is glass.", "Draw.")) == "It is glass. Draw."


def test_what_is_unexpected_gets_a_number_and_is_logged(caplog):
    said = explain(ZeroDivisionError("secret path /home/me"))
    assert "secret" not in said
    number = said.rsplit(" ", 1)[1].rstrip(".")
    assert number in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_error_in_the_background_is_told():
    told = []
    after = []
    background = Background(told.append)
    background.do(lambda: 1 / 0, after.append, otherwise=lambda: after.append("back"))
    assert len(told) == 1
    assert "ZeroDivision" not in told[0]
    assert after == ["back"]


def test_only_the_newest_answer_of_a_slot_comes_back():
    class Document:
        """Keeps what is to be called in the session."""

        session_context = object()

        def __init__(self):
            self.calls = []
            self.arrived = threading.Semaphore(0)

        def add_next_tick_callback(self, call):
            self.calls.append(call)
            self.arrived.release()

    document = Document()
    got = []
    background = Background(got.append, document)
    background.do(lambda: "old", got.append, slot="one")
    background.do(lambda: "new", got.append, slot="one")
    assert document.arrived.acquire(timeout=LONG_S)
    assert document.arrived.acquire(timeout=LONG_S)
    for call in document.calls:
        call()
    assert got == ["new"]
    background.close()
    for call in document.calls:
        call()
    assert got == ["new"]


def test_what_may_wait_is_done_once_when_nothing_more_comes():
    class Document:
        session_context = object()

        def __init__(self):
            self.calls = []

        def add_timeout_callback(self, call, milliseconds):
            assert 0 < milliseconds < 1000
            self.calls.append(call)

    document, done, told = Document(), [], []
    background = Background(told.append, document)
    for number in range(3):
        background.debounced(lambda n=number: done.append(n), slot="description")
    background.debounced(lambda: done.append("other"), slot="counting")
    assert done == []
    for call in document.calls:
        call()
    assert done == [2, "other"]
    background.debounced(lambda: 1 / 0, slot="description")
    document.calls[-1]()
    assert len(told) == 1
    background.debounced(lambda: done.append("late"), slot="description")
    background.close()
    document.calls[-1]()
    assert done == [2, "other"]


def test_without_a_server_nothing_waits():
    done = []
    Background(done.append).debounced(lambda: done.append("now"), slot="description")
    assert done == ["now"]


# --- widgets are the recipe's fields


def test_every_option_has_a_widget_with_its_default_and_bounds():
    names = [option.name for option in options()]
    widgets = recipe_widgets(names)
    for option in options():
        widget = widgets[option.name]
        if option.kind != "box":
            assert widget.value == option.default
        if option.choices and option.kind == "whole":  # a number, or a word for one
            assert Recipe.of(**{option.name: option.choices[0]})
            assert getattr(Recipe.of(**{option.name: "64"}), option.name) == 64
        elif option.bounds != (None, None):
            assert (widget.start, widget.end) == option.bounds
        assert widget.description == option.help


@pytest.mark.slow
def test_only_models_that_find_objects_are_asked_how_sure_they_are(app):
    widget = app.runs._advanced["min_score"]
    app.runs.preset(model="nuclei")
    assert widget.visible
    assert widget.value == find_card("nuclei").min_score
    assert app.runs.recipe.min_score is None
    widget.value = 0.8
    assert app.runs.recipe.min_score == 0.8
    app.runs.preset(model=MODEL)
    assert not widget.visible
    assert app.runs.recipe.min_score is None


# --- uploads


def png(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 150)).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_uploaded_picture_is_kept_small_and_named_by_content(tmp_path):
    path = save_reference_image(png(3000, 1500), tmp_path / "references")
    with Image.open(path) as image:
        assert image.size == (2048, 1024)
    assert save_reference_image(png(3000, 1500), tmp_path / "references") == path


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg/>", b"GIF89a" + bytes(100), png(8000, 7000), bytes(MAX_BYTES + 1)],
    ids=["empty", "svg", "gif", "too many pixels", "too many bytes"],
)
def test_what_is_no_such_picture_is_refused(tmp_path, content):
    with pytest.raises(StainError):
        save_reference_image(content, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- runs


def test_one_request_is_one_job_and_one_folder(slide, tmp_path):
    library = RunLibrary(tmp_path)
    recipe = Recipe.of(model=MODEL)
    first, second = library.start(slide, recipe), library.start(slide, recipe)
    assert first is second or first.wait(0)
    assert first.wait(LONG_S)
    assert library.active() == []
    (saved,) = library.saved(slide)
    assert saved.run.path == library.place(slide, recipe)
    assert not saved.unfinished
    assert MODEL in saved.line
    assert library.place(slide, recipe) != library.place(slide.with_mpp(0.4), recipe)


def test_runs_of_other_slides_and_other_files_are_not_offered(slide, tmp_path):
    library = RunLibrary(tmp_path)
    other = write_stained(tmp_path / "other.tif", width=640, height=512, seed=5)
    with open_slide(other) as opened:
        library.start(opened, Recipe.of(model=MODEL)).wait(LONG_S)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "run.json").write_text("not json")
    assert library.saved(slide) == []


def test_costs_say_where_the_time_goes_what_would_help_and_the_memory():
    spent = {"reading": 4.0, "disk": 3.0, "model": 1.0, "answering": 9.0, "waiting": 8}
    memory = {"host": 1_500_000_000, "cuda:0": 12_000_000_000}
    progress = Progress("running", "tiles", 1, 2, seconds=spent, memory=memory)
    said = costs(progress)
    assert said.startswith("disk 60%, decoding 20%, model 20%")
    assert "Reading sets the pace" in said
    assert said.endswith("memory 1.5 GB, cuda:0 12.0 GB")
    assert costs(Progress("running", "preparing", 0, 0)) == ""


# --- the app as a whole


def test_the_first_slide_is_open_and_its_choice_is_a_recipe(app):
    assert app.slide.name == "tissue.tif"
    assert [handle.layer.name for handle in app.viewer.layers] == ["tissue.tif"]
    assert app.runs.recipe == Recipe.of(model=MODEL, normalize="none")


def test_a_reference_repaints_the_slide_and_goes_into_the_recipe(app):
    app.stain.preset(method="macenko")
    assert app.stain.normalizer is not None
    base = app.viewer.layers[0]
    assert "normalized" in base.layer.name
    app.stain.look = "as scanned"
    assert "normalized" not in base.layer.name
    recipe = app.runs.recipe
    assert (recipe.normalize, recipe.reference) == ("macenko", "he-standard")
    app.stain.preset(method="none")
    assert app.stain.normalizer is None


def test_a_run_becomes_an_overlay_that_can_be_taken_off_and_put_back(app):
    app.runs.start()
    run = finished(app)
    assert run.status == "finished"
    (overlay,) = app.overlays.overlays
    assert overlay.run is run
    assert [handle.layer.name for handle in app.viewer.layers][1:] == ["hematoxylin"]
    overlay.channel.value = "eosin"
    assert overlay.handle.layer.name == "eosin"
    overlay.opacity.value = 0.25
    assert overlay.handle.opacity == 0.25
    overlay.colormap.value = "class colour"
    assert overlay.handle.layer.style.colormap.startswith("#")
    app.overlays.remove(overlay)
    assert len(app.viewer.layers) == 1
    assert app.overlays.offered.visible
    app.overlays.offered.clicks += 1
    assert len(app.overlays.overlays) == 1


@pytest.mark.slow
def test_a_job_is_found_again_by_another_session_and_can_be_paused(app, monkeypatch):
    """Two sessions of one server: what one begins, the other sees and can pause."""
    begun = threading.Semaphore(0)
    go_on = threading.Event()

    def run(*_, progress, cancel, **__):
        progress(Progress("running", "tiles", 0, 100))
        begun.release()
        while not (cancel.wait(0.005) or go_on.is_set()):
            pass
        status = "cancelled" if cancel.is_set() else "finished"
        return SimpleNamespace(status=status, record={"message": ""})

    monkeypatch.setattr("workbench.inference.jobs.run", run)
    app.runs.start()
    assert begun.acquire(timeout=LONG_S)
    job = app.runs.job
    other = Session(app.site)
    other.begin(model=MODEL)
    assert other.runs.job is job
    other.runs.pause()
    eventually(lambda: job.progress.status == "paused")
    app.runs.poll()
    assert app.runs.progress_card.text == "Paused at 0 of 100 tiles."
    assert app.runs.progress_card.action == "Resume"
    app.runs.pause()
    assert begun.acquire(timeout=LONG_S)
    app.runs.poll()
    assert app.runs.progress_card.action == "Pause"
    go_on.set()
    assert job.wait(LONG_S)


def test_drawings_that_the_disk_refuses_are_saved_once_it_has_room(app, monkeypatch):
    stage, editor = app.viewer.stage, app.annotations.editor
    square = [[[10, 10, 90, 10, 90, 90, 10, 90]]]
    box = {"do": "add", "kind": "area", "parts": square, "downsample": 1}
    first, second = (str(uuid.uuid4()) for _ in range(2))

    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("workbench.system.line_log.os.fsync", refuse)
        stage.annotation_edits = [{**box, "key": first, "number": 1}]
        assert app.message.visible
        assert "No space left on device" in app.message.object
        assert "kept in this tab" in app.message.object
        app.message.visible = False
        undo = {"do": "undo", "number": 3}
        stage.annotation_edits = [{**box, "key": second, "number": 2}, undo]
        assert "Nothing can be undone" in stage.toast["text"]
        app.annotations.poll()
        assert not app.message.visible, "it is said once"
        assert stage.annotation_answered == {"number": 0}  # both are shown as unsaved
        assert not editor.edits.annotations
        assert not stage.annotation_changes.get("put")
        assert editor.chosen == ""
        assert not editor.history.can_undo

    app.annotations.poll()
    assert stage.annotation_answered == {"number": 2}
    assert "saved now" in stage.toast["text"]
    slide, folder = app.slide, editor.edits.annotations.path.parent
    kept = open_annotations(slide, folder=folder)
    assert [each.id for each in kept] == [first, second]
    assert editor.history.can_undo


def test_a_change_that_the_disk_refuses_stays_as_it_was_drawn(app, monkeypatch):
    stage, editor = app.viewer.stage, app.annotations.editor
    area = {"kind": "area", "downsample": 1}
    ring, moved = ([[[x, 10, 90, 10, 90, 90, x, 90]]] for x in (10, 30))
    key = str(uuid.uuid4())
    made = {**area, "do": "add", "key": key, "parts": ring, "number": 1}
    stage.annotation_edits = [made]

    def refuse(_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    shown = stage.annotation_changes
    with monkeypatch.context() as full:
        full.setattr("workbench.system.line_log.os.fsync", refuse)
        change = {**area, "do": "change", "id": key, "parts": moved, "number": 2}
        stage.annotation_edits = [change]
        assert stage.annotation_changes == shown, "nothing takes its place"
        assert stage.annotation_answered == {"number": 1}
    app.annotations.poll()
    assert stage.annotation_answered == {"number": 2}
    assert editor.edits.annotations.get(key).geometry.bounds[0] == 30


def test_a_region_that_was_not_drawn_is_refused_in_a_sentence(app):
    app.runs.preset(region="drawn box")
    app.background.guard(app.runs.start)
    assert app.message.visible
    assert "Draw or choose it" in app.message.object
    assert app.runs.job is None


@pytest.mark.slow
def test_a_slide_of_unknown_pixel_size_is_looked_at_but_not_run(tmp_path):
    write_stained(tmp_path / "vague.tif", mpp=300, width=640, height=512)
    app = Session(Site.of([tmp_path], tmp_path / "runs"))
    app.begin(model=MODEL)
    assert app.viewer is not None
    app.background.guard(app.runs.start)
    assert "µm per pixel" in app.message.object
    assert app.runs.job is None


@pytest.mark.slow
def test_another_image_of_a_file_can_be_chosen_and_is_in_the_address(tmp_path):
    scan, macro = (
        made_tiffs.place_picture(*size) for size in [(2048, 1024), (400, 200)]
    )
    images = [("overview", macro, {}), ("scan", scan, {"PhysicalSizeX": 0.5})]
    made_tiffs.write_ome(tmp_path / "two.ome.tif", images)
    app = Session(Site.of([tmp_path], tmp_path / "runs"))
    app.begin(model=MODEL)
    assert app.slides.slide.size == (2048, 1024)
    assert app.url_sync.address.image is None
    chooser = app.slides._image
    assert chooser.visible
    assert list(chooser.options) == ["1: macro (400 x 200)", "2: scan (2,048 x 1,024)"]
    chooser.value = 0
    assert app.slides.slide.size == (400, 200)
    query = app.url_sync.address.query
    assert "image=0" in query
    other = Session(app.site)
    other.begin(model=MODEL)
    other.url_sync.go(Address.parse(query))
    assert other.slides.slide.size == (400, 200)
    other.url_sync.go(Address.parse("slide=two.ome.tif"))
    assert other.slides.slide.size == (2048, 1024)
    other.url_sync.go(Address.parse("slide=two.ome.tif&image=7"))
    assert other.message.visible
    assert "7" in other.message.object
    assert other.slides.slide.size == (2048, 1024)
    chooser.value = 1
    assert app.slides.slide.size == (2048, 1024)


# --- server configuration


def test_a_door_is_local_unless_it_is_opened():
    config = ServerConfig(port=5010)
    assert config.is_local
    assert config.url == "http://127.0.0.1:5010/workbench"
    assert set(config.websocket_origins) == {"127.0.0.1:5010", "localhost:5010"}
    outside = ServerConfig(port=80, address="0.0.0.0", origins=("wsi.example.org",))  # noqa: S104
    assert not outside.is_local
    assert "wsi.example.org:80" in outside.websocket_origins


def test_a_login_brings_a_secret_and_a_page_of_our_own():
    options = server_options(ServerConfig(basic_auth="x"))
    assert len(options["cookie_secret"]) >= 32
    assert "http" not in Path(options["login_template"]).read_text()


def test_in_a_notebook_the_app_is_a_frame_behind_a_secret(folder):
    app = Workbench(folder / "tissue.tif", height=512)
    shown = app._repr_mimebundle_()
    assert 'height="512"' in shown["text/html"]
    assert "jupyter-config-data" in shown["text/html"]
    assert app.url in shown["text/plain"]
    secret = app.url.split("/")[3]
    assert len(secret) >= 32
    assert app.slide.name == "tissue.tif"
    assert app.view is None


def test_a_frame_lets_no_path_become_markup(tmp_path):
    name = "</script><b>.tif"
    path = tmp_path / "odd"
    path.mkdir()
    write_stained(path / name.replace("/", "-"), width=512, height=512)
    html = Workbench(path / name.replace("/", "-"))._repr_mimebundle_()["text/html"]
    assert "<b>" not in html


@pytest.mark.slow
def test_values_shown_are_those_of_the_run(app):
    app.runs.start()
    run = finished(app)
    values = run.heatmap.channel("eosin")
    assert np.isfinite(values).any()


@pytest.mark.parametrize("labels", [True, False])
def test_labels_are_shown_to_nobody_where_they_may_name_a_patient(
    folder, tmp_path, labels
):
    app = Session(Site.of([folder], tmp_path / "runs", labels=labels))
    assert app.slides.labels is labels
    picture = np.zeros((8, 8, 3), np.uint8)
    slide = SimpleNamespace(
        associated={"label": picture, "macro": picture, "thumbnail": picture},
        properties={},
        reader_name="",
        levels=(),
        notes=(),
        images=(),
        id="",
    )
    pictures, _ = details_of(slide, labels=labels)
    names = [column[0].object for column in pictures]
    assert names == (["Label", "Macro"] if labels else [])


def test_the_command_line_passes_on_that_labels_are_hidden(
    folder, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        "workbench.app.server.serve.serve",
        lambda site, *_, **__: seen.append(site.labels),
    )
    for flags in ([], ["--no-label"]):
        asked = ["--slides", str(folder), "--runs", str(tmp_path), *flags]
        serve_command.main(asked, standalone_mode=False)
    assert seen == [True, False]


# --- the server in a kernel


@pytest.mark.slow
def test_a_script_that_has_started_the_server_ends():
    script = (
        "from workbench.app.jupyter.kernel_server import KernelServer\n"
        "KernelServer().loop"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


_KERNEL_LOG = """
import logging, os, stat, sys, urllib.request, urllib.error
from pathlib import Path
os.umask(0o022)
from workbench.app.jupyter.kernel_server import KernelServer
from workbench.app.widgets.background import explain
server = KernelServer()
for path in ("", "/workbench?app=1", "/Jane.svs", "/static/nothing.js"):
    try:
        urllib.request.urlopen(server.root + path).read()
    except urllib.error.HTTPError:
        pass
explain(ValueError("Jane"))
(handler,) = logging.getLogger("workbench").handlers
path = Path(handler.baseFilename)
text = path.read_text()
assert stat.S_IMODE(path.stat().st_mode) == 0o600, oct(path.stat().st_mode)
assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
assert "404" in text and "ValueError" in text, text
for secret in (server.prefix, server.answer, "Jane"):
    assert secret not in text, text
"""


@pytest.mark.slow
def test_the_log_of_a_kernels_server_is_private_and_has_no_secret(tmp_path):
    (tmp_path / "tmp").mkdir()
    places = {"HOME": "", "XDG_STATE_HOME": "state", "TMPDIR": "tmp"}
    env = os.environ | {name: str(tmp_path / each) for name, each in places.items()}
    done = subprocess.run(
        [sys.executable, "-c", _KERNEL_LOG],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "Jane" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("", []),
        ("http://127.0.0.1:8888", ["http://127.0.0.1:8888"]),
        ("https://hub.example", ["https://hub.example"]),
        ("null", ["file:", "vscode-file:", "vscode-webview:"]),
        ("vscode-webview://x1", ["file:", "vscode-file:", "vscode-webview:"]),
        (
            "http://a.example; script-src *",
            ["file:", "vscode-file:", "vscode-webview:"],
        ),
    ],
)
def test_only_the_notebook_that_asked_may_frame_the_app(origin, allowed):
    server = KernelServer.__new__(KernelServer)
    server._notebooks = set()
    server.allow(origin)
    assert list(server.frames()) == ["'self'", *allowed]


def test_remarks_on_a_file_are_said_at_once(tmp_path):
    picture = made_slides.tissue_like(300, 400)
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    half = (20000, 20000)  # to a centimetre
    path = tmp_path / "a.ome.tif"
    made_tiffs.write_ome(path, [("scan", picture, sizes)], resolution=half)
    app = Session(Site.of([tmp_path], tmp_path / "runs"))
    app.begin()
    (remark,) = app.slide.notes
    assert app.slides._remarks.visible
    assert app.slides._remarks.object == remark
    assert "0.25" in remark
    assert remarks_of(["one."] * 5) == "one. one. 3 more under Properties."
    assert len(remarks_of(["word " * 1000])) < 300
