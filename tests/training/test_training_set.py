"""Training sets for other programs hold the tiles that a training learns from."""

from __future__ import annotations

import csv
import errno
import json
import tarfile

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torchvision.datasets import ImageFolder

import workbench as wb
from studies import write_dots, write_study
from workbench.cli import main
from workbench.errors import RunFolderError, TrainingError
from workbench.training import export_training_set, training_set
from workbench.training.loop.examples import open_examples
from workbench.training.loop.recipe import TrainingRecipe


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), 3, size=256)


def recipe_of(study, **options):
    return TrainingRecipe(labels=str(study), tile_px=32, **options)


@pytest.fixture(scope="module")
def expected(study):
    """Return examples, and all tiles as a training reads them."""
    examples = open_examples(recipe_of(study))
    return examples, examples.read(np.arange(len(examples)), 1)


def table_of(folder):
    with (folder / "tiles.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_folders_are_read_by_torchvision(tmp_path, study, expected):
    examples, pixels = expected
    path = export_training_set(recipe_of(study), out=tmp_path / "set")
    table = table_of(path)
    assert len(table) == len(examples)
    sizes = {}
    for split in ("train", "validation"):
        found = ImageFolder(path / split)
        assert found.classes == ["blue", "pink"]
        sizes[split] = len(found)
    assert sizes == {"train": (~examples.held).sum(), "validation": examples.held.sum()}
    for number in (0, len(table) - 1):
        line = table[number]
        file = path / line["split"] / line["class"] / f"{line['name']}.png"
        assert np.array_equal(np.asarray(Image.open(file)), pixels[number])
    record = json.loads((path / "training-set.json").read_text())
    assert record["recipe"]["tile_px"] == 32
    assert record["examples"] == examples.summary()
    with wb.open_slide(study.parent / table[3]["source"]) as slide:
        box = wb.Box(*(int(edge) for edge in table[3]["where"].split()))
        tile = slide.read_tiles([box], (32, 32))[0]
    assert np.array_equal(tile, pixels[3])


def test_shards_hold_each_tile_once(tmp_path, study, expected, monkeypatch):
    examples, pixels = expected
    monkeypatch.setattr(training_set, "_SHARD", 5)
    path = export_training_set(
        recipe_of(study), out=tmp_path / "s", layout="webdataset"
    )
    names = [line["name"] for line in table_of(path)]
    seen = []
    for shard in sorted(path.glob("*.tar")):
        with tarfile.open(shard) as tar:
            members = tar.getnames()
            assert len(members) <= 15
            for name in dict.fromkeys(each.split(".")[0] for each in members):
                number = names.index(name)
                image = Image.open(tar.extractfile(f"{name}.png"))
                assert np.array_equal(np.asarray(image), pixels[number])
                code = int(tar.extractfile(f"{name}.cls").read())
                assert code == examples.codes[number]
                split = json.load(tar.extractfile(f"{name}.json"))["split"]
                assert shard.name.startswith(split)
                seen.append(number)
    assert sorted(seen) == list(range(len(examples)))


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_an_hdf5_file_has_all_tiles_in_arrays(tmp_path, study, task):
    recipe = recipe_of(study, task=task)
    path = export_training_set(recipe, out=tmp_path / "set", layout="hdf5")
    examples = open_examples(recipe)
    every = np.arange(len(examples))
    with h5py.File(path / "tiles.h5") as file:
        assert np.array_equal(file["images"], examples.read(every, 1))
        assert np.array_equal(file["labels"], examples.codes)
        assert np.array_equal(file["validation"], examples.held)
        assert json.loads(file.attrs["classes"]) == ["blue", "pink"]
        assert json.loads(file["where"][0]) == list(examples.sources[0].where(0))
        if task == "segmentation":
            assert np.array_equal(file["masks"], examples.masks(every))


def test_masks_lie_beside_their_tiles(tmp_path, study):
    recipe = recipe_of(study, task="segmentation")
    path = export_training_set(recipe, out=tmp_path / "set")
    masks = sorted(path.glob("*/masks/*.png"))
    images = sorted(path.glob("*/images/*.png"))
    assert [m.name for m in masks] == [i.name for i in images]
    values = {int(v) for mask in masks for v in np.unique(np.asarray(Image.open(mask)))}
    assert values == {0, 1}


def test_coco_gives_back_the_masks(tmp_path, study):
    recipe = recipe_of(study, task="segmentation")
    path = export_training_set(recipe, out=tmp_path / "set", layout="coco")
    examples = open_examples(recipe)
    masks = examples.masks(np.arange(len(examples)))
    numbers = {f"{line['name']}.png": i for i, line in enumerate(table_of(path))}
    for split in ("train", "validation"):
        known = json.loads((path / f"{split}.json").read_text())
        assert [each["name"] for each in known["categories"]] == ["blue", "pink"]
        for image in known["images"]:
            found = np.full((32, 32), 255, np.uint8)
            for each in known["annotations"]:
                if each["image_id"] != image["id"]:
                    continue
                counts = each["segmentation"]["counts"]
                flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
                region = flat.reshape(32, 32, order="F")
                assert region.sum() == each["area"]
                x, y, width, height = each["bbox"]
                assert region[y : y + height, x : x + width].sum() == each["area"]
                found[region] = each["category_id"] - 1
            assert np.array_equal(found, masks[numbers[image["file_name"]]])
            assert (path / split / image["file_name"]).is_file()


@pytest.mark.slow
def test_normalized_tiles_are_written_normalized(tmp_path):
    folder = tmp_path / "study"
    study = write_study(folder, 1, size=512)
    wb.synthetic.write_slide(folder / "0.tif", size=(512, 512), seed=3)
    recipe = recipe_of(study, normalize="macenko")
    path = export_training_set(recipe, out=tmp_path / "set")
    examples = open_examples(recipe)
    line = table_of(path)[5]
    file = path / line["split"] / line["class"] / f"{line['name']}.png"
    expected = examples.read(np.array([5]), 1)[0]
    assert np.array_equal(np.asarray(Image.open(file)), expected)


def test_what_cannot_be_written_is_said(tmp_path, study, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(TrainingError, match="holds something already"):
        export_training_set(recipe_of(study), out=tmp_path / "full")
    with pytest.raises(TrainingError, match="COCO holds outlines"):
        export_training_set(recipe_of(study), out=tmp_path / "set", layout="coco")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training_set, "png", full)
    with pytest.raises(RunFolderError, match="No space left"):
        export_training_set(recipe_of(study), out=tmp_path / "set")
    assert [each.name for each in tmp_path.iterdir()] == ["full"]


def test_the_command_writes_a_set(tmp_path, study):
    words = ["dataset", "--labels", str(study), "--tile-px", "64", "--to", "hdf5"]
    said = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "set")])
    assert said.exit_code == 0, said.output
    assert (tmp_path / "set" / "tiles.h5").is_file()
    assert said.output.strip() == str(tmp_path / "set")


def test_objects_are_written_as_coco_and_read_back(tmp_path):
    study = write_dots(tmp_path / "study", 2)
    options = {"task": "instances", "mpp": 0.5, "tile_px": 64, "validation": 0.5}
    with pytest.raises(TrainingError, match="holds no outlines of objects"):
        export_training_set(labels=str(study), out=tmp_path / "x", **options)
    path = export_training_set(
        labels=str(study), out=tmp_path / "tiles", layout="coco", **options
    )
    recipes = [TrainingRecipe(labels=str(p), **options) for p in (study, path)]
    ours, theirs = (open_examples(recipe) for recipe in recipes)
    assert (len(ours), ours.classes) == (len(theirs), theirs.classes)
    assert ours.held.sum() == theirs.held.sum()
    learnt = [np.flatnonzero(~each.held)[:4] for each in (ours, theirs)]
    one, two = (e.objects(n) for e, n in zip((ours, theirs), learnt, strict=True))
    assert np.array_equal(one[:, 1], two[:, 1])
    ours.close()
