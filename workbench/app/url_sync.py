"""State in the URL: the address of a session, and a session from its address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import param
from panel.custom import JSComponent

from workbench.app.url_state import NAMES, Address
from workbench.app.widgets.connection import NOWHERE, Connection
from workbench.app.widgets.theme import TITLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workbench.app.url_state import Addressable
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background

SLIDE_SHOWN: Final = "slide shown"
"""Event: another slide is open and its viewer is on the page."""

RUNS_LISTED: Final = "runs listed"
"""Event: the saved runs of the open slide are known."""


class AddressBar(JSComponent):
    """The query of the URL that the browser shows."""

    query = param.String(doc="Query of the URL, without a question mark.")
    names = param.List(default=list(NAMES), doc="Parameters that may be replaced.")
    title = param.String(default=TITLE, doc="Title of the page: slide and app.")

    _esm: ClassVar[Path] = Path(__file__).parent / "address_bar.js"


_LOOK: Final = ("angle", "mirrored", "tones")


class ViewAddress:
    """The part of an address that the viewer decides: view, angle, mirroring, tones."""

    def __init__(self) -> None:
        self._viewer: Viewer | None = None
        self._changed: Callable[..., None] = lambda *_: None

    def attach(self, viewer: Viewer) -> None:
        """Describe another viewer from now on."""
        self._viewer = viewer
        viewer.param.watch(self._report, ["view", *_LOOK])

    def address(self) -> dict[str, Any]:
        """Return view, angle, mirroring and tones; nothing before a slide is open."""
        viewer = self._viewer
        if viewer is None:
            return {}
        look = {name: getattr(viewer, name) for name in _LOOK}
        return {"view": viewer.view, **look}

    def restore(self, address: Address) -> None:
        """Turn and tone the viewer, and move it where the address has a view."""
        if self._viewer is None:
            return
        look = {name: getattr(address, name) for name in _LOOK}
        self._viewer.param.update(**look)
        if address.view is not None:
            self._viewer.view = address.view

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever the view changes."""
        self._changed = call

    def _report(self, *events: object) -> None:
        self._changed(*events)


class UrlSync:
    """Writes what a session shows to the URL, and restores a session from it.

    Parts are restored when what they need is there: some at once, some when the slide
    is open, some when its saved runs are listed. The session reports both events to
    `happened`.

    Parameters
    ----------
    background : Background
    slides : Addressable
        Opens the slide of an address.
    at_once : sequence of Addressable
        Parts that need no open slide.
    on_slide : sequence of Addressable
        Parts that need the open slide.
    on_runs : sequence of Addressable
        Parts that need the saved runs of the open slide.
    """

    def __init__(
        self,
        background: Background,
        slides: Addressable,
        *,
        at_once: Sequence[Addressable],
        on_slide: Sequence[Addressable],
        on_runs: Sequence[Addressable],
    ) -> None:
        self.bar = AddressBar(**NOWHERE)
        self.connection = Connection(**NOWHERE)
        self._background = background
        self._slides = slides
        self._at_once = at_once
        self._on_slide = on_slide
        self._on_runs = on_runs
        self._awaited = ""
        self._restoring: Iterator[str] = iter(())
        for part in self._parts:
            part.on_address_change(self._note)

    @property
    def _parts(self) -> tuple[Addressable, ...]:
        return (self._slides, *self._at_once, *self._on_slide, *self._on_runs)

    @property
    def address(self) -> Address:
        """The address of what is shown now."""
        fields: dict[str, Any] = {}
        for part in self._parts:
            fields |= part.address()
        return Address(**fields)

    @property
    def settled(self) -> bool:
        """Whether all of the last address is restored."""
        return not self._awaited

    def go(self, address: Address) -> None:
        """Show what an address describes; open its slide if that is not open."""
        self._restoring = self._restore(address)
        self._advance()
        if address.slide and self._is_open(address):
            self.happened(SLIDE_SHOWN)
            self.happened(RUNS_LISTED)
        else:
            self._slides.restore(address)

    def happened(self, event: str) -> None:
        """Continue to restore an address if it waits for this event.

        Parameters
        ----------
        event : {SLIDE_SHOWN, RUNS_LISTED}
        """
        if event == self._awaited:
            self._advance()

    def _advance(self) -> None:
        # What is restored may itself report events: none is awaited meanwhile.
        self._awaited = ""
        self._awaited = next(self._restoring, "")

    def _restore(self, address: Address) -> Iterator[str]:
        """Restore part after part; yield each event that is awaited."""
        for part in self._at_once:
            part.restore(address)
        yield SLIDE_SHOWN
        if address.slide != self._slides.address()["slide"]:
            return  # the user has opened another slide meanwhile
        for part in self._on_slide:
            part.restore(address)
        yield RUNS_LISTED
        for part in self._on_runs:
            part.restore(address)

    def _is_open(self, address: Address) -> bool:
        shown = self._slides.address()
        return (address.slide, address.image) == (shown["slide"], shown["image"])

    def _note(self, *_: object) -> None:
        self._background.debounced(self._write, slot="address")

    def _write(self) -> None:
        address = self.address
        if address.view is not None:
            title = f"{address.slide} · {TITLE}"
            self.bar.param.update(query=address.query, title=title)
