"""The folder of a run: one rule for Python, the command line and the app.

A run is resumed in the folder that holds a run with the same identity, whatever the
name of the folder. If there is none, the run gets a new folder, named by slide, model
and a fingerprint of the identity.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import InvalidCardError, RecipeError, RunError
from workbench.models.card import ModelCard
from workbench.recipe import Recipe
from workbench.results.run_record import DAMAGE, RECORD, read_record
from workbench.slide.migration import FormerWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.slide.slide import Slide

_MAX_VALUE: Final = 60
_MAX_NAME: Final = 80


def folder_of(root: Path, slide: Slide, identity: Mapping[str, Any]) -> Path:
    """Return the folder below `root` of a run with an identity.

    Parameters
    ----------
    root : Path
        Folder that holds the run folders.
    slide : Slide
        Slide of the run.
    identity : mapping
        Identity, from `workbench.inference.run_identity.RunIdentity.record`.

    Returns
    -------
    Path
        A folder whose run has the same identity: a finished run before any other, then
        the one with the most finished tiles. If there is none, a new folder.
    """
    new = root / _name(slide, identity)
    matching = dict(_matching_runs(root, slide, identity))
    return max(matching, key=lambda each: (*matching[each], each == new), default=new)


def differences(
    record: Mapping[str, Any], identity: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the differences between a record and an identity, in words.

    Values are compared by their meaning: options that are newer than the record have
    their defaults, and older spellings are read as `Recipe` and `ModelCard` do.

    Parameters
    ----------
    record : mapping
        Content of `run.json`.
    identity : mapping
        The identity, or a part of it.
    """
    recorded = {
        **record,
        "recipe": _recipe(record["recipe"]),
        "model": _card(record["model"]),
    }
    wanted = json.loads(json.dumps(identity))
    if recorded["recipe"].get("min_score") is not None:
        # That of the card has no effect then; earlier versions put it into the card.
        ours = wanted.get("model", {}).get("min_score")
        recorded["model"] = {**recorded["model"], "min_score": ours}
    yield from _differences(recorded, wanted)


def _matching_runs(
    root: Path, slide: Slide, identity: Mapping[str, Any]
) -> Iterator[tuple[Path, tuple[bool, int]]]:
    """Yield each run with the identity, whether it is finished, and its finished tiles.

    Damaged runs are skipped.
    """
    former = FormerWork(root, slide)
    for file in root.glob(f"*/{RECORD}"):
        try:
            record = read_record(file.parent)
            if not former.owns_run(record):
                continue
            ours = {**record, "slide": {**record["slide"], "id": slide.id}}
            if next(differences(ours, identity), None) is None:
                done = record["status"] == "finished", record["tiles_done"]
                yield file.parent, done
        except (RunError, *DAMAGE):
            continue


def _name(slide: Slide, identity: Mapping[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:10]
    parts = (Path(slide.name).stem, identity["model"]["name"], fingerprint)
    return "-".join(map(_safe_name, parts))


def _safe_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:_MAX_NAME] or "slide"


def _recipe(options: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return Recipe.of(**options).model_dump(mode="json")
    except (RecipeError, TypeError):
        return options


def _card(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return ModelCard.model_validate(fields).model_dump(mode="json")
    except InvalidCardError:
        return fields


def _differences(recorded: Any, wanted: Any, name: str = "") -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(wanted, dict):
        for key in wanted:
            inner = f"{name}.{key}" if name else key
            yield from _differences(recorded.get(key), wanted.get(key), inner)
    elif recorded != wanted:
        yield f"its {name} is {_shorten(recorded)}, not {_shorten(wanted)}"


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"
