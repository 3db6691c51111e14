"""Curves of a training: the loss of each step, the held-out figure of each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.markup import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from numpy.typing import NDArray

_WIDTH: Final = 300
_HEIGHT: Final = 100
_MOST_POINTS: Final = 150
"""Points of a curve; the losses of several steps are averaged."""

_SHOWN_QUANTILE: Final = 0.98
"""Losses above this quantile do not set the height of the curve."""


def curves_of(
    lines: Sequence[dict[str, Any]], *, total: int, figure: str = ""
) -> Markup:
    """Return the curves of a training as a picture with its last values as text.

    Parameters
    ----------
    lines : sequence of dict
        Lines of the metrics, as `read_metrics` returns them.
    total : int
        Number of steps of the whole training.
    figure : str
        Name of the held-out figure, between 0 and 1.
    """
    steps = np.array([line["step"] for line in lines], np.float64)
    losses = np.array([line["loss"] for line in lines], np.float64)
    judged = [line for line in lines if (line.get("held_out") or {}).get(figure)]
    places = np.array([line["step"] for line in judged], np.float64)
    values = np.array([line["held_out"][figure] for line in judged], np.float64)
    end = max(total, int(steps[-1]) if len(steps) else 1)
    top = float(np.quantile(losses, _SHOWN_QUANTILE)) if len(losses) else 1.0
    name = figure.replace("_", " ")
    found = f"held-out {name} {values[-1]:.3f}" if len(values) else ""
    figure_text = found or ("no held-out figure yet" if name else "nothing held out")
    loss_text = f"loss {losses[-1]:.3f}" if len(losses) else "no loss yet"
    dots = _points(places, values, end, 1.0)
    return render(
        "curves",
        caption=f"Curves: {loss_text}, {figure_text}",
        loss=_joined(_points(*_averaged(steps, losses), end, top or 1.0)),
        figure=_joined(dots),
        dots=dots,
        loss_text=f"{loss_text} (top of the picture: {top:.2g})",
        figure_text=f"{figure_text} (top: 1)" if len(values) else figure_text,
    )


def _averaged(
    steps: NDArray[np.float64], losses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most `_MOST_POINTS` means of steps that follow each other."""
    parts = min(_MOST_POINTS, len(steps))
    if not parts:
        return steps, losses
    means = [
        [float(part.mean()) for part in np.array_split(values, parts)]
        for values in (steps, losses)
    ]
    return np.array(means[0]), np.array(means[1])


def _points(
    steps: NDArray[np.float64], values: NDArray[np.float64], end: int, top: float
) -> list[tuple[float, float]]:
    x = np.round(steps / end * _WIDTH, 1)
    y = np.round(_HEIGHT * (1 - np.clip(values / top, 0, 1)), 1)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _joined(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
