"""Training: what is learnt, split, refused and kept."""

from __future__ import annotations

import errno
import json
import math
from contextlib import closing

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import workbench as wb
from studies import write_mask, write_pictures, write_study
from workbench.cli import main
from workbench.errors import (
    RunFolderError,
    SlideNotFoundError,
    SlideReadError,
    TrainingError,
)
from workbench.training.loop import folder as folders
from workbench.training.loop.examples import hold_out, open_examples
from workbench.training.loop.folder import TrainingFolder, read_metrics
from workbench.training.loop.labels import read_rows
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.tasks import Classification, Segmentation

QUICK = {"epochs": 1, "batch_size": 8, "tile_px": 32, "precision": "float32"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), 3, size=320)


def recipe_of(study, **options):
    return TrainingRecipe(labels=str(study), **{**QUICK, **options})


@pytest.mark.slow
def test_a_classification_is_learnt_and_runs(tmp_path, study):
    options = {"epochs": 8, "average": 0.9, "learning_rate": 0.003}
    training = wb.train(recipe_of(study, **options), out=tmp_path / "mine")
    judged = training.metrics.dropna(subset=["epoch"])
    assert judged["balanced_accuracy"].max() == 1
    assert "balanced_accuracy 1.000" in repr(training)
    assert "Tiles held out" in training._repr_html_()
    with wb.open_slide(study.parent / "0.tif") as slide:
        options = {"tissue_only": False, "precision": "float32"}
        run = wb.run(slide, model=str(training.path), out=tmp_path / "run", **options)
    left, right = run.heatmap.values[0, :, [0, 4]]
    assert run.heatmap.classes == ("blue", "pink")
    assert left.min() > 0.5 > right.max()


