"""Runs from the recipe to the folder: right, resumable, and hard to stop."""

from __future__ import annotations

import errno
import json
import os
import threading

import numpy as np
import pytest
import tifffile
import torch

from fakes import FakeSlide, MeanColour, expected, fake_model, write_jpeg_slide
from workbench.errors import (
    MissingMppError,
    ModelError,
    RecipeError,
    RecipeMismatchError,
    RunError,
    SlideReadError,
)
from workbench.geometry import Box
from workbench.inference import engine
from workbench.inference.predictor import DevicePredictor
from workbench.models.devices import resolve_device
from workbench.models.registry import find_model
from workbench.models.tile_model import resolve_precision
from workbench.recipe import Recipe
from workbench.results.run import open_run
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.system import long_work
from workbench.tiling import damaged_tiles
from workbench.tissue import find_tissue

WHOLE = Recipe(tissue_only=False, batch_size=16, device="cpu")


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """Let every recipe find this network."""
    model = fake_model()
    monkeypatch.setattr("workbench.inference.plan.find_model", lambda *_, **__: model)
    return model.network


@pytest.fixture
def use(monkeypatch):
    """Let every recipe find a given network."""

    def use(network, **card):
        monkeypatch.setattr(
            "workbench.inference.plan.find_model",
            lambda *_, **__: fake_model(network, **card),
        )

    return use


@pytest.fixture(scope="module")
def slide():
    return FakeSlide()


def scores(run):
    return run.heatmap.values


def stop_after(chunks):
    """Return (progress, cancel) that cancel a run after some chunks."""
    cancel = threading.Event()
    heard = []

    def progress(p):
        heard.append(p)
        if sum(q.stage == "tiles" for q in heard) > chunks:
            cancel.set()

    return progress, cancel


def test_every_value_is_that_of_its_tile(network, slide, tmp_path):
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    grid = run.grid
    assert (run.status, run.tiles_done, run.tiles_total) == ("finished", 176, len(grid))
    assert grid.downsample == 2
    for tile in [0, 17, len(grid) - 1]:
        row, column = grid.place(tile)
        values = scores(run)[:, row, column]
        np.testing.assert_allclose(values, expected(slide, grid, tile), atol=1e-5)
        centre = grid.centres()[tile]
        assert run.heatmap.at(*centre)["red"] == values[0]
    assert sum(network.batches) == 176
    assert max(network.batches) <= 16


def test_pixelwise_answers_are_averaged_over_the_cells_of_the_core(
    use, slide, tmp_path
):
    use(MeanColour(dense=True), task="segmentation", margin_px=8, cells=4)
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.heatmap.cell == run.grid.step / 4 == 8
    for box in [run.heatmap.box(5, 9), run.heatmap.box(40, 100)]:
        pixels = slide.read(box, size=(4, 4)).pixels
        value = run.heatmap.at(*box.centre)["green"]
        assert value == pytest.approx(pixels[..., 1].mean() / 255, abs=1e-5)


def test_progress_is_told_with_the_total_known_early(slide, tmp_path):
    heard = []
    run = engine.run(slide, WHOLE, out=tmp_path / "run", progress=heard.append)
    stages = list(dict.fromkeys(p.stage for p in heard))
    assert stages == [
        "preparing",
        "finding tissue",
        "fitting stains",
        "tiles",
        "done",
    ]
    tiles = [p for p in heard if p.stage == "tiles"]
    assert [p.done for p in tiles] == [*range(0, 176, 16), 176]
    assert all(p.total == 176 and p.path == str(run.path) for p in tiles)
    assert tiles[-1].tiles_per_second > 0
    assert tiles[-1].eta_s == 0
    assert heard[-1].status == "finished"
    assert {p.status for p in heard[:-1]} == {"running"}


