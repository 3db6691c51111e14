"""Curves of a training as a picture, and their display below a cell."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import workbench as wb
from studies import write_pictures
from workbench.system import long_work
from workbench.training.loop.curves import curves_of
from workbench.training.loop.notebook_view import TrainingCounter

LINES = [
    {"step": 1, "loss": 2.0},
    {"step": 2, "loss": 1.0, "epoch": 1, "held_out": {"dice": 0.5}},
    {"step": 4, "loss": 0.5, "epoch": 2, "held_out": {"dice": 0.75}},
]


def test_curves_have_a_point_for_each_step_and_epoch():
    found = str(curves_of(LINES, total=8, figure="dice"))
    assert 'points="150.0,50.0 150.0,25.0"' not in found
    assert 'points="75.0,50.0 150.0,25.0"' in found, "of the held-out figure"
    assert found.count("<circle") == 2
    assert "held-out dice 0.750" in found
    assert "loss 0.500" in found


def test_long_curves_are_averaged_and_short_ones_are_said_to_be():
    many = [{"step": n + 1, "loss": 1.0} for n in range(10_000)]
    loss = str(curves_of(many, total=10_000)).split('points="')[1].split('"')[0]
    assert len(loss.split()) == 150
    assert "no loss yet" in str(curves_of([], total=8))
    assert "nothing held out" in str(curves_of(many, total=10_000))


def test_names_are_no_markup():
    found = str(curves_of(LINES, total=8, figure="<b>"))
    assert "<b>" not in found


def test_a_notebook_shows_a_bar_and_the_same_curves(tmp_path, monkeypatch):
    shown = []

    class Handle:
        def update(self, picture):
            shown.append(picture.data)

    def display(picture, *, display_id):
        assert display_id
        shown.append(picture.data)
        return Handle()

    fake = SimpleNamespace(
        HTML=lambda text: SimpleNamespace(data=text), display=display
    )
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr("workbench.training.loop.train.in_notebook", lambda: True)
    options = {"tile_px": 32, "epochs": 2, "batch_size": 8, "device": "cpu"}
    labels = write_pictures(tmp_path / "tiles", number=8, side=32)
    training = wb.train(labels=str(labels), out=tmp_path / "model", **options)
    assert shown
    last = shown[-1]
    assert "polyline" in last
    assert last in training._repr_html_()
    worst = training.worst_tiles(3)
    assert [each.loss for each in worst] == sorted(
        (each.loss for each in worst), reverse=True
    )
    assert {each.truth for each in worst} <= {"blue", "pink"}
    assert worst[0].pixels.shape == (32, 32, 3)


def test_only_a_kernel_is_a_notebook(monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell)
    )
    assert long_work.in_notebook()
    del shell.kernel
    assert not long_work.in_notebook()


def test_steps_are_counted_with_loss_and_held_out_figure(tmp_path):
    record = {
        "format": 1,
        "kind": "training",
        "figure": "balanced_accuracy",
        "identity": {
            "recipe": {"epochs": 2, "batch_size": 4},
            "examples": {"tiles": {"train": [8, 8]}},
        },
    }
    (tmp_path / "training.json").write_text(json.dumps(record))
    clock, heard = iter(range(100)), []
    count = TrainingCounter(heard.append, tmp_path, clock=lambda: next(clock))
    count({"step": 3, "loss": 0.5})  # of a training that is continued
    assert heard[-1].sentence == "3 of 8 steps, 1 steps/s, 5 s left, loss 0.500"
    held = {"balanced_accuracy": 0.75, "other": 1}
    epoch = {"epoch": 1, "mean_loss": 0.4, "held_out": held}
    count({"step": 4, "loss": 0.25, **epoch})
    assert heard[-1].sentence == (
        "4 of 8 steps, 1 steps/s, 4 s left, loss 0.250,"
        " epoch 1: balanced accuracy 0.750"
    )
    count({"step": 8, "loss": 0.25, "epoch": 2, "mean_loss": 0.3, "held_out": None})
    assert heard[-1].sentence.endswith("loss 0.250, epoch 2")