@pytest.mark.slow
@pytest.mark.parametrize("masks", [False, True])
def test_a_segmentation_is_learnt_from_areas_and_label_images(tmp_path, masks):
    study = write_study(tmp_path / "study", 3, size=320, masks=masks)
    options = {"task": "segmentation", "epochs": 6, "learning_rate": 0.003}
    options |= {"classes": "blue;pink", "average": 0.9}
    training = wb.train(recipe_of(study, **options), out=tmp_path / "mine")
    judged = training.metrics.dropna(subset=["epoch"])
    assert judged["dice"].max() > 0.95
    with wb.open_slide(study.parent / "1.tif") as slide:
        options = {"tissue_only": False, "precision": "float32"}
        run = wb.run(slide, model=str(training.path), out=tmp_path / "run", **options)
    found = run.heatmap.values.argmax(axis=0)
    columns = found.shape[1]
    assert found[:, : columns * 2 // 5].mean() < 0.1
    assert found[:, columns * 3 // 5 : columns * 9 // 10].mean() > 0.9


@pytest.mark.slow
def test_pictures_in_folders_are_learnt(tmp_path):
    folder = write_pictures(tmp_path / "tiles")
    options = {"epochs": 8, "average": 0, "turns": False, "validation": 0.25}
    training = wb.train(recipe_of(folder, **options), out=tmp_path / "mine")
    assert "which flatters" in training.record["notes"][0]
    counts = training.record["identity"]["examples"]["tiles"]
    assert [sum(counts[name]) for name in ("train", "validation")] == [18, 6]
    losses = training.metrics["loss"]
    assert losses.iloc[-2:].mean() < losses.iloc[:2].mean()


def test_folders_of_splits_are_kept(tmp_path):
    for split in ("train", "validation"):
        write_pictures(tmp_path / "tiles" / split, 3)
    examples = open_examples(recipe_of(tmp_path / "tiles"))
    assert examples.held.sum() == 6
    assert all(g.startswith("validation") for g in examples.group[examples.held])


def test_a_patient_is_on_one_side_of_the_split(tmp_path):
    study = write_study(tmp_path / "study", 4, size=192)
    text = study.read_text().replace("p1", "p0").replace("p3", "p2")
    study.write_text(text)
    for seed in range(4):
        examples = open_examples(recipe_of(study, seed=seed, validation=0.5))
        sides = [set(examples.group[m]) for m in (examples.held, ~examples.held)]
        assert [len(side) for side in sides] == [1, 1]
        assert not sides[0] & sides[1]
        examples.close()
    one = open_examples(recipe_of(study, seed=7))
    two = open_examples(recipe_of(study, seed=7))
    assert one.summary() == two.summary()
    study.write_text(
        text.replace("patient", "patient,split").replace(",p0", ",p0,validation")
    )
    examples = open_examples(recipe_of(study))
    assert set(examples.group[examples.held]) == {"p0"}


def test_a_class_always_keeps_something_to_learn_from():
    group = np.array(["a", "a", "b", "c"])
    codes = np.array([0, 1, 0, 0])
    for seed in range(20):
        recipe = TrainingRecipe(seed=seed, validation=0.9)
        held, notes = hold_out(group, codes, recipe)
        assert not held[:2].any()
        assert len(notes) == (held.sum() < 3)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("size", [320, 512, 1024])
def test_of_a_single_slide_blocks_are_held_out_with_a_margin(tmp_path, size, task):
    study = write_study(tmp_path / "study", 1, size=size)
    recipe = recipe_of(study, task=task)
    with closing(open_examples(recipe)) as examples:
        boxes = [examples.sources[0].boxes[row] for row in examples.row]
        cells = np.array([(box.x0, box.y0) for box in boxes]) // boxes[0].width
        held = examples.held
        apart = np.abs(cells[held][:, None] - cells[~held]).max(axis=2)
        assert apart.min() > 1
        for side in (held, ~held):
            numbers = np.flatnonzero(side)
            if task == "classification":
                assert set(examples.codes[numbers]) == {0, 1}
            else:
                assert {0, 1} <= set(np.unique(examples.masks(numbers)))
        assert 0.1 < held.mean() < 0.6
        assert not set(examples.group[held]) & set(examples.group[~held])
        assert len(set(examples.group[held])) * examples.block**2 >= held.sum()
        (note,) = examples.notes
        assert "says little of other slides" in note


def test_the_card_of_a_single_slide_says_that_blocks_were_held_out(tmp_path):
    study = write_study(tmp_path / "study", 1, size=256)
    training = wb.train(recipe_of(study), out=tmp_path / "mine")
    card = wb.find_model(training.path).card
    assert card.classes == ("blue", "pink")
    assert "of the same slides, which says little of other slides" in card.intended_use
    assert "balanced_accuracy" in repr(training)


def test_where_blocks_would_take_a_class_nothing_is_held_out(tmp_path):
    study = write_study(tmp_path / "study", 1, size=128)
    training = wb.train(recipe_of(study), out=tmp_path / "mine")
    assert "0 of 1 slides or patients are held out" in training.record["notes"][0]
    assert "no held-out figure" in repr(training)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "none.csv"}, "There are no labels at 'none.csv'"),
        ({"classes": "blue;green"}, "The class 'green' has no tile to learn from"),
        ({"task": "segmentation", "classes": "blue;green"}, "'green' has no pixel"),
        ({"tile_px": 2048}, "labels no tile to learn from"),
    ],
)
def test_what_cannot_be_learnt_is_said(tmp_path, study, options, message):
    with pytest.raises(TrainingError, match=message):
        wb.train(recipe_of(study), out=tmp_path / "mine", **options)
    assert not (tmp_path / "mine" / "card.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide\n", "names no slide"),
        ("name\na\n", "a line without a slide"),
        ("slide,split\na.tif,test\n", "split = 'test' is none of"),
    ],
)
def test_a_wrong_csv_is_refused(tmp_path, text, message):
    file = tmp_path / "study.csv"
    file.write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_rows(file)