def test_a_bar_can_be_asked_for(slide, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(long_work, "is_drawn_on", lambda: True)  # a terminal
    engine.run(slide, WHOLE, out=tmp_path / "run", progress=True)
    assert "176 of 176 tiles" in capsys.readouterr().err


def test_cancelled_and_resumed_gives_the_same_scores(network, slide, tmp_path):
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    network.batches.clear()
    progress, cancel = stop_after(4)
    run = engine.run(
        slide, WHOLE, out=tmp_path / "run", progress=progress, cancel=cancel
    )
    assert run.status == "cancelled"
    assert 0 < run.tiles_done < run.tiles_total
    assert np.isnan(scores(run)).any()
    assert (tmp_path / "run" / "scores.zarr").exists()
    done = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert done.status == "finished"
    assert np.array_equal(scores(done), scores(whole))
    assert sum(network.batches) == 176  # none twice
    assert len(done.record["sessions"]) == 2


def test_a_finished_run_is_returned_as_it_is(network, slide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = engine.run(slide, WHOLE)
    network.batches.clear()
    again = engine.run(slide, tissue_only=False, batch_size=16)
    assert again.path == first.path
    assert first.path.parent.name == "runs"
    assert network.batches == []
    other = engine.run(slide, WHOLE, region=(0, 0, 200, 200))
    assert other.path != first.path


@pytest.mark.slow
def test_the_record_says_how_it_was_made(slide, tmp_path):
    run = engine.run(slide, WHOLE, out=tmp_path / "run", normalize="macenko")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["slide"]["id"] == slide.id
    assert record["slide"]["mpp_from"] == "declared by the slide"
    assert Recipe.of(**record["recipe"]) == run.recipe
    assert run.recipe.normalize == "macenko"
    assert Normalizer.from_dict(record["normalizer"]).method == "macenko"
    (session,) = record["sessions"]
    assert session["device"] == "cpu"
    assert session["packages"]["torch"] == torch.__version__.split("+")[0]
    assert set(record["timings"]) >= {"tiles", "fitting stains"}
    assert record["precision"] == resolve_precision("auto", torch.device("cpu"))
    assert record["ended"] > record["created"]


@pytest.mark.slow
def test_a_normalized_run_resumes_with_the_matrices_it_began_with(
    slide, tmp_path, monkeypatch
):
    recipe = WHOLE.replace(normalize="macenko")
    whole = engine.run(slide, recipe, out=tmp_path / "whole")
    plain = engine.run(slide, WHOLE, out=tmp_path / "plain")
    assert not np.array_equal(scores(whole), scores(plain))
    progress, cancel = stop_after(3)
    engine.run(slide, recipe, out=tmp_path / "run", progress=progress, cancel=cancel)
    monkeypatch.setattr(
        "workbench.inference.plan.slide_normalizer", None
    )  # is not needed
    done = engine.run(slide, recipe, out=tmp_path / "run")
    assert np.array_equal(scores(done), scores(whole))


def test_another_request_does_not_go_into_the_same_folder(slide, tmp_path):
    engine.run(slide, WHOLE, out=tmp_path)
    for options in ({"normalize": "macenko"}, {"batch_size": 8}):
        with pytest.raises(RecipeMismatchError, match=next(iter(options))):
            engine.run(slide, WHOLE, out=tmp_path, **options)
    with pytest.raises(RecipeMismatchError, match=r"slide\.id"):
        engine.run(FakeSlide(seed=1), WHOLE, out=tmp_path)
    assert open_run(tmp_path).status == "finished"
    engine.run(slide, WHOLE, out=tmp_path, trust=True)  # changes no answer


def test_only_the_region_is_answered(slide, tmp_path):
    region = Box(130, 100, 400, 300)
    run = engine.run(slide, WHOLE, out=tmp_path / "a", region=(130, 100, 400, 300))
    answered = np.flatnonzero(~np.isnan(scores(run)[0]))
    assert answered.tolist() == run.grid.inside(region).tolist()
    small = engine.run(slide, WHOLE, out=tmp_path / "b", region=(70, 70, 72, 72))
    assert np.argwhere(~np.isnan(scores(small)[0])).tolist() == [[1, 1]]
    with pytest.raises(RecipeError, match="outside"):
        engine.run(slide, WHOLE, out=tmp_path / "c", region=(5000, 0, 6000, 10))


@pytest.mark.slow
def test_only_tissue_is_answered_and_a_blank_slide_has_none(tmp_path):
    slide = FakeSlide((2000, 1600))
    slide.pixels[:] = 245
    blank = engine.run(slide, WHOLE, out=tmp_path / "a", tissue_only=True)
    assert (blank.status, blank.tiles_total) == ("finished", 0)
    stained = engine.run(
        slide, WHOLE, out=tmp_path / "n", tissue_only=True, normalize="macenko"
    )
    assert stained.status == "finished"
    slide.pixels[:, :1000] = 180, 80, 160
    run = engine.run(slide, WHOLE, out=tmp_path / "b", tissue_only=True)
    found = ~np.isnan(scores(run)[0])
    assert found[:, :15].all()
    assert not found[:, 17:].any()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"tissue_threshold": 0.06}])
