"""`InstanceClassifier`: classes of instances, such as nuclei, from their measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from workbench.errors import TrainingError
from workbench.training.forest import Forest
from workbench.training.number_file import read_numbers, save_numbers

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_KIND: Final = "instance classifier"
_FILL: Final = "fill"
_FEWEST_CLASSES: Final = 2


class MeasuredInstances(Protocol):
    """A store of instances with measures: `InstanceStore` or `EditedInstances`."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures."""

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of instances that are not counted."""

    def __len__(self) -> int:
        """Return the number of ids."""

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return columns of all instances."""


@dataclass(frozen=True, eq=False, slots=True)
class Classified:
    """Classes that a classifier gives to all instances of a store."""

    classes: tuple[str, ...]
    """Names of the classes, by index."""

    codes: NDArray[np.uint16]
    """Index of the likeliest class of each instance, by id, uint16 (N,)."""

    scores: NDArray[np.float32]
    """Its probability, 0 to 1, float32 (N,)."""

    def ids(self, name: str, *, min_score: float = 0.0) -> NDArray[np.int64]:
        """Return the ids of a class whose score is at least `min_score`."""
        chosen = self.codes == self.classes.index(name)
        return np.flatnonzero(chosen & (self.scores >= min_score))


@dataclass(frozen=True, eq=False, slots=True)
class InstanceClassifier:
    """A random forest over the measures of instances; see `fit_instance_classifier`."""

    classes: tuple[str, ...]
    """Names of the classes, in alphabetical order."""

    measures: tuple[str, ...]
    """Names of the measures that it looks at, in the order of its columns."""

    forest: Forest
    fill: NDArray[np.float32]
    """Value of each measure where an instance has none: the median of the examples."""

    provenance: dict[str, Any] = field(default_factory=dict)
    """Numbers of labels and where they come from."""

    def classify(self, instances: MeasuredInstances) -> Classified:
        """Return the class of each instance of a store, deleted ones included.

        Raises
        ------
        TrainingError
            If the store lacks one of the measures.
        """
        shares = self.forest.probabilities(self._values(instances))
        codes = shares.argmax(axis=1)
        scores = np.take_along_axis(shares, codes[:, None], axis=1)[:, 0]
        return Classified(self.classes, codes.astype(np.uint16), scores)

    def _values(self, instances: MeasuredInstances) -> NDArray[np.float32]:
        return values_of(instances, self.measures, self.fill)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the classifier as one file of numbers, which opening cannot run.

        Parameters
        ----------
        path : path
            Ends in .safetensors, which is added if there is no suffix.

        Raises
        ------
        TrainingError
            If the path has another suffix.
        RunFolderError
            If writing fails; an earlier file is then unchanged.
        """
        facts = {
            "classes": self.classes,
            "measures": self.measures,
            "provenance": self.provenance,
        }
        arrays = {**self.forest.arrays, _FILL: self.fill}
        return save_numbers(path, _KIND, arrays, facts)

    def __repr__(self) -> str:
        """Return one line with classes and numbers of labels."""
        counts = self.provenance.get("labels", {})
        each = ", ".join(f"{name} {counts.get(name, '?')}" for name in self.classes)
        return f"<InstanceClassifier on {len(self.measures)} measures: {each}>"


def fit_instance_classifier(
    stores: MeasuredInstances | Sequence[MeasuredInstances],
    labels: Mapping[int, str] | Sequence[Mapping[int, str]],
    *,
    measures: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> InstanceClassifier:
    """Fit a classifier to labelled instances of one or more runs.

    Parameters
    ----------
    stores : store or sequence of stores
        Instances with measures, such as `run.final_instances`.
    labels : mapping or sequence of mappings
        Class of each labelled instance by its id; see `reclassified`.
    measures : sequence of str, optional
        Names of the measures to look at; by default all that all stores have.
    provenance : mapping, optional
        What is to be kept with the classifier about its labels.

    Returns
    -------
    InstanceClassifier

    Raises
    ------
    TrainingError
        If fewer than two classes have a label, there is no such instance, or a store
        lacks a measure.

    Examples
    --------
    >>> found = wb.run(slide, model="nuclei-watershed", out="runs/nuclei")
    >>> store = found.final_instances
    >>> classifier = wb.training.fit_instance_classifier(
    ...     store, {0: "large", 1: "small", 2: "large", 3: "small"}
    ... )
    >>> classifier.classify(store).classes
    ('large', 'small')
    """
    examples = InstanceExamples.of(stores, labels, measures)
    examples.require_classes()
    counts = np.bincount(examples.codes, minlength=len(examples.classes)).tolist()
    return InstanceClassifier(
        classes=examples.classes,
        measures=examples.measures,
        forest=Forest.fit(examples.values, examples.codes),
        fill=examples.fill,
        provenance={
            "labels": dict(zip(examples.classes, counts, strict=True)),
            **(provenance or {}),
        },
    )


@dataclass(frozen=True, eq=False, slots=True)
class InstanceExamples:
    """Labelled instances of all stores in one table."""

    values: NDArray[np.float32]
    """Measures of each example, finite, float32 (N, F)."""

    codes: NDArray[np.int64]
    slide: NDArray[np.int64]
    """Index of the store of each, int64 (N,)."""

    centres: NDArray[np.float64]
    """Centroid of each in level-0 pixels, float64 (N, 2)."""

    classes: tuple[str, ...]
    measures: tuple[str, ...]
    fill: NDArray[np.float32]

    @classmethod
    def of(cls, stores: Any, labels: Any, measures: Sequence[str] = ()) -> Any:
        """Return the examples; see `fit_instance_classifier`."""
        many = [stores] if hasattr(stores, "columns") else list(stores)
        given = [labels] if hasattr(labels, "keys") else list(labels)
        if len(many) != len(given) or not many:
            message = f"There are {len(many)} runs, but labels of {len(given)}."
            raise TrainingError(message, "Give labels for each run.")
        shared = tuple(
            n for n in many[0].measures if all(n in m.measures for m in many)
        )
        chosen = tuple(measures) or shared
        ids = [_checked(one, its) for one, its in zip(many, given, strict=True)]
        names = [its[key] for its, keys in zip(given, ids, strict=True) for key in keys]
        classes = tuple(sorted(set(names)))
        raw = [_raw(one, chosen)[keys] for one, keys in zip(many, ids, strict=True)]
        places = [
            np.stack([one.columns([n])[n][keys] for n in ("x", "y")], axis=1)
            for one, keys in zip(many, ids, strict=True)
        ]
        values = np.concatenate(raw)
        fill = _medians(values)
        return cls(
            values=np.where(np.isfinite(values), values, fill),
            codes=np.array([classes.index(name) for name in names], np.int64),
            slide=np.repeat(np.arange(len(many)), [len(keys) for keys in ids]),
            centres=np.concatenate(places).astype(np.float64),
            classes=classes,
            measures=chosen,
            fill=fill,
        )

    def require_classes(self) -> None:
        """Raise if fewer than two classes have a label, or there is no measure."""
        if len(self.classes) < _FEWEST_CLASSES:
            named = f"only '{self.classes[0]}'" if self.classes else "no class"
            message = f"A classifier tells classes apart, but {named} has a label."
            remedy = "Change the class of some instances, of two classes at least."
            raise TrainingError(message, remedy)
        if not self.measures:
            message = "The instances have no measures in common."
            raise TrainingError(message, "Run the model again: runs measure instances.")


def values_of(
    instances: MeasuredInstances, measures: tuple[str, ...], fill: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return measures of all instances, float32 (N, F), `fill` where there is none.

    Raises
    ------
    TrainingError
        If the store lacks one of the measures.
    """
    values = _raw(instances, measures)
    for column, other in enumerate(fill.tolist()):
        of_one = values[:, column]
        of_one[~np.isfinite(of_one)] = other
    return values


