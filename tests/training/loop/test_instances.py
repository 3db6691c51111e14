"""Outlines of objects: labels of every kind, targets, losses, models that run."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import shapely
import torch
from PIL import Image
from safetensors.numpy import load_file

import workbench as wb
from studies import dotted, outlines_of, write_dots
from workbench.errors import TrainingError
from workbench.training.coco_set import region_of
from workbench.training.loop.coco import mask_of
from workbench.training.loop.examples import open_examples
from workbench.training.loop.instance_tasks import Detections
from workbench.training.loop.nucleus_maps import maps_of
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.tasks import task_of

QUICK = {
    "task": "instances",
    "mpp": 0.5,
    "tile_px": 64,
    "epochs": 1,
    "batch_size": 8,
    "precision": "float32",
    "threads": 1,
}
SMALL = "torchvision:maskrcnn_mobilenet_v3_small_fpn"


def recipe_of(labels, **options):
    return TrainingRecipe(labels=str(labels), **{**QUICK, **options})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_dots(tmp_path_factory.mktemp("dots"))


def objects_of(labels, **options):
    """Return the objects of the first slide or picture, in the order of its tiles."""
    examples = open_examples(recipe_of(labels, validation=0, **options))
    found = examples.objects(np.flatnonzero(examples.source == 0)[:16])
    examples.close()
    return found


def whole(tiles, side=4):
    """Return 16 tiles as the picture that they cut."""
    rows = tiles.reshape(side, side, *tiles.shape[1:])
    return rows.transpose(0, 2, 1, 3).reshape(rows.shape[0] * rows.shape[2], -1)


def write_pictures(folder):
    """Write pictures with label images beside them, and as COCO; return the COCO."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    pictures, annotations = [], []
    for number in range(2):
        pixels, numbers = dotted(seed=number)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        Image.fromarray(numbers).save(folder / "labels" / f"{number}.tif")
        facts = {"id": number, "file_name": f"{number}.png"}
        pictures.append({**facts, "height": 256, "width": 256})
        for index, each in enumerate(outlines_of(numbers)):
            ring = shapely.get_coordinates(each.geometry)[:-1].ravel().tolist()
            drawn = region_of(numbers == index + 1)["segmentation"]
            annotations.append(
                {
                    "image_id": number,
                    "category_id": 7,
                    "segmentation": drawn if index % 2 else [ring],
                }
            )
    content = {"images": pictures, "annotations": annotations}
    content["categories"] = [{"id": 7, "name": "disc"}]
    (folder / "all.json").write_text(json.dumps(content))
    return folder / "all.json"


def test_outlines_label_images_and_coco_give_the_same_objects(tmp_path, study):
    _, truth = dotted(seed=0)
    coco = write_pictures(tmp_path / "pictures")
    images = write_dots(tmp_path / "images", 1, labels="npy")
    for labels in (study, images, tmp_path / "pictures", coco):
        found = objects_of(labels)
        inside = whole(found[:, 0]) > 0
        both = (inside & (truth > 0)).sum()
        assert 2 * both / (inside.sum() + (truth > 0).sum()) > 0.97, labels
        assert set(np.unique(found[:, 1])) == {0, 1}
        assert np.array_equal(found[:, 0] > 0, found[:, 1] > 0)
        drawn = np.unique(truth[64:128, 64:128])
        assert len(np.unique(found[5, 0])) == pytest.approx(len(drawn), abs=1)


def test_run_lengths_of_any_kind_are_the_mask():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    plain = region_of(mask)["segmentation"]
    assert np.array_equal(mask_of(plain, (4, 5)), mask)
    # As pycocotools packs it: from the third on less the number two before.
    assert plain["counts"] == [5, 2, 2, 2, 2, 2, 5]
    packed = {"size": [4, 5], "counts": "".join(map(digit, (5, 2, 2, 0, 0, 0, 3)))}
    with pytest.raises(ValueError, match="run lengths"):
        mask_of({**packed, "size": [4, 4]}, (4, 5))
    assert np.array_equal(mask_of(packed, (4, 5)), mask)


