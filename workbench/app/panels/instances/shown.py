"""The instances of a run on a viewer: which are shown, chosen and edited."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import param
import shapely

from workbench.app.panels.edit_history import EditHistory, Step
from workbench.errors import AnnotationError
from workbench.instances.edits import InstanceEdits
from workbench.instances.store import open_instances
from workbench.layers.instance_style import InstanceStyle, Limit
from workbench.layers.instances import NEAREST, InstanceLayer
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
"""Level-0 pixels of a pixel of the screen up to which a click means an object."""

_LOW, _HIGH = 1, 99
"""Percentiles of a measure between which its colours change."""


class ShownInstances(param.Parameterized):
    """Shows the instances of a store on a viewer, and keeps what is done to them.

    Parameters
    ----------
    store : InstanceStore
    viewer : Viewer
    pyramid : Pyramid
        Of the slide.
    author : callable
        Returns who edits.
    history : EditHistory, optional
        Of the session, to which what is done here is added.

    Raises
    ------
    RunError
        If the store is damaged.
    AnnotationError
        If its edits are.
    """

    style = param.ClassSelector(
        class_=InstanceStyle, default=InstanceStyle(), doc="Which, in which colours."
    )
    chosen = param.Parameter(
        default=np.empty(0, np.int64), doc="Ids of the objects that are chosen."
    )
    version = param.Integer(doc="Grows with each edit.")

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
                    lambda e: self._pointed(e.new), "object_pointed"
                ),
            ),
        ]

    @property
    def now(self) -> EditedInstances:
        """The objects as they are now."""
        return self.edits.current

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which objects are shown, by id."""
        now, style = self.now, self.style
        if self._mask is None or self._mask[0] != (id(now), style):
            self._mask = ((id(now), style), style.shown(now))
        return self._mask[1]

    @property
    def values(self) -> list[str]:
        """What can be a colour or a limit, besides the class."""
        return ["score", *self.now.measures]

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the least and the greatest value of a column, never the same."""
        values = self.now.columns([name])[name]
        values = values[np.isfinite(values)]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        return float(low), float(high) if high > low else float(low) + 1.0

    def colour_by(self, name: str, colormap: str) -> None:
        """Show the class, or a value through a colormap."""
        low, high = 0.0, 1.0
        if name not in ("class", "score"):
            values = self.now.columns([name])[name]
            values = values[np.isfinite(values)]
            ends = np.percentile(values, [_LOW, _HIGH]) if len(values) else (0, 1)
            low, high = float(ends[0]), float(ends[1])
            high = high if high > low else low + 1.0
        self._restyle(by=name, colormap=colormap, low=low, high=high)

    def limit(self, name: str, low: float, high: float) -> None:
        """Show only objects whose value lies within; the whole range: all."""
        least, greatest = self.range_of(name)
        kept = [each for each in self.style.limits if each.name != name]
        if low > least or high < greatest:
            # The ends themselves mean no limit: a slider's are rounded.
            bottom = low if low > least else -np.inf
            top = high if high < greatest else np.inf
            kept.append(Limit(name, float(bottom), float(top)))
        self._restyle(limits=tuple(kept))

    def hide(self, classes: Iterable[str]) -> None:
        """Show all classes but these."""
        self._restyle(hidden=frozenset(classes))

    def show_all(self) -> None:
        """Hide nothing any more."""
        self._restyle(hidden=frozenset(), limits=())

    def choose(self, ids: Iterable[int] | NDArray[np.int64]) -> None:
        """Choose objects; those that are gone are left out."""
        given = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        wanted = np.setdiff1d(given, self.now.gone)
        if not np.array_equal(wanted, self.chosen):
            self._choose(wanted)
            self._draw()

    def rows(self, most: int) -> pd.DataFrame:
        """Return the rows of what is chosen, of the first `most` only."""
        return self.now.rows(self.chosen[:most])

    def delete(self) -> str:
        """Take away what is chosen, and say what that was."""
        what = f"{self._named()} deleted"
        self._did(what, self.edits.delete(self.chosen.tolist(), by=self._author()))
        self.choose([])
        self._edited()
        return what

    def reclassify(self, name: str) -> None:
        """Give what is chosen another class."""
        what = f"{self._named()} made '{name}'"
        made = self.edits.reclassify(self.chosen.tolist(), name, by=self._author())
        self._did(what, made)
        self._edited()

    def add(self, geometry: BaseGeometry, name: str) -> None:
        """Add an object of that outline, and choose it.

        Raises
        ------
        AnnotationError
            If this is no outline.
        """
        if geometry.geom_type != "Polygon":
            reason = f"its outline is a {geometry.geom_type}, not one ring"
            what = "the object"
            raise AnnotationError(what, reason, "Draw it without crossing.")
        ring = shapely.get_coordinates(shapely.get_exterior_ring(geometry))[:-1]
        key = self.edits.add(ring, name, by=self._author())
        self._did(f"Object {key} ({name}) drawn", self.edits.history[-1]["edit"])
        self._edited()
        self.choose([key])

    def undo(self) -> None:
        """Take back the last edit of who is here, made in this session or before."""
        self.edits.undo(by=self._author())
        self.history.forget(self)  # which no longer knows what holds
        self._edited()

    def _did(self, what: str, edit: str) -> None:
        """Remember an edit, so that it can be taken back with all else."""
        edits, author, names = self.edits, self._author, [edit]

        def undo() -> None:
            edits.take_back(names[-1], by=author())
            self._edited()

        def redo() -> None:
            names.append(edits.again(names[-1], by=author()))
            self._edited()

        self.history.did(Step(what, undo, redo, owner=self))

    def _named(self) -> str:
        """Return what is chosen, for people."""
        if len(self.chosen) != 1:
            return f"{len(self.chosen):,} objects"
        row = self.rows(1)
        return f"Object {row.index[0]} ({row['class'].iloc[0]})"

    def _choose(self, ids: NDArray[np.int64]) -> None:
        self._viewer.stage.objects_chosen = len(ids)
        self.chosen = ids

    def refresh(self) -> None:
        """Show what others have done since."""
        if self.edits.refresh():
            self._edited()

    def go_to(self, key: int) -> None:
        """Look at an object, near enough to see its outline."""
        columns = self.now.columns(["x", "y"])
        view = self._viewer.view
        near = min(view.downsample, NEAREST / 4) if view else 1.0
        place = (float(columns["x"][key]), float(columns["y"][key]))
        self._viewer.go_to(place, downsample=near)

    def detach(self) -> None:
        """Take them off the viewer."""
        for source, watcher in self._watchers:
            source.param.unwatch(watcher)
        self.history.forget(self)
        self._viewer.stage.objects_chosen = 0
        self._viewer.remove_layer(self.handle)

    def _restyle(self, **changes: Any) -> None:
        style = replace(self.style, **changes)
        if style != self.style:
            # First what is seen, then what is said of it.
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

    def _clicked(self, place: tuple[float, float] | None) -> None:
        view = self._viewer.view
        if place is None or view is None or not self.handle.visible:
            return
        if view.downsample > _CLICKED:
            return
        if self._viewer.stage.tapped.get("mark"):  # an annotation was meant
            self.choose([])
            return
        key = self.now.at(*place)
        self.choose([key] if key is not None and self.shown[key] else [])

    def _pointed(self, asked: dict[str, Any]) -> None:
        """Say what is known of the object at the pointer."""
        key = asked.get("id")
        if asked.get("layer") != self.handle.shown.id or not isinstance(key, int):
            return
        if not 0 <= key < len(self.now):
            return
        self._viewer.stage.object_said = {
            "number": asked["number"],
            "lines": facts_of(self.now.rows([key])),
        }


def store_of(run: Run) -> InstanceStore:
    """Return the store of a run, the same for all sessions while it is the same."""
    path = run.path / INSTANCES
    with disk_errors(path):
        stamp = path.stat().st_mtime_ns
    store = _opened(path, stamp)
    if store.covered is None:
        store.restrict(run.covered)
    return store


@lru_cache(maxsize=8)
def _opened(path: Path, stamp: int) -> InstanceStore:
    del stamp  # tells files apart that follow each other under one name
    store = open_instances(path)
    # What the first look needs, so that nothing waits for it on the event loop.
    store.columns(["x", "y", "class", "score", "size_px"])
    return store


def facts_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the first row as names and values for people; what is not known is out."""
    row = rows.iloc[0]
    facts = [("object", str(rows.index[0])), ("class", str(row["class"]))]
    for name in rows.columns.drop(["class", "x", "y", "edited"]):
        if np.isfinite(row[name]):
            noun, unit = noun_and_unit(name)
            facts.append((noun, f"{row[name]:.3g} {unit}".strip()))
    return [*facts, ("edited", row["edited"])] if row["edited"] else facts


def noun_and_unit(name: str) -> tuple[str, str]:
    """Return the name of a column for people: "area_um2" is an area in µm².

    Brown is called so: that it is DAB is not said of every slide.
    """
    name = {"dab_od": "brown_od"}.get(name, name)
    units = {"um2": "µm²", "um": "µm", "od": "OD", "px": "px"}
    noun, _, unit = name.rpartition("_")
    if noun and unit in units:
        return noun.replace("_", " "), units[unit]
    return name.replace("_", " "), ""
