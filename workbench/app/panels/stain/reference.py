"""Reference panel: gallery of references, from a slide, a file or saved."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.catalog.reference_image import MAX_BYTES
from workbench.app.catalog.references import Choice, ReferenceLibrary
from workbench.app.widgets.controls import STYLE, button, note, side_by_side, stack
from workbench.app.widgets.download import Download
from workbench.app.widgets.gallery import Gallery
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.upload import Upload

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.app.widgets.background import Background
    from workbench.geometry import Box
    from workbench.slide.slide import Slide

_MIN_SIDE: Final = 32
_HIDDEN: Final[dict[str, Any]] = {"width": 0, "height": 0, "margin": 0}


class ReferencePanel(pn.viewable.Viewer):
    """Lets the user choose a reference, take one from a slide or a file, and save it.

    Parameters
    ----------
    background : Background
    folder : Path
        Folder of saved references.
    """

    choice = param.ClassSelector(class_=Choice, doc="The chosen reference.")
    visible = param.Boolean(default=True, doc="Whether the panel is shown.")

    def __init__(self, background: Background, folder: Path, **params: Any) -> None:
        super().__init__(**params)
        self._background = background
        self.library = ReferenceLibrary(folder)
        self._taken: list[Choice] = []
        self._drawn: tuple[Slide, Box] | None = None
        self._gallery = Gallery(
            label="Reference", sizing_mode="stretch_width", margin=(2, 0)
        )
        self._take = button("Take the drawn box", icon="crop", disabled=True)
        self._upload = Upload(
            label="Upload",
            accept="image/*,.json",
            max_file_size=MAX_BYTES,
            variant="outlined",
            **STYLE,
        )
        self._name = pmui.TextInput(label="Save it as", value="", **STYLE)
        self._save = button("Save", icon="save", sizing_mode=None, width=92)
        self._download = Download(**_HIDDEN)
        self._fetch = pmui.IconButton(
            icon="download",
            size="small",
            description="Download it as JSON",
            margin=(8, 0),
        )
        self._choices: dict[str, Choice] = {}
        self._offer()
        self._gallery.value = next(iter(self._choices))
        self._chosen()
        self._watch()

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            note("Reference", margin=(4, 2, 0, 2)),
            self._gallery,
            side_by_side(self._take, self._upload),
            Fold(
                "Save or download this reference",
                side_by_side(self._name, self._save, self._fetch, self._download),
            ),
            visible=self.param.visible,
        )

    @property
    def url_key(self) -> str:
        """Key of the chosen reference in an address; empty for one of this session."""
        key: str = self._gallery.value
        return "" if any(key == each.key for each in self._taken) else key

    def preset(self, name: str) -> None:
        """Choose the reference with that key; an unknown one changes nothing."""
        if name in self._choices:
            self._gallery.value = name

    def select(self, slide: Slide, box: Box | None) -> None:
        """Offer the box drawn on a slide as a reference, if it is large enough."""
        usable = box is not None and min(box.width, box.height) >= _MIN_SIDE
        self._drawn = (slide, box) if usable and box is not None else None
        self._take.disabled = self._drawn is None

    def _watch(self) -> None:
        self._gallery.param.watch(lambda _: self._chosen(), "value")
        self._take.on_click(lambda _: self._take_box())
        self._upload.param.watch(lambda _: self._uploaded(), "value")
        self._save.on_click(lambda _: self._save_it())
        self._fetch.on_click(lambda _: self._hand_over())

    def _offer(self) -> None:
        """Show the references built in, saved, and of this session."""
        choices = [*self.library.choices(), *self._taken]
        self._choices = {each.key: each for each in choices}
        self._gallery.items = [each.item for each in self._choices.values()]

    def _chosen(self) -> None:
        chosen = self._choices.get(self._gallery.value)
        if chosen is not None:
            self.choice = chosen

    def add(self, choice: Choice) -> None:
        """Add a reference to those of this session, and choose it."""
        others = [each for each in self._taken if each.key != choice.key]
        self._taken = [*others, choice]
        self._offer()
        self._gallery.value = choice.key

    def _take_box(self) -> None:
        if self._drawn is None:
            return
        slide, box = self._drawn
        inside = box.intersection(slide.box)
        self._background.do(
            lambda: self.library.of_region(slide, inside), self.add, slot="reference"
        )

    def _uploaded(self) -> None:
        content, name = self._upload.value, self._upload.filename
        if content:
            self._background.do(
                lambda: self.library.upload(content, str(name)),
                self.add,
                slot="reference",
            )

    def _save_it(self) -> None:
        reference, name = self.choice.reference, self._name.value_input
        self._background.do(
            lambda: self.library.save(reference, name), self._saved, slot="reference"
        )

    def _saved(self, choice: Choice) -> None:
        self._name.value = ""
        self._offer()
        self._gallery.value = choice.key

    def _hand_over(self) -> None:
        reference = self.choice.reference
        data = base64.b64encode(reference.model_dump_json(indent=2).encode()).decode()
        url = f"data:application/json;base64,{data}"
        self._download.file = {"name": f"{reference.name}.json", "url": url}
