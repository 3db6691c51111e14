"""Models that segment by clicks: card, loading, answers, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import workbench as wb
from click_network import CARD, ByColour, InTwoParts, write_click_model
from fakes import FakeSlide
from workbench.annotations.clicked import clicked_object
from workbench.errors import (
    InvalidCardError,
    MissingMppError,
    ModelError,
    OutOfBoundsError,
    UntrustedModelError,
)
from workbench.models.card import ModelCard
from workbench.models.prompted import PromptedModel, check_prompted
from workbench.models.registry import find_model, identify_model, load_prompted
from workbench.models.suitability import misfit

CENTRE = (128, 128)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return write_click_model(tmp_path_factory.mktemp("clicks"))


@pytest.fixture
def pixels():
    """Return a light tile with two dark squares, one of them redder."""
    made = np.full((256, 256, 3), 220, np.uint8)
    made[100:160, 100:160] = (90, 60, 120)
    made[100:160, 160:200] = (110, 60, 120)
    return made


def test_a_card_for_clicks_needs_no_class_and_no_mpp():
    made = ModelCard(**CARD)
    assert (made.prompted, made.classes, made.mpp) == (True, ("object",), 0)
    assert ModelCard(**CARD, mpp=0.5).mpp == 0.5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": "instances", "margin_px": 8}, "needs task = 'segmentation'"),
        ({"classes": ["a", "b"]}, "with one class, not 'segmentation' with 2"),
        ({"margin_px": 8}, "margin_px = 8 has no meaning"),
        ({"activation": "sigmoid"}, "activation = 'sigmoid' has no meaning"),
        ({"decoder": "", "classes": ["a"], "mpp": 0}, "mpp = 0 (input should be gre"),
    ],
)
def test_what_has_no_meaning_for_clicks_is_refused(change, sentence):
    with pytest.raises(InvalidCardError) as caught:
        ModelCard(**{**CARD, **change})
    assert sentence in caught.value.message


def test_clicks_give_a_mask_and_further_clicks_change_it(card, pixels):
    with pytest.raises(UntrustedModelError):
        load_prompted(card)
    model = load_prompted(card, trust=True)
    assert len(model.card.sha256) == 64
    both = model.propose(pixels, [CENTRE], [1])
    assert (both.shape, both.dtype) == ((256, 256), bool)
    assert both.sum() == pytest.approx(60 * 100, rel=0.1)
    less = model.propose(pixels, [CENTRE, (180, 130)], [1, 0])
    assert less.sum() == pytest.approx(60 * 60, rel=0.1)
    with pytest.raises(OutOfBoundsError, match="2 points and 1 labels"):
        model.propose(pixels, [CENTRE, CENTRE], [1])
    with pytest.raises(OutOfBoundsError, match="takes pixels of shape"):
        model.propose(pixels[:100], [CENTRE], [1])


def test_further_clicks_on_the_same_pixels_do_not_wait_for_the_encoder(
    tmp_path, card, pixels
):
    whole = load_prompted(card, trust=True)
    assert not whole.embeds
    model = load_prompted(write_click_model(tmp_path, InTwoParts()), trust=True)
    assert model.embeds
    model.network.asked.zero_()  # it was tried as it was loaded
    for clicks in ([CENTRE], [CENTRE, (180, 130)], [(180, 130)]):
        labels = [1, 0][: len(clicks)]
        found, same = (each.propose(pixels, clicks, labels) for each in (model, whole))
        assert np.array_equal(found, same)
    assert model.network.asked == 1
    for number in range(5):  # of other views; four are kept
        model.propose(pixels + np.uint8(number + 1), [CENTRE], [1])
    assert model.network.asked == 6
    model.propose(pixels + np.uint8(5), [CENTRE], [1])
    assert model.network.asked == 6
    model.propose(pixels, [CENTRE], [1])
    assert model.network.asked == 7


def test_points_follow_the_pixels_when_they_are_resized(pixels):
    small = ModelCard(**CARD, input_px=64)
    mask = PromptedModel(small, ByColour()).propose(pixels, [CENTRE], [1])
    assert mask[110:150, 110:190].all()
    assert mask.mean() == pytest.approx(60 * 100 / 256**2, rel=0.3)


def test_a_model_for_clicks_makes_no_run(card):
    slide = FakeSlide()
    live = wb.Model(ModelCard(**CARD), ByColour())
    for refused in (
        lambda: identify_model(card),
        lambda: find_model(card, trust=True),
        lambda: wb.run(slide, model=str(card), trust=True),
        lambda: wb.run(slide, model=live),
    ):
        with pytest.raises(ModelError, match="by clicks and makes no runs"):
            refused()
    assert (
        misfit(ModelCard(**CARD), slide)
        == "it segments objects by clicks and makes no runs"
    )
    with pytest.raises(ModelError, match="does not segment by clicks"):
        load_prompted("nuclei")


class Answers(nn.Module):
    """Answers the same whatever it is asked."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, image, points, labels):  # noqa: ARG002 - as networks do
        return self.answer(image)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: x[:, :2], r"answers with shape \(1, 2, 256, 256\)"),
        (lambda x: x[:, :1] / 0, "not finite"),
        (lambda x: torch.randn_like(x[:, :1]), "differently to the same clicks"),
        (lambda x: x.reshape(7), "failed for clicks"),
    ],
)
def test_a_network_that_answers_otherwise_is_refused(answer, sentence):
    with pytest.raises(ModelError, match=sentence):
        check_prompted(PromptedModel(ModelCard(**CARD), Answers(answer)))


