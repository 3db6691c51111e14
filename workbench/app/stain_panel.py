"""The stain: which method, in whose colours, and the slide as it comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.controls import (
    STYLE,
    button,
    choice,
    note,
    recipe_widgets,
    stack,
)
from workbench.app.reference_image import MAX_BYTES, save_reference_image
from workbench.app.swatch import swatch_of
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import REFERENCES, load_reference

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.app.background import Background
    from workbench.geometry import Box
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer
    from workbench.stain.references import Reference

_DRAWN: Final = "Region of a slide"
_IMAGE: Final = "Image file"
_MIN_SIDE: Final = 32


class StainPanel(pn.viewable.Viewer):
    """Lets the user choose a normalization; fits it without making anyone wait."""

    normalizer = param.Parameter(default=None, doc="Fitted to the slide, or None.")
    shown = param.Boolean(default=True, doc="Whether the normalized slide is shown.")

    def __init__(self, background: Background, uploads: Path, **params: Any) -> None:
        super().__init__(**params)
        self._background = background
        self._uploads = uploads
        self._slide: Slide | None = None
        self._box: Box | None = None
        self._drawn = ""
        self._image = ""
        self._method = choice(
            "Method", recipe_widgets(["normalize"])["normalize"].options, "none"
        )
        self._reference = pmui.Select(
            label="Reference",
            options=[*REFERENCES, _DRAWN, _IMAGE],
            value=next(iter(REFERENCES)),
            **STYLE,
        )
        self._swatch = pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width")
        self._take = button("Take the drawn box", icon="crop", visible=False)
        self._upload = pmui.FileInput(
            label="Choose a picture",
            accept="image/*",
            max_file_size=MAX_BYTES,
            visible=False,
            **STYLE,
        )
        self._look = choice("Show", ["raw", "normalized"], "normalized")
        self._status = note()
        self._details = stack(
            self._reference, self._swatch, self._take, self._upload, visible=False
        )
        self._look.visible = False
        self._watch()

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._method, self._details, self._look, self._status)

    @property
    def options(self) -> dict[str, str]:
        """What a recipe needs to know: method and reference."""
        if self._method.value == "none":
            return {"normalize": "none"}
        return {"normalize": self._method.value, "reference": self.reference}

    @property
    def reference(self) -> str:
        """The reference as a recipe has it; empty while none is chosen."""
        chosen: str = self._reference.value
        return {_DRAWN: self._drawn, _IMAGE: self._image}.get(chosen, chosen)

    def attach(self, slide: Slide) -> None:
        """Fit to another slide from now on."""
        self._slide = slide
        self._box = None
        self._refit()

    def select(self, box: Box | None) -> None:
        """Take notice of the box that is drawn on the slide."""
        self._box = box
        self._take.disabled = not self._usable(box)

    def take(self, path: Path) -> None:
        """Normalize to a reference or a picture that is saved as a file."""
        self._image = str(path)
        if self._method.value == "none":
            self._method.value = "macenko"
        self._reference.value = _IMAGE
        self._refit()

    def preset(
        self, *, method: str = "", reference: str = "", shown: bool = True
    ) -> None:
        """Choose a method and a reference, where there are such, and what is shown."""
        self._look.value = "normalized" if shown else "raw"
        if reference in self._reference.options:
            self._reference.value = reference
        if method in self._method.options:
            self._method.value = method

    def _watch(self) -> None:
        self._method.param.watch(lambda _: self._changed(), "value")
        self._reference.param.watch(lambda _: self._changed(), "value")
        self._look.param.watch(self._looked, "value")
        self._take.on_click(lambda _: self._take_box())
        self._upload.param.watch(lambda _: self._uploaded(), "value")

    def _changed(self) -> None:
        self._details.visible = self._method.value != "none"
        self._take.visible = self._reference.value == _DRAWN
        self._take.disabled = not self._usable(self._box)
        self._upload.visible = self._reference.value == _IMAGE
        self._refit()

    def _looked(self, event: param.parameterized.Event) -> None:
        self.shown = event.new == "normalized"

    def _usable(self, box: Box | None) -> bool:
        return box is not None and min(box.width, box.height) >= _MIN_SIDE

    def _take_box(self) -> None:
        box = self._box
        if self._slide is None or box is None:
            return
        inside = box.intersection(self._slide.box)
        edges = f"{inside.x0},{inside.y0},{inside.x1},{inside.y1}"
        self._drawn = f"{self._slide.path}@{edges}"
        self._refit()

    def _uploaded(self) -> None:
        content = self._upload.value
        if content:
            self._background.do(
                lambda: save_reference_image(content, self._uploads), self._saved
            )

    def _saved(self, path: Path) -> None:
        self._image = str(path)
        self._refit()

    def _refit(self) -> None:
        slide, method, text = self._slide, self._method.value, self.reference
        if slide is None or method == "none":
            self._background.forget("stain")
            self._settle(None, "")
            return
        if not text:
            self._background.forget("stain")
            self._swatch.object = ""
            self._settle(None, _missing(self._reference.value))
            return
        self._status.object = "Fitting stains..."

        def fit() -> tuple[Reference, Normalizer]:
            reference = load_reference(text)
            return reference, fit_normalizer(slide, reference, method=method)

        self._background.do(
            fit,
            lambda fitted: self._fitted(*fitted),
            slot="stain",
            otherwise=lambda: self._settle(None, "Not normalized."),
        )

    def _fitted(self, reference: Reference, normalizer: Normalizer) -> None:
        self._swatch.object = swatch_of(reference)
        self._settle(normalizer, "Fitted to the whole slide.")

    def _settle(self, normalizer: Normalizer | None, status: str) -> None:
        self._status.object = status
        self._look.visible = normalizer is not None
        self.normalizer = normalizer


def _missing(choice: str) -> str:
    if choice == _DRAWN:
        return "Draw a box on stained tissue, then take it as the reference."
    return "Choose a picture whose colours the slide shall have."