def test_a_normalized_run_finds_tissue_once(slide, tmp_path, monkeypatch, options):
    found = []

    def counted(slide, **options):
        found.append(find_tissue(slide, **options))
        return found[-1]

    users = "inference.plan", "stain.tissue_sample", "stain.slide_fit"
    for user in [f"workbench.{each}" for each in users]:
        monkeypatch.setattr(f"{user}.find_tissue", counted)
    asked = WHOLE.replace(normalize="macenko", tissue_only=True, **options)
    run = engine.run(slide, asked, out=tmp_path / "run")
    assert run.status == "finished"
    assert len(found) == 1
    assert found[0].mask.any()


@pytest.mark.slow
def test_what_is_looked_at_comes_first(tmp_path):
    slide = FakeSlide((2000, 2000))
    first = []

    def look(p):
        if p.done == 16:
            first.append(open_run(p.path).heatmap.at(1600, 1600))

    focus = Box.around(1600, 1600, 100, 100)
    engine.run(slide, WHOLE, out=tmp_path / "run", focus=lambda: focus, progress=look)
    assert np.isfinite(first[0]["red"])


def test_a_damaged_tile_is_left_out_and_its_neighbours_are_not(slide, tmp_path):
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    broken = FakeSlide(broken=[(500, 300), (505, 300), (900, 650)])
    run = engine.run(broken, WHOLE, out=tmp_path / "run")
    assert run.status == "finished"
    (bad, worse) = sorted(run.failures)
    assert run.grid.core(bad).contains(500, 300)
    assert run.grid.core(worse).contains(900, 650)
    assert "broken here" in run.failures[bad]
    nan = np.isnan(scores(run)[0])
    assert np.flatnonzero(nan).tolist() == [bad, worse]
    np.testing.assert_array_equal(scores(run)[:, ~nan], scores(whole)[:, ~nan])
    assert run.record["tiles_failed"] == 2


def test_a_damaged_part_of_a_file_is_left_out(tmp_path):
    path = write_jpeg_slide(tmp_path / "slide.tiff")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        start, length = page.dataoffsets[5], page.databytecounts[5]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(length))
    with open_slide(path) as slide:
        run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.status == "finished"
    damaged = run.grid.touching(Box(256, 256, 512, 512))
    assert sorted(run.failures) == damaged.tolist()
    assert np.flatnonzero(np.isnan(scores(run)[0])).tolist() == damaged.tolist()


def test_a_slide_that_is_gone_fails_the_run_which_then_goes_on(
    slide, tmp_path, monkeypatch
):
    monkeypatch.setattr(damaged_tiles, "_GONE_AFTER", 20)
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    shaky = FakeSlide()
    healthy, shaky.broken = shaky.broken, []

    def unplug(p):
        if p.done >= 64:
            shaky.broken = [(x, y) for x in range(0, 1000, 9) for y in range(0, 700, 9)]

    with pytest.raises(SlideReadError):
        engine.run(shaky, WHOLE, out=tmp_path / "run", progress=unplug)
    failed = open_run(tmp_path / "run")
    assert failed.status == "failed"
    assert "broken here" in failed.record["message"]
    shaky.broken = healthy
    done = engine.run(shaky, WHOLE, out=tmp_path / "run")
    assert (done.status, done.tiles_failed) == ("finished", 0)
    assert np.array_equal(scores(done), scores(whole))


def test_an_answer_that_is_no_number_is_none(use, slide, tmp_path):
    def wrong(rgb):
        rgb = rgb.clone()
        rgb[3] = torch.inf
        return rgb

    network = MeanColour(wrong=wrong)
    use(network)
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.tiles_failed == len(network.batches) >= 11
    assert np.isnan(scores(run)[0]).sum() == run.tiles_failed
    assert set(run.failures.values()) == {"the model's answer is not a finite number"}


def test_a_full_disk_keeps_what_is_done(slide, tmp_path, monkeypatch):
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    append, room = engine.RunWriter.append, iter(range(5))

    def full(self, answers):
        if next(room, None) is None:
            self._journal._file.close()  # whatever is written now fails
            self._journal._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115, PTH123
        append(self, answers)

    monkeypatch.setattr(engine.RunWriter, "append", full)
    with pytest.raises(RunError, match="No space left"):
        engine.run(slide, WHOLE, out=tmp_path / "run")
    failed = open_run(tmp_path / "run")
    assert (failed.status, failed.tiles_done) == ("failed", 5 * 16)
    monkeypatch.undo()
    monkeypatch.setattr(
        "workbench.inference.plan.find_model", lambda *_, **__: fake_model()
    )
    done = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert np.array_equal(scores(done), scores(whole))