def digit(number):
    """Return a number below 16 as a digit of COCO's run lengths."""
    return chr((number & 31) + 48)


def test_areas_of_complete_outlines_restrict_what_is_learnt(tmp_path):
    study = write_dots(tmp_path / "study", 1)
    _, numbers = dotted(seed=0)
    region = wb.Annotation(geometry=shapely.box(0, 0, 96, 128), classification="Region")
    notes = [*outlines_of(numbers), region]
    wb.annotations.write_geojson(notes, study.parent / "0.geojson")
    examples = open_examples(recipe_of(study, validation=0))
    assert examples.classes == ("disc",)
    assert len(examples) == 4  # two tiles whole, two by half
    found = examples.objects(np.array([1]))[0]
    assert (found[1][:, 32:][found[0][:, 32:] == 0] == -1).all()
    assert (found[1][:, :32] >= 0).all()
    targets = task_of(examples, recipe_of(study)).targets(np.array([1]))
    assert targets[0, 3].float().mean() == pytest.approx(0.5, abs=0.1)
    examples.close()


def test_corrections_of_a_run_are_learnt(tmp_path):
    study = write_dots(tmp_path / "study", 2)
    folder = tmp_path / "run"
    with wb.open_slide(study.parent / "0.tif") as slide:
        options = {"tissue_only": False, "precision": "float32"}
        run = wb.run(slide, model="nuclei-watershed", out=folder, **options)
    study.write_text(f"slide,labels\n0.tif,{folder}\n")
    with pytest.raises(TrainingError, match="have no corrections"):
        open_examples(recipe_of(study))
    edits = wb.instances.InstanceEdits(run.final_instances)
    ids, _ = edits.current.within((0, 0, 64, 64))
    edits.delete(ids.tolist(), by="me")
    edits.add([(200, 200), (220, 200), (220, 220), (200, 220)], "square", by="me")
    examples = open_examples(recipe_of(study, validation=0))
    assert "square" in examples.classes
    boxes = [tuple(examples.sources[0].where(row)) for row in range(len(examples))]
    assert (0, 0, 64, 64) in boxes
    assert (192, 192, 256, 256) in boxes
    assert len(boxes) < 16
    first, last = (
        examples.objects(np.array([boxes.index(box)]))[0]
        for box in ((0, 0, 64, 64), (192, 192, 256, 256))
    )
    code = examples.classes.index("square") + 1
    assert (last[1] == code).sum() == pytest.approx(400, abs=60)
    assert (first[0] > 0).sum() < 150  # at most what reaches in from beside
    examples.close()
    study.write_text(f"slide,labels\n1.tif,{folder}\n")
    with pytest.raises(TrainingError, match=r"is no run of the slide '1\.tif'"):
        open_examples(recipe_of(study))


def test_maps_have_depth_and_seams():
    labels = np.zeros((32, 32), np.int32)
    labels[4:20, 4:12], labels[4:20, 12:20] = 1, 2
    inside, depth, seam = maps_of(labels)
    assert np.array_equal(inside > 0, labels > 0)
    assert depth[12, 7] > 200
    assert 0 < depth[4, 8] < 100
    assert (seam[6:18, 11:13] == 255).all()
    assert not seam[:, :8].any()
    assert not maps_of(np.zeros((8, 8), np.int32)).any()


@pytest.mark.slow
def test_the_nucleus_network_learns_and_runs(tmp_path, study):
    options = {"start": "nuclei", "epochs": 3, "learning_rate": 2e-3, "scale": 1.2}
    recipe = recipe_of(study, average=0.5, blur=0.5, **options)
    training = wb.train(recipe, out=tmp_path / "mine")
    judged = training.metrics.dropna(subset=["epoch"])
    assert judged["f1"].max() > 0.7
    assert {"aji", "pq", "dice"} <= set(judged)
    card = wb.find_model(training.path).card
    assert (card.decoder, card.classes, card.border) == (
        "nucleus-maps",
        ("disc",),
        "cut",
    )
    with wb.open_slide(study.parent / "0.tif") as slide:
        options = {"tissue_only": False, "precision": "float32"}
        run = wb.run(slide, model=str(training.path), out=tmp_path / "run", **options)
    assert len(run.final_instances) == pytest.approx(64, abs=16)


