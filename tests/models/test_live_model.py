"""A network in memory as a model: run as any other, compared, and left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from fakes import FakeSlide, MeanColour, expected, fake_card
from workbench.errors import InvalidCardError, ModelError, RecipeMismatchError
from workbench.models.live_model import sha256_of

ALL = {"tissue_only": False, "batch_size": 8, "device": "cpu", "precision": "float32"}


def means(tiles):
    return tiles[:, :2].mean((2, 3))


class Scaled(nn.Module):
    """The mean of red and of green, times weights."""

    def __init__(self, factor=1.0, stride=1):
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), factor))
        self.pool = nn.MaxPool2d(1, stride=stride)
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, rgb):
        return self.pool(rgb)[:, :2].mean((2, 3)) * self.weight + self.offset


class Other(Scaled):
    def forward(self, rgb):
        return self.pool(rgb)[:, :2].amax((2, 3)) * self.weight + self.offset


@pytest.mark.parametrize(
    "network",
    [MeanColour(), Scaled(), means, lambda tiles: means(tiles).numpy()],
    ids=["module", "weights", "function", "numpy"],
)
def test_every_value_is_that_of_its_tile(network, tmp_path):
    slide = FakeSlide()
    run = wb.run(
        slide, model=wb.Model(fake_card(), network), out=tmp_path / "run", **ALL
    )
    assert run.status == "finished"
    assert run.recipe.model == run.card.name == "mean-colour"
    for tile in range(run.grid.rows * run.grid.columns):
        row, column = divmod(tile, run.grid.columns)
        np.testing.assert_allclose(
            run.heatmap.values[:, row, column],
            expected(slide, run.grid, tile),
            atol=1e-5,
        )


def test_a_job_runs_it_too(tmp_path):
    model = wb.Model(fake_card(), means)
    job = wb.Job(FakeSlide(), wb.Recipe(**ALL), tmp_path / "run", model=model)
    job.start()
    assert job.wait(120)
    assert job.error is None
    assert job.run.card.name == "mean-colour"


def test_the_network_is_not_changed(tmp_path):
    network = Scaled().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    wb.run(
        FakeSlide(), model=wb.Model(fake_card(), network), out=tmp_path / "run", **ALL
    )
    assert network.training
    assert network.weight.requires_grad
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_run_goes_on_with_the_same_weights_alone(tmp_path):
    slide = FakeSlide()

    def run(network):
        model = wb.Model(fake_card(), network)
        return wb.run(slide, model=model, out=tmp_path / "run", **ALL)

    first = run(Scaled()).record
    assert run(Scaled()).record == first
    with pytest.raises(RecipeMismatchError, match="sha256"):
        run(Scaled(0.5))


def test_the_card_follows_the_network_as_it_is_trained():
    network = Scaled()
    model = wb.Model(fake_card(), network)
    before = model.card.sha256
    with torch.no_grad():
        network.weight += 1
    assert model.card.sha256 != before


def test_modules_are_the_same_by_weights_buffers_settings_and_code():
    assert sha256_of(Scaled()) == sha256_of(Scaled().eval())
    with_buffer = Scaled()
    with_buffer.offset += 1
    others = [Scaled(2.0), Scaled(stride=2), Other(), with_buffer, Scaled().half()]
    assert len({sha256_of(each) for each in [Scaled(), *others]}) == 6


def test_a_function_is_the_same_in_one_model_alone():
    model = wb.Model(fake_card(), means)
    assert model.card == model.card
    assert wb.Model(fake_card(), means).card != model.card


def test_an_answer_that_the_card_does_not_name_is_refused(tmp_path):
    model = wb.Model(fake_card(classes=("one",)), means)
    with pytest.raises(InvalidCardError, match="1 classes"):
        wb.run(FakeSlide(), model=model, out=tmp_path / "run", **ALL)


def test_a_network_that_cannot_be_copied_is_refused_in_words(tmp_path):
    network = Scaled()
    network.kept = network(torch.zeros(1, 3, 8, 8))  # part of a graph
    with pytest.raises(ModelError, match="cannot be copied"):
        wb.run(
            FakeSlide(),
            model=wb.Model(fake_card(), network),
            out=tmp_path / "run",
            **ALL,
        )


def test_it_is_answered_in_the_colours_of_several_references(tmp_path):
    run = wb.run(
        FakeSlide(),
        model=wb.Model(fake_card(), means),
        normalize="reinhard",
        references=("he-rose",),
        out=tmp_path / "run",
        **ALL,
    )
    assert run.heatmap.classes[-1] == "disagreement"
    assert "mean-colour" in repr(wb.Model(fake_card(), means))
