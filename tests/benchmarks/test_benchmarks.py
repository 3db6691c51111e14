"""The benchmarks run: small, and without looking at the figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

import features
import gallery
import infer
import overlay
import probe_curve
import read
import repaint
import stain
import stain_fits
import stain_peers
import stain_truth
import study
import training
import training_loop
import viewer as viewer_benchmark
from made_instances import made_instances

pytestmark = pytest.mark.slow  # benchmarks run


def test_reading_is_measured_against_the_decode_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "SIDE", 4096)
    path = tmp_path / "slide.svs"
    read.write_slide(path)
    readers = read.opened(str(path), ["ours", "tiffslide"])
    for work in read.workloads(4):
        boxes = [box for box in work.boxes if max(box.x1, box.y1) <= read.SIDE][:4]
        small = read.Workload(work.name, boxes, work.size, work.goal, once=work.once)
        shares = read.measure(str(path), small, readers, threads=1, rounds=2)
        assert set(shares) == {"ours", "tiffslide"}
        assert all(0 < share < 50 for share in shares.values())  # so few are kept


def test_a_missing_peer_is_said_to_be_missing(capsys, monkeypatch):
    def absent(path):
        raise ImportError(name=path)

    monkeypatch.setitem(read.READERS, "cucim", absent)
    assert read.opened("slide.svs", ["cucim"]) == {}
    assert "cucim: not installed" in capsys.readouterr().out


@pytest.fixture(scope="module")
def scene():
    return stain.Scene.made(256)


def test_normalization_is_timed_beside_a_copy_and_a_peer(scene, monkeypatch):
    slowly = stain_peers.Peer(
        "staintools Vahadane (spams)",
        "vahadane",
        "numpy",
        stain_peers.ARRAYS,
        lambda _: lambda tile: tile[::-1] + 1,
    )
    monkeypatch.setattr(stain, "PEERS", [slowly])
    found = stain.speeds(scene, [(64, 2)], [slowly], rounds=2)
    rates = found[64, 2]
    assert {"memcpy", "ours Vahadane, table", slowly.name} <= rates.keys()
    assert all(rate > 0 for rate in rates.values())
    text = "\n".join(stain.speed_lines(found))
    ratio = rates["ours Vahadane, arrays"] / rates[slowly.name]
    assert f"| {slowly.name} | 250 | {ratio:,.1f} | not measured |" in text


def test_fits_are_timed_and_priced(scene):
    lines = stain.fit_lines(scene, [], 1)
    assert any("whole slide" in line for line in lines)
    pixels = stain_fits.tissue_pixels(scene.source, 500)
    assert pixels.shape == (500, 3)
    best = stain_fits.objectives(pixels, 0.1, set())["ours"]
    other = np.array([[0.6, 0.6, 0.5], [0.2, 0.9, -0.1]])
    assert stain_fits.priced(pixels, other, 0.1) > best
    record = {"a": {"0.1": {"ours": 1.0, "spams": 1.5}}}
    assert "| spams | 0.1 | 5.0e-01 | 5.0e-01 | 5.0e-01 |" in stain_fits.gaps(
        record, ["spams"]
    )
    blank = np.full((8, 8, 3), 245, np.uint8)
    assert stain_fits.objectives(blank.reshape(-1, 3), 0.1, set()) is None


def test_errors_are_measured_against_the_other_scanner(scene):
    pixels = {"aurora": scene.source, "borealis": scene.target}
    mask = np.ones(scene.source.shape[:2], bool)
    peer = stain_peers.Peer(
        "nothing", "none", "numpy", stain_peers.ARRAYS, lambda _: lambda tile: tile
    )
    seen = pixels, pixels, mask
    found = stain_truth.errors(seen, ("aurora", "borealis"), [peer])
    assert found["nothing"] == found["not normalized"]
    apart = scene.source.astype(float) - scene.target
    assert found["nothing"] == pytest.approx(np.abs(apart).mean())
    ours = "ours, Vahadane, of the pictures"
    for name in (stain_truth.KNOWN, stain_truth.BEST, ours):
        assert found[name] < found["not normalized"] / 2


def test_peers_that_are_not_there_are_named(capsys, monkeypatch):
    absent = stain_peers.Peer("x", "macenko", "not_there", stain_peers.ARRAYS, print)
    present = stain_peers.Peer("y", "macenko", "numpy", stain_peers.ARRAYS, print)
    monkeypatch.setattr(stain_peers, "PEERS", [absent, present])
    assert stain_peers.installed() == [present]
    assert stain_peers.installed(skip=["y"]) == []
    assert "not_there: not installed" in capsys.readouterr().out


@pytest.mark.browser
@pytest.mark.thorough
def test_the_viewer_is_measured_in_a_browser(tmp_path, chromium):
    side = viewer_benchmark.SMALL_SIDE
    with viewer_benchmark.shown(tmp_path, side, chromium) as page:
        figures = viewer_benchmark.measure(page, side, 3)
    assert len(figures.wheel) == 3
    assert all(0 <= time < 20_000 for time in figures.wheel)
    assert figures.pan_frames > 1


@pytest.mark.browser
@pytest.mark.thorough
def test_a_filter_is_timed_until_the_view_is_repainted(monkeypatch, chromium):
    monkeypatch.setattr(repaint, "DOWNSAMPLES", (2,))
    objects = made_instances(2000, (3000, 3000))
    lines = repaint.report(objects, ["a", "b", "c"], 2, chromium)
    downsample, rounds, *times = (float(c) for c in lines[4].strip("| ").split("|"))
    assert (downsample, rounds) == (2, 2)
    assert all(0 < took < 20_000 for took in times)


def test_runs_are_measured_against_the_bare_model_and_the_decoder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(read, "SIDE", 4096)
    monkeypatch.setattr(infer, "BATCH", 4)
    path = tmp_path / "slide.svs"
    read.write_slide(path)
    free = infer.contestants(str(path), "free", 3, {})
    limit = f"limit: decoding with {infer.reading_threads()} threads"
    assert {limit, "decoding with one", "DataLoader, 0 workers"} <= set(free)
    del free["DataLoader, 2 workers"]
    found = infer.measure(free, rounds=1)
    assert all(rate > 0 and share > 0 for rate, share in found.values())
    assert found[limit][1] == 1
    assert {"bare fp32", "ours bf16"} <= set(
        infer.contestants(str(path), "resnet18", 3, {"x": "python"})
    )
    alone = infer.contestants(str(path), "resnet18", 3, {}, alone=True)
    assert set(alone) == {"bare bf16", "ours bf16", "bare fp32", "ours fp32"}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "name",
    [
        *("read.py", "infer.py", "memory.py", "stain.py", "classifier.py"),
        *("viewer.py", "repaint.py", "nuclei_speed.py", "features.py"),
        *(
            "bias.py",
            "encoders.py",
            "training.py",
            "training_loop.py",
            "probe_curve.py",
        ),
        *("study.py", "gpu.py", "strategies.py", "eight_bits.py", "dali.py"),
    ],
)
def test_every_benchmark_is_told_of(repository, name):
    pages = (repository / "benchmarks").glob("*.md")
    assert any(name in page.read_text() for page in pages)


def test_a_day_is_slower_with_fewer_gpus():
    few, many = (study.simulate_day(200, 8.0, gpus, days=3) for gpus in (2, 4))
    assert few["load"] == pytest.approx(2 * many["load"])
    assert few["wait_p95_min"] > many["wait_p95_min"] > 0
    assert many["answer_p95_min"] > many["wait_p95_min"]
    assert 0 < many["longest_queue"] < few["longest_queue"] <= 200


def test_overlays_are_built_opened_and_drawn_at_every_zoom():
    objects = made_instances(3000, (9000, 9000))
    lines = overlay.report(objects, ["a", "b", "c"], 3)
    assert "Built in" in lines[0]
    downsamples = [int(line.split("|")[1]) for line in lines[4:]]
    assert downsamples == [2**i for i in range(len(downsamples))]
    times = [
        float(cell.split("/")[1]) for line in lines[4:] for cell in line.split("|")[3:5]
    ]
    assert all(0 < took < 10_000 for took in times)


def test_features_of_each_layout_are_opened_and_drawn(tmp_path, capsys):
    for path in features.write_files(tmp_path, 300, 8):
        features.measure(path)
        found = json.loads(capsys.readouterr().out)
        assert min(found["open_s"], found["first_s"], *found["tiles_ms"]) > 0


def test_a_click_is_timed_by_its_steps():
    times = training.click_times(400, 16, clicks=3, before=20)
    assert times.shape == (3, 4)
    np.testing.assert_allclose(times[:, :3].sum(axis=1), times[:, 3])


def test_a_curve_has_a_figure_for_each_number_of_clicks():
    slide, classes = training.blobs(400, 16)
    pool = slide, np.array(training.CLASSES)[classes]
    for suggested in (False, True):
        found = training.curve(pool, pool, [15, 40], seed=0, suggested=suggested)
        assert len(found) == 2
        assert all(0.3 < each <= 1 for each in found)


def test_the_classification_of_instances_is_timed():
    assert all(each > 0 for each in training.nuclei_times(3000, labels=100))


def test_a_training_is_timed_beside_a_bare_loop(tmp_path):
    study, classes = training_loop.write_study(tmp_path, 1, 1024)
    recipe = training_loop.TrainingRecipe(
        labels=str(study),
        classes=classes,
        batch_size=4,
        validation=0,
        min_coverage=0.2,
        epochs=9,
        precision="float32",
    )
    ours, trainer = training_loop.our_rate(recipe, tmp_path / "mine", 2)
    bare = training_loop.bare_rate(trainer, 2)
    assert all(each > 0 for each in (*ours, *bare))


def test_the_usual_loop_reads_the_same_tiles(tmp_path):
    study, classes = training_loop.write_study(tmp_path, 1, 1024)
    options = {"classes": classes, "validation": 0, "min_coverage": 0.2}
    recipe = training_loop.TrainingRecipe(labels=str(study), **options)
    examples = training_loop.open_examples(recipe)
    tiles = training_loop.SlideTiles(examples, [0, 3], recipe.tile_px)
    tiles.change = np.asarray
    ours = examples.read(np.array([0, 3]), 1).astype(int)
    for index, expected in enumerate(ours):
        pixels, code = tiles[index]
        assert code == examples.codes[[0, 3][index]]
        # Pillow shrinks by a sharper kernel: near ours, far from the other tile.
        off, other = (np.abs(pixels - of).mean() for of in (expected, ours[1 - index]))
        assert off < other / 4
    examples.close()


def test_suggested_clicks_that_are_enough_are_counted():
    random = np.linspace(0.8, 0.9, len(probe_curve.EACH))
    assert probe_curve.enough(random, random + 0.02, 1) == str(probe_curve.EACH[0])
    assert probe_curve.enough(random, random - 1, 2) == "more than 50"


@pytest.mark.browser
@pytest.mark.thorough
def test_the_gallery_is_measured_in_a_browser(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "FILES", 2)
    found = gallery.measure(gallery.write_study(tmp_path, 300), tmp_path, 1)
    assert found["first paint, ms"][0] > 0
    assert found["scroll with thumbnails, frames/s"][0] > 0
