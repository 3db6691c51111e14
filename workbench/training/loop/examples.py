"""`Examples`: all labelled tiles of a training, with their split."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import TrainingError
from workbench.training.loop.labels import Found, find_labels
from workbench.training.loop.sources import SlideSource, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.training.loop.recipe import TrainingRecipe


@dataclass(frozen=True, eq=False, slots=True)
class Examples:
    """All labelled tiles, numbered through all sources."""

    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    source: NDArray[np.int64]
    """Index of the source of each tile, int64 (N,)."""

    row: NDArray[np.int64]
    """Number of the tile within its source, int64 (N,)."""

    codes: NDArray[np.int64]
    """Class of each tile, int64 (N,)."""

    group: NDArray[np.str_]
    """Patient, slide or picture of each tile: what a split never divides, (N,)."""

    held: NDArray[np.bool_]
    """Whether a tile is held out, bool (N,)."""

    opened: ExitStack
    """Closes the slides."""

    notes: tuple[str, ...] = ()
    """Sentences about the split."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.codes)

    def read(self, numbers: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return tiles by their numbers, uint8 (N, side, side, 3)."""
        return self._gather(numbers, lambda one, rows: one.read(rows, threads))

    def masks(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class of each pixel of tiles, uint8 (N, side, side)."""
        return self._gather(numbers, lambda one, rows: one.masks(rows))

    def objects(self, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the objects of tiles, int32 (N, 2, side, side); see `objects.py`."""
        return self._gather(numbers, lambda one, rows: one.objects(rows))

    def stains(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the stain vectors of the slides of tiles, float64 (N, 2, 3)."""
        return np.stack([self.sources[i].stains for i in self.source[numbers].tolist()])

    def _gather(self, numbers: NDArray[np.int64], read: Any) -> NDArray[Any]:
        found: Any = None
        for index in np.unique(self.source[numbers]).tolist():
            mine = np.flatnonzero(self.source[numbers] == index)
            part = read(self.sources[index], self.row[numbers[mine]])
            if found is None:
                found = np.empty((len(numbers), *part.shape[1:]), part.dtype)
            found[mine] = part
        return np.asarray(found)

    def summary(self) -> dict[str, Any]:
        """Return counts and split, ready for JSON."""
        parts = {"train": ~self.held, "validation": self.held}
        counts = {
            name: np.bincount(self.codes[mask], minlength=len(self.classes)).tolist()
            for name, mask in parts.items()
        }
        groups = {n: sorted(set(self.group[m].tolist())) for n, m in parts.items()}
        return {"classes": list(self.classes), "tiles": counts, "groups": groups}

    def close(self) -> None:
        """Close the slides."""
        self.opened.close()


def open_examples(recipe: TrainingRecipe) -> Examples:
    """Return the examples that a recipe names; close them after use.

    Raises
    ------
    TrainingError
        If there are none, a class has none to learn from, or a file is wrong.
    SlideError
        If a slide cannot be opened.
    """
    path = Path(recipe.labels).expanduser()
    with ExitStack() as stack:
        if not recipe.labels or not path.exists():
            message = f"There are no labels at '{recipe.labels}'."
            raise TrainingError(message, "Give a CSV of slides, or a folder of tiles.")
        made = find_labels(path, recipe, stack)
        found = _join(recipe, made, stack.pop_all())
    _require_examples(found, recipe)
    return found


def _join(recipe: TrainingRecipe, found: Found, stack: ExitStack) -> Examples:
    """Return sources, groups, splits and classes as one table of examples."""
    sources, group, said = found.sources, found.group, found.split
    sizes = [len(each.codes) for each in sources]
    codes = np.concatenate([np.empty(0, np.int64), *(each.codes for each in sources)])
    notes: list[str] = []
    if (said != "").any():
        held = said == "validation"
    else:
        held, notes = hold_out(group, codes, recipe)
    if (
        not isinstance(sources[0], SlideSource)
        and not (said != "").any()
        and held.any()
    ):
        notes.append(
            "Pictures of one slide may be on both sides of the split, which flatters:"
            " put them into the folders train and validation."
        )
    return Examples(
        sources=tuple(sources),
        classes=found.classes,
        source=np.repeat(np.arange(len(sources)), sizes),
        row=np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in sizes)]),
        codes=codes,
        group=group,
        held=held,
        opened=stack,
        notes=tuple(notes),
    )


def hold_out(
    group: NDArray[np.str_], codes: NDArray[np.int64], recipe: TrainingRecipe
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which tiles are held out, and sentences about it.

    Whole groups are, in an order that depends on the seed and their names alone, as
    long as each class keeps a group to learn from.
    """
    names = sorted(set(group.tolist()))
    order = np.random.default_rng(recipe.seed).permutation(len(names))
    wanted = round(recipe.validation * len(names))
    if recipe.validation and len(names) > 1:
        wanted = max(1, wanted)
    held = np.zeros(len(group), bool)
    count = 0
    for index in order.tolist():
        if count == wanted:
            break
        mine = group == names[index]
        rest = ~(held | mine)
        if set(codes[mine].tolist()) <= set(codes[rest].tolist()):
            held |= mine
            count += 1
    notes = []
    if recipe.validation and count < max(1, wanted):
        notes.append(
            f"{count} of {len(names)} slides or patients are held out: the others are"
            " needed to learn from."
        )
    return held, notes


def _require_examples(examples: Examples, recipe: TrainingRecipe) -> None:
    """Raise if there is nothing to learn from, or nothing of a class."""
    learnt = examples.codes[~examples.held]
    if not len(learnt):
        examples.close()
        message = f"'{recipe.labels}' labels no tile to learn from."
        remedy = "Label larger areas, or lower min_coverage or tile_px."
        raise TrainingError(message, remedy)
    if recipe.task != "classification":
        return  # its classes are in its pixels
    for code, name in enumerate(examples.classes):
        if not (learnt == code).any():
            examples.close()
            message = f"The class '{name}' has no tile to learn from."
            remedy = "Label some, lower min_coverage, or leave it out of `classes`."
            raise TrainingError(message, remedy)
