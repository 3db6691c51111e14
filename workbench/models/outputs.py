"""Selects the prediction among the outputs of a network.

Networks in TorchScript, ONNX or torch.export may return several tensors: logits with
features, a dict, a named tuple. The card's `output` names the one to use. Without it,
the only tensor with the shape of a prediction is used; if none or several have that
shape, an error lists them all.
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
    """Return the tensor with the prediction among the outputs of a network.

    Parameters
    ----------
    answer : Any
        Output of the network: a tensor, or tuples, lists and dicts of tensors.
    card : ModelCard
        Its `output` names one by key or index, parts of a path joined by dots.
    tiles : int
        Number of tiles that the network was given.

    Raises
    ------
    InvalidCardError
        If there is no such output, or several could be meant. The message lists them.
    """
    if isinstance(answer, Tensor) and not card.output:
        return answer
    named: dict[str, Tensor] = dict(_iterate_tensors(answer))
    if card.output:
        if card.output in named:
            return named[card.output]
        reason = (
            f"output = '{card.output}', but the network returns {_list_outputs(named)}"
        )
        raise InvalidCardError(card.name, reason)
    fitting = [name for name, each in named.items() if _fits(each, card, tiles)]
    if len(fitting) == 1:
        return named[fitting[0]]
    reason = f"`output` must name one, as the network returns {_list_outputs(named)}"
    raise InvalidCardError(card.name, reason)


def _iterate_tensors(answer: Any, place: str = "", depth: int = 0) -> Iterator[Any]:
    """Iterate over the tensors of an output, each with its path."""
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
        yield from _iterate_tensors(
            value, f"{place}.{key}" if place else str(key), depth + 1
        )


def _fits(answer: Tensor, card: ModelCard, tiles: int) -> bool:
    """Return whether a tensor has the shape that the card's task requires."""
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


def _list_outputs(named: dict[str, Tensor]) -> str:
    parts = [f"'{key}' {tuple(each.shape)}" for key, each in named.items()]
    more = len(parts) - _LISTED
    said = ", ".join(parts[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    return said or "nothing that is a tensor"