def test_an_onnx_file_with_three_inputs_needs_no_trust(tmp_path, pixels):
    def taken(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    # Dark pixels, whatever is clicked; the sum of labels is 1 or more.
    nodes = [
        helper.make_node("ReduceSum", ["points"], ["p"], keepdims=0),
        helper.make_node("ReduceSum", ["labels"], ["l"], keepdims=0),
        helper.make_node("ReduceMean", ["image", "axes"], ["grey"], keepdims=1),
        helper.make_node("Sub", ["half", "grey"], ["dark"]),
        helper.make_node("Mul", ["dark", "p"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "l"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dark",
        [
            taken("image", 1, 3, "h", "w"),
            taken("points", 1, "n", 2),
            taken("labels", 1, "n"),
        ],
        [taken("logits", 1, 1, "h", "w")],
        [
            helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    (tmp_path / "dark.onnx").write_bytes(model.SerializeToString())
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**CARD, "weights": "dark.onnx"}))
    mask = load_prompted(path).propose(pixels, [CENTRE], [1])
    assert np.array_equal(mask, pixels[..., 0] < 128)


class Looks:
    """Records what it is asked; the object is a square around the first click."""

    def __init__(self, **changes):
        self.card = ModelCard(**{**CARD, **changes})

    def propose(self, pixels, points, labels):  # noqa: ARG002 - as models do
        self.points = np.asarray(points)
        mask = np.zeros(pixels.shape[:2], bool)
        mask[118:138, 118:138] = True
        return mask


def test_clicks_on_a_slide_give_an_outline_in_its_pixels():
    slide, model = FakeSlide(), Looks()
    found = clicked_object(slide, model, [(500, 300)], [1], downsample=2)
    assert found.bounds == pytest.approx((480, 280, 520, 320), abs=2)
    assert model.points.tolist() == [[128, 128]]
    found = clicked_object(slide, Looks(mpp=2.0), [(500, 300)], [1])
    assert found.area == pytest.approx(80 * 80, rel=0.1)
    edge = clicked_object(slide, model, [(2, 3)], [1])
    assert edge.bounds[:2] == (0, 0)
    clicked_object(slide, model, [(50, 300), (850, 300)], [1, 0])
    assert model.points.min() >= 0
    assert model.points.max() < 256


def test_clicks_that_mean_nothing_are_refused():
    slide = FakeSlide(mpp=None)
    with pytest.raises(OutOfBoundsError, match="not on the slide"):
        clicked_object(slide, Looks(), [(5, 5), (-3, 5)], [1, 1])
    with pytest.raises(OutOfBoundsError, match="1 clicks with 2 labels"):
        clicked_object(slide, Looks(), [(5, 5)], [1, 1])
    with pytest.raises(MissingMppError):
        clicked_object(slide, Looks(mpp=0.5), [(5, 5)], [1])
