"""Stain panel: method, reference, and the colours in which the slide is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import panel as pn
import param

from workbench.app.panels.slide_tissue import tissue_of_slide
from workbench.app.panels.stain.fit_card import fit_of, picture_of_sample, warnings_of
from workbench.app.panels.stain.reference import ReferencePanel
from workbench.app.panels.stain.state import (
    DIFFERENCE,
    LOOKS,
    NORMALIZED,
    SCANNED,
    layer_of,
)
from workbench.app.widgets.controls import choice, doubt, note, recipe_widgets, stack
from workbench.app.widgets.html_snippets import legend_of
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.text import Html
from workbench.app.widgets.work_line import WorkLine
from workbench.recipe import NO_METHOD
from workbench.stain.references import reference_within
from workbench.stain.slide_fit import STAINS, SlideStain, fit_slide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.references import Choice
    from workbench.app.url_state import Address
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.geometry import Box
    from workbench.recipe import StainMethod
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer
    from workbench.stain.references import Reference

_OWN: Final = (SCANNED, *STAINS)
"""Looks that need no stain method."""

_IN_THREES: Final = """
.MuiToggleButtonGroup-root { display: grid !important;
  grid-template-columns: repeat(3, 1fr) }
.MuiToggleButtonGroup-root:has(> :nth-child(4):last-child) {
  grid-template-columns: repeat(2, 1fr) }
.MuiToggleButton-root { border: 1px solid !important; margin: 0 !important;
  border-color: color-mix(in srgb, currentColor 18%, transparent) !important;
  border-radius: 0 !important; padding: 4px }
