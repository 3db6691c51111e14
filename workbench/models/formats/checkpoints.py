"""From a checkpoint, as training tools write them, to the weights of one network.

A checkpoint is a dict in which the weights lie under some name ("state_dict", "model",
"ema" ...), often each with the prefix of what wrapped the network when it was saved
("module." of DistributedDataParallel, "model." of Lightning, "_orig_mod." of
torch.compile). Whatever the names are, the one set of weights that fits the network is
taken; where several differ, the card has to name one. All keys must fit: what belongs
to the loss, to metrics or to heads that only training uses may be left over, and
nothing else.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DEEPEST: Final = 6
_COUNTER: Final = "num_batches_tracked"
"""Of batch normalization; inference does not use it, and safetensors may lack it."""

_COMPILED: Final = "_orig_mod."
_OF_TRAINING: Final = re.compile(
    r"(^|[._])(n_averaged|criterion|loss|metrics?|acc|accuracy|auroc|auc|f1|confmat"
    r"|pos_weight|class_weights?)",
    re.IGNORECASE,
)
"""Keys of what is trained or counted beside the network."""

_ONLY_TRAINED: Final = ("AuxLogits.", "aux1.", "aux2.", "aux_classifier.")
"""Heads of torchvision's networks that answer in training alone."""

_LISTED: Final = 30


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights of a checkpoint, under the names of the network."""

    state: Mapping[str, Tensor]
    where: str
    """The names under which it lay, and the prefix, such as "state_dict.model"."""

    surplus: tuple[str, ...] = ()
    """Keys beside it that are not the network's."""

    missing: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    """Keys of other shapes, with both shapes."""

    inside: Mapping[str, Tensor] = field(default_factory=dict)
    """All that lay there, whatever it is called."""

    @property
    def fits(self) -> bool:
        """Whether all keys are there, of the right shapes, and none too many."""
        return not (self.missing or self.misfits or self.strange)

    def into(self, network: nn.Module) -> None:
        """Put the weights into a network, all of them or none.

        Raises
        ------
        RuntimeError, ValueError or KeyError
            If they do not fit, not even by what the network knows of older names.
        """
        if not self.fits:
            known = all(key in self.inside for key in self.strange)
            if not self.missing or not known:
                raise ValueError(self.problem)
            network.load_state_dict(dict(self.inside))
            return
        own = network.state_dict()
        counters = {key: v for key, v in own.items() if key.endswith(_COUNTER)}
        state = OrderedDict(counters | dict(self.state))
        state._metadata = own._metadata  # type: ignore[attr-defined] # noqa: SLF001 - the names are those of this version
        network.load_state_dict(state)

    @property
    def strange(self) -> tuple[str, ...]:
        """What is left over and is not known to be of the training alone."""
        return tuple(
            key
            for key in self.surplus
            if not (key.startswith(_ONLY_TRAINED) or _OF_TRAINING.search(key))
        )

    @property
    def problem(self) -> str:
        """What does not fit, in full."""
        said = (
            ("it lacks", self.missing),
            ("it has besides", self.strange),
            ("these have other shapes:", self.misfits),
        )
        return "; ".join(f"{words} {_listed(keys)}" for words, keys in said if keys)


class AmbiguousError(ValueError):
    """Several sets of weights fit, and they differ."""


def weights_for(
    network: nn.Module, content: Any, *, wanted: str = "", headless: Iterable[str] = ()
) -> Weights:
    """Return the weights in a checkpoint that fit a network best.

    Parameters
    ----------
    network : nn.Module
        Whose keys and shapes are asked for.
    content : Any
        What was read from the file.
    wanted : str
        Under which name they lie, where there are several, as `Weights.where` says.
    headless : iterable of str
        Modules that the network lacks on purpose; their weights may be left over.

    Raises
    ------
    AmbiguousError
        If several sets of weights fit and differ; naming them.
    ValueError
        If there are no weights, or none of the name that is wanted.
    """
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    skipped = tuple(f"{name}." for name in headless)
    found = [
        _compared(shapes, group, prefix, where, skipped)
        for where, group in _groups(content)
        for prefix in _prefixes(shapes, group)
    ]
    if wanted:
        found = [each for each in found if wanted in each.where.split(".")] or [
            each for each in found if each.where == wanted
        ]
    if not found:
        held = f"it holds a {type(content).__name__}"
        message = (
            f"no weights are named '{wanted}'" if wanted else f"{held} without any"
        )
        raise ValueError(message)
    fitting = [each for each in found if each.fits]
    if not fitting:
        return min(
            found, key=lambda w: (len(w.missing) + len(w.misfits), len(w.surplus))
        )
    first, *others = fitting
    if any(not _equal(first.state, other.state) for other in others):
        names = ", ".join(f"'{each.where}'" for each in fitting)
        message = f"it holds several sets of weights that fit: {names}"
        raise AmbiguousError(message)
    return first


def _groups(content: Any, where: str = "", depth: int = 0) -> Iterator[Any]:
    """Go through the dicts that hold tensors, each with its place."""
    if not isinstance(content, dict) or depth > _DEEPEST:
        return
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: v for key, v in named.items() if isinstance(v, Tensor)}
    if tensors:
        yield where, {key.replace(_COMPILED, ""): v for key, v in tensors.items()}
    for key, value in named.items():
        inner = f"{where}.{key}" if where else key
        yield from _groups(value, inner, depth + 1)


def _prefixes(shapes: Mapping[str, Any], group: Mapping[str, Tensor]) -> list[str]:
    """Return what the keys of a network may have before them in a group."""
    keys = [key for key in shapes if not key.endswith(_COUNTER)]
    found = {
        key.removesuffix(name)
        for name in {*keys[:1], *keys[-1:]}
        for key in group
        if key.endswith(name)
    }
    return sorted(p for p in found if not p or p.endswith(".")) or [""]


def _compared(
    shapes: Mapping[str, Any],
    group: Mapping[str, Tensor],
    prefix: str,
    where: str,
    skipped: tuple[str, ...],
) -> Weights:
    inside = {
        key.removeprefix(prefix): value
        for key, value in group.items()
        if key.startswith(prefix)
    }
    state = {key: value for key, value in inside.items() if key in shapes}
    over = [key for key in inside if key not in shapes and not key.startswith(skipped)]
    beside = [key for key in group if not key.startswith(prefix)]
    missing = [k for k in shapes if k not in inside and not k.endswith(_COUNTER)]
    misfits = [
        f"{key} {tuple(value.shape)}, not {tuple(shapes[key])}"
        for key, value in state.items()
        if value.shape != shapes[key]
    ]
    place = ".".join(filter(None, (where, prefix.rstrip("."))))
    # Another whole network beside it is a set of weights of its own.
    twins = {p for p in _prefixes(shapes, group) if p != prefix}
    beside = [key for key in beside if not key.startswith(tuple(filter(None, twins)))]
    surplus = (*over, *beside)
    return Weights(state, place, surplus, tuple(missing), tuple(misfits), inside)


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) for key in one
    )


def _listed(keys: tuple[str, ...]) -> str:
    said = ", ".join(keys[:_LISTED])
    more = len(keys) - _LISTED
    return f"{said} and {more} more" if more > 0 else said
