"""What made a trained model, as a value that its file or folder holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.provenance.provenance import Provenance, now
from workbench.provenance.runs import shared_name
from workbench.provenance.software import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def provenance_of_model(
    model: Mapping[str, Any],
    options: Mapping[str, Any],
    slides: Iterable[Mapping[str, Any]] = (),
    device: str = "cpu",
) -> Provenance:
    """Return what made a model that was trained here, now.

    Parameters
    ----------
    model : mapping
        Its card, or name, task and classes.
    options : mapping
        Options of the training, ready for JSON; of files the name is kept.
    slides : iterable of mapping
        What it learnt from: `slide`, and `features` with `slide_id` or a `slide_id` of
        its own.
    device : str
        Device of the training.

    Returns
    -------
    Provenance
        Of kind "model".
    """
    session = {"device": device, "started": now(), "packages": dict(versions())}
    return Provenance.new(
        "model",
        name=str(model.get("name", "")),
        model=dict(model),
        recipe={name: _shared(value) for name, value in options.items()},
        parents=tuple(_parents(slides)),
        sessions=(session,),
    )


def _parents(slides: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for each in slides:
        features = each.get("features") or {}
        key = each.get("slide_id") or features.get("slide_id") or ""
        yield {
            "kind": "slide",
            "name": shared_name(str(each.get("slide", ""))),
            "digest": str(key),
        }


def _shared(value: Any) -> Any:
    """Return a value whose absolute paths are names alone."""
    if isinstance(value, str):
        return shared_name(value)
    if isinstance(value, list | tuple):
        return [_shared(each) for each in value]
    if isinstance(value, dict):
        return {name: _shared(each) for name, each in value.items()}
    return value
