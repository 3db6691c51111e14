"""What has to be said of the open slide: its file changed, or it had another id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.controls import button
from workbench.app.text import Text
from workbench.errors import SlideChangedError
from workbench.former_work import claim, unclaimed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.app.background import Background
    from workbench.slide.slide import Slide

_POLL_MS: Final = 2_000
_CHANGED: Final = (
    "The file changed on disk. What is shown is the slide as it was; nothing more is"
    " saved for it. Open it again."
)
_FORMER: Final = (
    "An earlier version saved {} of a slide that it could not tell from others of the"
    " same size. Are they of this slide?"
)


class SlideNotices(pn.viewable.Viewer):
    """Looks whether the open slide is still what it was, and asks whose old work is.

    Parameters
    ----------
    runs : Path
        Where runs are saved, with annotations and bookmarks below.
    background : Background
    reopen : callable
        Opens the slide again.
    claimed : callable
        Called when somebody has said whose the work of an earlier version is.
    """

    def __init__(
        self,
        runs: Path,
        background: Background,
        *,
        reopen: Callable[[], None],
        claimed: Callable[[], None],
    ) -> None:
        super().__init__()
        self._runs = runs
        self._background = background
        self._claimed = claimed
        self._slide: Slide | None = None
        self._stop: Callable[[], None] = lambda: None
        self.reopen = button("Open it again", icon="refresh", sizing_mode=None)
        self.take = button("Yes, take them over", icon="check", sizing_mode=None)
        self.leave = button("No, leave them", icon="close", sizing_mode=None)
        self._question = Text("", variant="body2")
        self.changed = _bar(Text(_CHANGED, variant="body2"), self.reopen)
        self.former = _bar(self._question, self.take, self.leave)
        self.reopen.on_click(lambda _: reopen())
        self.take.on_click(lambda _: self._answer(take=True))
        self.leave.on_click(lambda _: self._answer(take=False))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pmui.Column(
            self.changed, self.former, sizing_mode="stretch_width", margin=0
        )

    def attach(self, slide: Slide) -> None:
        """Speak of another slide from now on."""
        self.close()
        self._slide = slide
        self.changed.visible = self.former.visible = False
        self._background.do(
            lambda: unclaimed(self._runs, slide), self._ask, slot="former"
        )
        self._stop = self._background.every(_POLL_MS, self.poll)

    def close(self) -> None:
        """Look no longer."""
        self._stop()
        self._stop = lambda: None

    def poll(self) -> None:
        """Look whether the file is still the same."""
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
    """Tell whether the file of a slide is another one now."""
    try:
        slide.require_unchanged()
    except SlideChangedError:
        return True
    return False


def _bar(text: Any, *buttons: Any) -> Any:
    return pmui.Paper(
        text,
        *buttons,
        direction="row",
        elevation=2,
        margin=8,
        visible=False,
        sizing_mode="stretch_width",
        sx={"alignItems": "center", "p": "8px 12px", "gap": "8px"},
    )
