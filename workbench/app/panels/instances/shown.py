"""Instances on a viewer: filter, colours, selection and edits."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import param
import shapely

from workbench.app.panels.edit_history import EditHistory, Step
from workbench.app.panels.instances.picking import centres_within, chosen_by
from workbench.errors import AnnotationError
from workbench.instances.edits import InstanceEdits
from workbench.instances.store import open_instances
from workbench.layers.instance_style import InstanceStyle, Limit
from workbench.layers.instances import NEAREST, InstanceLayer
from workbench.progress import counted_noun
from workbench.results.instances import INSTANCES
from workbench.system.atomic_files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.app.viewer.viewer import Viewer
    from workbench.instances.edited import EditedInstances
    from workbench.instances.store import InstanceStore
    from workbench.layers.layer import Pyramid
    from workbench.results.run import Run

_OPACITY: Final = 0.8
_CLICKED: Final = 2 * NEAREST
"""Downsample up to which a click selects an instance."""

_LOW, _HIGH = 1, 99
"""Percentiles of a measure at the ends of its colour scale."""


class ShownInstances(param.Parameterized):
    """Shows the instances of a store on a viewer, and saves their edits.

    Parameters
    ----------
    store : InstanceStore
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    author : callable
        Returns the name of the user, saved with edits.
    history : EditHistory, optional
        History of the session, to which edits are added.

    Raises
    ------
    RunError
        If the store is damaged.
    AnnotationError
        If its file of edits is damaged.
    """

    style = param.ClassSelector(
        class_=InstanceStyle, default=InstanceStyle(), doc="Filter and colours."
    )
    chosen = param.Parameter(
        default=np.empty(0, np.int64), doc="Ids of the selected instances, int64 (n,)."
    )
    version = param.Integer(doc="Increases with each edit.")

    def __init__(
        self,
        store: InstanceStore,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        author: Callable[[], str],
        history: EditHistory | None = None,
    ) -> None:
        super().__init__()
        self.edits = InstanceEdits(store)
        self.history = history or EditHistory()
        self._viewer = viewer
        self._pyramid = pyramid
        self._author = author
        self._mask: tuple[object, NDArray[np.bool_]] | None = None
        layer = InstanceLayer(self.now, pyramid, self.style)
        self.handle = viewer.add_layer(layer, opacity=_OPACITY)
        self._numbers = layer.instance_numbers
        self._watchers: list[tuple[Any, Any]] = [
            (viewer, viewer.param.watch(lambda e: self._clicked(e.new), "tap")),
            (
                viewer.stage,
                viewer.stage.param.watch(
                    lambda e: self._pointed(e.new), "instance_pointed"
                ),
            ),
            (
                viewer.stage,
                viewer.stage.param.watch(
                    lambda e: self._picked(e.new), "instances_picked"
                ),
            ),
        ]

    @property
    def now(self) -> EditedInstances:
        """The instances with all edits."""
        return self.edits.current

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Whether each instance passes the filter, bool (N,), indexed by id."""
        now, style = self.now, self.style
        if self._mask is None or self._mask[0] != (id(now), style):
            self._mask = ((id(now), style), style.shown(now))
        return self._mask[1]

    @property
    def values(self) -> list[str]:
        """Names of the columns that can set the colour or be filtered by."""
        return ["score", *self.now.measures]

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the least and the greatest value of a column; they always differ."""
        values = self.now.columns([name])[name]
        values = values[np.isfinite(values)]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        return float(low), float(high) if high > low else float(low) + 1.0

    def colour_by(self, name: str, colormap: str) -> None:
        """Colour by class, or by a column through a colormap."""
        low, high = 0.0, 1.0
        if name not in ("class", "score"):
            values = self.now.columns([name])[name]
            values = values[np.isfinite(values)]
            ends = np.percentile(values, [_LOW, _HIGH]) if len(values) else (0, 1)
            low, high = float(ends[0]), float(ends[1])
            high = high if high > low else low + 1.0
        self._restyle(by=name, colormap=colormap, low=low, high=high)

    def limit(self, name: str, low: float, high: float) -> None:
        """Show only instances with a value in this range; the whole range shows all."""
        least, greatest = self.range_of(name)
        kept = [each for each in self.style.limits if each.name != name]
        if low > least or high < greatest:
            # The ends of the slider are rounded, so they mean no limit.
            bottom = low if low > least else -np.inf
            top = high if high < greatest else np.inf
            kept.append(Limit(name, float(bottom), float(top)))
        self._restyle(limits=tuple(kept))

    def hide(self, classes: Iterable[str]) -> None:
        """Show all classes but these."""
        self._restyle(hidden=frozenset(classes))

    def show_all(self) -> None:
        """Remove all filters."""
        self._restyle(hidden=frozenset(), limits=())

    def choose(self, ids: Iterable[int] | NDArray[np.int64]) -> None:
        """Select instances; deleted ones are left out."""
        given = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        present = np.setdiff1d(given, self.now.gone)
        if not np.array_equal(present, self.chosen):
            self._choose(present)
            self._draw()

    def rows(self, most: int) -> pd.DataFrame:
        """Return the rows of the first `most` selected instances."""
        return self.now.rows(self.chosen[:most])

    def delete(self) -> str:
        """Delete the selected instances, and return a description of the edit."""
        what = f"{self._selection_name()} deleted"
        self._record(what, self.edits.delete(self.chosen.tolist(), by=self._author()))
        self.choose([])
        self._edited()
        return what

    def reclassify(self, name: str) -> None:
        """Give the selected instances another class."""
        what = f"{self._selection_name()} made '{name}'"
        made = self.edits.reclassify(self.chosen.tolist(), name, by=self._author())
        self._record(what, made)
        self._edited()

    def add(self, geometry: BaseGeometry, name: str) -> None:
        """Add an instance with that outline, and select it.

        Raises
        ------
        AnnotationError
            If the outline is not one valid ring.
        """
        if geometry.geom_type != "Polygon":
            reason = f"its outline is a {geometry.geom_type}, not one ring"
            what = "the instance"
            raise AnnotationError(what, reason, "Draw it without crossing.")
        ring = shapely.get_coordinates(shapely.get_exterior_ring(geometry))[:-1]
        key = self.edits.add(ring, name, by=self._author())
        self._record(f"Instance {key} ({name}) drawn", self.edits.history[-1]["edit"])
        self._edited()
        self.choose([key])

    def undo(self) -> None:
        """Undo the last edit of this user, made in this session or before."""
        self.edits.undo(by=self._author())
        self.history.forget(self)  # its steps may no longer apply
        self._edited()

    def _record(self, what: str, edit: str) -> None:
        """Add an edit to the history of the session."""
        edits, author, names = self.edits, self._author, [edit]

        def undo() -> None:
            edits.take_back(names[-1], by=author())
            self._edited()

        def redo() -> None:
            names.append(edits.again(names[-1], by=author()))
            self._edited()

        self.history.add(Step(what, undo, redo, owner=self))

    def _selection_name(self) -> str:
        """Return a description of the selection."""
        if len(self.chosen) != 1:
            return counted_noun(len(self.chosen), "instances")
        row = self.rows(1)
        return f"Instance {row.index[0]} ({row['class'].iloc[0]})"

    def _choose(self, ids: NDArray[np.int64]) -> None:
        self._viewer.stage.instances_chosen = len(ids)
        self.chosen = ids

    def refresh(self) -> None:
        """Show the edits that others have made since."""
        if self.edits.refresh():
            self._edited()

    def go_to(self, key: int) -> None:
        """Move the view to an instance, near enough to see its outline."""
        columns = self.now.columns(["x", "y"])
        view = self._viewer.view
        near = min(view.downsample, NEAREST / 4) if view else 1.0
        place = (float(columns["x"][key]), float(columns["y"][key]))
        self._viewer.go_to(place, downsample=near)

    def detach(self) -> None:
        """Remove the instances from the viewer, and their edits from the history."""
        for source, watcher in self._watchers:
            source.param.unwatch(watcher)
        self.history.forget(self)
        self._viewer.stage.instances_chosen = 0
        self._viewer.remove_layer(self.handle)

    def _restyle(self, **changes: Any) -> None:
        style = replace(self.style, **changes)
        if style != self.style:
            # Draw first, then notify the widgets.
            self._draw(style)
            self.style = style

    def _edited(self) -> None:
        self._choose(np.setdiff1d(self.chosen, self.now.gone))
        self._draw()
        self.version += 1

    def _draw(self, style: InstanceStyle | None = None) -> None:
        layer = InstanceLayer(
            self.now,
            self._pyramid,
            style or self.style,
            chosen=self.chosen,
            instance_numbers=self._numbers,
        )
        self._numbers, self.handle.layer = layer.instance_numbers, layer

    def at(self, x: float, y: float) -> int | None:
        """Return the id of the instance shown at a level-0 point, or None.

        None if the view is so far away that instances cannot be told apart.
        """
        if not self._can_click:
            return None
        key = self.now.at(x, y)
        return key if key is not None and self.shown[key] else None

    @property
    def _can_click(self) -> bool:
        view = self._viewer.view
        near = view is not None and view.downsample <= _CLICKED
        return near and self.handle.visible

    def _picked(self, picked: dict[str, Any]) -> None:
        if self.handle.visible:
            self.choose(chosen_by(picked, self.chosen, at=self.at, within=self._within))

    def _within(self, region: BaseGeometry) -> NDArray[np.int64]:
        places = self.now.columns(["x", "y"])
        return centres_within(region, places["x"], places["y"], self.shown)

    def _clicked(self, place: tuple[float, float] | None) -> None:
        if place is None or not self._can_click:
            return
        if self._viewer.stage.tapped.get("mark"):  # the click selected an annotation
            self.choose([])
            return
        key = self.at(*place)
        self.choose([] if key is None else [key])

    def _pointed(self, pointed: dict[str, Any]) -> None:
        """Send the values of the instance at the pointer to the browser."""
        key = pointed.get("id")
        if pointed.get("layer") != self.handle.shown.id or not isinstance(key, int):
            return
        if not 0 <= key < len(self.now):
            return
        self._viewer.stage.instance_facts = {
            "number": pointed["number"],
            "lines": facts_of(self.now.rows([key])),
        }


def store_of(run: Run) -> InstanceStore:
    """Return the store of a run; sessions share it until its file changes."""
    path = run.path / INSTANCES
    with disk_errors(path):
        stamp = path.stat().st_mtime_ns
    store = _opened(path, stamp)
    if store.covered is None:
        store.restrict(run.covered)
    return store


@lru_cache(maxsize=8)
def _opened(path: Path, stamp: int) -> InstanceStore:
    del stamp  # part of the cache key: the file may be replaced
    store = open_instances(path)
    # Read what is drawn first here, off the event loop.
    store.columns(["x", "y", "class", "score", "size_px"])
    return store


def facts_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the first row as pairs of name and text; unknown values are left out."""
    row = rows.iloc[0]
    facts = [("instance", str(rows.index[0])), ("class", str(row["class"]))]
    for name in rows.columns.drop(["class", "x", "y", "edited"]):
        if np.isfinite(row[name]):
            noun, unit = noun_and_unit(name)
            facts.append((noun, f"{row[name]:.3g} {unit}".strip()))
    return [*facts, ("edited", row["edited"])] if row["edited"] else facts


def noun_and_unit(name: str) -> tuple[str, str]:
    """Return the noun and the unit of a column: "area_um2" gives "area", "µm²".

    The column "dab_od" is called "brown": not every slide is stained with DAB.
    """
    name = {"dab_od": "brown_od"}.get(name, name)
    units = {"um2": "µm²", "um": "µm", "od": "OD", "px": "px"}
    noun, _, unit = name.rpartition("_")
    if noun and unit in units:
        return noun.replace("_", " "), units[unit]
    return name.replace("_", " "), ""


def words_of(names: Iterable[str]) -> dict[str, str]:
    """Return columns by what lists call them: "area (µm²)" for "area_um2"."""
    pairs = ((noun_and_unit(name), name) for name in names)
    return {f"{noun} ({unit})" if unit else noun: name for (noun, unit), name in pairs}