def _raw(
    instances: MeasuredInstances, measures: tuple[str, ...]
) -> NDArray[np.float32]:
    if missing := [name for name in measures if name not in instances.measures]:
        message = f"The instances have no measure '{missing[0]}'."
        remedy = f"They have: {', '.join(instances.measures) or 'none'}."
        raise TrainingError(message, remedy)
    found = instances.columns(measures)
    values = np.empty((len(instances), len(measures)), np.float32)
    for column, name in enumerate(measures):
        values[:, column] = found[name]
    return values


def _checked(instances: MeasuredInstances, labels: Mapping[int, str]) -> list[int]:
    """Return the ids of the labelled instances that are counted, ascending."""
    ids = sorted(labels)
    if ids and not 0 <= ids[0] <= ids[-1] < len(instances):
        message = f"There is no instance {ids[-1] if ids[0] >= 0 else ids[0]}."
        raise TrainingError(message, f"Ids go from 0 to {len(instances) - 1}.")
    gone = set(instances.gone.tolist())
    return [key for key in ids if key not in gone]


def _medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of the finite values of each column; 0 if there are none."""
    fill = np.zeros(values.shape[1], np.float32)
    for column in range(values.shape[1]):
        finite = values[np.isfinite(values[:, column]), column]
        if len(finite):
            fill[column] = np.median(finite)
    return fill


def open_instance_classifier(path: str | os.PathLike[str]) -> InstanceClassifier:
    """Open a classifier that `InstanceClassifier.save` has written.

    The file holds numbers only, so that opening it cannot run code.

    Raises
    ------
    TrainingError
        If there is no such file, or it is damaged or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        message = f"There is no classifier at '{file}'."
        raise TrainingError(message, "Give a file that a classifier was saved to.")
    try:
        return _of_file(*read_numbers(file, _KIND))
    except Exception as error:  # safetensors raises classes of its own
        message = f"'{file}' is no classifier of instances that can be read: {error}."
        raise TrainingError(message, "Copy the file again, or fit it again.") from error


def _of_file(facts: Any, arrays: dict[str, NDArray[Any]]) -> InstanceClassifier:
    classes, measures = tuple(map(str, facts["classes"])), facts["measures"]
    forest = Forest.of_arrays(arrays, len(measures))
    fill = arrays[_FILL]
    if forest.shares.shape[1] != len(classes) or fill.shape != (len(measures),):
        message = "classes, measures and trees do not fit each other"
        raise ValueError(message)
    fill = fill.astype(np.float32)
    named = tuple(map(str, measures))
    return InstanceClassifier(classes, named, forest, fill, dict(facts["provenance"]))
