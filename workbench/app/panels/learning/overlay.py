"""Overlay of what was learnt: the likeliest class of each tile, or its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.annotations.classes import colour_of
from workbench.app.panels.features.tile_values import in_view
from workbench.app.panels.overlays.card import OverlayCard
from workbench.app.viewer.seen import seen_region
from workbench.layers.tile_scores import TileClassLayer, TileScoresLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.features.scores import TileScores
    from workbench.layers.layer import Pyramid

KEY: Final = "learnt from annotations"
LIKELIEST: Final = "likeliest class"


class LearntOverlay(OverlayCard):
    """The likeliest class of each tile, or the probability of one class.

    Parameters
    ----------
    background : Background
    scores : TileScores
        Probability of each class.
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    channel : str
        What is shown first; an unknown one gives the likeliest class.
    remove : callable
        Removes this overlay from its panel.
    """

    def __init__(
        self,
        background: Background,
        scores: TileScores,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        channel: str,
        remove: Callable[[LearntOverlay], None],
    ) -> None:
        self.scores = scores
        self._wanted = channel
        super().__init__(
            *(background, viewer, pyramid),
            title="Learnt classes",
            key=KEY,
            value_range=(0.0, 1.0),
            remove=remove,
        )
        self.channel.label = "Show"

    def show(self, scores: TileScores) -> None:
        """Show the probabilities of another fit, maybe of other classes."""
        self.scores = scores
        if self.channel.options != self._channels():
            shown = self.channel.value
            kept = shown if shown in self._channels() else LIKELIEST
            self.channel.param.update(options=self._channels(), value=kept)
        self._redraw()

    def _channels(self) -> list[str]:
        return [LIKELIEST, *self.scores.names]

    def _first_channel(self) -> str:
        return self._wanted if self._wanted in self._channels() else LIKELIEST

    def _layer(self) -> TileScoresLayer | TileClassLayer:
        shown = self.channel.value
        if shown in self.scores.names:
            style = self._style()
            return TileScoresLayer(
                self.scores, self._pyramid, channel=shown, style=style
            )
        colours = tuple(map(colour_of, self.scores.names))
        return TileClassLayer(
            self.scores, self._pyramid, name="Learnt class", colours=colours
        )

    @property
    def _is_of_one(self) -> bool:
        return self.channel.value in self.scores.names

    def _offer(self) -> None:
        super()._offer()
        self.threshold.visible = self._is_of_one

    def _in_view(self) -> Markup:
        view = seen_region(self._viewer)
        scores: Any = self.scores
        if self._is_of_one:
            scores = self.scores.only(self.channel.value)
        bounds = (self.window.start, self.window.end)
        return in_view(self._drawn, scores, view, bounds)
