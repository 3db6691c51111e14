"""Classes that people gave to instances, and classes that a classifier gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import TrainingError
from workbench.training.accuracy import Labelled, held_out_accuracy
from workbench.training.forest import Forest
from workbench.training.instance_classifier import InstanceExamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.instances.edited import EditedInstances
    from workbench.instances.edits import InstanceEdits
    from workbench.training.accuracy import Accuracy
    from workbench.training.instance_classifier import (
        InstanceClassifier,
        MeasuredInstances,
    )

_BLOCK_UM: Final = 250.0
"""Side of a block that is held out on a single slide."""

_MARGIN_UM: Final = 50.0
"""Distance around held-out instances within which nothing is learnt."""


def reclassified(instances: EditedInstances) -> dict[int, str]:
    """Return the classes that users gave to instances of a run, by id.

    Left out are classes that a classifier gave, deleted instances, and added ones,
    which have no measures of stains.
    """
    changes = instances.changes
    return {
        key: name
        for key, name in sorted(changes.classes.items())
        if key not in changes.predicted
        and key not in changes.deleted
        and key < len(instances.store)
    }


def apply_classifier(
    edits: InstanceEdits,
    classifier: InstanceClassifier,
    *,
    by: str,
    name: str = "classifier",
    min_score: float = 0.0,
) -> dict[str, int]:
    """Give the instances of a run the classes of a classifier, as edits.

    One edit for each class, which `undo` takes back. Classes that users gave stay, and
    so do those of instances of which the classifier is less sure than `min_score`.
    Classes of an earlier classifier are replaced.

    Parameters
    ----------
    edits : InstanceEdits
        The edits of the run.
    classifier : InstanceClassifier
    by : str
        User who applies it.
    name : str
        Name of the classifier, kept with each edit.
    min_score : float
        Least probability, 0 to 1.

    Returns
    -------
    dict
        Number of instances whose class has changed, by new class.

    Raises
    ------
    TrainingError
        If the run lacks a measure of the classifier.
    AnnotationError
        If writing fails.
    """
    edits.refresh()
    current = edits.current
    found = classifier.classify(current)
    free = np.ones(len(current), bool)
    free[current.gone] = False
    free[list(reclassified(current))] = False
    free[len(current.store) :] = False  # added by users, with a class of theirs
    numbers = {given: index for index, given in enumerate(current.classes)}
    before = current.columns(["class"])["class"]
    changed = {}
    for each in classifier.classes:
        ids = found.ids(each, min_score=min_score)
        ids = ids[free[ids] & (before[ids] != numbers.get(each, -1))]
        if len(ids):
            edits.reclassify(ids.tolist(), each, by=by, classifier=name)
        changed[each] = len(ids)
    return changed


def instance_accuracy(
    stores: MeasuredInstances | Sequence[MeasuredInstances],
    labels: Mapping[int, str] | Sequence[Mapping[int, str]],
    *,
    mpp: float,
    measures: Sequence[str] = (),
) -> Accuracy:
    """Return the accuracy of a classifier of instances by cross-validation.

    With labels on several runs whole runs are held out, else blocks of 250 µm with a
    margin of 50 µm.

    Parameters
    ----------
    stores, labels, measures
        As of `fit_instance_classifier`.
    mpp : float
        Micrometres per level-0 pixel of a single slide.

    Raises
    ------
    TrainingError
        If the labels do not fit the instances.
    """
    if not mpp > 0:
        message = f"mpp = {mpp:g} is no pixel size."
        raise TrainingError(message, "Give micrometres per level-0 pixel.")
    examples = InstanceExamples.of(stores, labels, measures)
    places = Labelled(
        codes=examples.codes,
        classes=examples.classes,
        slide=examples.slide,
        centres=examples.centres,
        block=_BLOCK_UM / mpp,
        margin=_MARGIN_UM / mpp,
    )

    def predict(
        learnt: NDArray[np.bool_], judged: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        known, codes = np.unique(examples.codes[learnt], return_inverse=True)
        forest = Forest.fit(examples.values[learnt], codes)
        shares: NDArray[Any] = forest.probabilities(examples.values[judged])
        found: NDArray[np.int64] = known[shares.argmax(axis=1)]
        return found

    return held_out_accuracy(places, predict)
