"""`Examples`: all labelled tiles of a training, with their split."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from workbench.errors import TrainingError
from workbench.training.loop.labels import Found, find_labels
from workbench.training.loop.sources import SlideSource, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.training.loop.recipe import TrainingRecipe

_BLOCKS: Final = (8, 4, 2)
"""Sides of the blocks of a slide that are held out, in tiles; the largest that fits."""


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
    """Patient, slide, picture or block of each tile: what no split divides, (N,)."""

    held: NDArray[np.bool_]
    """Whether a tile is held out, bool (N,)."""

    opened: ExitStack
    """Closes the slides."""

    notes: tuple[str, ...] = ()
    """Sentences about the split."""

    block: int = 0
    """Side, in tiles, of the blocks of a slide that are held out; 0: whole groups."""

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
    source = np.repeat(np.arange(len(sources)), sizes)
    row = np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in sizes)])
    kept, block = np.ones(len(codes), bool), 0
    if (said != "").any():
        held = said == "validation"
    else:
        held, notes = hold_out(group, codes, recipe)
        places = _cells(sources) if recipe.validation and not held.any() else None
        if places is not None:
            present = _present(sources, len(found.classes), recipe)
            parts, held, kept, block = hold_out_blocks(places, present, recipe)
        if block:
            names = zip(group, *parts.T.tolist(), strict=True)
            group = np.array([f"{name}, block {x},{y}" for name, x, y in names])
            notes = [_about_blocks(len(set(group[held].tolist())), block, recipe)]
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
        source=source[kept],
        row=row[kept],
        codes=codes[kept],
        group=group[kept],
        held=held[kept],
        opened=stack,
        notes=tuple(notes),
        block=block,
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


def hold_out_blocks(
    cells: NDArray[np.int64], present: NDArray[np.bool_], recipe: TrainingRecipe
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_], int]:
    """Hold out square blocks of tiles, where there is one slide alone.

    Tiles within a quarter of a block's side of a held-out one are left out: neighbours
    look alike. Blocks are drawn by the seed, the first of them for each class, as long
    as each class keeps tiles to learn from.

    Parameters
    ----------
    cells : int64 (N, 2)
        Column and row of each tile.
    present : bool (N, K)
        Whether a tile has something of each class.
    recipe : TrainingRecipe

    Returns
    -------
    int64 (N, 2)
        Column and row of the block of each tile.
    bool (N,)
        Whether it is held out.
    bool (N,)
        Whether it is used at all.
    int
        Side of a block in tiles; 0: no block could be held out.
    """
    every = present.any(axis=0)
    for side in _BLOCKS:
        held, kept = _draw_blocks(cells, present, side, recipe)
        many = held.sum() > 2 * recipe.validation * len(cells)
        whole = held.any() and (present[held].any(axis=0) == every).all()
        if whole and not (many and side > _BLOCKS[-1]):
            return cells // side, held, kept, side
    none = np.zeros(len(cells), bool)
    return cells, none, ~none, 0


def _draw_blocks(
    cells: NDArray[np.int64],
    present: NDArray[np.bool_],
    side: int,
    recipe: TrainingRecipe,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tiles are held out, and which are used at all."""
    names, block = np.unique(cells // side, axis=0, return_inverse=True)
    block = block.reshape(-1)
    order = np.random.default_rng(recipe.seed).permutation(len(names)).tolist()
    rare = np.argsort(present.sum(axis=0), kind="stable").tolist()
    wanted, every = recipe.validation * len(cells), present.any(axis=0)
    held, kept = np.zeros(len(cells), bool), np.ones(len(cells), bool)
    # First a block for each class, the rarest first; then any.
    for code in (*rare, None):
        for index in order:
            mine = block == index
            if held.sum() >= wanted if code is None else present[held, code].any():
                break
            if held[mine].any() or (code is not None and not present[mine, code].any()):
                continue
            tried = held | mine
            used = tried | ~_near(cells, tried, max(1, side // 4))
            if (present[used & ~tried].any(axis=0) == every).all():
                held, kept = tried, used
    return held, kept


def _present(
    sources: Sequence[Source], classes: int, recipe: TrainingRecipe
) -> NDArray[np.bool_]:
    """Return whether each tile has something of each class, bool (N, K)."""
    found = np.zeros((sum(len(each.codes) for each in sources), classes), bool)
    first = 0
    for each in sources:
        for row, code in enumerate(each.codes.tolist(), first):
            one = np.array([row - first])
            if recipe.task == "classification":
                found[row, code] = True
            elif recipe.task == "segmentation":
                codes = np.unique(each.masks(one))
                found[row, codes[codes < classes]] = True
            else:
                codes = np.unique(each.objects(one)[:, 1])
                found[row, codes[codes > 0] - 1] = True
        first += len(each.codes)
    return found


def _near(
    cells: NDArray[np.int64], held: NDArray[np.bool_], margin: int
) -> NDArray[np.bool_]:
    """Return which tiles are at most `margin` tiles from a held-out one."""
    x, y = (cells - cells.min(axis=0)).T
    raster = np.zeros((y.max() + 1, x.max() + 1), bool)
    raster[y[held], x[held]] = True
    wide = np.ones((2 * margin + 1,) * 2, bool)
    found: NDArray[np.bool_] = ndimage.binary_dilation(raster, wide)[y, x]
    return found


def _cells(sources: Sequence[Source]) -> NDArray[np.int64] | None:
    """Return column and row of each tile, slides apart; None: pictures have none."""
    found, begin = [np.empty((0, 2), np.int64)], 0
    for each in sources:
        if not isinstance(each, SlideSource):
            return None
        cells = np.array(
            [(box.x0 / box.width, box.y0 / box.height) for box in each.boxes]
        )
        cells = np.rint(cells).astype(np.int64).reshape(-1, 2)
        found.append(cells + np.array([begin, 0]))
        end = begin + (int(cells[:, 0].max()) if len(cells) else 0)
        begin = (end // _BLOCKS[0] + 2) * _BLOCKS[0]
    return np.concatenate(found)


def _about_blocks(count: int, block: int, recipe: TrainingRecipe) -> str:
    """Return a sentence about blocks that are held out."""
    side = block * recipe.tile_px * recipe.mpp
    return (
        f"Held out are {count} blocks of {block} x {block} tiles ({side:,.0f} µm) of"
        " the slide, for lack of another: the figure says little of other slides."
    )


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
