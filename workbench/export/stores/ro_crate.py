"""Exports a run as an RO-Crate: the run folder with a description for other programs.

RO-Crate 1.1 in the profile Process Run Crate 0.5. Neither the slide nor the weights are
copied: they are named by the id of their content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import RunError
from workbench.provenance.places import FOLDER_FILE
from workbench.provenance.provenance import KEY
from workbench.provenance.runs import provenance_of
from workbench.provenance.software import PACKAGE
from workbench.results.instances import INSTANCES
from workbench.results.run import SCORES, VECTORS
from workbench.results.run_record import RECORD, TILES
from workbench.system.atomic_files import replace_file
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.provenance.provenance import Provenance
    from workbench.results.run import Run

Entity = dict[str, Any]

METADATA: Final = "ro-crate-metadata.json"
_CRATE: Final = "https://w3id.org/ro/crate/1.1"
_PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
_CONTEXT: Final = (
    f"{_CRATE}/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
)
_RUN: Final = "run"
_STATUS: Final = {
    "finished": "http://schema.org/CompletedActionStatus",
    "failed": "http://schema.org/FailedActionStatus",
    "cancelled": "http://schema.org/FailedActionStatus",
    "running": "http://schema.org/ActiveActionStatus",
}
_PARTS: Final = {
    RECORD: ("application/json", "record of the run: options, slide, model, times"),
    TILES: ("application/octet-stream", "numbers of the selected tiles, NumPy int64"),
    SCORES: ("", "values of the tiles as rasters, Zarr 3, float32"),
    VECTORS: ("", "vectors of the tiles, Zarr 3"),
    INSTANCES: ("application/vnd.apache.parquet", "instances, one row each"),
    f"{INSTANCES.removesuffix('.parquet')}.edits.jsonl": (
        "application/jsonl",
        "corrections of instances by people, one line each",
    ),
}
"""Files of a run folder that are copied, with their media type and content."""


def write_ro_crate(run: Run, path: Path) -> None:
    """Write a folder with the run, its provenance and `ro-crate-metadata.json`.

    Raises
    ------
    RunError
        If the run has no results yet.
    """
    if not (run.path / SCORES).exists():
        message = f"'{run.path}' has no results yet: it is {run.status}."
        raise RunError(message, "Let the run end, or run it again, and then export.")
    path.mkdir()
    parts = list(_copy(run, path))
    made = provenance_of(run).derive("export")
    text = json.dumps({KEY: made.block}, indent=1)
    replace_file(path / FOLDER_FILE, text.encode())
    parts.append(
        _file(path, FOLDER_FILE, "application/json", "what made the run: all facts")
    )
    graph = [*_head(made, parts), *_action(made, parts), *parts]
    crate = {"@context": list(_CONTEXT), "@graph": graph}
    replace_file(path / METADATA, json.dumps(crate, indent=2).encode())


def _copy(run: Run, path: Path) -> Iterator[Entity]:
    """Copy the files of the run; yield the entity of each."""
    (path / _RUN).mkdir()
    for name, (media, about) in counted(_PARTS.items(), len(_PARTS), "files"):
        source, place = run.path / name, f"{_RUN}/{name}"
        if source.is_dir():
            shutil.copytree(source, path / place)
            yield {
                "@id": f"{place}/",
                "@type": "Dataset",
                "name": name,
                "description": about,
            }
        elif source.is_file():
            if name == RECORD:
                replace_file(path / place, _shared_record(run))
            else:
                shutil.copyfile(source, path / place)
            yield _file(path, place, media, about)


def _shared_record(run: Run) -> bytes:
    """Return the record without the folders of this machine."""
    record = run.record
    slide = {**record["slide"], "path": record["slide"]["name"]}
    recipe = dict(provenance_of(run).recipe)
    return json.dumps({**record, "slide": slide, "recipe": recipe}, indent=2).encode()


def _file(path: Path, place: str, media: str, about: str) -> Entity:
    with (path / place).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@id": place,
        "@type": "File",
        "name": place.rpartition("/")[2],
        "description": about,
        "encodingFormat": media,
        "contentSize": str((path / place).stat().st_size),
        "sha256": digest,
    }


def _head(made: Provenance, parts: list[Entity]) -> Iterator[Entity]:
    """Yield the descriptor, the crate itself, its profile and its terms."""
    name = f"{made.model.get('name')} on {made.slide.get('name')}"
    yield {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _CRATE},
        "about": {"@id": "./"},
    }
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": f"A run of the model {made.model.get('name')} over the whole"
        f" slide image {made.slide.get('name')}, with all that is needed to compute it"
        " again. For research use only, not for diagnosis.",
        "datePublished": made.written,
        "license": {"@id": "#terms"},
        "conformsTo": {"@id": _PROFILE},
        "hasPart": _references(parts),
        "mentions": {"@id": "#run"},
    }
    yield {
        "@id": _PROFILE,
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": "0.5",
    }
    yield {
        "@id": "#terms",
        "@type": "CreativeWork",
        "name": "No terms stated",
        "description": "The owner of the slide decides who may use the results.",
    }


def _action(made: Provenance, parts: list[Entity]) -> Iterator[Entity]:
    """Yield what was done, with which program, to what."""
    session = made.sessions[-1] if made.sessions else {}
    packages = dict(session.get("packages") or made.software)
    version = packages.pop(PACKAGE, "unknown")
    program = _software(PACKAGE, version)
    libraries = [_software(name, number) for name, number in packages.items()]
    inputs = [*_inputs(made)]
    status = str(made.run.get("status"))
    action: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of {made.model.get('name')}",
        "description": f"Computed on {session.get('device', 'an unknown device')}"
        f" ({session.get('hardware') or session.get('system') or 'unknown'}),"
        f" {made.run.get('tiles_done')} of {made.run.get('tiles_total')} tiles.",
        "instrument": {"@id": program["@id"]},
        "object": _references(inputs),
        "result": _references(parts),
        "actionStatus": _STATUS.get(status, _STATUS["failed"]),
        "startTime": made.run.get("created"),
        "endTime": made.run.get("ended"),
    }
    if status != "finished":
        action["error"] = f"The run is {status}."
    yield {name: value for name, value in action.items() if value}
    yield {**program, "softwareRequirements": _references(libraries)}
    yield from (*libraries, *inputs)


def _software(name: str, version: str) -> Entity:
    page = f"https://pypi.org/project/{name}/{version}/"
    return {
        "@id": page,
        "@type": "SoftwareApplication",
        "name": name,
        "url": page,
        "softwareVersion": version,
    }


def _inputs(made: Provenance) -> Iterator[Entity]:
    """Yield the slide, the model and the options."""
    slide, model = made.slide, made.model
    yield {
        "@id": "#slide",
        "@type": "CreativeWork",
        "name": slide.get("name"),
        "description": "Whole slide image; not in the crate.",
        "identifier": slide.get("id"),
        "size": " x ".join(map(str, slide.get("size", ()))),
    }
    yield {
        "@id": "#model",
        "@type": "CreativeWork",
        "name": model.get("name"),
        "description": "Model; its weights are not in the crate.",
        **({"sha256": model["sha256"]} if model.get("sha256") else {}),
    }
    for name, value in made.recipe.items():
        if value not in (None, "", "none", [], False):
            plain = value if isinstance(value, str | int | float) else json.dumps(value)
            yield {
                "@id": f"#option-{name}",
                "@type": "PropertyValue",
                "name": name,
                "value": plain,
            }


def _references(entities: list[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]