"""


class StainPanel(pn.viewable.Viewer):
    """Lets the user choose a stain method, a reference and a look.

    Parameters
    ----------
    background : Background
    folder : Path
        Folder of saved references.
    """

    fitted = param.ClassSelector(
        class_=SlideStain, default=None, doc="Fitted stains of the slide, or None."
    )
    requested = param.Dict(default={}, doc="The `options`, set as soon as they change.")
    look = param.Selector(
        default=SCANNED, objects=list(LOOKS), doc="How the slide is drawn."
    )

    def __init__(self, background: Background, folder: Path, **params: Any) -> None:
        super().__init__(**params)
        self._background = background
        self._slide: Slide | None = None
        self.references = ReferencePanel(background, folder)
        methods = recipe_widgets(["normalize"])["normalize"].options
        self._method = choice("Method", methods, NO_METHOD)
        self._look = choice("Show", _OWN, SCANNED)
        self._look.stylesheets = [*self._look.stylesheets, _IN_THREES]
        self._legend = _html(visible=False)
        self._status = note()
        self.fitting = WorkLine(background, "fitting stains", "tiles")
        self._doubts = doubt()
        self._numbers, self._place = _html(), _html()
        self._fit = Fold(
            "Why: what was found", stack(self._numbers, self._place), visible=False
        )
        self._body = stack(
            self._method,
            self.references,
            self._look,
            self._legend,
            self._status,
            self.fitting,
            self._doubts,
            self._fit,
        )
        self.references.visible = False
        self._method.param.watch(lambda _: self._chosen(), "value")
        self._look.param.watch(lambda _: self._look_chosen(), "value")
        self.references.param.watch(lambda _: self._refit(), "choice")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._body

    @property
    def normalizer(self) -> Normalizer | None:
        """Normalizer fitted to the slide, or None."""
        fitted: SlideStain | None = self.fitted
        return None if fitted is None else fitted.normalizer

    @property
    def method(self) -> StainMethod | None:
        """The chosen method; None for no normalization."""
        chosen: str = self._method.value
        return None if chosen == NO_METHOD else cast("StainMethod", chosen)

    @property
    def options(self) -> dict[str, Any]:
        """Options of a recipe: `normalize` and, with a method, `reference`."""
        if self.method is None or self._has_channels:
            return {"normalize": None}
        return {
            "normalize": self.method,
            "reference": self.references.choice.text,
        }

    def attach(self, viewer: Viewer) -> None:
        """Fit to another slide from now on."""
        self._slide = viewer.slide
        self._body.visible = not self._has_channels
        self._refit()

    @property
    def _has_channels(self) -> bool:
        """Whether the slide is not RGB, so that no stain can be fitted."""
        return self._slide is not None and bool(self._slide.channels)

    def select(self, slide: Slide, box: Box | None) -> None:
        """Offer the box drawn on a slide, open or beside it, as a reference."""
        self.references.select(slide, box)

    def take_annotation(self, annotation: Annotation) -> None:
        """Normalize to the colours within an annotation of the slide."""
        slide = self._slide
        if slide is not None:
            name = f"{annotation.title} of {slide.name}"
            self._take(
                lambda: reference_within(slide, annotation.area, name=name),
                annotation.id,
            )

    def take_reference(self, reference: Reference) -> None:
        """Normalize to the reference that the adviser proposes."""
        self._take(lambda: reference, "advised")

    def _take(self, measure: Callable[[], Reference], stem: str) -> None:
        """Measure a reference and save it in a thread, then normalize to it."""
        self._background.do(
            lambda: self.references.library.keep(measure(), stem),
            self._reference_measured,
            slot="reference",
        )

    def _reference_measured(self, choice: Choice) -> None:
        self.references.add(choice)
        if self.method is None:
            self._method.value = "macenko"

    def address(self) -> dict[str, Any]:
        """Return method, reference and look, as an address has them."""
        normalizes = self.method is not None
        usual = NORMALIZED if normalizes else SCANNED
        return {
            "normalize": self.method or "",
            "reference": self.references.url_key if normalizes else "",
            "look": "" if self.look == usual else self.look,
        }

    def restore(self, address: Address) -> None:
        """Choose method, reference and look of an address, where there are such."""
        self.preset(
            method=address.normalize or NO_METHOD,
            reference=address.reference,
            look=address.look,
        )

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever the slide is fitted or drawn otherwise."""
        self.param.watch(call, ["fitted", "look"])

    def preset(self, *, method: str = "", reference: str = "", look: str = "") -> None:
        """Choose method, reference and look; unknown ones change nothing."""
        self.references.preset(reference)
        if method in self._method.options:
            self._method.value = method
        if look in self._look.options:
            self._look.value = look

    def _chosen(self) -> None:
        """Offer the looks of the method; switch to one that it can show."""
        normalizes, look = self.method is not None, self._look.value
        self.references.visible = normalizes
        if normalizes and look == SCANNED:
            look = NORMALIZED
        elif not normalizes and look in (NORMALIZED, DIFFERENCE):
            look = SCANNED
        # Both at once: a value that is not among the options would be lost.
        offered = list(LOOKS if normalizes else _OWN)
        self._look.param.update(options=offered, value=look)
        self._refit()

    @param.depends("look", watch=True)
    def _look_changed(self) -> None:
        if self.look in self._look.options:
            self._look.value = self.look

    def _look_chosen(self) -> None:
        self.look = self._look.value
        if self.fitted is None and self.look in STAINS:
            self._refit()
        self._show_legend()

    def _refit(self) -> None:
        self.requested = self.options
        slide, method = self._slide, self.method
        reference = self.references.choice.reference
        wanted = method is not None or self.look in STAINS
        if slide is None or not wanted or self._has_channels:
            self._background.forget("stain")
            self.fitting.discard()
            self._show_fit(None, "")
            return
        self._status.object = "Fitting stains …"
        self.fitting.run(
            lambda: fit_slide(
                slide, method, reference, tissue=lambda: tissue_of_slide(slide)
            ),
            lambda fitted: self._show_fit(fitted, "Fitted to the whole slide."),
            slot="stain",
            otherwise=self._not_fitted,
        )

    def _not_fitted(self) -> None:
        stopped = bool(self.fitting.text)
        self._show_fit(None, "" if stopped else "The stains could not be fitted.")

    def _show_fit(self, fitted: SlideStain | None, status: str) -> None:
        before = self.fitted
        self.fitted = fitted  # first, so that the slide is redrawn before the texts
        self._status.object = status
        self._fit.visible = fitted is not None
        self._show_legend()
        doubts = "" if fitted is None else warnings_of(fitted)
        self._doubts.param.update(object=doubts, visible=bool(doubts))
        if fitted is None:
            return
        self._numbers.object = fit_of(fitted)
        if before is None or before.sample is not fitted.sample:
            self._place.object = ""
            self._background.do(
                lambda: picture_of_sample(fitted), self._show_place, slot="sampled"
            )

    def _show_place(self, picture: str) -> None:
        self._place.object = picture

    def _show_legend(self) -> None:
        fitted: SlideStain | None = self.fitted
        legend = None if fitted is None else layer_of(fitted, self.look).legend
        self._legend.visible = legend is not None
        self._legend.object = "" if legend is None else legend_of(legend)


def _html(**more: Any) -> Any:
    return Html("", margin=(2, 0), sizing_mode="stretch_width", **more)
