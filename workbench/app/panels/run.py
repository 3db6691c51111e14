"""Run panel: model, region and options of a run, and its progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.model_choice import ModelChoice
from workbench.app.panels.model_upload import ModelUpload
from workbench.app.panels.run_progress import ProgressCard, job_title
from workbench.app.panels.run_region import RunRegion
from workbench.app.widgets.controls import (
    button,
    note,
    recipe_widgets,
    stack,
)
from workbench.app.widgets.lazy import Fold
from workbench.progress import ENDED
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.runs import RunLibrary
    from workbench.app.url_state import Address
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.inference.jobs import Job
    from workbench.models.card import ModelCard
    from workbench.progress import Progress
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_MIN_SCORE: Final = "min_score"
_ADVANCED: Final = (
    _MIN_SCORE,
    "tissue_only",
    "min_tissue",
    "batch_size",
    "device",
    "precision",
    "compile",
)
_POLL_MS: Final = 300
_CALM_MS: Final = 900
_EAGER: Final = 30
"""Polls after which a run is polled every `_CALM_MS`."""


class RunPanel(pn.viewable.Viewer):
    """Lets the user run a model and follow the run; results go to `show`.

    Parameters
    ----------
    run_library : RunLibrary
    background : Background
    stain_options : callable
        Returns the options of stain and tissue for the recipe.
    show : callable
        Shows a run that has results, and one of its classes.
    changed : callable
        Called with each progress of the run, the last one included.
    annotations : callable
        Returns the annotations of the slide.
    open_results : callable
        Opens the results of runs, as a button asks for it.
    """

    def __init__(
        self,
        run_library: RunLibrary,
        background: Background,
        *,
        stain_options: Callable[[], dict[str, Any]],
        show: Callable[[Run, str], object],
        changed: Callable[[Progress], None],
        annotations: Callable[[], Iterable[Annotation]] = tuple,
        open_results: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._annotations = annotations
        self._run_library = run_library
        self._background = background
        self._stain_options = stain_options
        self._show = show
        self._changed = changed
        self._slide: Slide | None = None
        self._viewer: Viewer | None = None
        self._job: Job | None = None
        self._own: set[Job] = set()
        self._asked: Job | None = None
        self._card_min_score: float | None = None
        self._shown = False
        self._looks = 0
        self._stop_watching: Callable[[], None] = lambda: None
        self._model = ModelChoice(background)
        self._user = str(pn.state.user or "")
        self._own_model = ModelUpload(background, self._user, self._take_model)
        self._colours = note(visible=False)
        self._as_scanned = pmui.Switch(
            label="Run on the colours as scanned",
            value=False,
            size="small",
            visible=False,
            margin=(4, 0),
        )
        self._region = RunRegion()
        self._advanced = recipe_widgets(_ADVANCED)
        self._run = button("Run", icon="play_arrow", main=True)
        self._card = ProgressCard(pause=self.pause, cancel=self.cancel)
        self._outcome = note()
        self._results = button("Show the results", icon="layers", visible=False)
        self._model.param.watch(lambda _: self._describe(), "value")
        self._as_scanned.param.watch(self.show_colours, "value")
        self._run.on_click(lambda _: background.guard(self.start))
        self._results.on_click(lambda _: open_results())
        self._describe()

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._model,
            self._colours,
            self._as_scanned,
            self._region,
            self._run,
            self._outcome,
            self._results,
            Fold(
                "More options", stack(*self._advanced.values(), self._model.offers_all)
            ),
            self._own_model,
        )

    @property
    def progress_card(self) -> ProgressCard:
        """Progress of the job, floating over the slide."""
        return self._card

    @property
    def job(self) -> Job | None:
        """The job that is followed, or was followed last."""
        return self._job

    @property
    def recipe(self) -> Recipe:
        """Recipe of the options as they are now.

        Raises
        ------
        OutOfBoundsError
            If the chosen region does not exist.
        RecipeError
            If an option is out of bounds.
        """
        return Recipe.of(
            model=self._model.value,
            region=self._region.region,
            **self._colour_options(),
            **{name: widget.value for name, widget in self._advanced.items()}
            | {_MIN_SCORE: self._min_score()},
        )

    def _colour_options(self) -> dict[str, Any]:
        """Return the stain options of the run: those shown, or none if as scanned."""
        options = dict(self._stain_options())
        if self._as_scanned.value:
            options.pop("reference", None)
            options["normalize"] = None
        return options

    def show_colours(self, *_: object) -> None:
        """Show the colours that the model will see."""
        shown = self._stain_options()
        normalizes = shown["normalize"] is not None
        self._as_scanned.visible = self._colours.visible = normalizes
        if not normalizes:
            self._as_scanned.value = False
        options = self._colour_options()
        text = "as scanned"
        if options["normalize"] is not None:
            reference = Path(options["reference"]).stem
            text = f"{options['normalize']} → {reference}, as shown"
        self._colours.object = f"Colours for the model: {text}"

    def attach(self, viewer: Viewer) -> None:
        """Run on another slide from now on; a job of the last one continues.

        An active job of this slide, started by any session, is followed.
        """
        self._unfollow()
        self._enable()
        self._outcome.object = ""
        self._results.visible = False
        slide = viewer.slide
        self._slide, self._viewer = slide, viewer
        self._region.attach(viewer)
        self._model.attach(slide)
        viewer.param.watch(lambda _: self._focus(), "viewport")
        if (job := self._run_library.of_slide(slide)) is not None:
            self._run.disabled = True
            self._follow(job)

    def use(self, slide: Slide | None) -> None:
        """Run on the slide that is open in another focal plane."""
        if slide is not None and self._slide is not None and slide.id == self._slide.id:
            self._slide = slide

    def offer_annotation(self, annotation: Annotation | None) -> None:
        """Offer the annotation selected on the slide as the region."""
        self._region.offer_annotation(annotation)

    @property
    def model(self) -> str:
        """Name of the chosen model; empty for none."""
        model: str = self._model.value
        return model

    def misfit_of(self, name: str) -> str:
        """Return why a model is greyed; empty if it is offered."""
        return self._model.misfit_of(name)

    def address(self) -> dict[str, Any]:
        """Return the model, as an address has it."""
        return {"model": self.model}

    def restore(self, address: Address) -> None:
        """Choose the model of an address, where it is installed."""
        self.preset(model=address.model)

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever another model is chosen."""
        self._model.param.watch(call, "value")

    def renew_models(self) -> None:
        """Offer models that were added since."""
        self._model.renew()

    def _take_model(self, card: ModelCard) -> None:
        self.renew_models()
        if not card.prompted:
            self.preset(model=card.name)

    def preset(self, *, model: str = "", region: str = "") -> None:
        """Choose a model and a kind of region; unknown ones change nothing."""
        self._model.preset(model)
        self._region.preset(region)

    def start(self) -> None:
        """Start the chosen run, continue it, or join it if it is active."""
        if self._slide is None:
            return
        slide, recipe = self._slide, self.recipe
        slide.require_mpp()
        user = self._user
        self._begin(lambda: self._run_library.start(slide, recipe, user=user))

    def start_anyway(self) -> None:
        """Start the last run again on all tiles, also those without tissue."""
        job, user = self._job, self._user
        if job is not None:
            recipe = job.recipe.replace(tissue_only=False)
            self._begin(lambda: self._run_library.start(job.slide, recipe, user=user))

    def resume(self, run: Run) -> None:
        """Continue a saved run of the slide, and follow it."""
        slide = self._slide
        if slide is None:
            return
        if slide.mpp is None:
            slide = slide.with_mpp(run.record["slide"]["mpp"])
        if "plane" in (facts := run.record["slide"]):
            slide = slide.at_plane(facts["plane"])
        known, place, user = slide, run.path, self._user
        self._begin(
            lambda: self._run_library.start(known, run.recipe, place, user=user)
        )

    def _begin(self, start: Callable[[], Job]) -> None:
        self._unfollow()
        self._run.disabled = True
        self._card.show_text("Starting …")
        self._outcome.object = ""
        self._results.visible = False
        active = set(self._run_library.active())

        def started(job: Job) -> None:
            if job not in active:  # otherwise it is another user's job, now joined
                self._own.add(job)
            self._follow(job)

        self._background.do(start, started, slot="run", otherwise=self._enable)

    def pause(self) -> None:
        """Pause the job after its present batch, to free the device; or resume it."""
        if self._job is None:
            return
        if self._job.progress.status == "paused":
            self._job.resume()
        else:
            self._job.pause()
            self._card.show_text("Pausing after this batch …")

    def cancel(self) -> None:
        """Cancel the job after its present batch; results so far are kept."""
        if self._job is not None and self._may_cancel(self._job):
            self._job.cancel()
            self._card.show_text("Stopping after this batch …")

    def _may_cancel(self, job: Job) -> bool:
        """Return whether to cancel a job; another user's job needs a second press."""
        if job in self._own or (job.user and job.user == self._user):
            return True
        sure, self._asked = self._asked is job, job
        if not sure:
            whose = job.user or "Another page"
            self._card.ask(f"{whose} began this run. Press Cancel again to stop it.")
        return sure

    def close(self) -> None:
        """Stop following the job; the job continues."""
        self._unfollow()

    def _describe(self) -> None:
        """Offer the least score of instances where the model finds any.

        The field shows the value of the model card until the user changes it.
        """
        card = self._model.card
        finds = card is not None and card.task == "instances"
        self._card_min_score = card.min_score if card is not None and finds else None
        self._advanced[_MIN_SCORE].param.update(
            value=self._card_min_score, visible=finds
        )

    def _min_score(self) -> float | None:
        """Return the minimum score of instances; None for that of the model card."""
        value: float | None = self._advanced[_MIN_SCORE].value
        return None if value == self._card_min_score else value

    def _follow(self, job: Job) -> None:
        self._job = job
        self._asked = None
        self._card.name_job(job_title(job, self._annotations()))
        self._shown = False
        self._looks = 0
        self._focus()
        self._stop_watching = self._background.every(_POLL_MS, self.poll)
        self.poll()

    def poll(self) -> None:
        """Show the progress of the job; called a few times a second."""
        job = self._job
        if job is None:
            return
        self._looks += 1
        if self._looks == _EAGER:
            self._stop_watching()
            self._stop_watching = self._background.every(_CALM_MS, self.poll)
        progress = job.progress
        self._card.show(progress)
        if job.run is not None and not self._shown and progress.done:
            self._shown = True
            self._show(job.run, self._model.channel)
        if progress.status in ENDED:
            self._unfollow()
            self._enable()
            self._outcome.object = progress.sentence
            self._results.visible = bool(progress.done)
        self._changed(progress)

    def _focus(self) -> None:
        viewer = self._viewer
        if self._job is not None and viewer is not None and viewer.viewport is not None:
            self._job.focus(viewer.viewport)

    def _enable(self) -> None:
        self._run.disabled = False
        self._card.hide()

    def _unfollow(self) -> None:
        self._stop_watching()
        self._stop_watching = lambda: None
        self._background.forget("run")
