"""Tiles that a trained network gets most wrong, with their truth and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from workbench.errors import TrainingError
from workbench.models.architectures import build_network, with_tile_size
from workbench.models.preprocessing import InputChannels
from workbench.training.loop.examples import open_examples
from workbench.training.loop.folder import BEST, read_record
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.tasks import task_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.training.loop.examples import Examples

_MOST_TILES: Final = 2000
_BATCH: Final = 64
_NO_CLASS: Final = 255


@dataclass(frozen=True, eq=False, slots=True)
class Mistake:
    """A tile whose answer is far from its label."""

    source: str
    """Name of the slide, or of the folder of pictures."""

    where: tuple[float, ...] | str
    """Box in level-0 pixels, or path of the picture."""

    truth: str
    """Class of the label; of a segmentation that of most labelled pixels."""

    answer: str
    """Class that the network gives."""

    loss: float
    held_out: bool
    pixels: NDArray[np.uint8]
    """The tile as the network sees it, uint8 (H, W, 3)."""


def worst_tiles(
    folder: Path, *, count: int = 12, recipe: TrainingRecipe | None = None
) -> list[Mistake]:
    """Return the tiles with the largest loss of the best epoch so far.

    Of the held-out tiles, where there are any, else of those that were learnt from; of
    more than 2,000 a random part is looked at. May be called while the training goes
    on, from another thread or process.

    Parameters
    ----------
    folder : Path
        Folder of a training.
    count : int
    recipe : TrainingRecipe, optional
        That of the training; by default as recorded.

    Raises
    ------
    TrainingError
        If no epoch has ended, or the labels cannot be read any more.
    SlideError
        If a slide cannot be read any more.
    """
    record = read_record(folder)
    if record is None or not (folder / BEST).is_file():
        message = f"No epoch of '{folder.name}' has ended yet."
        raise TrainingError(message, "Wait for the first one.")
    chosen = recipe or recorded_recipe(record)
    if chosen.task == "instances":
        message = f"'{folder.name}' outlines objects: its tiles have no class."
        raise TrainingError(message, "Run it on a slide, and look at the outlines.")
    examples = open_examples(chosen)
    try:
        return _worst(folder, examples, chosen, count)
    finally:
        examples.close()


def recorded_recipe(record: dict[str, Any]) -> TrainingRecipe:
    """Return the recipe in the record of a training; where it ran is left open."""
    return TrainingRecipe(**record["identity"]["recipe"])


def _worst(
    folder: Path, examples: Examples, recipe: TrainingRecipe, count: int
) -> list[Mistake]:
    from safetensors.torch import load  # noqa: PLC0415 - for this only

    task: Any = task_of(examples, recipe)
    card = task.card(folder.name)
    network = build_network(with_tile_size(card), trust=False)
    holder = getattr(network, "weighted", network)
    holder.load_state_dict(load((folder / BEST).read_bytes()))
    network.eval()
    channels = InputChannels(card)
    asked = np.flatnonzero(examples.held if examples.held.any() else ~examples.held)
    if len(asked) > _MOST_TILES:
        asked = np.random.default_rng(recipe.seed).permutation(asked)[:_MOST_TILES]
    losses: list[NDArray[np.float32]] = []
    answers: list[NDArray[np.int64]] = []
    for numbers in np.array_split(asked, max(1, -(-len(asked) // _BATCH))):
        tiles = torch.from_numpy(examples.read(numbers, recipe.threads))
        with torch.inference_mode():
            logits = network(channels(tiles.permute(0, 3, 1, 2))).float()
            losses.append(task.loss(logits, task.targets(numbers)).numpy())
        answers.append(_likeliest(logits.numpy()))
    loss, answer = np.concatenate(losses), np.concatenate(answers)
    order = np.argsort(-loss, kind="stable")[:count]
    return [
        _mistake(examples, task, int(asked[i]), int(answer[i]), float(loss[i]))
        for i in order.tolist()
    ]


def _likeliest(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each tile; of a segmentation that of most pixels."""
    codes: NDArray[np.int64] = logits.argmax(axis=1)
    if codes.ndim == 1:
        return codes
    return np.array([np.bincount(each.ravel()).argmax() for each in codes])


def _mistake(
    examples: Examples, task: Any, number: int, answer: int, loss: float
) -> Mistake:
    one = np.array([number])
    source = examples.sources[examples.source[number]]
    target = task.targets(one).numpy().ravel()
    known = target[target != _NO_CLASS]
    truth = int(np.bincount(known).argmax()) if len(known) else answer
    return Mistake(
        source=source.name,
        where=source.where(int(examples.row[number])),
        truth=examples.classes[truth],
        answer=examples.classes[answer],
        loss=loss,
        held_out=bool(examples.held[number]),
        pixels=examples.read(one, 1)[0],
    )
