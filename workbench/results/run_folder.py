"""The folder of a run: one rule for Python, the command line and the app.

A run goes on in the folder that holds the same request, whatever its name; a request
that no folder holds gets a new one, named by slide, model and a fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from workbench.errors import RecipeError, RunError
from workbench.models.card import ModelCard
from workbench.recipe import Recipe
from workbench.results.run_record import DAMAGE, RECORD, read_record
from workbench.slide.migration import FormerWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.slide.slide import Slide

_SHORT: Final = 60
_LONGEST_PART: Final = 80


def folder_of(root: Path, slide: Slide, asked: Mapping[str, Any]) -> Path:
    """Return the folder below `root` of the run that is asked for.

    Parameters
    ----------
    root : Path
        Where the folders of runs are.
    slide : Slide
        What is run on.
    asked : mapping
        The request as `workbench.inference.run_identity.RunIdentity.record` gives it.

    Returns
    -------
    Path
        A folder that holds the same request: a finished run before any other, else
        the one with the most tiles done. Where there is none, a new folder.
    """
    here = root / _name(slide, asked)
    held = dict(_holding(root, slide, asked))
    return max(held, key=lambda each: (*held[each], each == here), default=here)


def differences(record: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """Say in words where a record differs from what is asked.

    Compared is what they mean: options that are newer than the record are at their
    defaults in it, and older spellings are read as `Recipe` and `ModelCard` read them.

    Parameters
    ----------
    record : mapping
        What `run.json` says.
    asked : mapping
        The request, or some of it.
    """
    meant = {
        **record,
        "recipe": _recipe(record["recipe"]),
        "model": _card(record["model"]),
    }
    here = json.loads(json.dumps(asked))
    yield from _differences(meant, here)


def _holding(
    root: Path, slide: Slide, asked: Mapping[str, Any]
) -> Iterator[tuple[Path, tuple[bool, int]]]:
    """Yield each run that holds the request, whether it is finished, and tiles done.

    Damaged runs are passed over.
    """
    former = FormerWork(root, slide)
    for file in root.glob(f"*/{RECORD}"):
        try:
            record = read_record(file.parent)
            if not former.is_ours(record):
                continue
            ours = {**record, "slide": {**record["slide"], "id": slide.id}}
            if next(differences(ours, asked), None) is None:
                done = record["status"] == "finished", record["tiles_done"]
                yield file.parent, done
        except (RunError, *DAMAGE):
            continue


def _name(slide: Slide, asked: Mapping[str, Any]) -> str:
    text = json.dumps(asked, sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:10]
    parts = (Path(slide.name).stem, asked["model"]["name"], fingerprint)
    return "-".join(map(_plain, parts))


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:_LONGEST_PART] or "slide"


def _recipe(options: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return Recipe.of(**options).model_dump(mode="json")
    except (RecipeError, TypeError):
        return options


def _card(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return ModelCard.model_validate(facts).model_dump(mode="json")
    except ValidationError:
        return facts


def _differences(there: Any, here: Any, name: str = "") -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in here:
            inner = f"{name}.{key}" if name else key
            yield from _differences(there.get(key), here.get(key), inner)
    elif there != here:
        yield f"its {name} is {_short(there)}, not {_short(here)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
