"""Which of the things that a network answers is the answer.

Networks in TorchScript, ONNX or torch.export may answer several tensors: logits with
features, a dict, a named tuple. The card names the one that counts; where it does not,
the only one that has the shape of an answer is taken, and if none or several have it, a
sentence lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from torch import Tensor

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.models.card import ModelCard

_DEEPEST: Final = 4
_PER_PIXEL: Final = 4
_PER_TILE: Final = 2
_LISTED: Final = 20


def tensor_of(answer: Any, card: ModelCard, tiles: int) -> Tensor:
    """Return the tensor that counts among those that a network answers.

    Parameters
    ----------
    answer : Any
        A tensor, or tuples, lists and dicts of tensors.
    card : ModelCard
        Its `output` names one by key or index, parts of a path joined by dots.
    tiles : int
        How many were asked about.

    Raises
    ------
    InvalidCardError
        If there is no such output, or it is not clear which is meant; listing them.
    """
    if isinstance(answer, Tensor) and not card.output:
        return answer
    named: dict[str, Tensor] = dict(_leaves(answer))
    if card.output:
        if card.output in named:
            return named[card.output]
        reason = f"output = '{card.output}', but the network answers {_listed(named)}"
        raise InvalidCardError(card.name, reason)
    fitting = [name for name, each in named.items() if _fits(each, card, tiles)]
    if len(fitting) == 1:
        return named[fitting[0]]
    reason = f"`output` must say which counts: the network answers {_listed(named)}"
    raise InvalidCardError(card.name, reason)


def _leaves(answer: Any, place: str = "", depth: int = 0) -> Iterator[Any]:
    """Go through the tensors of an answer, each with its place."""
    if isinstance(answer, Tensor):
        yield place or "0", answer
        return
    if depth > _DEEPEST:
        return
    parts: Any = ()
    if isinstance(answer, dict):
        parts = answer.items()
    elif isinstance(answer, tuple) and hasattr(answer, "_fields"):
        parts = zip(answer._fields, answer, strict=True)
    elif isinstance(answer, tuple | list):
        parts = enumerate(answer)
    for key, value in parts:
        yield from _leaves(value, f"{place}.{key}" if place else str(key), depth + 1)


def _fits(answer: Tensor, card: ModelCard, tiles: int) -> bool:
    """Tell whether a tensor has the shape of what the card's task asks for."""
    if not answer.is_floating_point() or not answer.ndim or len(answer) != tiles:
        return False
    if card.task == "instances":
        return answer.ndim > _PER_TILE
    channels = card.dimensions or len(card.classes)
    if answer.ndim == 1:
        return channels == 1
    if card.task == "segmentation" and card.cells > 1 and answer.ndim != _PER_PIXEL:
        return False
    return answer.ndim in (_PER_TILE, _PER_PIXEL) and answer.shape[1] == channels


def _listed(named: dict[str, Tensor]) -> str:
    parts = [f"'{key}' {tuple(each.shape)}" for key, each in named.items()]
    more = len(parts) - _LISTED
    said = ", ".join(parts[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    return said or "nothing that is a tensor"
