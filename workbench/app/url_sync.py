"""What a session shows, read from its panels as an address and put back into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import param
from panel.custom import JSComponent

from workbench.app.panels.compare import OFF
from workbench.app.panels.stain.state import NORMALIZED, SCANNED
from workbench.app.url_state import NAMES, Address
from workbench.app.widgets.connection import NOWHERE, Connection
from workbench.recipe import NO_METHOD

if TYPE_CHECKING:
    from workbench.app.panels.compare import ComparePanel
    from workbench.app.panels.instances.panel import InstancePanel
    from workbench.app.panels.overlays.overlay import Overlay
    from workbench.app.panels.overlays.panel import OverlayPanel
    from workbench.app.panels.run import RunPanel
    from workbench.app.panels.slide import SlidePanel
    from workbench.app.panels.stain.panel import StainPanel
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background


class Panels(Protocol):
    """The parts of a session that have a place in its address."""

    slides: SlidePanel
    stain: StainPanel
    runs: RunPanel
    overlays: OverlayPanel
    instances: InstancePanel
    compare: ComparePanel
    background: Background
    viewer: Any


class AddressBar(JSComponent):
    """The address that the browser shows."""

    query = param.String(doc="Of the URL, without a question mark.")
    names = param.List(default=list(NAMES), doc="Parameters that may be replaced.")

    _esm: ClassVar[Path] = Path(__file__).parent / "address_bar.js"


class UrlSync:
    """Keeps the address of an app, and brings the app to where an address says.

    Parameters
    ----------
    app : Panels
    """

    def __init__(self, app: Panels) -> None:
        self.bar = AddressBar(**NOWHERE)
        self.connection = Connection(**NOWHERE)
        self._app = app
        self._awaited: Address | None = None
        app.stain.param.watch(self._note, ["fitted", "look"])
        app.compare.param.watch(self._note, ["swiped", "beside", "together"])
        app.overlays.param.watch(self._overlaid, "overlays")
        app.instances.param.watch(self._note, "look")

    @property
    def address(self) -> Address:
        """What is shown now."""
        app = self._app
        method = app.stain.options["normalize"]
        normalizes = method is not None
        usual = NORMALIZED if normalizes else SCANNED
        compare, viewer = app.compare, app.viewer
        return Address(
            slide=app.slides.chosen,
            image=app.slides.image,
            view=None if viewer is None else viewer.view,
            turn=0 if viewer is None else viewer.turn,
            mirrored=viewer is not None and viewer.mirrored,
            normalize=method or "",
            reference=app.stain.references.address if normalizes else "",
            look="" if app.stain.look == usual else app.stain.look,
            model=app.runs.model,
            overlays=tuple(overlay.look for overlay in app.overlays.overlays),
            objects=app.instances.look,
            divider="" if compare.swiped == OFF else compare.swiped,
            divided_at=0.5 if viewer is None else viewer.swipe or 0.5,
            beside=tuple(other.name for other in compare.beside),
            alone=not compare.together,
        )

    def go(self, address: Address) -> None:
        """Show what an address says, opening its slide if that is not open."""
        app = self._app
        app.runs.preset(model=address.model)
        app.stain.preset(
            method=address.normalize or NO_METHOD,
            reference=address.reference,
            look=address.look,
        )
        self._awaited = address
        shown = app.slides.chosen, app.slides.image
        if (address.slide, address.image) == shown and app.viewer is not None:
            self.arrived(app.viewer)
            self.listed()
        else:
            app.slides.choose(address.slide, image=address.image)

    def arrived(self, viewer: Viewer) -> None:
        """Go on once the slide is open; the app calls this."""
        viewer.param.watch(self._note, ["view", "swipe", "turn", "mirrored"])
        address = self._awaited
        if address is None or address.slide != self._app.slides.chosen:
            return
        viewer.param.update(turn=address.turn, mirrored=address.mirrored)
        if address.view is not None:
            viewer.view = address.view
        compare = self._app.compare
        objects = compare.param.swiped.objects
        compare.swiped = address.divider if address.divider in objects else OFF
        if compare.swiped != OFF:
            viewer.swipe = address.divided_at
        compare.together = not address.alone
        shown = [other.name for other in compare.beside]
        for name in address.beside:
            if name not in shown:
                compare.add(name)

    def listed(self) -> None:
        """Go on once the saved runs of the slide are known; the app calls this."""
        address, self._awaited = self._awaited, None
        if address is not None and address.slide == self._app.slides.chosen:
            self._app.overlays.restore(address.overlays)
            self._app.instances.restore(address.objects)

    def _overlaid(self, event: param.parameterized.Event) -> None:
        known = event.old or []
        overlay: Overlay
        for overlay in event.new:
            if overlay not in known:
                overlay.on_change(self._note)
        self._note()

    def _note(self, *_: object) -> None:
        self._app.background.settled(self._write, slot="address")

    def _write(self) -> None:
        if self._app.viewer is not None and self._app.viewer.view is not None:
            self.bar.query = self.address.query
