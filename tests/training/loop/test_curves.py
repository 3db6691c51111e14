"""Curves of a training as a picture, and their display below a cell."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import workbench as wb
from studies import write_pictures
from workbench.training.loop import notebook_view
from workbench.training.loop.curves import curves_of

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
    assert notebook_view.in_notebook()
    del shell.kernel
    assert not notebook_view.in_notebook()
