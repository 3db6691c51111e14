"""Slides side by side that show the same tissue, by their registration."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from workbench.app.viewer.tissue_link import MAIN, tissue_link
from workbench.app.widgets.controls import button, note, stack
from workbench.errors import RegistrationError
from workbench.registration.register import register
from workbench.registration.registration import Registration, open_registration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.progress import Progress
    from workbench.slide.slide import Slide

_SAVED: Final = "registrations"
"""Name of the folder of saved registrations."""

_HINT: Final = (
    "Serial sections, in any stains: finds how the tissue is turned and bent, so that"
    " all slides show the same place. Takes about a minute for each slide."
)


class Alignment(pn.viewable.Viewer):
    """Registers the slides beside the open one, and links their views by tissue.

    Registrations are saved, and used again whenever two slides are side by side.

    Parameters
    ----------
    background : Background
    folder : Path, optional
        Registrations are saved in a folder in it; by default they are not saved.
    """

    def __init__(self, background: Background, folder: Path | None = None) -> None:
        super().__init__()
        self._background = background
        self._folder = None if folder is None else folder / _SAVED
        self._main: Viewer | None = None
        self._others: list[Viewer] = []
        self.registrations: dict[str, Registration] = {}
        """Registrations of the slides beside the open one, by the id of the slide."""

        self._align = button("Align by tissue", icon="join_inner", visible=False)
        self._align.on_click(lambda _: self.align())
        self._note = note(visible=False)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._align, self._note)

    def attach(
        self,
        main: Viewer | None,
        others: Sequence[Viewer],
        copies: Sequence[Viewer] = (),
    ) -> None:
        """Link these viewers from now on, as far as registrations are saved.

        Parameters
        ----------
        main : Viewer
            Viewer of the open slide.
        others : sequence of Viewer
            Viewers of other slides.
        copies : sequence of Viewer
            Other viewers of the open slide.
        """
        kept = main is not None and main is self._main
        known = {id(viewer) for viewer in self._others} if kept else set()
        self._main, self._others = main, list(others)
        if main is None:
            return
        shown = {viewer.slide.id for viewer in others}
        if not kept:
            self.registrations = {}
            for viewer in others:
                viewer.stage.tissue = {}
        self.registrations = {
            key: found for key, found in self.registrations.items() if key in shown
        }
        for viewer in copies:
            viewer.stage.tissue = main.stage.tissue
        self._update()
        new = [viewer for viewer in others if id(viewer) not in known]
        for viewer in new:
            self._background.do(
                partial(self._saved, main.slide, viewer.slide),
                partial(self._show, main, viewer),
            )

    def align(self) -> None:
        """Register the slides that are not registered yet, one after another."""
        main = self._main
        if main is None:
            return
        waiting = [
            viewer
            for viewer in self._others
            if viewer.slide.id not in self.registrations
        ]
        if not waiting:
            return
        viewer = waiting[0]
        self._align.loading = True
        self._background.do(
            partial(self._register, main.slide, viewer.slide),
            partial(self._registered, main, viewer),
            otherwise=self._failed,
        )

    def _register(self, fixed: Slide, moving: Slide) -> Registration:
        def tell(progress: Progress) -> None:
            self._background.later(partial(self._say, progress.sentence))

        found = register(fixed, moving, progress=tell)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            found.save(self._path(self._folder, fixed, moving))
        return found

    def _registered(self, main: Viewer, viewer: Viewer, found: Registration) -> None:
        self._align.loading = False
        self._show(main, viewer, found)
        self.align()

    def _failed(self) -> None:
        """Show that a slide cannot be aligned; the error itself is shown as such."""
        self._align.loading = False
        self._say("The slides could not be aligned; they move together as before.")

    def _saved(self, main: Slide, other: Slide) -> Registration | None:
        """Return the saved registration of two slides; None if there is none."""
        if self._folder is None or main.id == other.id:
            return None
        for pair in ((main, other), (other, main)):
            path = self._path(self._folder, *pair)
            if path.is_file():
                try:
                    return open_registration(path)
                except RegistrationError:  # damaged: it can be computed again
                    continue
        return None

    @staticmethod
    def _path(folder: Path, fixed: Slide, moving: Slide) -> Path:
        return folder / f"{fixed.id}_{moving.id}.h5"

    def _show(self, main: Viewer, viewer: Viewer, found: Registration | None) -> None:
        """Link the view of a slide with that of the open one."""
        if found is None or main is not self._main or viewer not in self._others:
            return
        self.registrations[viewer.slide.id] = found
        main.stage.tissue = MAIN
        viewer.stage.tissue = tissue_link(found, found.side_of(main.slide))
        self._update()

    def _update(self) -> None:
        """Offer what can be aligned; say what is."""
        missing = [
            viewer
            for viewer in self._others
            if viewer.slide.id not in self.registrations
        ]
        self._align.visible = bool(missing)
        sentences = [
            f"{viewer.slide.name} shows the same tissue, to about"
            f" {found.quality.get('error_um', math.nan):.2g} µm."
            for viewer in self._others
            if (found := self.registrations.get(viewer.slide.id)) is not None
        ]
        self._say(" ".join(sentences) or (_HINT if missing else ""))

    def _say(self, sentence: str) -> None:
        self._note.param.update(object=sentence, visible=bool(sentence))
