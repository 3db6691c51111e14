"""Long work of a panel: run in a thread, shown as one line, stopped by a button."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import button, note, stack
from workbench.errors import StoppedError
from workbench.system.long_work import followed

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.widgets.background import Background
    from workbench.progress import Progress, Stage

T = TypeVar("T")

_DELAY_S: Final = 0.5
"""Time in seconds after which work is shown: short work moves nothing on the page."""

_AGAIN_S: Final = 0.3
"""Seconds between two changes of the page."""


class WorkLine(pn.viewable.Viewer):
    """Runs long work, and shows its progress in the words of `Progress`.

    Hidden while there is nothing to show. Work that is stopped leaves its last
    sentence, until other work begins.

    Parameters
    ----------
    background : Background
    stage : str
        What is done, such as "exporting".
    unit : str
        What is counted where the work does not say.
    """

    def __init__(
        self, background: Background, stage: Stage, unit: str = "steps"
    ) -> None:
        super().__init__()
        self._background = background
        self._stage: Stage = stage
        self._unit = unit
        self._cancelled = threading.Event()
        self._busy = False
        self._status = note("")
        self._bar = pmui.LinearProgress(
            value=0, sizing_mode="stretch_width", margin=(6, 0)
        )
        self.cancel_button = button("Cancel", icon="stop")
        self.cancel_button.on_click(lambda _: self.cancel())
        self._body = stack(self._status, self._bar, self.cancel_button, visible=False)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._body

    @property
    def text(self) -> str:
        """Sentence that is shown; empty if there is none."""
        return str(self._status.object) if self._body.visible else ""

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self._busy

    def cancel(self) -> None:
        """Stop the work after its present item."""
        self._cancelled.set()

    def discard(self) -> None:
        """Stop the work, and show nothing of it."""
        self.cancel()
        self._end(self._cancelled)

    def run(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        *,
        slot: str = "",
        otherwise: Callable[[], None] | None = None,
    ) -> None:
        """Run `work` in a thread, then call `then` with its result in the session.

        Parameters
        ----------
        slot : str
            As in `Background.do`; work before in this line is stopped.
        otherwise : callable, optional
            Called in the session after an error, and after a stop.
        """
        self._cancelled.set()
        self._cancelled = cancelled = threading.Event()
        self._busy, self._body.visible = True, False
        due = time.monotonic() + _DELAY_S

        def report(progress: Progress) -> None:
            nonlocal due
            ended = progress.status != "running"
            if ended or time.monotonic() >= due:
                due = time.monotonic() + _AGAIN_S
                self._background.later(lambda: self._show(progress, cancelled))

        def attempt() -> tuple[T] | None:
            try:
                with followed(report, self._stage, self._unit, cancel=cancelled):
                    return (work(),)
            except StoppedError:
                return None

        def done(answer: tuple[T] | None) -> None:
            self._end(cancelled, stopped=answer is None)
            if answer is not None:
                then(*answer)
            elif otherwise is not None:
                otherwise()

        def failed() -> None:
            self._end(cancelled)
            if otherwise is not None:
                otherwise()

        self._background.do(attempt, done, slot=slot, otherwise=failed)

    def _show(self, progress: Progress, cancelled: threading.Event) -> None:
        if cancelled is not self._cancelled or not self._busy:
            return
        self._bar.param.update(
            variant="determinate" if progress.total else "indeterminate",
            value=round(100 * progress.fraction),
        )
        self._status.object = progress.sentence
        self._bar.visible = self.cancel_button.visible = progress.status == "running"
        self._body.visible = True

    def _end(self, cancelled: threading.Event, *, stopped: bool = False) -> None:
        if cancelled is self._cancelled:
            self._busy = False
            self._bar.visible = self.cancel_button.visible = False
            self._body.visible = stopped
