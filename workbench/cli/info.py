"""`workbench info`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.options import image_flag, json_flag, mpp_flag
from workbench.errors import SeveralSlidesError
from workbench.geometry import objective_of_mpp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide
    from workbench.slide.verify import Comparison

_NOTHING_TO_COMPARE: Final = 2


@click.command("info", epilog="For a folder of several slides, the slides are listed.")
@click.argument("slide")
@mpp_flag
@image_flag
@json_flag
@click.option("--properties", is_flag=True, help="Print all properties of the file.")
@click.option(
    "--verify",
    is_flag=True,
    help="Compare the pixels of all libraries that can open it, at random places of"
    " every level. Exit status: 1 if they differ, 2 if only one can open it.",
)
def command(
    slide: str,
    mpp: Mpp | None,
    image: str | None,
    *,
    as_json: bool,
    properties: bool,
    verify: bool,
) -> None:
    """Print the metadata of a slide file."""
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - see LazyGroup

    if verify:
        _verify(slide, image, as_json=as_json)
        return
    try:
        opened = open_slide(slide, mpp=mpp, image=image)
    except SeveralSlidesError as error:
        click.echo(_choices(error, as_json=as_json))
        return
    with opened:
        facts = _facts(opened)
        if properties:
            facts["properties"] = dict(sorted(opened.properties.items()))
    click.echo(json.dumps(facts, indent=2) if as_json else _sentences(facts))


def _verify(path: str, image: str | None, *, as_json: bool) -> None:
    """Print the differences between the readers of a file; set the exit status."""
    from workbench.slide.verify import compare_readers  # noqa: PLC0415 - loads them all

    found = compare_readers(path, image=image)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        click.echo(_table(found))
    if any(each.verdict == "differs" and each.decides for each in found):
        raise click.exceptions.Exit(1)
    if not any(each.verdict == "same" for each in found):
        raise click.exceptions.Exit(_NOTHING_TO_COMPARE)


def _table(found: Sequence[Comparison]) -> str:
    """Return comparisons as a plain-text table."""
    if not found:
        return "Only one library here opens this file: nothing to compare it with."
    rows = ["reader                level   places   mean  worst  shift (x, y)"]
    for each in found:
        head = f"{each.reader:<20}  {f'1/{each.downsample:.4g}':<7}"
        x, y = each.shift
        numbers = f"{each.places:6}  {each.mean:5.2f}  {each.worst:5}  {x:g}, {y:g}"
        what = each.problem or f"{numbers:<32}"
        rows.append(f"{head} {what} {each.verdict}")
    if any(each.verdict == "differs" and not each.decides for each in found):
        rows.append(
            "(tiffslide fills no gaps, joins no areas, converts no colour: not counted)"
        )
    return "\n".join(rows)


def _choices(error: SeveralSlidesError, *, as_json: bool) -> str:
    """Return the list of the slides in a folder."""
    if as_json:
        rows = [{"path": path, "is": what} for path, what in error.choices.items()]
        return json.dumps({"slides": rows}, indent=2)
    lines = [f"{path}: {what}" for path, what in error.choices.items()]
    return "\n".join([error.message, *lines])


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
        "images": [
            {
                "name": each.name,
                "size": list(each.size),
                "shown": n == slide.image_number,
            }
            for n, each in enumerate(slide.images)
        ],
        "notes": list(slide.notes),
        "dtype": str(slide.dtype),
        "focal_planes": slide.depth,
        "channels": [asdict(each) for each in slide.channels],
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
        *_images(facts),
        *_channels(facts),
        ("reader", facts["reader"]),
        ("id", facts["id"]),
        *(("note", note) for note in facts["notes"]),
        *sorted(facts.get("properties", {}).items()),
    ]
    return "\n".join(f"{name:<12}{value}" for name, value in rows)


def _images(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row for each image of the file; a star marks the opened one."""
    if not facts["images"]:
        return [("images", ", ".join(facts["associated"]) or "none")]
    rows = []
    for number, each in enumerate(facts["images"]):
        width, height = each["size"]
        star = "*" if each["shown"] else " "
        text = f"{number}{star} {each['name']}, {width} x {height} px"
        rows.append(("" if number else "images", text))
    return rows


def _channels(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row for each channel; a star marks those that are shown."""
    rows = []
    for number, each in enumerate(facts["channels"]):
        star = "*" if each["shown"] else " "
        window = f"{each['minimum']:.6g} to {each['maximum']:.6g}"
        text = (
            f"{number + 1}{star} {each['name']}, {each['colour']}, shown from {window}"
        )
        rows.append(("" if number else "channels", text))
    if rows:
        rows.append(("values", facts["dtype"]))
    return rows


def _resolution(facts: dict[str, Any]) -> str:
    if facts["mpp"] is None:
        return f"not known: {facts['mpp_problem']}; give it with --mpp"
    text = f"{facts['mpp']:.6g} µm ({facts['objective']:g}x)"
    x, y = facts["stored_mpp"]
    return text if x == y else f"{text}; stored as {x:g} x {y:g} µm"
