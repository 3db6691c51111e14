"""Channels panel: which channels of a slide are shown, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.widgets.channel_list import ChannelList
from workbench.app.widgets.controls import STYLE, note, stack
from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.channels.channel import Channel
    from workbench.slide.slide import Slide

_WHY_NO_STAINS: Final = (
    "Stain normalization, stain separation and the comparison of stains are for bright"
    " field: they need the light that a stain absorbs. The channels of this slide are"
    " light that it emits, or other measured values."
)


class ChannelPanel(pn.viewable.Viewer):
    """Shows the channels of the open slide; hidden for a slide stored as RGB.

    Parameters
    ----------
    background : Background
    """

    channels: tuple[Channel, ...] = param.Parameter(
        default=(), doc="Channels as they are shown; empty for RGB."
    )

    def __init__(self, background: Background, **params: Any) -> None:
        super().__init__(**params)
        self._background = background
        self._slide: Slide | None = None
        self._ranges: list[tuple[float, float]] = []
        self.list = ChannelList(sizing_mode="stretch_width", margin=(4, 0))
        self._body = stack(self.list, note(_WHY_NO_STAINS), visible=False)
        self.mapping = pmui.TextInput(
            label="Channels for the model",
            placeholder="DAPI, or hematoxylin=DAPI",
            description="One channel (grey), up to three separated by semicolons (red,"
            " green, blue), or hematoxylin=NAME;eosin=NAME for a model of H&E; in the"
            " contrast that is shown",
            visible=False,
            **STYLE,
        )
        self.list.param.watch(lambda event: self._changed(event.new), "changed")
        self.list.param.watch(lambda _: self._reset(), "resets")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._body

    @property
    def options(self) -> dict[str, Any]:
        """Option of a recipe: the channels for the model, in the contrast shown."""
        if not self.channels:
            return {}
        parts = self.mapping.value.split(";")
        return {"channels": [self._with_window(each) for each in parts if each.strip()]}

    def _with_window(self, part: str) -> str:
        """Return a part of a mapping with the contrast of its channel."""
        names = {each.name.casefold(): each for each in self.channels}
        whole = part.strip().casefold()
        shown = names.get(whole) or names.get(whole.partition("=")[2])
        if shown is None:
            return part
        return f"{part.strip()}@{shown.minimum:.9g}:{shown.maximum:.9g}"

    def attach(self, viewer: Viewer) -> None:
        """Show the channels of another slide from now on."""
        slide = self._slide = viewer.slide
        self.channels = slide.channels
        self._body.visible = self.mapping.visible = bool(self.channels)
        self.list.rows = []
        if not self.channels:
            self._background.forget("channels")
            return
        names = [each.name for each in self.channels]
        self._background.do(
            lambda: [slide.value_range(name) for name in names],
            self._measured,
            slot="channels",
        )

    def show(self, channels: Sequence[Channel]) -> None:
        """Show the channels of the open slide in another way."""
        self.channels = tuple(channels)
        self._fill()

    def _measured(self, ranges: list[tuple[float, float]]) -> None:
        self._ranges = ranges
        self._fill()

    def _fill(self) -> None:
        slide = self._slide
        if slide is not None and len(self._ranges) == len(self.channels):
            whole = slide.dtype.kind == "u"
            self.list.rows = channel_rows(self.channels, self._ranges, whole=whole)

    def _reset(self) -> None:
        """Show the contrast of the file, or else the default one."""
        if self._slide is None:
            return
        self.show(
            [
                replace(mine, minimum=own.minimum, maximum=own.maximum, gamma=1.0)
                for mine, own in zip(self.channels, self._slide.channels, strict=True)
            ]
        )

    def _changed(self, changed: Mapping[str, Any]) -> None:
        rows = changed.get("rows", [])
        if len(rows) != len(self.channels):  # of the slide before
            return
        try:
            self.channels = tuple(map(_with_row, self.channels, rows))
        except (OutOfBoundsError, KeyError, TypeError, ValueError):
            self._fill()


def channel_rows(
    channels: Sequence[Channel],
    ranges: Sequence[tuple[float, float]],
    *,
    whole: bool,
) -> list[dict[str, Any]]:
    """Return channels as the list in the browser shows them.

    Parameters
    ----------
    channels : sequence of Channel
    ranges : sequence of (float, float)
        Lowest and highest value of each; the sliders extend to them at least.
    whole : bool
        Whether the values are whole numbers.
    """
    return [
        {
            "name": each.name,
            "colour": each.colour,
            "minimum": each.minimum,
            "maximum": each.maximum,
            "gamma": each.gamma,
            "shown": each.shown,
            "low": min(low, each.minimum),
            "high": max(high, each.maximum),
            "whole": whole,
        }
        for each, (low, high) in zip(channels, ranges, strict=True)
    ]


def _with_row(channel: Channel, row: Mapping[str, Any]) -> Channel:
    """Return a channel as the user has changed it.

    Raises
    ------
    OutOfBoundsError, KeyError, TypeError, ValueError
        If the row is of another channel, or cannot be shown.
    """
    if row["name"] != channel.name:
        raise ValueError(row["name"])
    return replace(
        channel,
        colour=str(row["colour"]),
        minimum=float(row["minimum"]),
        maximum=float(row["maximum"]),
        gamma=float(row["gamma"]),
        shown=bool(row["shown"]),
    )
