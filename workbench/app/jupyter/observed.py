"""What the app in a notebook shows, as traits and callbacks."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import traitlets

from workbench.app.viewer.view import View
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from workbench.app.panels.instances.shown import ShownInstances
    from workbench.app.session import Session
    from workbench.app.viewer.viewer import Viewer
    from workbench.geometry import BoxLike

_ECHOES: Final = 64


class ViewTrait(traitlets.TraitType):
    """A `View` or None; (x, y, downsample) is converted."""

    info_text = "a View or (x, y, downsample)"
    default_value = None
    allow_none = True

    def validate(self, obj: object, value: Any) -> Any:
        """Return the view."""
        if isinstance(value, View):
            return value
        try:
            return View(*map(float, value))
        except (TypeError, ValueError):
            self.error(obj, value)


class ObservedApp(traitlets.HasTraits):
    """The app as other cells see it: traits, callbacks, and calls in its event loop."""

    view = ViewTrait(
        help="Current view; None before the frame has loaded. Assign to move the view."
    )
    slide = traitlets.Any(help="The slide that is open.", read_only=True)
    selected = traitlets.Any(
        read_only=True,
        help="Table of the selected instances, one row each with its id as index:"
        " 'class', 'score', 'x', 'y' (level-0 pixels), the measures, 'edited'.",
    )
    tap = traitlets.Any(help="Last point clicked, (x, y).", read_only=True)

    def __init__(self) -> None:
        super().__init__()
        self._app: Session | None = None
        self._lock = threading.Lock()
        self._waiting: list[Callable[[Viewer], None]] = []
        """Calls that wait for the first viewer."""
        self._sent: deque[View] = deque(maxlen=_ECHOES)
        """Views that the kernel has set; when a frame reports one, it may have been
        set to another one since."""
        self._reporting = 0
        """Thread that sets traits to what the frame shows; 0: none."""
        self.observe(self._view_set, names="view")

    @property
    def viewer(self) -> Viewer | None:
        """The viewer of the open slide; None before the frame has loaded."""
        return None if self._app is None else self._app.viewer

    @property
    def box(self) -> Box | None:
        """Box in view, in level-0 pixels; None before the frame has loaded."""
        return None if self.viewer is None else self.viewer.viewport

    def go_to(
        self, place: BoxLike | tuple[float, float], *, downsample: float | None = None
    ) -> None:
        """Move the view; before the frame has loaded, as soon as it has.

        Parameters
        ----------
        place : Box, (x0, y0, x1, y1) or (x, y)
            Box to fit into the view, or point to centre, in level-0 pixels.
        downsample : float, optional
            Level-0 pixels per CSS pixel, for a point only; by default unchanged.
        """
        given: Any = place
        goal = tuple(given) if _is_point(given) else Box.of(given)
        self._sent.clear()
        self._in_viewer(lambda viewer: viewer.go_to(goal, downsample=downsample))

    def on_tap(
        self, call: Callable[[tuple[float, float]], object]
    ) -> Callable[[], None]:
        """Call a function with (x, y), in level-0 pixels, at each click on the slide.

        Its errors are printed, and end nothing.

        Returns
        -------
        callable
            Ends the calls.
        """
        return self._call_on("tap", call)

    def on_view(self, call: Callable[[View], object]) -> Callable[[], None]:
        """Call a function with the `View` whenever it changes; otherwise as `on_tap`.

        Returns
        -------
        callable
            Ends the calls.
        """
        return self._call_on("view", call)

    def on_select(self, call: Callable[[pd.DataFrame], object]) -> Callable[[], None]:
        """Call a function with `selected` whenever it changes; otherwise as `on_tap`.

        Returns
        -------
        callable
            Ends the calls.
        """
        return self._call_on("selected", call)

    def _call_on(self, name: str, call: Callable[[Any], object]) -> Callable[[], None]:
        def guarded(change: Any) -> None:
            if change.new is None:
                return
            try:
                call(change.new)
            except Exception:  # noqa: BLE001 - of a user's function: shown to the user
                traceback.print_exc()

        def end() -> None:
            with contextlib.suppress(ValueError):  # ended before
                self.unobserve(guarded, names=name)

        self.observe(guarded, names=name)
        return end

    def _in_viewer(self, call: Callable[[Viewer], None]) -> None:
        """Call with the viewer, in its event loop; once there is one, if not yet."""
        with self._lock:
            viewer = self.viewer
            if viewer is None:
                self._waiting.append(call)
                return
        viewer.in_document(partial(call, viewer))

    def _follow(self, viewer: Viewer) -> None:
        """Make the calls that wait for a viewer, and report what it shows."""
        if viewer is not self.viewer:  # of a frame before the last one
            return
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            viewer.in_document(partial(call, viewer))
        self._sent.clear()
        self._report("slide", viewer.slide)
        self._report("view", viewer.view)
        viewer.param.watch(self._viewer_changed, ["view", "tap"])

    def _viewer_changed(self, event: Any) -> None:
        seen_late = event.name == "view" and event.new in self._sent
        if event.obj is self.viewer and not seen_late:
            self._report(event.name, event.new)

    def _follow_instances(self, shown: ShownInstances | None) -> None:
        """Report the selection among instances that are shown from now on."""

        def report(_: object = None) -> None:
            if self._app is not None and self._app.instances.shown is shown:
                rows = (
                    no_instances() if shown is None else shown.rows(len(shown.chosen))
                )
                self._report("selected", rows)

        report()
        if shown is not None:
            shown.param.watch(report, ["chosen", "version"])

    def _report(self, name: str, value: Any) -> None:
        """Set a trait to what the frame shows; errors of observers are printed."""
        self._reporting = threading.get_ident()
        try:
            self.set_trait(name, value)
        except Exception:  # noqa: BLE001 - of a user's function: shown to the user
            traceback.print_exc()
        finally:
            self._reporting = 0

    def _view_set(self, change: Any) -> None:
        """Move the view to one that the kernel has set."""
        view = change.new
        if view is None or self._reporting == threading.get_ident():
            return
        self._sent.append(view)
        self._in_viewer(lambda viewer: viewer.param.update(view=view))

    @traitlets.default("selected")
    def _nothing_selected(self) -> pd.DataFrame:
        return no_instances()


def no_instances() -> pd.DataFrame:
    """Return the table of no instances."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    columns = ("class", "score", "x", "y", "edited")
    return pd.DataFrame(columns=columns, index=pd.Index([], name="id"))


def _is_point(place: Any) -> bool:
    return not isinstance(place, Box) and len(place) == 2  # noqa: PLR2004 - x and y
