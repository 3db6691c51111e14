"""Why two results may differ: what differs in what made them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.provenance.provenance import Provenance

_HARDWARE: Final = ("device", "hardware", "instructions", "system", "python")
_NOT_COMPARED: Final = ("name", "sha256", "stains")


def causes_of(before: Provenance, now: Provenance) -> tuple[str, ...]:
    """Return what differs between the makings of two artefacts, most decisive first.

    Parameters
    ----------
    before, now : Provenance
        Both of runs, or of what was made from them.

    Returns
    -------
    tuple of str
        Sentences, about: the slide, the weights, the card, the options, the stains,
        the precision, the versions, the device.

    Examples
    --------
    >>> made = wb.provenance.provenance_of(run)
    >>> wb.reproduction.causes_of(made, made)
    ()
    """
    return tuple(_causes(before, now))


def _causes(before: Provenance, now: Provenance) -> Iterator[str]:
    yield from _slide(before.slide, now.slide)
    yield from _model(before.model, now.model)
    yield from _options(before, now)
    if (gap := _gap(before.normalizer, now.normalizer)) > 0:
        side = _side(before.normalizer, now.normalizer)
        amount = f" by up to {gap:.3g}" if math.isfinite(gap) else ""
        yield f"The normalizer was fitted differently: {side} differs{amount}."
    for name, label in (("precision", "precision"), ("batch_size", "batch size")):
        a, b = before.run.get(name), now.run.get(name)
        if a != b and None not in (a, b):
            yield f"The {label} is {b}, not {a}."
    yield from _sessions(before.sessions, now.sessions)


def _slide(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if before.get("id") != now.get("id"):
        yield (
            f"The slide has another content: id {_short(now.get('id'))}, not"
            f" {_short(before.get('id'))}."
        )
    for name, label in (("size", "size in pixels"), ("mpp", "pixel size")):
        if before.get(name) != now.get(name):
            a, b = before.get(name), now.get(name)
            yield f"The {label} of the slide is {b}, not {a}."
    if before.get("reader") != now.get("reader"):
        yield (
            f"The slide was read by {now.get('reader')}, not {before.get('reader')}."
        )


def _model(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    a, b = before.get("sha256"), now.get("sha256")
    if a != b:
        yield f"The model has other weights: SHA-256 {_short(b)}, not {_short(a)}."
    names = sorted((before.keys() | now.keys()) - set(_NOT_COMPARED))
    other = [name for name in names if before.get(name) != now.get(name)]
    if other:
        yield f"The model card has another {', '.join(other)}."


def _options(before: Provenance, now: Provenance) -> Iterator[str]:
    """Yield options that change what is computed; places of files do not."""
    places = {"model", "weights", "trust", "device", "precision", "compile"}
    names = (before.recipe.keys() & now.recipe.keys()) - places - {"batch_size"}
    if a := sorted(name for name in names if before.recipe[name] != now.recipe[name]):
        yield f"The options differ: {', '.join(a)}."


def _sessions(
    before: tuple[Mapping[str, Any], ...], now: tuple[Mapping[str, Any], ...]
) -> Iterator[str]:
    if not before or not now:
        return
    (*_, new) = now
    versions: list[str] = []
    for old in before:
        a, b = old.get("packages") or {}, new.get("packages") or {}
        versions += [
            f"{name} {b[name]}, not {a[name]}"
            for name in a.keys() & b.keys()
            if a[name] != b[name]
        ]
    if versions:
        yield f"The versions differ: {'; '.join(sorted(set(versions)))}."
    for name in _HARDWARE:
        known = {str(old[name]) for old in before if name in old}
        if known and name in new and known != {str(new[name])}:
            said = ", ".join(sorted(known))
            yield f"The {name} is {new[name]}, not {said}."
    compiled = {bool(old.get("compiled")) for old in before}
    if compiled != {bool(new.get("compiled"))}:
        yield "Only one of the two was computed by a compiled network."


def _side(before: Any, now: Any) -> str:
    """Return which part of a normalizer differs."""
    for side, name in (("reference", "the reference"), ("source", "that of the slide")):
        a, b = (
            each.get(side) if isinstance(each, dict) else None for each in (before, now)
        )
        if a is not None and b is not None and _gap(a, b) > 0:
            return name
    return "it"


def _gap(before: Any, now: Any) -> float:
    """Return the largest difference of numbers in two JSON values; else infinity."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = before.keys() | now.keys()
        gaps = (_gap(before.get(name), now.get(name)) for name in names)
        return max(gaps, default=0.0)
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = zip(before, now, strict=True)
        return max((_gap(a, b) for a, b in pairs), default=0.0)
    if before == now:
        return 0.0
    numbers = isinstance(before, int | float) and isinstance(now, int | float)
    return abs(before - now) if numbers else math.inf


def _short(text: Any) -> str:
    return f"{text}"[:12] if text else "none"
