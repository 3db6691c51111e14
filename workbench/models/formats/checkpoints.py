"""Finds the weights of a network in a checkpoint of a training tool.

A checkpoint is a dict that holds the weights under some name ("state_dict", "model",
"ema" ...), often with the prefix of a wrapper of the network ("module." of
DistributedDataParallel, "model." of Lightning, "_orig_mod." of torch.compile). The
set of weights that fits the network is used, whatever its name; if several fit and
differ, the card must name one. All keys must fit. Only keys of the loss, of metrics and
of heads that only training uses may be left over.
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
"""Counter of batch normalization; inference does not use it, files may lack it."""

_COMPILED: Final = "_orig_mod."
_OF_TRAINING: Final = re.compile(
    r"(^|[._])(n_averaged|criterion|loss|metrics?|acc|accuracy|auroc|auc|f1|confmat"
    r"|pos_weight|class_weights?)",
    re.IGNORECASE,
)
"""Keys of values that training stores beside the network."""

_ONLY_TRAINED: Final = ("AuxLogits.", "aux1.", "aux2.", "aux_classifier.")
"""Heads of torchvision's networks that only training uses."""

_LISTED: Final = 30


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights of a checkpoint, under the names of the network."""

    state: Mapping[str, Tensor]
    where: str
    """Path of the set in the checkpoint, with the prefix: "state_dict.model"."""

    surplus: tuple[str, ...] = ()
    """Keys in the set that the network does not have."""

    missing: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    """Keys whose shapes differ, with both shapes."""

    inside: Mapping[str, Tensor] = field(default_factory=dict)
    """All tensors of the set, under their names in the file."""

    @property
    def fits(self) -> bool:
        """Whether the keys and shapes are those of the network."""
        return not (self.missing or self.misfits or self.strange)

    def into(self, network: nn.Module) -> None:
        """Load the weights into a network, all or none.

        Raises
        ------
        RuntimeError, ValueError or KeyError
            If the weights do not fit, after the network's own renaming of old keys.
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
        """Surplus keys that are not of training only."""
        return tuple(
            key
            for key in self.surplus
            if not (key.startswith(_ONLY_TRAINED) or _OF_TRAINING.search(key))
        )

    @property
    def problem(self) -> str:
        """Description of all keys that do not fit."""
        said = (
            ("it lacks", self.missing),
            ("it has besides", self.strange),
            ("these have other shapes:", self.misfits),
        )
        return "; ".join(f"{words} {_list_keys(keys)}" for words, keys in said if keys)


class AmbiguousError(ValueError):
    """Several sets of weights fit, and they differ."""


def weights_for(
    network: nn.Module, content: Any, *, wanted: str = "", headless: Iterable[str] = ()
) -> Weights:
    """Return the weights in a checkpoint that fit a network best.

    Parameters
    ----------
    network : nn.Module
        Network whose keys and shapes are matched.
    content : Any
        Content of the checkpoint.
    wanted : str
        Name of the set, if there are several; see `Weights.where`.
    headless : iterable of str
        Modules removed from the network; their weights may be left over.

    Raises
    ------
    AmbiguousError
        If several sets of weights fit and differ. The message names them.
    ValueError
        If there are no weights, or none of the given name.
    """
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    skipped = tuple(f"{name}." for name in headless)
    found = [
        _compare(shapes, group, prefix, where, skipped)
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
    if any(not _are_equal(first.state, other.state) for other in others):
        names = ", ".join(f"'{each.where}'" for each in fitting)
        message = f"it holds several sets of weights that fit: {names}"
        raise AmbiguousError(message)
    return first


def _groups(content: Any, where: str = "", depth: int = 0) -> Iterator[Any]:
    """Iterate over the dicts that hold tensors, each with its path."""
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
    """Return the possible prefixes of a network's keys in a group."""
    keys = [key for key in shapes if not key.endswith(_COUNTER)]
    found = {
        key.removesuffix(name)
        for name in {*keys[:1], *keys[-1:]}
        for key in group
        if key.endswith(name)
    }
    return sorted(p for p in found if not p or p.endswith(".")) or [""]


def _compare(
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
    # A second complete network in the group is a separate set of weights.
    twins = {p for p in _prefixes(shapes, group) if p != prefix}
    beside = [key for key in beside if not key.startswith(tuple(filter(None, twins)))]
    surplus = (*over, *beside)
    return Weights(state, place, surplus, tuple(missing), tuple(misfits), inside)


def _are_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) for key in one
    )


def _list_keys(keys: tuple[str, ...]) -> str:
    said = ", ".join(keys[:_LISTED])
    more = len(keys) - _LISTED
    return f"{said} and {more} more" if more > 0 else said
