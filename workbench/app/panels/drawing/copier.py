"""Copies of annotations on another slide, such as a serial section."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.annotations.collection import Annotations
from workbench.annotations.shaping import rescaled
from workbench.app.panels.edit_history import Step
from workbench.app.widgets.controls import STYLE, button, choice, note, stack
from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.slides import SlideLibrary
    from workbench.app.panels.annotations import AnnotationPanel
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

SAME_UM: Final = "same place in µm"
SAME_PX: Final = "same pixels"
SELECTED: Final = "the selected"
ALL: Final = "all"


class CopyPanel(pn.viewable.Viewer):
    """Copies annotations to another slide of the server.

    Parameters
    ----------
    library : SlideLibrary
    folder : Path
        Folder of annotations.
    annotations : AnnotationPanel
        Its annotations are copied.
    background : Background
    """

    def __init__(
        self,
        library: SlideLibrary,
        folder: Path,
        annotations: AnnotationPanel,
        background: Background,
    ) -> None:
        super().__init__()
        self._library, self._folder = library, folder
        self._annotations, self._background = annotations, background
        self._slide: Slide | None = None
        self.target = pmui.Select(label="To the slide", **STYLE)
        self.what = choice("Annotations", [SELECTED, ALL], SELECTED)
        self.place = choice("Where", [SAME_UM, SAME_PX], SAME_UM)
        self.copy_button = button("Copy", icon="content_copy")
        self.copy_button.on_click(lambda _: background.guard(self.copy))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self.target,
            self.what,
            self.place,
            note("Measured from the upper left corner of each slide."),
            self.copy_button,
        )

    def attach(self, viewer: Viewer) -> None:
        """Copy from another slide from now on."""
        self._slide = viewer.slide
        self._background.do(
            lambda: self._library.entries(max_age_s=60),
            lambda entries: self._offer([each.name for each in entries]),
            slot="copy targets",
        )

    def _offer(self, names: Sequence[str]) -> None:
        """Offer the slides that are served, but the open one."""
        own = "" if self._slide is None else self._slide.name
        others = [name for name in names if name.split("/")[-1] != own]
        self.target.param.update(options=others, value=others[0] if others else None)
        self.copy_button.disabled = not others

    def copy(self) -> None:
        """Copy the selected annotation, or all, to the chosen slide.

        Raises
        ------
        OutOfBoundsError
            If there is nothing to copy.
        """
        panel, slide, name = self._annotations, self._slide, self.target.value
        chosen = panel.drawn
        if self.what.value == SELECTED:
            chosen = [panel.annotation] if panel.annotation is not None else []
        if not chosen or slide is None or not name:
            message = "There is no annotation to copy."
            raise OutOfBoundsError(message, "Select one, or copy all.")
        same_um, author = self.place.value == SAME_UM, panel.author

        def work() -> tuple[Annotations, list[Annotation]]:
            target = self._library.open(name)
            copies = copied(chosen, slide, target, same_um=same_um)
            there = Annotations(target, self._folder)
            return there, there.put(*copies, by=author)

        self._background.do(
            work, lambda found: self._copied(name, *found), slot="copies"
        )

    def _copied(
        self, name: str, there: Annotations, copies: Sequence[Annotation]
    ) -> None:
        editor = self._annotations.editor
        what = f"{len(copies):,} copied to '{name}', {self.place.value}"
        if editor is None:
            return
        author = self._annotations.author
        keys = [each.id for each in copies]
        editor.history.add(
            Step(
                what,
                undo=lambda: there.delete(*keys, by=author),
                redo=lambda: _put(there, copies, author),
                owner=editor,
            )
        )
        editor.show_toast(f"{what}.", undo=True)


def copied(
    annotations: Sequence[Annotation],
    slide: Slide,
    target: Slide,
    *,
    same_um: bool,
) -> list[Annotation]:
    """Return copies of annotations for another slide, with new ids.

    Parameters
    ----------
    annotations : sequence of Annotation
    slide, target : Slide
    same_um : bool
        Whether they are as many micrometres from the upper left corner as on the first
        slide; else as many level-0 pixels.

    Raises
    ------
    MissingMppError
        If micrometres are asked for, and a slide has no pixel size.
    OutOfBoundsError
        If none of them lies on the target.
    """
    scale = slide.require_mpp() / target.require_mpp() if same_um else 1.0
    width, height = target.size
    copies = []
    for each in annotations:
        shape = rescaled(each.geometry, scale)
        x0, y0, x1, y1 = shape.bounds
        if x0 < width and y0 < height and x1 > 0 and y1 > 0:
            key = str(uuid.uuid4())
            copies.append(each.replace(geometry=shape, id=key, author="", created=""))
    if not copies:
        message = f"The annotations lie outside '{target.name}', {width} x {height} px."
        raise OutOfBoundsError(message, "Choose the other way of placing them.")
    return copies


def _put(there: Annotations, copies: Sequence[Annotation], author: str) -> None:
    there.put(*copies, by=author)
