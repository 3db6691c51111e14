"""`workbench provenance`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.options import json_flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.provenance.provenance import Provenance


@click.command("provenance")
@click.argument("file", type=click.Path(path_type=Path))
@json_flag
def command(file: Path, *, as_json: bool) -> None:
    """Print what made a file or run: slide, model, options, versions, device.

    FILE is a run folder; a file that was exported: GeoJSON, COCO, Parquet, OME-TIFF,
    HDF5, Zarr, SQLite, DICOM, or a CSV with its .provenance.json; a report; a converted
    slide; a normalized picture; a trained model.
    """
    from workbench.provenance.reading import read_provenance  # noqa: PLC0415 - see LazyGroup

    made = read_provenance(file)
    if as_json:
        click.echo(json.dumps(made.record, indent=2))
        return
    for name, value in _lines(made):
        click.echo(f"{name + ':':<16}{value}")


def _lines(made: Provenance) -> Iterator[tuple[str, Any]]:
    """Yield names and values; what is not known is left out."""
    yield "kind", made.kind
    yield from _known({"name": made.name, "written": made.written})
    yield from _slide(made.slide)
    yield from _model(made)
    for name, value in made.recipe.items():
        if value not in (None, "", "none", [], False) and name != "model":
            yield "option", f"{name} = {json.dumps(value):.200}"
    yield from _normalizer(made.normalizer)
    yield from _run(made)
    packages = made.software.items()
    yield from _known({"software": ", ".join(f"{n} {v}" for n, v in packages)})
    for each in made.annotations:
        where = f"line {each.get('line')} of {each.get('journal')}"
        yield "annotation", f"{each.get('id')}, {where}"
    for each in made.parents:
        kind, name, digest = (each.get(n, "") for n in ("kind", "name", "digest"))
        yield "made from", f"{kind} {name} {digest}".strip()


def _known(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, value) for name, value in values.items() if value)


def _slide(slide: Any) -> Iterator[tuple[str, Any]]:
    if not slide:
        return
    yield from _known({"slide": slide.get("name"), "content id": slide.get("id")})
    if slide.get("size"):
        width, height = slide["size"]
        mpp = f", {slide['mpp']:g} µm/px" if slide.get("mpp") else ""
        yield "size", f"{width} x {height} px{mpp}"
    yield from _known({"reader": slide.get("reader")})


def _model(made: Provenance) -> Iterator[tuple[str, Any]]:
    model = made.model
    if not model:
        return
    yield "model", f"{model.get('name')} ({model.get('task', 'encoder')})"
    yield from _known({"weights": model.get("sha256") and f"sha256:{model['sha256']}"})
    yield from _known({"precision": made.run.get("precision")})


def _normalizer(normalizer: Any) -> Iterator[tuple[str, Any]]:
    if not normalizer:
        return
    yield "normalizer", normalizer.get("method", "several references")
    for side in ("source", "reference"):
        stains = (normalizer.get(side) or {}).get("stains") or ()
        for vector in stains:
            yield f"{side} stain", ", ".join(f"{each:.4f}" for each in vector)


def _run(made: Provenance) -> Iterator[tuple[str, Any]]:
    run = made.run
    if run:
        done, total = run.get("tiles_done", 0), run.get("tiles_total", 0)
        yield "run", f"{run.get('status')}, {done} of {total} tiles"
    for each in made.sessions:
        packages = each.get("packages") or {}
        versions = ", ".join(f"{n} {v}" for n, v in packages.items())
        facts = (each.get(n) for n in ("device", "hardware", "instructions", "system"))
        said = ", ".join(str(each) for each in facts if each)
        yield "session", f"{each.get('started', '')} {said}".strip()
        yield from _known({"  with": versions})
