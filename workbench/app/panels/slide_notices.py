"""Notices about the open slide, with buttons to act on them.

The file changed, work under a former id may belong to it, or it has no tissue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import button
from workbench.app.widgets.text import Text
from workbench.errors import SlideChangedError
from workbench.slide.migration import claim, unclaimed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

_POLL_MS: Final = 2_000
_CHANGED: Final = (
    "The file changed. What is shown is the slide as it was; nothing more is"
    " saved for it. Open it again."
)
_FORMER: Final = (
    "An earlier version saved {} of a slide that it could not tell from others of the"
    " same size. Are they of this slide?"
)
_CHANGE_TISSUE: Final = (
    "Change what counts as tissue under Model, Tissue, and run again; or:"
)


class SlideNotices(pn.viewable.Viewer):
    """Shows that the file changed, asks who owns former work, offers to run anyway.

    Parameters
    ----------
    runs : Path
        Folder of runs; annotations and bookmarks are below it.
    background : Background
    reopen : callable
        Opens the slide again.
    anyway : callable
        Starts the last run again on all tiles.
    claimed : callable
        Called when a user has answered to whom former work belongs.
    """

    def __init__(
        self,
        runs: Path,
        background: Background,
        *,
        reopen: Callable[[], None],
        claimed: Callable[[], None],
        anyway: Callable[[], None],
    ) -> None:
        super().__init__()
        self._runs = runs
        self._background = background
        self._claimed = claimed
        self._anyway = anyway
        self._slide: Slide | None = None
        self._stop: Callable[[], None] = lambda: None
        self.reopen = button("Open it again", icon="refresh", sizing_mode=None)
        self.take = button("Yes, take them over", icon="check", sizing_mode=None)
        self.leave = button("No, leave them", icon="close", sizing_mode=None)
        self._question = Text("", variant="body2")
        self.changed = _bar(Text(_CHANGED, variant="body2"), self.reopen)
        self.former = _bar(self._question, self.take, self.leave)
        self._nowhere = Text("", variant="body2")
        self.everywhere = button("Run on all tiles", icon="grid_on", sizing_mode=None)
        self._dismiss = button("Not now", icon="close", sizing_mode=None)
        self.no_tissue = _bar(self._nowhere, self.everywhere, self._dismiss)
        self.reopen.on_click(lambda _: reopen())
        self.take.on_click(lambda _: self._answer(take=True))
        self.leave.on_click(lambda _: self._answer(take=False))
        self.everywhere.on_click(lambda _: background.guard(self._run_anyway))
        self._dismiss.on_click(lambda _: self.no_tissue.param.update(visible=False))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pmui.Column(
            self.changed,
            self.former,
            self.no_tissue,
            sizing_mode="stretch_width",
            margin=0,
        )

    def attach(self, viewer: Viewer) -> None:
        """Check another slide from now on."""
        self.close()
        self._slide = slide = viewer.slide
        for bar in (self.changed, self.former, self.no_tissue):
            bar.visible = False
        self._background.do(
            lambda: unclaimed(self._runs, slide), self._ask, slot="former"
        )
        self._stop = self._background.every(_POLL_MS, self.poll)

    def nothing_to_run(self, sentence: str) -> None:
        """Show that a run has found no tissue, and offer to run on all tiles."""
        self._nowhere.object = f"{sentence} {_CHANGE_TISSUE}"
        self.no_tissue.visible = True

    def _run_anyway(self) -> None:
        self.no_tissue.visible = False
        self._anyway()

    def close(self) -> None:
        """Stop checking the file."""
        self._stop()
        self._stop = lambda: None

    def poll(self) -> None:
        """Check in a thread whether the file has changed."""
        slide = self._slide
        if slide is not None:
            self._background.do(lambda: has_changed(slide), self._found, slot="changed")

    def _found(self, changed: bool) -> None:  # noqa: FBT001 - an answer
        if changed:
            self.changed.visible = True
            self.close()

    def _ask(self, what: list[str]) -> None:
        self._question.object = _FORMER.format(" and ".join(what))
        self.former.visible = bool(what)

    def _answer(self, *, take: bool) -> None:
        slide = self._slide
        self.former.visible = False
        if slide is not None:
            self._background.do(
                lambda: claim(self._runs, slide, take=take),
                lambda _: self._claimed(),
                slot="former",
            )


def has_changed(slide: Slide) -> bool:
    """Return whether the file of a slide has changed since it was opened."""
    try:
        slide.require_unchanged()
    except SlideChangedError:
        return True
    return False


def _bar(text: Any, *buttons: Any) -> Any:
    # The text takes the room that is left; in a narrow page buttons wrap below it.
    text.styles = {"flex": "1 1 320px", "width": "auto"}
    return pmui.Paper(
        text,
        *buttons,
        direction="row",
        elevation=2,
        margin=8,
        visible=False,
        sizing_mode="stretch_width",
        sx={"alignItems": "center", "flexWrap": "wrap", "p": "8px 12px", "gap": "8px"},
    )
