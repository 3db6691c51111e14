"""Choice of the model of a run; models that do not fit the slide are greyed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.panels.overlays.overlay import MOST_LIKELY, channel_of
from workbench.app.widgets.controls import STYLE, doubt, note, stack
from workbench.models.catalogue import find_card, sort_models
from workbench.models.suitability import misfit
from workbench.recipe import Recipe
from workbench.stain.slide_fit import cached_staining

if TYPE_CHECKING:
    from workbench.app.widgets.background import Background
    from workbench.models.card import ModelCard
    from workbench.slide.slide import Slide
    from workbench.stain.detection import Staining


class ModelChoice(pn.viewable.Viewer):
    """Lets the user choose a model, and the class that is shown of its results.

    Parameters
    ----------
    background : Background
    """

    value = param.String(default="", doc="Name of the chosen model; empty for none.")

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._slide: Slide | None = None
        self._misfits: dict[str, str] = {}
        cards, unreadable = sort_models()
        names = list(cards)
        default = Recipe.model_fields["model"].default
        self._model = pmui.Select(
            label="Model",
            options=names,
            value=default if default in names else next(iter(names), None),
            **STYLE,
        )
        self._use = note(margin=(0, 2, 8, 2))
        self._misfit = doubt()
        self._greyed = note(visible=False)
        self._unreadable = note(
            " ".join(f"Not offered: {name}. {why}" for name, why in unreadable.items()),
            visible=bool(unreadable),
        )
        self._class = pmui.Select(label="Class to show", options=[], **STYLE)
        self.offers_all = pmui.Switch(
            label="Offer models that do not fit, too",
            value=False,
            size="small",
            margin=(4, 0),
        )
        self._model.param.watch(lambda _: self._describe(), "value")
        self.offers_all.param.watch(lambda _: self._offer(), "value")
        self._describe()

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        notes = (self._misfit, self._use, self._greyed, self._unreadable)
        return stack(self._model, *notes, self._class)

    @property
    def card(self) -> ModelCard | None:
        """Card of the chosen model; None without a model."""
        return find_card(self.value) if self.value else None

    @property
    def channel(self) -> str:
        """Class that is shown of the results."""
        channel: str = self._class.value
        return channel

    def attach(self, slide: Slide) -> None:
        """Judge which models fit a slide: by its pixel size, then by its stain."""
        self._slide = slide
        self._judge(slide)
        self._background.do(
            lambda: cached_staining(slide),
            lambda staining: self._judge(slide, staining),
            slot="staining for models",
        )

    def misfit_of(self, name: str) -> str:
        """Return why a model is greyed; empty if it is offered."""
        return "" if self.offers_all.value else self._misfits.get(name, "")

    def renew(self) -> None:
        """Offer the models that there are now."""
        names = list(sort_models()[0])
        kept = self._model.value in names
        value = self._model.value if kept else next(iter(names), None)
        self._model.param.update(disabled_options=[], options=names, value=value)
        if self._slide is not None:
            self.attach(self._slide)

    def preset(self, model: str) -> None:
        """Choose a model; an unknown one changes nothing."""
        if model in self._model.options:
            self._model.disabled_options = []  # a model that is asked for is not greyed
            self._model.value = model
            self._offer()

    def _judge(self, slide: Slide, staining: Staining | None = None) -> None:
        if slide is not self._slide:
            return
        known = sort_models()[0]  # some may have been removed since
        cards = {name: known[name] for name in self._model.options if name in known}
        reasons = {name: misfit(c, slide, staining) for name, c in cards.items()}
        self._misfits = {name: why for name, why in reasons.items() if why}
        self._offer()

    def _offer(self) -> None:
        misfits = [] if self.offers_all.value else list(self._misfits)
        # Panel refuses to grey the chosen one, of which a warning tells.
        greyed = [name for name in misfits if name != self.value]
        self._model.disabled_options = greyed
        named: dict[str, list[str]] = {}
        for name in greyed:
            named.setdefault(self._misfits[name], []).append(name)
        listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in named.items())
        self._greyed.param.update(object=f"Greyed: {listed}.", visible=bool(greyed))
        self._warn()

    def _warn(self) -> None:
        """Say it if the chosen model does not fit the slide."""
        why = self._misfits.get(self.value, "")
        text = f"'{self.value}' does not fit this slide: {why}."
        self._misfit.param.update(object=text, visible=bool(why))

    def _describe(self) -> None:
        """Show the intended use of the model, and its classes."""
        self.value = self._model.value or ""
        card = self.card
        if card is None:
            return
        text = card.intended_use or "No intended use is stated."
        if "diagnos" not in text.lower():
            text += " A research tool, not for diagnosis."
        self._use.object = text
        likely = [MOST_LIKELY] if card.exclusive else []
        self._class.options = [*likely, *card.classes]
        self._class.value = channel_of(card)
        self._class.visible = len(card.classes) > 1
        self._offer()
