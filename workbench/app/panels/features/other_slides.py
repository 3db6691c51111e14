"""Tiles of other slides that are like the one that is outlined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn

from workbench.app.panels.features.strips import box_of_tile, strip_items
from workbench.app.widgets.controls import button, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.tile_strip import TileStrip
from workbench.app.widgets.work_line import WorkLine
from workbench.errors import WorkbenchError
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from workbench.app.catalog.feature_indexes import IndexLibrary
    from workbench.app.widgets.background import Background
    from workbench.features.features import Features
    from workbench.features.index import FeatureIndex
    from workbench.geometry import Box

TITLE: Final = "Like this in other slides"
_PER_SLIDE: Final = 6
_SLIDES: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A tile in another slide."""

    slide: str
    """Name of the slide as it is served."""

    box: Box
    file: str
    """Name of its file of features or run; empty: it is not served."""

    row: int


@dataclass(frozen=True, slots=True)
class SlideHits:
    """The most alike tiles of one slide."""

    slide: str
    similarity: float
    """Cosine of the most alike one."""

    items: list[dict[str, str]]
    places: list[Place]


class Retrieval:
    """Searches an index for the tiles of other slides that are served.

    Parameters
    ----------
    indexes : IndexLibrary
    """

    def __init__(self, indexes: IndexLibrary) -> None:
        self._indexes = indexes

    def find(self, features: Features) -> FeatureIndex | None:
        """Return the index of the encoder of some features; None: there is none."""
        return self._indexes.find(features)

    def build(
        self, features: Features, answers: Mapping[str, Any]
    ) -> tuple[FeatureIndex, int]:
        """Make an index; see `IndexLibrary.build`."""
        return self._indexes.build(features, answers)

    def search(
        self, index: FeatureIndex, features: Features, row: int
    ) -> list[SlideHits]:
        """Return the most alike tiles of other slides, the most alike slide first.

        A slide that cannot be read is left out.
        """
        served = self._indexes.served(index)
        own = self._indexes.own_name(index, features)
        vector: NDArray[Any] = np.asarray(features.vectors[row : row + 1])[0]
        table = index.search(
            vector,
            _PER_SLIDE * (_SLIDES + len(index.slides) - len(served)),
            per_slide=_PER_SLIDE,
            leave_out=own,
        )
        found: list[SlideHits] = []
        for name, rows in table.groupby("slide", sort=False):
            if str(name) not in served or len(found) == _SLIDES:
                continue
            slide = served[str(name)]
            boxes = rows[["x0", "y0", "x1", "y1"]].to_numpy(float)
            cosines = rows["similarity"].tolist()
            number = index.slides.index(str(name))
            path = index.files[number] if index.files else ""
            file = self._indexes.name_of(path)
            try:
                opened = self._indexes.library.open(slide)
                tiles = [(at, f"{cosine:.3f}") for at, cosine in enumerate(cosines)]
                items = strip_items(opened, boxes, tiles)
            except WorkbenchError:
                continue
            places = [
                Place(slide, box_of_tile(box), file, int(at))
                for box, at in zip(boxes, rows["row"], strict=True)
            ]
            found.append(SlideHits(slide, cosines[0], items, places))
        return found


class OtherSlides(pn.viewable.Viewer):
    """A part that unfolds, with like tiles of other slides as pictures.

    Where there is no index of the encoder, it offers to make one.

    Parameters
    ----------
    background : Background
    retrieval : Retrieval
    answers : mapping
        Arguments of `open_features` that the open file needed.
    go_to : callable
        Called with the `Place` of a tile whose picture is clicked.
    """

    def __init__(
        self,
        background: Background,
        retrieval: Retrieval,
        answers: Mapping[str, Any],
        go_to: Callable[[Place], object],
    ) -> None:
        super().__init__()
        self._background = background
        self._retrieval = retrieval
        self._answers = answers
        self._go_to = go_to
        self._features: Features | None = None
        self._row: int | None = None
        self._shown: tuple[object, ...] = ()
        self._left_out = 0
        self.index: FeatureIndex | None = None
        self.hits: list[SlideHits] = []
        """What is shown, by slide."""
        self.state = note("")
        self.start = button("Index all slides", icon="manage_search", visible=False)
        self.work = WorkLine(background, "indexing", "tiles")
        self._found = stack()
        self.start.on_click(lambda _: self.build())
        body = stack(self.state, self.work, self.start, self._found)
        self.fold = Fold(TITLE, body)
        self.fold.param.watch(lambda _: self._unfolded(), "active")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self.fold

    @property
    def opened(self) -> bool:
        """Whether it is unfolded."""
        return bool(self.fold.active)

    def show(self, features: Features, row: int | None) -> None:
        """Show what is like the tile in this row; None: no single tile is outlined."""
        self._features, self._row = features, row
        if self.opened:
            self._update()

    def build(self) -> None:
        """Make an index of all slides, in a thread."""
        features = self._features
        if features is None:
            return
        self.start.visible = False
        self.work.run(
            lambda: self._retrieval.build(features, self._answers),
            self._built,
            otherwise=lambda: self._offer(None),
        )

    def _built(self, made: tuple[FeatureIndex, int]) -> None:
        index, left_out = made
        self._left_out = left_out
        self._offer(index)

    def _unfolded(self) -> None:
        if self.opened and self._features is not None:
            self._update()

    def _update(self) -> None:
        """Look for an index once, then for what is like the tile."""
        features = self._features
        if self.index is not None or features is None:
            self._search()
            return
        if self.work.busy:  # one is being made
            return
        self._background.do(
            lambda: self._retrieval.find(features),
            self._offer,
            slot=f"index {id(self)}",
        )

    def _offer(self, index: FeatureIndex | None) -> None:
        self.index = index
        self.start.visible = index is None
        if index is None:
            self.state.object = (
                "There is no index of this encoder yet. It is made of the files of"
                " features of all served slides."
            )
            return
        self._search()

    def _search(self) -> None:
        index, features, row = self.index, self._features, self._row
        if index is None or features is None:
            return
        if row is None:
            self._say("Click a tile on the slide.")
            return
        now = (index, features, row)
        if now == self._shown:
            self._say("")
            return
        self._shown = now
        self._say("Comparing …")
        self._background.do(
            lambda: self._retrieval.search(index, features, row),
            self._show,
            slot=f"other slides {id(self)}",
        )

    def _show(self, hits: list[SlideHits]) -> None:
        self.hits = hits
        self._say("" if hits else "It holds no other slide that is served.")
        self._found.objects = [part for each in hits for part in self._group(each)]

    def _say(self, more: str) -> None:
        """Show what the index holds, and a sentence."""
        index, missing = self.index, self._left_out
        if index is None:
            return
        tiles = counted_noun(len(index), "tiles")
        slides = counted_noun(len(index.slides), "slides")
        sentences = [f"Index of {tiles} of {slides}."]
        if missing:
            sentences.append(f"Slides without a file of this encoder: {missing:,}.")
        self.state.object = " ".join([*sentences, more])

    def _group(self, hits: SlideHits) -> tuple[Any, Any]:
        label = f"{hits.slide}: cosine up to {hits.similarity:.3f}"
        strip = TileStrip(
            label=label, items=hits.items, sizing_mode="stretch_width", margin=0
        )
        strip.param.watch(
            lambda event: self._go_to(hits.places[int(event.new["key"])]), "clicked"
        )
        return note(label), strip