@pytest.mark.parametrize(
    ("value", "classes", "message"),
    [(7, "blue;pink", "value 7"), (1, "", "whose classes are not known")],
)
def test_a_wrong_label_image_is_refused(tmp_path, value, classes, message):
    study = write_study(tmp_path / "study", 1, size=192, masks=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(study.parent / "0.png")
    options = {"task": "segmentation", "classes": classes}
    with pytest.raises(TrainingError, match=message):
        open_examples(recipe_of(study, **options))


def test_a_label_image_labels_tiles_too(tmp_path):
    study = write_study(tmp_path / "study", 1, size=256, masks=True)
    write_mask(study.parent / "0.png", 256)
    examples = open_examples(recipe_of(study, classes="blue;pink"))
    codes = examples.codes.reshape(-1, 4)
    assert codes[1:].tolist() == [[0, 0, 1, 1]] * (len(codes) - 1)


def broken_after(monkeypatch, kind, step, change):
    """Let a method of the task or folder change its behaviour from a call on."""
    calls = []
    name, cls = kind
    original = getattr(cls, name)

    def wrapped(self, *args):
        calls.append(1)
        if len(calls) >= step:
            return change(self, *args)
        return original(self, *args)

    monkeypatch.setattr(cls, name, wrapped)


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(
    tmp_path, study, monkeypatch
):
    original = Classification.loss
    with monkeypatch.context() as patched:
        broken_after(
            patched,
            ("loss", Classification),
            4,
            lambda self, *given: original(self, *given) * math.nan,
        )
        with pytest.raises(TrainingError, match="The loss of step 4 is not a finite"):
            wb.train(recipe_of(study, checkpoint_steps=2), out=tmp_path / "mine")
    training = wb.training.Training(tmp_path / "mine")
    assert training.status == "failed"
    assert "Lower learning_rate" in training.record["problem"]
    assert len(read_metrics(training.path)) == 3
    again = wb.train(recipe_of(study, checkpoint_steps=2), out=tmp_path / "mine")
    assert again.status == "finished"


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, study, monkeypatch):
    def full(path, _):
        raise RunFolderError(path, OSError(errno.ENOSPC, "No space left on device"))

    path = tmp_path / "mine"

    def fail(line):
        if line["step"] == 3:
            monkeypatch.setattr(folders, "replace_file", full)

    with monkeypatch.context(), pytest.raises(RunFolderError, match="No space left"):
        wb.train(recipe_of(study, checkpoint_steps=2), out=path, report=fail)
    monkeypatch.undo()
    training = wb.train(recipe_of(study, checkpoint_steps=2), out=path)
    assert training.status == "finished"
    steps = [line["step"] for line in read_metrics(path)]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.slow
def test_a_slide_that_is_gone_is_named_and_work_is_kept(tmp_path):
    study = write_study(tmp_path / "study", 3, size=256)
    path = tmp_path / "mine"
    moved = tmp_path / "moved.tif"

    def remove(line):
        if line["step"] == 2:
            for number in range(3):
                (study.parent / f"{number}.tif").rename(tmp_path / f"{number}.tif")
                (study.parent / f"{number}.tif").write_bytes(b"another file")

    options = {"checkpoint_steps": 1, "epochs": 3, "batch_size": 4}
    recipe = recipe_of(study, **options)
    with pytest.raises(SlideReadError, match=r"\.tif"):
        wb.train(recipe, out=path, report=remove)
    assert wb.training.Training(path).status == "failed"
    for number in range(3):
        (tmp_path / f"{number}.tif").replace(study.parent / f"{number}.tif")
    (study.parent / "1.tif").rename(moved)
    with pytest.raises(SlideNotFoundError, match=r"1\.tif"):
        wb.train(recipe, out=path)
    moved.rename(study.parent / "1.tif")
    assert wb.train(recipe, out=path).status == "finished"


def test_two_trainings_do_not_share_a_folder(tmp_path, study):
    path = tmp_path / "mine"
    with (
        TrainingFolder(path).locked(),
        pytest.raises(TrainingError, match="Another process trains into"),
    ):
        wb.train(recipe_of(study), out=path)


def test_a_damaged_checkpoint_or_record_is_refused(tmp_path, study):
    path = tmp_path / "mine"
    path.mkdir()
    (path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="is no state of this training"):
        wb.train(recipe_of(study), out=path)
    (path / "training.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read as a training"):
        wb.train(recipe_of(study), out=path)
    with pytest.raises(TrainingError, match="There is no training at"):
        _ = wb.training.Training(tmp_path / "none").status


