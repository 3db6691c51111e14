"""Slide panel: list of slides, and facts about the open slide."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import panel as pn
import panel_material_ui as pmui
import param
from panel.custom import JSComponent

from workbench.app.panels.slide_details import (
    details_of,
    picture_of,
    remarks_of,
    size_text,
)
from workbench.app.widgets.controls import STYLE, button, floating, note, stack
from workbench.app.widgets.text import Notice, Text
from workbench.errors import OutOfBoundsError
from workbench.geometry import objective_of_mpp
from workbench.slide.pixel_size import Mpp, mpp_text, parse_mpp

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.slides import Entry, SlideLibrary
    from workbench.app.url_state import Address
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

_HERE: Final = Path(__file__).parent
_THUMBNAIL_PX: Final = 96
_ALERT: Final[dict[str, Any]] = {
    "variant": "outlined",
    "margin": (4, 0),
    "sx": {"pt": 0, "pb": "4px"},
}
_REFRESH_MS: Final = 15_000
_LISTED_S: Final = 10.0
"""Age up to which the list made for another session is used, in seconds."""

_SEARCH_FROM: Final = 8
"""Number of slides from which the search field is shown."""


class SlideList(JSComponent):
    """List of slides by name, with thumbnails of those in view."""

    items = param.List(default=[], doc="Slides, each a dict(name, detail).")
    wanted = param.List(default=[], doc="Names in view without a thumbnail.")
    pictures = param.Dict(default={}, doc="Data URLs of recent thumbnails, by name.")
    value = param.String(default="", doc="Name of the chosen slide.")

    _esm: ClassVar[Path] = _HERE / "slide_list.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "slide_list.css").read_text()]


class SlidePanel(pn.viewable.Viewer):
    """Lets the user open a slide, and shows its size, pixel size and properties."""

    slide = param.Parameter(default=None, doc="The open slide.")

    def __init__(
        self,
        library: SlideLibrary,
        background: Background,
        *,
        labels: bool = True,
        details: bool = True,
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._library = library
        self._background = background
        self._entries = library.entries()
        self._open_name = ""
        self._mpp_given: dict[str, Mpp] = {}
        self._images_given: dict[str, int] = {}
        self._described: Slide | None = None
        self._drawn: set[str] = set()
        self._sent: set[str] = set()
        self._shows = False
        self._list = SlideList(sizing_mode="stretch_width", margin=(4, 0))
        self._search = pmui.TextInput(
            label="Search slides",
            visible=len(self._entries) >= _SEARCH_FROM,
            **STYLE,
        )
        self._facts = note()
        self._remarks = Notice("", severity="info", visible=False, **_ALERT)
        self._image = pmui.Select(label="Image of the file", visible=False, **STYLE)
        self._mpp = pmui.TextInput(
            label="µm per pixel",
            placeholder="0.25 is typical of 40x, 0.5 of 20x",
            **STYLE,
        )
        self._mpp_alert = Notice(severity="warning", **_ALERT)
        self._ask = stack(self._mpp_alert, self._mpp, visible=False)
        self._more_body = stack()
        self.labels, self._details = labels, details
        named = "Properties and label" if labels else "Properties"
        self._more = button(named, icon="info", variant="text")
        self._dialog = pmui.Dialog(
            self._more_body, title="Slide", show_close_button=True, width_option="md"
        )
        self._opening = Text("", variant="body2", margin=(0, 8))
        self._cancel = button("Cancel", sizing_mode=None, margin=0)
        self.opening = pmui.Paper(
            pmui.CircularProgress(size=20, margin=(0, 4)),
            self._opening,
            self._cancel,
            direction="row",
            elevation=4,
            margin=0,
            visible=False,
            styles=floating(bottom=48, left=12),
            sx={"alignItems": "center", "p": "8px 12px"},
        )
        self._watch()
        self._fill()

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._search,
            self._list,
            self._image,
            self._facts,
            self._remarks,
            self._ask,
            *((self._more, self._dialog) if self._details else ()),
        )

    def choose(self, name: str, *, image: int | None = None) -> None:
        """Open the slide of that name, like a click on it.

        With `image`, open that image of the file instead of the scan.
        """
        other = image != self._images_given.get(name)
        self._images_given.pop(name, None)
        if image is not None:
            self._images_given[name] = image
        if other and name == self._open_name:
            self._open(name, again=True)
        self._list.value = name

    def reopen(self) -> None:
        """Open the slide again, whose file has changed."""
        self._open(self._open_name, again=True)

    def address(self) -> dict[str, Any]:
        """Return the open slide and its image, as an address has them."""
        return {"slide": self.chosen, "image": self.image}

    def restore(self, address: Address) -> None:
        """Open the slide of an address."""
        self.choose(address.slide, image=address.image)

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever another slide is open."""
        self.param.watch(call, "slide")

    @property
    def chosen(self) -> str:
        """Name that the open slide is served under; empty before one is open."""
        return self._open_name

    @property
    def image(self) -> int | None:
        """Number of the open image of the file; None for the scan."""
        return None if self.slide is None else self.slide.image

    @property
    def names(self) -> list[str]:
        """Names of the slides that are offered."""
        return [entry.name for entry in self._entries]

    def _watch(self) -> None:
        self._list.param.watch(lambda event: self._open(event.new), "value")
        self._list.param.watch(lambda _: self._draw_wanted(), "wanted")
        self._cancel.on_click(lambda _: self._cancel_opening())
        self._search.param.watch(lambda _: self._fill(), "value_input")
        self._mpp.param.watch(self._mpp_changed, "value")
        self._image.param.watch(self._image_changed, "value")
        self._more.on_click(lambda _: self._show_more())

    def _fill(self) -> None:
        words = self._search.value_input.lower().split()
        self._list.items = [
            {"name": entry.name, "detail": size_text(entry.size_bytes)}
            for entry in self._entries
            if all(word in entry.name.lower() for word in words)
        ]

    def load_thumbnails(self) -> None:
        """Start drawing thumbnails of the slides in view, and refreshing the list.

        Call it once the browser shows the page: what is sent before may be lost.
        """
        self._shows = True
        self._draw_wanted()
        self._background.every(_REFRESH_MS, self.refresh)

    def refresh(self) -> None:
        """List new slides, and redraw the thumbnails of changed ones."""
        self._background.do(
            lambda: self._library.entries(max_age_s=_LISTED_S),
            self._listed,
            slot="entries",
        )

    def _listed(self, entries: list[Entry]) -> None:
        if entries == self._entries:
            return
        gone = {entry.name for entry in set(self._entries) - set(entries)}
        self._entries = entries
        for name in gone & self._drawn & set(self.names):
            self._background.quietly(functools.partial(self._draw, name, again=True))
        self._search.visible = len(entries) >= _SEARCH_FROM
        self._fill()

    def _draw_wanted(self) -> None:
        for name in self._list.wanted if self._shows else ():
            # The browser forgets those out of view when the list is shown again.
            lost = name in self._sent and name not in self._list.pictures
            if lost or name not in self._drawn:
                self._drawn.add(name)
                self._background.quietly(functools.partial(self._draw, name))

    def _draw(self, name: str, *, again: bool = False) -> None:
        if name not in self._list.wanted and not again:  # no longer in view
            self._drawn.discard(name)
            return
        url = picture_of(self._library.open(name).thumbnail(_THUMBNAIL_PX).pixels)

        def show() -> None:
            self._sent.add(name)
            in_view = self._list.wanted
            # Keep the others in view: of combined changes the browser sees the last.
            kept = {n: u for n, u in self._list.pictures.items() if n in in_view}
            self._list.pictures = {**kept, name: url}

        self._background.later(show)

    def _open(self, name: str, *, again: bool = False) -> None:
        if not name or (name == self._open_name and not again):
            return
        mpp, image = self._mpp_given.get(name), self._images_given.get(name)
        self._opening.object = f"Opening {name} …"
        self.opening.visible = True
        self._background.do(
            lambda: _with_display(self._library.open(name, mpp=mpp, image=image)),
            lambda slide: self._opened(name, slide),
            slot="slide",
            otherwise=self._cancel_opening,
        )

    def _cancel_opening(self) -> None:
        """Cancel the opening of a slide; the open one stays."""
        self._background.forget("slide")
        self.opening.visible = False
        self._images_given.pop(self._list.value, None)
        self._list.value = self._open_name

    def _opened(self, name: str, slide: Slide) -> None:
        self.opening.visible = False
        self._open_name = name
        self._describe(slide)
        self.slide = slide

    def _describe(self, slide: Slide) -> None:
        width, height = slide.size
        facts = f"{width:,} x {height:,} px"
        if slide.mpp is not None:
            facts += f", {slide.mpp:.3g} µm/px ({objective_of_mpp(slide.mpp):.3g}x)"
        if slide.frame.scaled:
            facts += f"; stored pixels of {slide.pixel_size} shown as squares"
        if slide.channels:
            facts += f"; {len(slide.channels)} channels of {slide.dtype} (tab Stain)"
        self._facts.object = facts
        self._remarks.object = remarks_of(slide.notes)
        self._remarks.visible = bool(slide.notes) and self._details
        self._show_images(slide)
        given = self._mpp_given.get(self._list.value)
        self._ask.visible = slide.mpp is None or given is not None
        self._mpp.param.update(value="" if given is None else mpp_text(given))
        self._mpp_alert.object = (
            f"The pixel size is not known: {slide.mpp_problem}. Looking works without;"
            " a model needs it."
            if given is None
            else "Pixel size as given here, not by the file."
        )

    def _show_images(self, slide: Slide) -> None:
        """Offer the images of a file that holds more than one."""
        self._described = slide
        names = [
            f"{number + 1}: {each.name} ({each.size[0]:,} x {each.size[1]:,})"
            for number, each in enumerate(slide.images)
        ]
        self._image.param.update(
            options=dict(zip(names, range(len(names)), strict=True)),
            value=slide.image_number if names else None,
            visible=len(names) > 1 and self._details,
        )

    def _image_changed(self, event: param.parameterized.Event) -> None:
        slide = self._described
        if slide is None or event.new in (None, slide.image_number):
            return
        self._images_given[self._open_name] = event.new
        self._open(self._open_name, again=True)

    def _mpp_changed(self, event: param.parameterized.Event) -> None:
        if not event.new:
            return
        try:
            mpp = parse_mpp(event.new)
        except OutOfBoundsError as error:
            self._mpp.param.update(error_state=True, helper_text=error.remedy)
            return
        self._mpp.param.update(error_state=False, helper_text="")
        if self._mpp_given.get(self._list.value) != mpp:
            self._mpp_given[self._list.value] = mpp
            self._open(self._list.value, again=True)

    def _show_more(self) -> None:
        if self.slide is None:
            return
        slide = self.slide
        self._dialog.title = slide.name
        self._dialog.open = True
        self._more_body.objects = [note("Reading …")]
        self._background.do(
            lambda: details_of(slide, labels=self.labels),
            self._show_details,
            slot="details",
        )

    def _show_details(self, details: list[Any]) -> None:
        self._more_body.objects = details


def _with_display(slide: Slide) -> Slide:
    """Compute the contrast of channels in the thread that opens the slide."""
    _ = slide.channels
    return slide
