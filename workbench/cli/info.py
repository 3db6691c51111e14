"""`workbench info`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.flags import json_flag, mpp_flag
from workbench.geometry import objective_of_mpp
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide


@click.command("info")
@click.argument("slide")
@mpp_flag
@json_flag
@click.option("--properties", is_flag=True, help="Everything the file says, too.")
def command(slide: str, mpp: Mpp | None, *, as_json: bool, properties: bool) -> None:
    """Tell what a slide file says of itself."""
    with open_slide(slide, mpp=mpp) as opened:
        facts = _facts(opened)
        if properties:
            facts["properties"] = dict(sorted(opened.properties.items()))
    click.echo(json.dumps(facts, indent=2) if as_json else _sentences(facts))


def _facts(slide: Slide) -> dict[str, Any]:
    mpp = slide.mpp
    return {
        "name": slide.name,
        "id": slide.id,
        "reader": slide.reader_name,
        "size": list(slide.size),
        "mpp": mpp,
        "stored_mpp": slide.pixel_size.xy,
        "declared_mpp": slide.declared_mpp,
        "mpp_problem": slide.mpp_problem,
        "objective": None if mpp is None else round(objective_of_mpp(mpp), 1),
        "levels": [
            {"size": list(level.size), "downsample": round(level.downsample, 4)}
            for level in slide.levels
        ],
        "bounds": [getattr(slide.bounds, side) for side in ("x0", "y0", "x1", "y1")],
        "associated": sorted(slide.associated),
        "icc_profile": slide.icc_profile is not None,
    }


def _sentences(facts: dict[str, Any]) -> str:
    width, height = facts["size"]
    rows = [
        ("file", facts["name"]),
        ("size", f"{width} x {height} px"),
        ("pixel size", _resolution(facts)),
        ("levels", ", ".join(f"{level['downsample']:g}" for level in facts["levels"])),
        ("images", ", ".join(facts["associated"]) or "none"),
        ("reader", facts["reader"]),
        ("id", facts["id"]),
        *sorted(facts.get("properties", {}).items()),
    ]
    return "\n".join(f"{name:<12}{value}" for name, value in rows)


def _resolution(facts: dict[str, Any]) -> str:
    if facts["mpp"] is None:
        return f"not known: {facts['mpp_problem']}; give it with --mpp"
    text = f"{facts['mpp']:.6g} µm ({facts['objective']:g}x)"
    x, y = facts["stored_mpp"]
    return text if x == y else f"{text}; stored as {x:g} x {y:g} µm"
