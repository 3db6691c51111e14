"""The provenance of a run, from its record."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from workbench.provenance.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.results.run import Run

_SLIDE: Final = (
    *("id", "name", "size", "mpp", "mpp_from", "reader"),
    *("bounds", "stored_mpp", "pixel_scale", "plane"),
)
_RUN: Final = (
    *("status", "created", "ended", "precision", "batch_size", "grid"),
    *("tiles_total", "tiles_done", "tiles_failed", "warnings", "imported"),
)
_PLACES: Final = ("model", "weights", "reference")
_ABSOLUTE: Final = re.compile(r"[/\\~]|[A-Za-z]:[\\/]")


def provenance_of(run: Run) -> Provenance:
    """Return what made a run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Provenance
        Of kind "run"; `derive` it for what is made from the run.

    Examples
    --------
    >>> wb.provenance.provenance_of(run).derive("export").parents[0]["kind"]
    'run'
    """
    record = run.record
    sessions = _objects(record.get("sessions"))
    return Provenance(
        kind="run",
        name=run.path.resolve().name,
        written=str(record.get("ended") or record.get("created") or ""),
        slide=_some(_object(record.get("slide")), _SLIDE),
        recipe=_without_folders(_object(record.get("recipe"))),
        model=_object(record.get("model")),
        normalizer=_object(record.get("normalizer")),
        run=_some(record, _RUN),
        sessions=sessions,
        software=_object(sessions[-1].get("packages")) if sessions else {},
        annotations=_objects(record.get("annotations")),
    )


def _object(value: Any) -> dict[str, Any]:
    """Return a JSON object of a record; {} for what a damaged record has instead."""
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the objects of a list of a record."""
    listed = value if isinstance(value, list) else []
    return tuple(each for each in listed if isinstance(each, dict))


def _some(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _without_folders(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe whose files have their names alone."""
    changed = {n: shared_name(str(recipe[n])) for n in _PLACES if recipe.get(n)}
    if names := recipe.get("references"):
        listed = names if isinstance(names, list | tuple) else str(names).split(";")
        changed["references"] = ";".join(shared_name(str(each)) for each in listed)
    return {**recipe, **changed}


def shared_name(place: str) -> str:
    """Return a place without what only concerns this machine or user.

    Of an absolute path the name is left; of a URL, all but the user and the query. A
    built-in name, a relative path and the identifier of a hub stay.
    """
    if "://" in place:
        parts = urlsplit(place)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"
    if not _ABSOLUTE.match(place):
        return place
    path = PureWindowsPath(place) if "\\" in place else PurePosixPath(place)
    return path.name