def test_a_disk_that_is_full_at_the_end_costs_no_tile(
    network, slide, tmp_path, monkeypatch
):
    def full(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("workbench.results.scores_zarr.zarr.create_array", full)
        with pytest.raises(RunError, match="No space left"):
            engine.run(slide, WHOLE, out=tmp_path / "run")
    failed = open_run(tmp_path / "run")
    assert (failed.status, failed.tiles_done) == ("failed", 176)
    assert engine.run(slide, WHOLE, out=tmp_path / "run").status == "finished"
    assert sum(network.batches) == 176  # none twice


def test_ctrl_c_leaves_a_cancelled_run(slide, tmp_path):
    def interrupt(p):
        if p.done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run(slide, WHOLE, out=tmp_path / "run", progress=interrupt)
    run = open_run(tmp_path / "run")
    assert (run.status, run.tiles_done) == ("cancelled", 48)
    assert "read-ahead" not in {thread.name for thread in threading.enumerate()}


def test_two_runs_do_not_share_a_folder(slide, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.results.run_writer._LOCK_WAIT_S", 0.01)
    said = []

    def again(p):
        if p.done == 16:
            with pytest.raises(RunError, match="in progress"):
                engine.run(slide, WHOLE, out=tmp_path / "run")
            said.append(True)

    engine.run(slide, WHOLE, out=tmp_path / "run", progress=again)
    assert said


def test_without_mpp_nothing_is_run(tmp_path):
    with pytest.raises(MissingMppError):
        engine.run(FakeSlide(mpp=None), WHOLE, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_tiles_that_had_to_be_enlarged_are_warned_of(slide, tmp_path):
    run = engine.run(FakeSlide(mpp=2.0), WHOLE, out=tmp_path / "a")
    assert "enlarged 2 times" in run.record["warnings"][0]
    assert engine.run(slide, WHOLE, out=tmp_path / "b").record["warnings"] == []


def test_a_device_that_is_not_there_is_refused():
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(RecipeError, match="cuda:77"):
        resolve_device("cuda:77")


class Small(MeanColour):
    """Has memory for so many tiles."""

    most = 5

    def forward(self, rgb):
        if len(rgb) > self.most:
            message = "CUDA out of memory."
            raise torch.OutOfMemoryError(message)
        return super().forward(rgb)


def test_a_batch_too_large_for_the_device_is_halved(use, slide, tmp_path):
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    small = Small()
    use(small)
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    np.testing.assert_allclose(scores(run), scores(whole), rtol=1e-6)
    assert set(small.batches) == {4}
    small.most = 0
    with pytest.raises(RunError, match="does not hold"):
        engine.run(slide, WHOLE, out=tmp_path / "none")


@pytest.mark.slow
def test_normalization_happens_before_the_model(slide):
    tiles = slide.read_tiles([Box(0, 0, 32, 32)] * 3, (32, 32))
    plain = DevicePredictor(fake_model(), WHOLE)
    normalized = DevicePredictor(fake_model(), WHOLE)
    normalizer = fit_normalizer(slide.pixels, "he-standard", method="macenko")
    normalized.use(normalizer)
    np.testing.assert_array_equal(normalized(tiles), plain(normalizer(tiles)))
    assert not np.array_equal(normalized(tiles), plain(tiles))


def test_a_bundled_measurement_runs_for_real(slide, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.inference.plan.find_model", find_model)
    model = find_model("stain-concentration")
    recipe = WHOLE.replace(model="stain-concentration")
    run = engine.run(slide, recipe, out=tmp_path / "run")
    assert run.status == "finished"
    assert run.card == model.card
    assert run.heatmap.unit == model.card.unit
    assert np.isfinite(scores(run)).any()


def test_a_run_of_which_no_tile_could_be_read_has_failed(tmp_path, use):
    use(MeanColour())
    path = write_jpeg_slide(tmp_path / "slide.tiff")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    with path.open("r+b") as file:
        for start, length in places:
            file.seek(start)
            file.write(bytes(length))
    recipe = WHOLE.replace(region=(0, 0, 200, 200))
    with open_slide(path) as slide:
        for _ in "again too":
            with pytest.raises(SlideReadError, match=r"all \d+ tiles of .*slide\.tiff"):
                engine.run(slide, recipe, out=tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.status == "failed"
    assert run.tiles_failed == run.tiles_total > 0
    assert "all " in run.record["message"]


def test_a_model_that_never_answers_a_number_fails(use, slide, tmp_path):
    use(MeanColour(wrong=lambda rgb: rgb * torch.nan))
    with pytest.raises(ModelError, match="not a finite number"):
        engine.run(slide, WHOLE, out=tmp_path / "run")
    assert open_run(tmp_path / "run").status == "failed"
