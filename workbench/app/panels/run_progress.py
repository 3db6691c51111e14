"""Progress of a run: a card that floats over the slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import button, floating, note
from workbench.area import Area

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workbench.annotations.annotation import Annotation
    from workbench.inference.jobs import Job
    from workbench.progress import Progress

_WIDTH: Final = 300
_SHOWN_SHARE: Final = 0.01
_GB: Final = 1e9


class ProgressCard(pn.viewable.Viewer):
    """Shows the progress of a job, with buttons to pause and to cancel it.

    Parameters
    ----------
    pause, cancel : callable
        Called when the buttons are pressed; `pause` also resumes.
    """

    def __init__(
        self, *, pause: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        super().__init__()
        plain: dict[str, Any] = {"sizing_mode": None, "margin": 0}
        self._title = note(width=_WIDTH, sizing_mode=None)
        self._question = note(width=_WIDTH, sizing_mode=None, visible=False)
        self._status = note(width=_WIDTH, sizing_mode=None)
        self._bar = pmui.LinearProgress(value=0, width=_WIDTH, margin=(6, 0))
        self._costs = note(width=_WIDTH, sizing_mode=None)
        self._pause = button("Pause", icon="pause", **plain)
        self._cancel = button("Cancel", icon="stop", **plain)
        self._pause.on_click(lambda _: pause())
        self._cancel.on_click(lambda _: cancel())
        self._paper = pmui.Paper(
            pmui.Column(
                self._title,
                self._status,
                self._question,
                self._bar,
                self._costs,
                width=_WIDTH,
                margin=0,
            ),
            pmui.Column(self._pause, self._cancel, margin=0, sx={"gap": "6px"}),
            direction="row",
            elevation=3,
            visible=False,
            styles=floating(bottom=56, left=16),
            sx={"alignItems": "center", "gap": "12px", "p": "6px 14px"},
        )

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._paper

    @property
    def text(self) -> str:
        """Progress of the job as a sentence."""
        return str(self._status.object)

    @property
    def action(self) -> str:
        """Action of the first button: "Pause" or "Resume"."""
        return str(self._pause.label)

    def name_job(self, title: str) -> None:
        """Show the title of the job."""
        self._title.object = title
        self._question.visible = False

    def ask(self, question: str) -> None:
        """Show a question before another user's job is changed."""
        self._question.param.update(object=question, visible=True)

    def show_text(self, text: str) -> None:
        """Show a sentence until the next progress."""
        self._status.object = text
        self._paper.visible = True

    def show(self, progress: Progress) -> None:
        """Show the progress of a job."""
        paused = progress.status == "paused"
        self._bar.variant = (
            "determinate" if progress.total or paused else "indeterminate"
        )
        self._bar.value = round(100 * progress.fraction)
        if paused != (self.action == "Resume"):
            self._pause.param.update(
                label="Resume" if paused else "Pause",
                icon="play_arrow" if paused else "pause",
            )
        self._costs.object = "" if paused else costs(progress)
        self.show_text(progress.sentence)

    def hide(self) -> None:
        """Hide the card: no job is active."""
        self.name_job("")
        self._paper.visible = False


def costs(progress: Progress) -> str:
    """Return shares of time, advice and memory of a run as text."""
    spent = sorted(progress.shares.items(), key=lambda each: -each[1])
    costly = [f"{step} {share:.0%}" for step, share in spent if share > _SHOWN_SHARE]
    held = [
        f"{'memory' if name == 'host' else name} {size / _GB:.1f} GB"
        for name, size in progress.memory.items()
    ]
    parts = [", ".join(costly), progress.advice, ", ".join(held)]
    return " · ".join(part for part in parts if part)


def job_title(job: Job, annotations: Iterable[Annotation]) -> str:
    """Return the model, colours, region and owner of a job, which identify it."""
    recipe = job.recipe
    where = "whole slide"
    if recipe.region is not None:
        area = Area.of(recipe.region)
        areas = (each for each in annotations if each.kind == "area")
        same = next((each.title for each in areas if each.area == area), None)
        where = "region" if same is None else f"in {same}"
    colours = recipe.normalize or ""
    parts = [Path(recipe.model).stem, colours, where, job.user]
    return " · ".join(filter(None, parts))
