"""Learning panel: classes of tiles from annotations, shown and improved at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui
import shapely

from workbench.annotations.annotation import Annotation
from workbench.annotations.classes import colour_of
from workbench.app.panels.features.overlay import FeaturesOverlay
from workbench.app.panels.features.strips import box_of_tile, strip_items
from workbench.app.panels.learning.fit import Fit, fit_to
from workbench.app.widgets.controls import STYLE, button, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.tile_strip import TileStrip
from workbench.errors import OutOfBoundsError
from workbench.layers.layer import overlay_pyramid
from workbench.layers.tile_outlines import TileOutlineLayer
from workbench.models.user_models import user_models_folder
from workbench.training import (
    EmbeddedSlide,
    probe_accuracy,
    save_probe,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import param

    from workbench.app.panels.annotations import AnnotationPanel
    from workbench.app.panels.overlays.panel import OverlayPanel
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.features.scores import TileScores
    from workbench.training import Accuracy, Probe

_NO_VECTORS: Final = (
    "Tiles need vectors: run an encoder, such as tissue-features, or open a file of"
    " features under Results."
)
_HOW: Final = (
    "Areas and points of a class label the tiles below them. Choose a class (keys 1 to"
    " 9), then click tiles."
)
_NAME: Final = re.compile(r"\w[\w. -]{0,79}")
_NO_CLASS: Final = ("A label needs a class.", "Choose one: keys 1 to 9, or Annotate.")
_ROOM: Final = 1.0
"""Margin of the view around a tile, as a share of its side."""

_SUGGESTED: Final = 9


class LearningPanel(pn.viewable.Viewer):
    """Learns classes of tiles from annotations, and shows them at each change.

    A click on a tile draws an annotation around it, so that labels are saved, undone,
    exported and shared among users as annotations are.

    Parameters
    ----------
    background : Background
    overlays : OverlayPanel
        Features that are shown there give the vectors.
    annotations : AnnotationPanel
        Its annotations are the labels.
    saved : callable
        Called with the name of a saved model.
    """

    def __init__(
        self,
        background: Background,
        overlays: OverlayPanel,
        annotations: AnnotationPanel,
        *,
        saved: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._background = background
        self._overlays = overlays
        self._annotations = annotations
        self._saved = saved
        self._viewer: Viewer | None = None
        self._following: Callable[[], None] = lambda: None
        self._tiles: tuple[object, EmbeddedSlide] | None = None
        self._fit: Fit | None = None
        self._accuracy: Accuracy | None = None
        self._outline: LayerHandle | None = None
        self._build()
        self._watch()
        self._offer()

    def _build(self) -> None:
        self._hint = note(_HOW)
        self.clicking = pmui.Switch(
            label="Label tiles by clicks", value=False, size="small", margin=(4, 0)
        )
        self.active = pmui.Switch(
            label="Learn from the annotations", value=False, size="small", margin=(4, 0)
        )
        self._outlined = button("Label the outlined tiles", icon="select_all")
        self._state = note("", visible=False)
        self._judged = note("", visible=False)
        self.strip = TileStrip(
            label="Tiles to label next", sizing_mode="stretch_width", margin=0
        )
        self._next = Fold(
            "What to label next",
            stack(note("Click a tile to see it; 1 to 9 give its class."), self.strip),
            visible=False,
        )
        self._name = pmui.TextInput(label="Name of the model", **STYLE)
        self._save = button("Save as a model", icon="save")
        self._saving = stack(self._name, self._save, visible=False)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._hint,
            self.active,
            self.clicking,
            self._outlined,
            self._state,
            self._judged,
            self._next,
            self._saving,
        )

    @property
    def probe(self) -> Probe | None:
        """What was learnt last; None: nothing yet."""
        return None if self._fit is None else self._fit.probe

    def attach(self, viewer: Viewer) -> None:
        """Learn on another slide from now on."""
        self._viewer, self._outline = viewer, None
        self.active.value = self.clicking.value = False
        self._tiles = self._fit = self._accuracy = None
        self._show_fit()
        viewer.param.watch(self._tapped, "tap")

    def _watch(self) -> None:
        self._annotations.param.watch(lambda _: self._follow_editor(), "editor")
        self._overlays.param.watch(lambda _: self._offer(), "overlays")
        self.active.param.watch(lambda _: self._learn(), "value")
        self.clicking.param.watch(self._set_clicking, "value")
        self.strip.param.watch(lambda e: self._go_to(int(e.new["key"])), "clicked")
        self.strip.param.watch(lambda e: self._answered(e.new), "answered")
        self._next.param.watch(lambda _: self._suggest(), "active")
        self._outlined.on_click(lambda _: self._background.guard(self.label_outlined))
        self._save.on_click(lambda _: self._background.guard(self.save))

    # -- labels

    def label(self, row: int, name: str) -> None:
        """Label a tile by an annotation; the same class again removes it.

        Raises
        ------
        OutOfBoundsError
            If no class is given, or there is no such tile.
        """
        editor, tiles = self._annotations.editor, self._embedded()
        if editor is None or tiles is None:
            return
        if not name:
            raise OutOfBoundsError(*_NO_CLASS)
        if not 0 <= row < len(tiles):
            message = f"There is no tile {row}."
            raise OutOfBoundsError(message, f"Tiles are 0 to {len(tiles) - 1}.")
        shape = shapely.box(*tiles.boxes[row])
        for each in self._annotations.drawn:
            if each.kind == "area" and each.geometry.equals(shape):
                if each.classification == name:
                    editor.delete(each.id)
                else:
                    editor.put(each.replace(classification=name))
                return
        editor.put(Annotation(geometry=shape, classification=name))

    def label_outlined(self) -> None:
        """Label the tiles that are outlined on the slide, by one annotation.

        Raises
        ------
        OutOfBoundsError
            If no class is given, or no tile is outlined.
        """
        editor, source = self._annotations.editor, self._source()
        rows = np.empty(0, np.int64) if source is None else source.selected
        name = self._annotations.current_class
        if editor is None or source is None or source.features is None or not len(rows):
            message = "No tiles are outlined."
            remedy = "Draw a lasso in the map of the vectors, under Results."
            raise OutOfBoundsError(message, remedy)
        if not name:
            raise OutOfBoundsError(*_NO_CLASS)
        shape = shapely.union_all(shapely.box(*source.features.boxes[rows].T))
        editor.put(Annotation(geometry=shape, classification=name))
        source.select([])
        self.active.value = True

    def _tapped(self, event: param.parameterized.Event) -> None:
        """Label the tile that was clicked."""
        tiles = self._embedded()
        if not self.clicking.value or tiles is None:
            return
        x, y = event.new
        row = tiles.row_at(x, y)
        if row is not None:
            self._background.guard(self.label, row, self._annotations.current_class)

    def _answered(self, answer: dict[str, Any]) -> None:
        """Label a suggested tile with the class of a digit."""
        classes = self._annotations.classes
        number = int(answer["digit"]) - 1
        if 0 <= number < len(classes):
            self._background.guard(self.label, int(answer["key"]), classes[number])

    def _go_to(self, row: int) -> None:
        """Show a tile with some of its surroundings, outlined."""
        tiles, viewer = self._embedded(), self._viewer
        if tiles is None or viewer is None or not 0 <= row < len(tiles):
            return
        self._clear_outline()
        box = box_of_tile(tiles.boxes[row])
        viewer.go_to(box.grow(round(_ROOM * max(box.width, box.height))))
        layer = TileOutlineLayer(tiles.boxes[[row]], overlay_pyramid(viewer.slide.size))
        self._outline = viewer.add_layer(layer)

    def _clear_outline(self) -> None:
        if self._outline is not None and self._viewer is not None:
            self._viewer.remove_layer(self._outline)
        self._outline = None

    # -- learning

    def _source(self) -> FeaturesOverlay | None:
        """Return the first overlay with vectors."""
        for overlay in self._overlays.overlays:
            if isinstance(overlay, FeaturesOverlay) and overlay.source.has_vectors:
                return overlay
        return None

    def _embedded(self) -> EmbeddedSlide | None:
        """Return the tiles whose vectors are in memory; None: not read yet."""
        return None if self._tiles is None else self._tiles[1]

    def _offer(self) -> None:
        """Say what is missing, or read the vectors."""
        source = self._source()
        if source is None and (self.active.value or self.clicking.value):
            self.active.value = self.clicking.value = False
        for control in (self.active, self.clicking, self._outlined):
            control.disabled = source is None
        self._hint.object = _NO_VECTORS if source is None else _HOW

    def _follow_editor(self) -> None:
        editor = self._annotations.editor
        if editor is not None:
            editor.param.watch(lambda _: self._learn(), "version")
            self._learn()

    def _set_clicking(self, event: param.parameterized.Event) -> None:
        self._annotations.labelling = event.new
        if event.new:
            self.active.value = True

    def _learn(self) -> None:
        """Fit to the annotations as they are now, in a thread."""
        overlay = self._source()
        if not self.active.value or overlay is None:
            return
        source, drawn, before = overlay.source, self._annotations.drawn, self.probe
        known = self._tiles
        version = (source.key, source.version)

        def work() -> tuple[tuple[object, EmbeddedSlide], Fit]:
            if known is not None and known[0] == version:
                tiles = known[1]
            else:
                tiles = EmbeddedSlide.of(source.load())
            return (version, tiles), fit_to(tiles, drawn, before)

        self._background.do(work, self._learnt, slot="learning")

    def _learnt(self, found: tuple[tuple[object, EmbeddedSlide], Fit]) -> None:
        self._tiles, self._fit = found
        self._accuracy = None
        if self._fit.scores is not None:
            self._show_scores(self._fit.scores)
        self._show_fit()
        self._background.debounced(self._judge, slot="learning judged")

    def _show_scores(self, scores: TileScores) -> None:
        """Show the classes; what lies below them is hidden when they are new."""
        source, number = self._source(), len(self._overlays.overlays)
        self._overlays.show_learnt(scores)
        if source is not None and len(self._overlays.overlays) > number:
            source.visible.value = False

    def _show_fit(self) -> None:
        """Show the state of what was learnt."""
        fit = self._fit
        self._state.visible = fit is not None
        self._saving.visible = self._next.visible = bool(fit and fit.probe)
        self._judged.visible = self._accuracy is not None
        if fit is None:
            self.strip.items = []
            return
        counts = ", ".join(f"{name} {n:,}" for name, n in fit.labels.counts.items())
        labelled = f"Labelled tiles: {counts}." if counts else "No tile is labelled."
        self._state.object = f"{labelled} {fit.hint}".strip()

    def _judge(self) -> None:
        """Estimate the accuracy, and suggest tiles, in a thread."""
        fit, tiles = self._fit, self._embedded()
        if fit is None or fit.probe is None or tiles is None:
            return
        self._background.do(
            lambda: probe_accuracy(tiles, fit.labels),
            lambda found: self._show_accuracy(fit, found),
            slot="learning accuracy",
        )
        self._suggest()

    def _show_accuracy(self, fit: Fit, found: Accuracy) -> None:
        if fit is self._fit:
            self._accuracy = found
            self._judged.param.update(object=str(found), visible=True)

    def _suggest(self) -> None:
        fit, tiles, viewer = self._fit, self._embedded(), self._viewer
        opened = bool(self._next.active)
        if not opened or fit is None or tiles is None or viewer is None:
            return

        def work() -> list[dict[str, str]]:
            rows = suggest(tiles, fit.labels, fit.probe, count=_SUGGESTED)
            names = [(int(row), fit.guess_of(row)) for row in rows]
            return strip_items(viewer.slide, tiles.boxes, names)

        self._background.do(work, self._show_suggestions, slot="learning next")

    def _show_suggestions(self, items: list[dict[str, str]]) -> None:
        self.strip.items = items

    # -- the model

    def save(self) -> None:
        """Save what was learnt as a model that runs can use.

        Raises
        ------
        OutOfBoundsError
            If the name is no name of a folder.
        """
        fit = self._fit
        name: str = self._name.value.strip()
        if fit is None or fit.probe is None:
            return
        if not _NAME.fullmatch(name):
            message = f"'{name}' cannot be the name of a model."
            raise OutOfBoundsError(message, "Use letters, digits, '-', '_' and spaces.")
        probe, accuracy = fit.probe, self._accuracy
        colours = {each: colour_of(each) for each in probe.classes}

        def work() -> str:
            folder = user_models_folder() / name
            save_probe(probe, folder, colours=colours, accuracy=accuracy)
            return name

        self._background.do(work, self._has_saved, slot="learning saved")

    def _has_saved(self, name: str) -> None:
        self._saved(name)
        self._background.notify(f"The model '{name}' is saved; choose it under Run.")
