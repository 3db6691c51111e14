"""Run folders, recipes, cards and references of any bytes: an answer, or a sentence."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from made_instances import made_store
from run_records import FACTS, answers_of
from workbench.errors import RecipeError, RunError, WorkbenchError
from workbench.geometry import Box
from workbench.instances.store import open_instances
from workbench.models.formats.card_files import read_card
from workbench.recipe import Recipe
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.stain.references import REFERENCES, load_reference


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    with RunWriter(path) as recorder:
        recorder.create(FACTS, np.arange(15), {})
        recorder.append(answers_of(0, range(15)))
        recorder.close("finished", {})
    return path


def look(path):
    """Ask a run for all that it knows."""
    run = open_run(path)
    heatmap = run.heatmap
    return (
        run.status,
        run.tiles_done,
        run.tiles_total,
        run.tiles_failed,
        run.failures,
        heatmap.values.shape,
        heatmap.classes,
    )


def broken(data, rng):
    """Return bytes that are cut, zeroed, flipped, repeated or replaced somewhere."""
    data = bytearray(data)
    at = int(rng.integers(0, max(1, len(data))))
    length = int(rng.integers(1, 40))
    match int(rng.integers(0, 5)):
        case 0:
            return bytes(data[:at])
        case 1:
            data[at : at + length] = bytes(len(data[at : at + length]))
        case 2:
            data[at : at + 1] = bytes([int(rng.integers(0, 256))])
        case 3:
            data[at:at] = data[at : at + length]
        case 4:
            data[at : at + length] = rng.bytes(length)
    return bytes(data)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_run_is_a_sentence(whole, tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    file = files[seed % len(files)]
    file.write_bytes(broken(file.read_bytes(), rng))
    try:
        look(path)
    except WorkbenchError as error:
        str(error).encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", 3),
        ("status", "asleep"),
        ("recipe", []),
        ("recipe", {"model": 3}),
        ("recipe", {"x": 1}),
        ("model", {}),
        ("model", None),
        ("grid", {}),
        ("grid", {"slide_size": [1]}),
        ("grid", {"slide_size": 3, "downsample": "x"}),
        ("slide", "a"),
        ("tiles_total", "many"),
        ("tiles_failed", None),
        ("failures", {"a": 1}),
    ],
)
def test_a_record_that_says_something_else_is_a_sentence(whole, tmp_path, name, value):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    record = json.loads((path / "run.json").read_text())
    for change in (
        record | {name: value},
        {k: v for k, v in record.items() if k != name},
    ):
        (path / "run.json").write_text(json.dumps(change))
        with pytest.raises(RunError, match=r"run\.json"):
            look(path)


def test_a_grid_of_billions_takes_no_memory(whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    record = json.loads((path / "run.json").read_text())
    record["grid"]["slide_size"] = [10**9, 10**9]
    (path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="tiles"):
        look(path)


@pytest.mark.parametrize(
    "tiles",
    [
        np.array([99]),
        np.array([-1]),
        np.arange(3.0),
        np.arange(4).reshape(2, 2),
        np.array(5),
        np.array(["a"]),
    ],
)
def test_tiles_that_there_are_not_are_a_sentence(whole, tmp_path, tiles):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    np.save(path / "tiles.npy", tiles)
    with pytest.raises(RunError, match=r"tiles\.npy"):
        look(path)


def test_scores_that_are_gone_or_of_another_run_are_a_sentence(whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    meta = path / "scores.zarr" / "zarr.json"
    shape = json.loads(meta.read_text())
    meta.write_text(json.dumps(shape | {"shape": [2, 10**7, 10**7]}))
    with pytest.raises(RunError, match="shape"):
        look(path)
    meta.unlink()
    with pytest.raises(RunError, match=r"scores\.zarr"):
        look(path)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.slow
def test_damaged_instances_are_a_sentence(tmp_path, seed):
    store = made_store(tmp_path, 200)
    rng = np.random.default_rng(seed)
    data = store.path.read_bytes()
    if seed % 3 == 0:  # in what describes the file, at its end
        data = data[:-400] + broken(data[-400:], rng)
    elif seed % 3 == 1:
        data = data[: int(rng.integers(0, len(data)))]
    else:
        data = broken(data, rng)
    file = tmp_path / "other.parquet"
    file.write_bytes(data)
    try:
        found = open_instances(file)
        found.frame()
        found.within(Box(0, 0, 10_000, 10_000))
    except WorkbenchError as error:
        str(error).encode()


JSON = json.dumps(FACTS.get("recipe", {})).encode() or b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"model":' * 50_000,
        b'{"model": 3}',
        b'{"model": "\\ud800"}',
        b'{"batch_size": 1e400}',
        b'{"region": [[[[1, 2], [3, 1e999], [4, 5]]]]}',
        b'{"wings": 2}',
        b"null",
        b"[]",
        b'{"name": NaN}',
        JSON[:-2] + b"\0",
    ],
)
def test_texts_of_recipes_cards_and_references_are_answered_or_refused(tmp_path, data):
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(RecipeError) as caught:
        Recipe.of_json(data)
    str(caught.value).encode()
    for read in (read_card, lambda path: load_reference(str(path))):
        with pytest.raises(WorkbenchError) as said:
            read(file)
        str(said.value).encode()


def test_a_recipe_comes_back_as_it_was():
    recipe = Recipe.of(model="x", region=(0, 0, 10, 20), normalize="vahadane")
    assert Recipe.of_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("seed", range(40))
def test_damaged_references_are_a_sentence(tmp_path, seed):
    rng = np.random.default_rng(seed)
    file = tmp_path / "r.json"
    REFERENCES["he-standard"].save(file)
    file.write_bytes(broken(file.read_bytes(), rng))
    try:
        load_reference(str(file))
    except WorkbenchError as error:
        str(error).encode()


def test_a_slide_whose_name_is_no_unicode_can_be_recorded(tmp_path):
    with RunWriter(tmp_path / "run") as recorder:
        slide = {**FACTS["slide"], "name": "a\udcff.tif"}
        recorder.create({**FACTS, "slide": slide}, np.arange(15), {})
        recorder.append(answers_of(0, range(15)))
        recorder.close("finished", {})
    assert open_run(tmp_path / "run").record["slide"]["name"] == "a\udcff.tif"


@pytest.mark.parametrize("zeros", [1, 9, 200, 4096])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_what_follows_a_damaged_part_of_a_journal_is_kept(tmp_path, chunk, zeros):
    path = tmp_path / "run"
    ends = []
    recorder = RunWriter(path).__enter__()
    recorder.create(FACTS, np.arange(15), {})
    live = open_run(path)
    for number in range(4):
        ends.append((path / "journal").stat().st_size)
        tiles = range(3 * number, 3 * number + 3)
        recorder.append(answers_of(number, tiles))
    recorder._journal.abandon()
    recorder._lock.release()
    assert live.tiles_done == 12
    data = bytearray((path / "journal").read_bytes())
    stop = min(ends[chunk] + zeros, ends[3] - 1)
    data[ends[chunk] : stop] = bytes(stop - ends[chunk])
    (path / "journal").write_bytes(data)
    lost = sum(ends[chunk] < end <= stop for end in ends) + 1
    run = open_run(path)
    assert run.tiles_done == 3 * (4 - lost)
    assert np.isnan(run.heatmap.values[0]).sum() == 4 * (3 + 3 * lost)
    with RunWriter(path) as again:
        again.resume({})
        assert len(again.chunks_done) == 4 - lost
        for number in set(range(4)) - again.chunks_done:
            again.append(answers_of(number, range(3 * number, 3 * number + 3)))
        again.append(answers_of(4, range(12, 15)))
        again.close("finished", {})
    values = open_run(path).heatmap.values
    assert sorted(np.unique(values)) == list(range(15))
