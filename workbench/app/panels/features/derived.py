"""Channels of an overlay that are computed from vectors: colours, groups, likeness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workbench.layers.tile_scores import (
    TileClassLayer,
    TileColourLayer,
    TileScoresLayer,
)

if TYPE_CHECKING:
    from workbench.features.features import Features
    from workbench.features.scores import TileScores
    from workbench.layers.layer import Pyramid

COMPONENTS: Final = "principal components as colours"
GROUPS: Final = "groups of tiles"
ALIKE: Final = "like one tile"
LIKELIEST: Final = "likeliest text"
_TEXT: Final = "text: "
"""Before the texts in the list, which may have the name of a score."""

TileLayer = TileScoresLayer | TileClassLayer | TileColourLayer


@dataclass(slots=True)
class DerivedScores:
    """Scores that are computed from vectors, by the name of their channel."""

    found: dict[str, TileScores] = field(default_factory=dict)
    texts: TileScores | None = None
    """Scores of text prompts."""

    @property
    def text_channels(self) -> list[str]:
        """Names of the channels of text prompts."""
        if self.texts is None:
            return []
        names = [f"{_TEXT}{name}" for name in self.texts.names]
        return names if len(names) == 1 else [LIKELIEST, *names]

    def get(self, channel: str) -> TileScores | None:
        """Return the scores of a channel; None: not computed yet, or not of vectors."""
        if self.texts is not None and channel in self.text_channels:
            if channel == LIKELIEST:
                return self.texts
            return self.texts.only(channel.removeprefix(_TEXT))
        return self.found.get(channel)


def is_derived(channel: str) -> bool:
    """Return whether a channel is computed from vectors, not stored."""
    vectors = (COMPONENTS, GROUPS, ALIKE, LIKELIEST)
    return channel in vectors or channel.startswith(_TEXT)


def is_of_one(channel: str) -> bool:
    """Return whether a channel has one value for each tile, shown by a colormap."""
    return channel not in (COMPONENTS, GROUPS, LIKELIEST)


def derive(
    features: Features, channel: str, groups: int, row: int | None
) -> TileScores | None:
    """Compute the scores of a channel; None if there is nothing to compute."""
    if channel == COMPONENTS and features.vectors.shape[0]:
        return features.component_scores()
    if channel == GROUPS and features.vectors.shape[0] > groups:
        return features.clusters(groups)
    if channel == ALIKE and row is not None and row < features.vectors.shape[0]:
        return features.similarity(row)
    return None


def layer_of_all(
    channel: str, scores: TileScores, pyramid: Pyramid
) -> TileClassLayer | TileColourLayer:
    """Return the layer of a channel that shows several values of a tile at once."""
    if channel == COMPONENTS:
        return TileColourLayer(scores, pyramid)
    return TileClassLayer(scores, pyramid, name=channel.capitalize())