def test_patience_ends_a_training_that_gets_no_better(tmp_path, study, monkeypatch):
    monkeypatch.setattr(
        Classification, "figures", lambda *_: {"balanced_accuracy": 0.5}
    )
    options = {"epochs": 9, "patience": 2, "batch_size": 32}
    training = wb.train(recipe_of(study, **options), out=tmp_path / "mine")
    assert training.metrics["epoch"].max() == 3
    assert training.status == "finished"


@pytest.mark.slow
def test_a_model_to_start_from_gives_its_layers(tmp_path, study):
    one = wb.train(recipe_of(study, epochs=2), out=tmp_path / "one")
    options = {"start": str(one.path), "learning_rate": 1e-8, "average": 0}
    two = wb.train(recipe_of(study, **options), out=tmp_path / "two")
    states = [wb.find_model(each.path).network.state_dict() for each in (one, two)]
    weights = [state["0.0.weight"].numpy() for state in states]
    np.testing.assert_allclose(*weights, atol=1e-5)
    with pytest.raises(TrainingError, match="No layer of 'nuclei' fits"):
        wb.train(recipe_of(study), start="nuclei", out=tmp_path / "three")


@pytest.mark.slow
def test_normalized_tiles_are_learnt_from(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    lines = ["slide,labels"]
    for seed in (3, 4):
        wb.synthetic.write_slide(folder / f"{seed}.tif", size=(512, 512), seed=seed)
        write_study(tmp_path / "areas", 1, size=512)
        text = (tmp_path / "areas" / "0.geojson").read_bytes()
        (folder / f"{seed}.geojson").write_bytes(text)
        lines.append(f"{seed}.tif,{seed}.geojson")
    (folder / "study.csv").write_text("\n".join(lines))
    options = {"normalize": "macenko", "tile_px": 64}
    examples = open_examples(recipe_of(folder / "study.csv", **options))
    (one, _), numbers = examples.sources, np.arange(4)
    plain = one.slide.read_tiles(one.boxes[:4], (64, 64))
    expected = one.normalizer(plain)
    assert np.array_equal(examples.read(numbers, 1), expected)
    assert not np.array_equal(plain, expected)
    training = wb.train(examples_recipe(folder, options), out=tmp_path / "mine")
    card = wb.find_model(training.path).card
    assert "with normalize = 'macenko'" in card.intended_use


def examples_recipe(folder, options):
    return recipe_of(folder / "study.csv", **options)


def test_the_command_trains_by_a_recipe_with_flags(tmp_path, study):
    file = tmp_path / "recipe.json"
    file.write_text(recipe_of(study, epochs=5, batch_size=16).model_dump_json())
    words = ["train", str(file), "--out", str(tmp_path / "mine"), "--epochs", "1"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0, said.output
    assert said.stderr.count("\n") == 1  # what came of it; its progress goes
    assert "finished" in said.stderr
    record = json.loads((tmp_path / "mine" / "training.json").read_text())
    used = record["identity"]["recipe"]
    assert (used["epochs"], used["batch_size"]) == (1, 16)
    wrong = CliRunner().invoke(main, ["train", "--out", str(tmp_path / "other")])
    assert wrong.exit_code == 11
    assert "There are no labels at ''" in wrong.output


def test_the_dice_is_that_of_all_pixels(tmp_path):
    import torch  # noqa: PLC0415 - for this only

    study = write_study(tmp_path / "study", 1, size=192)
    recipe = recipe_of(study, task="segmentation")
    task = Segmentation(open_examples(recipe), recipe)
    random = np.random.default_rng(0)
    truth = random.choice([0, 1, 255], (3, 8, 8)).astype(np.uint8)
    found = random.integers(0, 2, (3, 8, 8))
    logits = torch.nn.functional.one_hot(torch.from_numpy(found), 2).permute(0, 3, 1, 2)
    sums = task.begin()
    for part in (slice(0, 1), slice(1, 3)):
        targets = torch.from_numpy(truth[part])
        sums = task.add(sums, logits[part].float(), targets)
    figures = task.figures(sums)
    known = truth != 255
    for code, name in enumerate(("blue", "pink")):
        one, two = (found == code) & known, (truth == code) & known
        expected = 2 * (one & two).sum() / (one.sum() + two.sum())
        assert figures["dice_of"][name] == pytest.approx(expected)
