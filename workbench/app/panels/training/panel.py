"""Training panel: a model is trained from annotations, and followed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.catalog.trainings import write_labels
from workbench.app.panels.training.recipe_form import RecipeForm
from workbench.app.widgets.controls import STYLE, button, note, side_by_side, stack
from workbench.app.widgets.gallery import picture_url
from workbench.app.widgets.text import Html
from workbench.app.widgets.tile_strip import TileStrip
from workbench.errors import WorkbenchError
from workbench.geometry import Box
from workbench.progress import Progress, Speed
from workbench.training.loop.curves import curves_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import param

    from workbench.app.catalog.slides import SlideLibrary
    from workbench.app.catalog.training_job import TrainingJob
    from workbench.app.catalog.trainings import SavedTraining, TrainingLibrary
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.progress import Status
    from workbench.slide.slide import Slide
    from workbench.training.loop.mistakes import Mistake

_POLL_MS: Final = 1000
_SHOWN: Final = 12
_NEW: Final = "A new training"
_ROOM: Final = 1.0
"""Margin of the view around a tile, as a share of its side."""


class TrainingPanel(pn.viewable.Viewer):
    """Lets the user train a model from annotations, and follow trainings.

    Parameters
    ----------
    trainings : TrainingLibrary
    library : SlideLibrary
    annotations : Path
        Folder of annotations.
    background : Background
    finished : callable
        Called with the name of a model once it is trained.
    open_slide : callable
        Opens a slide by its name.
    """

    def __init__(
        self,
        trainings: TrainingLibrary,
        library: SlideLibrary,
        annotations: Path,
        background: Background,
        *,
        finished: Callable[[str], None],
        open_slide: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._trainings, self._library = trainings, library
        self._annotations = annotations
        self._background = background
        self._finished, self._open_slide = finished, open_slide
        self._user = str(pn.state.user or "")
        self._viewer: Viewer | None = None
        self._followed = ""
        self._seen: tuple[object, ...] = ()
        self._speed = Speed()
        self._mistakes: list[Mistake] = []
        self._goal: tuple[str, Box] | None = None
        self._stop_polling: Callable[[], None] = lambda: None
        self._build()
        self.offer()

    def _build(self) -> None:
        self.form = RecipeForm()
        self.choice = pmui.Select(label="Trainings", **STYLE)
        self.start_button = button("Train", icon="school", main=True)
        self.state = note("", visible=False)
        self._bar = pmui.LinearProgress(value=0, visible=False, margin=(4, 0))
        self.curves = Html(sizing_mode="stretch_width", visible=False, margin=(4, 0))
        self.pause_button = button("Pause", icon="pause", visible=False)
        self.cancel_button = button("Cancel", icon="stop", visible=False)
        self.continue_button = button("Continue", icon="play_arrow", visible=False)
        self.errors_button = button("Examples of errors", icon="image_search")
        self.errors_button.visible = False
        self._legend = note("", visible=False)
        self.strip = TileStrip(
            label="Tiles that are most wrong", sizing_mode="stretch_width", margin=0
        )
        for each, act in (
            (self.start_button, self.start),
            (self.pause_button, self.pause),
            (self.cancel_button, self.cancel),
            (self.continue_button, self.continue_saved),
            (self.errors_button, self.show_errors),
        ):
            each.on_click(lambda _, act=act: self._background.guard(act))
        self.choice.param.watch(lambda event: self.follow(event.new or ""), "value")
        self.strip.param.watch(self._clicked, "clicked")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self.choice,
            self.form,
            self.start_button,
            self.state,
            self._bar,
            self.curves,
            side_by_side(self.pause_button, self.cancel_button),
            self.continue_button,
            self.errors_button,
            self._legend,
            self.strip,
        )

    @property
    def job(self) -> TrainingJob | None:
        """The job of the training that is followed."""
        return self._trainings.job(self._followed) if self._followed else None

    def attach(self, viewer: Viewer) -> None:
        """Take the annotations of another slide from now on."""
        self._viewer = viewer
        goal, self._goal = self._goal, None
        if goal is not None and goal[0] == viewer.slide.name:
            self._background.later(lambda: viewer.go_to(goal[1]))

    def close(self) -> None:
        """Stop following; trainings go on."""
        self._stop_polling()

    def offer(self) -> None:
        """List the trainings in the folder of models."""
        names = [each.name for each in self._trainings.saved()]
        if self._followed and self._followed not in names:
            names.insert(0, self._followed)
        self.choice.param.update(
            options={_NEW: "", **{name: name for name in names}}, value=self._followed
        )

    def start(self) -> None:
        """Write the labels as they are now, and start the training.

        Raises
        ------
        TrainingError
            If the name cannot be used.
        """
        viewer, name = self._viewer, self.form.model_name
        folder = self._trainings.place(name) / "labels"
        if viewer is None:
            return
        slide, every = viewer.slide, self.form.all_slides
        recipe = self.form.recipe(folder / "study.csv")
        self.start_button.disabled = True

        def work() -> str:
            slides = self._slides() if every else [slide]
            write_labels(slides, self._annotations, folder)
            self._trainings.start(recipe, name, user=self._user)
            return name

        self._background.do(
            work, self._started, slot="training", otherwise=self._enable
        )

    def _slides(self) -> list[Slide]:
        """Return the served slides that can be opened."""
        found = []
        for entry in self._library.entries():
            try:
                found.append(self._library.open(entry.name))
            except WorkbenchError:  # the page of slides says why
                continue
        return found

    def _enable(self) -> None:
        self.start_button.disabled = False

    def _started(self, name: str) -> None:
        self._enable()
        self._followed = name
        self.offer()
        self.follow(name)

    def follow(self, name: str) -> None:
        """Show a training; empty: the form of a new one."""
        self._stop_polling()
        self._followed, self._seen, self._speed = name, (), Speed()
        self._show_mistakes([])
        new = not name
        self.form.body.visible = new
        self.start_button.visible = new
        for part in (self.state, self._bar, self.curves, self.errors_button):
            part.visible = not new
        if new:
            for each in (self.pause_button, self.cancel_button, self.continue_button):
                each.visible = False
            return
        self._stop_polling = self._background.every(_POLL_MS, self.poll)
        self.poll()

    def poll(self) -> None:
        """Show how far the training is; called each second."""
        saved, job = self._trainings.find(self._followed), self.job
        state = None if job is None else job.state
        lines = [] if saved is None else saved.lines
        seen = (state, len(lines), saved and saved.record["status"])
        if seen == self._seen:
            return
        self._seen = seen
        status = _status_of(job, saved)
        self._show_state(status, state.message if state else "", saved, lines)
        active = status in ("waiting", "running", "paused")
        self.pause_button.visible = self.cancel_button.visible = active
        paused = status == "paused"
        self.pause_button.param.update(
            label="Resume" if paused else "Pause",
            icon="play_arrow" if paused else "pause",
        )
        self.continue_button.visible = not active and status != "finished"
        if not active:
            self._stop_polling()
        if status == "finished":
            self._finished(self._followed)

    def _show_state(
        self,
        status: Status,
        message: str,
        saved: SavedTraining | None,
        lines: list[dict[str, Any]],
    ) -> None:
        progress = self._progress(status, saved, lines, message)
        self._bar.value = round(100 * progress.fraction)
        said = [progress.sentence]
        if status == "interrupted":
            said.append("The server was restarted.")
        if saved is not None:
            total = saved.total
            self.curves.object = curves_of(
                lines, total=total, figure=saved.record.get("figure", "")
            )
            said += saved.record.get("notes", [])
            if status == "failed":
                said.append(message or saved.record.get("problem", ""))
        if status == "finished":
            said.append("Choose the model under Run.")
        self.state.object = " ".join(said).strip()
        self._bar.visible = status != "finished"
        self.errors_button.visible = any("epoch" in line for line in lines)

    def _progress(
        self,
        status: Status,
        saved: SavedTraining | None,
        lines: list[dict[str, Any]],
        message: str,
    ) -> Progress:
        """Return how far the training is, with its speed since it is followed."""
        step = lines[-1]["step"] if lines else 0
        running = status == "running"
        speed = self._speed.mark(time.monotonic(), step) if running and step else 0.0
        return Progress(
            status,
            "training",
            step,
            saved.total if saved is not None and step else 0,
            tiles_per_second=speed,
            message=message,
            path="" if saved is None else str(saved.path),
            unit="steps",
        )

    def pause(self) -> None:
        """Pause the training, or resume it."""
        job = self.job
        if job is None:
            return
        if job.state.status == "paused":
            job.resume()
        else:
            job.pause()
            self.state.object = "Pausing after this step …"
        self._seen = ()

    def cancel(self) -> None:
        """Stop the training; its state is kept."""
        if self.job is not None:
            self.job.cancel()
            self.state.object = "Stopping after this step …"
            self._seen = ()

    def continue_saved(self) -> None:
        """Continue a training from its saved state."""
        from workbench.training.loop.mistakes import recorded_recipe  # noqa: PLC0415

        saved = self._trainings.find(self._followed)
        job = self.job
        if saved is not None:
            recipe = recorded_recipe(saved.record)
        elif job is not None:
            recipe = job.recipe
        else:
            return
        self._trainings.start(recipe, self._followed, user=self._user)
        self.follow(self._followed)

    def show_errors(self) -> None:
        """Show the tiles that the best weights so far get most wrong."""
        from workbench.training.loop.mistakes import worst_tiles  # noqa: PLC0415

        saved = self._trainings.find(self._followed)
        if saved is None:
            return
        self.errors_button.loading = True

        def stop() -> None:
            self.errors_button.loading = False

        self._background.do(
            lambda: worst_tiles(saved.path, count=_SHOWN),
            self._show_mistakes,
            slot="training errors",
            otherwise=stop,
        )

    def _show_mistakes(self, found: list[Mistake]) -> None:
        self.errors_button.loading = False
        self._mistakes = found
        wrong = sum(each.truth != each.answer for each in found)
        kind = "held out" if found and found[0].held_out else "learnt from"
        self._legend.param.update(
            object=f"Tiles {kind} with the largest loss, {wrong} of {len(found)} wrong:"
            " truth → answer. A click goes there.",
            visible=bool(found),
        )
        self.strip.items = [
            {
                "key": str(number),
                "name": f"{each.truth} → {each.answer}",
                "title": f"{each.truth} → {each.answer}, {each.source}",
                "url": picture_url(np.ascontiguousarray(each.pixels)),
            }
            for number, each in enumerate(found)
        ]

    def _clicked(self, event: param.parameterized.Event) -> None:
        """Go to a tile, on the slide that it is on."""
        chosen, viewer = self._mistakes[int(event.new["key"])], self._viewer
        if isinstance(chosen.where, str) or viewer is None:
            return
        x0, y0, x1, y1 = (round(edge) for edge in chosen.where)
        box = Box(x0, y0, x1, y1)
        box = box.grow(round(_ROOM * max(box.width, box.height)))
        if viewer.slide.name == chosen.source:
            viewer.go_to(box)
            return
        names = [entry.name for entry in self._library.entries()]
        match = [name for name in names if name.split("/")[-1] == chosen.source]
        if match:
            self._goal = chosen.source, box
            self._open_slide(match[0])


def _status_of(job: TrainingJob | None, saved: SavedTraining | None) -> Status:
    """Return the status of a training; of one that no process works on as it is."""
    if job is not None:
        return job.state.status
    status: Status = "failed" if saved is None else saved.record["status"]
    return "interrupted" if status == "running" else status