@pytest.mark.slow
def test_mask_rcnn_learns_goes_on_and_runs(tmp_path):
    study = write_dots(tmp_path / "study", 2, size=128, classes=("a", "b"))
    options = {"architecture": SMALL, "batch_size": 2, "checkpoint_steps": 1}
    recipe = recipe_of(study, validation=0.5, accumulate=2, **options)
    whole = wb.train(recipe, out=tmp_path / "whole" / "mine")
    cancel = threading.Event()
    path = tmp_path / "mine"
    wb.train(recipe, out=path, cancel=cancel, report=lambda _: cancel.set())
    training = wb.train(recipe, out=path)
    one, two = (load_file(t.path / "weights.safetensors") for t in (training, whole))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in two)
    assert "roi_heads.mask_predictor.conv5_mask.weight" in one
    model = wb.find_model(path)
    assert model.card.classes == ("a", "b")
    assert model(torch.zeros((1, 3, 64, 64), dtype=torch.uint8)).shape[0] == 1


@pytest.mark.slow
def test_the_losses_of_mask_rcnn_reach_all_its_parts(tmp_path):
    study = write_dots(tmp_path / "study", 1, size=128)
    recipe = recipe_of(study, validation=0, architecture=SMALL)
    examples = open_examples(recipe)
    task = task_of(examples, recipe)
    assert isinstance(task, Detections)
    numbers = np.arange(2)
    targets = task.targets(numbers)
    targets[1] = 0  # a tile without objects is learnt from
    from workbench.training.loop.state import State  # noqa: PLC0415 - loads torch

    state = State(task.card("mine"), recipe, torch.device("cpu"))
    norms = [type(m).__name__ for m in state.network.modules()]
    assert "FrozenBatchNorm2d" not in norms
    learner = task.learner(state.network).train()
    inputs = torch.from_numpy(examples.read(numbers, 1)).permute(0, 3, 1, 2) / 255
    losses = learner(inputs, targets)
    assert losses.shape == (2,)
    losses.sum().backward()
    named = dict(state.network.named_parameters())
    for part in ("backbone", "rpn", "roi_heads.box_predictor", "roi_heads.mask_head"):
        found = [p.grad for n, p in named.items() if n.startswith(f"detector.{part}")]
        assert any(each is not None and each.abs().max() > 0 for each in found), part
    examples.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "disc;square"}, "The class 'square' has no object"),
        ({"architecture": "workbench:unet"}, "'workbench:unet' learns no outlines"),
    ],
)
def test_what_cannot_be_outlined_is_said(tmp_path, study, options, message):
    with pytest.raises(TrainingError, match=message):
        wb.train(recipe_of(study, **options), out=tmp_path / "mine")


def test_damaged_coco_files_are_said(tmp_path):
    coco = write_pictures(tmp_path / "pictures")
    content = json.loads(coco.read_text())
    wrong = {
        "is no COCO file": {"images": []},
        "which is not beside it": {
            **content,
            "images": [{**content["images"][0], "file_name": "../../x.png"}],
            "annotations": [],
        },
        "an outline of '0.png' is none": {
            **content,
            "annotations": [
                {**content["annotations"][0], "segmentation": {"counts": [1]}}
            ],
        },
    }
    for message, given in wrong.items():
        coco.write_text(json.dumps(given))
        with pytest.raises(TrainingError, match=message):
            wb.train(recipe_of(coco, validation=0), out=tmp_path / "mine")
    coco.write_text(json.dumps(content))
    with pytest.raises(TrainingError, match="not one class for each tile"):
        wb.train(recipe_of(coco, task="classification"), out=tmp_path / "mine")
