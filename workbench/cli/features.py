"""`workbench features`."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.console import shown
from workbench.cli.options import json_flag, mpp_flag, progress_flag
from workbench.cli.tables import read_columns
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.features.features import Features
    from workbench.slide.pixel_size import Mpp

LAYOUTS: Final = {"trident": ".h5", "parquet": ".parquet", "spatialdata": ".zarr"}
"""Suffix of each layout that can be written."""

_FLAGS = (
    click.option("--slide", help="Slide of the tiles: checked, and needed for µm."),
    click.option(
        "--tile-size-level0",
        type=float,
        help="Side of a tile in level-0 pixels, if the file does not say.",
    ),
    click.option(
        "--unit",
        type=click.Choice(["px", "um"]),
        help="Unit of the coordinates, if the file does not say: level-0 pixels or µm.",
    ),
    click.option("--encoder", help="Which encoder, of a file that has several."),
    click.option(
        "--coordinates",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File of coordinates, of a file that has none.",
    ),
    mpp_flag,
)


def _opening_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the file and the options with which it is opened to a command."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return click.argument("file", type=click.Path(path_type=Path))(command)


@click.group("features")
def command() -> None:
    """Describe, convert and judge files of vectors or scores of tiles.

    FILE is one of TRIDENT, CLAM, STAMP, AtlasPatch, slide2vec or SpatialData
    (LazySlide), a run folder, or a table (HDF5, CSV, Parquet) of x, y, width, height
    and scores.
    """


@command.command("info")
@_opening_flags
@json_flag
def info(file: Path, *, as_json: bool, **options: Any) -> None:
    """Print what a file holds, where its tiles lie, and what is unusual in it."""
    features = _open(file, **options)
    description = {**features.description(), **_extent(features)}
    if as_json:
        description["Attributes"] = dict(features.attributes)
        click.echo(json.dumps(description, indent=2, default=str))
        return
    for name, text in description.items():
        click.echo(f"{name}: {text}")


def _extent(features: Features) -> dict[str, Any]:
    """Return where the tiles lie, and notes, as headings and texts."""
    rows: dict[str, Any] = {}
    if len(features):
        low, high = features.boxes[:, :2].min(axis=0), features.boxes[:, 2:].max(axis=0)
        sides = features.boxes[:, 2:] - features.boxes[:, :2]
        least, most = sides.min(), sides.max()
        rows["Tile size"] = f"{least:g} to {most:g}" if least < most else f"{most:g}"
        rows["Tile size"] += " level-0 px"
        rows["Extent"] = f"x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g}"
    bad = int((~features.finite()).sum())
    notes = [*features.notes]
    if bad:
        notes.append(f"{bad:,} vectors hold numbers that are not finite.")
    if notes:
        rows["Notes"] = " ".join(notes)
    return rows


@command.command("convert")
@_opening_flags
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "layout",
    type=click.Choice(list(LAYOUTS)),
    help="Layout of OUT, whose suffix is added if it has none. Default: by suffix.",
)
@progress_flag
def convert(
    file: Path, out: Path, layout: str | None, *, progress: bool, **options: Any
) -> None:
    """Write the features of FILE in the layout of another tool.

    OUT ends in .h5 (TRIDENT, which CLAM and Patho-Bench read too), .parquet (a table),
    or .zarr (SpatialData in the layout of wsidata and LazySlide).
    """
    from workbench.export.features import export_features  # noqa: PLC0415 - see LazyGroup

    suffix = LAYOUTS.get(layout or "", out.suffix)
    if layout and out.suffix != suffix:
        if out.suffix:
            message = f"'{out.name}' does not end in {suffix}"
            raise click.BadParameter(message, param_hint="OUT")
        out = out.with_suffix(suffix)
    features = _open(file, **options)
    out.parent.mkdir(parents=True, exist_ok=True)
    with shown("exporting", progress=progress):
        export_features(features, out)
    click.echo(out)


@command.command("bias")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="Column to predict, such as scanner.")
@click.option(
    "--tiles",
    type=click.IntRange(min=5),
    default=200,
    show_default=True,
    help="Maximum number of tiles used per slide.",
)
@json_flag
def bias(table: Path, by: str, tiles: int, *, as_json: bool) -> None:
    """Measure how well a property of slides is predicted from their vectors.

    TABLE is a CSV with a row per slide: a column `features` with the path of a file or
    run folder, and the column to predict. A row is printed for each encoder and, for
    runs, each method of normalization. The probe is tested on slides that it has not
    seen.
    """
    from workbench.features.bias import measure_bias  # noqa: PLC0415 - see LazyGroup
    from workbench.recipe import NO_METHOD  # noqa: PLC0415

    rows = []
    for (encoder, method), group in _by_encoder(table, by).items():
        features, labels = zip(*group, strict=True)
        found = measure_bias(features, labels, tiles=tiles)
        rows.append({"encoder": encoder, "normalize": method, **asdict(found)})
        if not as_json:
            colours = "not normalized" if method == NO_METHOD else method
            click.echo(f"{encoder}, {colours}: {found}")
    if as_json:
        click.echo(json.dumps(rows, indent=2))


@command.command("index")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--encoder", help="Which encoder, of files that have several.")
@click.option("--tile-size-level0", type=float, help="If the files do not say.")
@progress_flag
def index(
    out: Path, files: tuple[Path, ...], *, progress: bool, **options: Any
) -> None:
    """Make an index of the tiles of many slides at OUT, to be searched by likeness.

    FILES are files of features or run folders by one encoder, one per slide.
    """
    from workbench.features.index_building import build_index  # noqa: PLC0415
    from workbench.features.opening import open_features  # noqa: PLC0415

    features = [open_features(file, **options) for file in files]
    with shown("indexing", progress=progress):
        found = build_index(features, out)
    click.echo(
        f"{found.path}: {counted_noun(len(found), 'tiles')}"
        f" of {counted_noun(len(found.slides), 'slides')}"
    )


@command.command("like")
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("slide")
@click.argument("x", type=float)
@click.argument("y", type=float)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Number of tiles.",
)
@click.option("--per-slide", type=click.IntRange(min=1), help="At most this many each.")
@click.option("--others", is_flag=True, help="Leave the slide itself out.")
@json_flag
def like(
    index: Path, slide: str, x: float, y: float, *, as_json: bool, **options: Any
) -> None:
    """Print the tiles of INDEX that are most like the tile at X, Y of SLIDE.

    X and Y are level-0 pixels; SLIDE is a name in the index.
    """
    from workbench.features.index import open_index  # noqa: PLC0415 - see LazyGroup

    opened = open_index(index)
    vector = opened.vector_at(slide, x, y)
    options["leave_out"] = slide if options.pop("others") else None
    found = opened.search(vector, **options)
    as_text = found.to_json(orient="records") if as_json else found.to_csv(index=False)
    click.echo(as_text)


@command.command("text")
@_opening_flags
@click.option(
    "--model",
    required=True,
    help="Vision-language model: a name that was added, or its folder or file.",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    required=True,
    help="A text, repeatable; NAME=TEXT gives a class several texts, averaged.",
)
@click.option(
    "--kind",
    type=click.Choice(["softmax", "cosine"]),
    help="Classes that exclude each other, or each by itself. Default: softmax of"
    " several, cosine of one.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write a .parquet table or a .zarr store. Default: CSV to the output.",
)
def text(
    file: Path,
    model: str,
    prompts: tuple[str, ...],
    kind: str | None,
    out: Path | None,
    **options: Any,
) -> None:
    """Score the tiles of FILE by texts, with the text tower of MODEL.

    The vectors of FILE must be of the image tower of the same model.
    """
    from workbench.export.features import export_features  # noqa: PLC0415 - see LazyGroup
    from workbench.features.rows import NO_ROWS  # noqa: PLC0415
    from workbench.features.text import text_scores  # noqa: PLC0415
    from workbench.models.text_tower import load_text_encoder  # noqa: PLC0415

    classes: dict[str, list[str]] = {}
    for prompt in prompts:
        name, _, one = prompt.partition("=")
        classes.setdefault(name.strip(), []).append((one or name).strip())
    features = _open(file, **options)
    chosen: Any = kind or ("softmax" if len(classes) > 1 else "cosine")
    scores = text_scores(features, load_text_encoder(model), classes, kind=chosen)
    if out is None:
        click.echo(scores.to_frame().to_csv(index=False))
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    click.echo(export_features(replace(features, vectors=NO_ROWS, scores=scores), out))


def _by_encoder(
    table: Path, by: str
) -> dict[tuple[str, str], list[tuple[Features, str]]]:
    """Return the features and labels of a table, by encoder and normalization."""
    from workbench.features.opening import open_features  # noqa: PLC0415 - see LazyGroup
    from workbench.recipe import NO_METHOD  # noqa: PLC0415

    found: dict[tuple[str, str], list[tuple[Features, str]]] = {}
    for path, label in zip(*read_columns(table, ["features", by]), strict=True):
        features = open_features(table.parent / path)
        method = str(features.attributes.get("normalize", NO_METHOD))
        key = features.encoder or "unknown encoder", method
        found.setdefault(key, []).append((features, label))
    return found


def _open(file: Path, slide: str | None, mpp: Mpp | None, **options: Any) -> Features:
    from workbench.features.opening import open_features  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    opened = open_slide(slide, mpp=mpp) if slide else nullcontext()
    with opened as target:
        return open_features(file, target, **options)
