"""`workbench attention`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from workbench.cli.options import json_flag
from workbench.cli.tables import read_columns

OUTCOMES: Final = ("class", "number", "survival")
"""Those of `workbench.training.outcomes`, without its imports."""


@click.group("attention")
def command() -> None:
    """Predict classes, numbers or survival of slides by attention over their tiles."""


@command.command("fit")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="Column of the classes, numbers or times.")
@click.option(
    "--outcome",
    type=click.Choice(OUTCOMES),
    default="class",
    show_default=True,
    help="What the column holds; survival needs --event too.",
)
@click.option(
    "--event", default="", help="Column of events: 1, or 0 if there was none."
)
@click.option("--patient", default="", help="Column of the patients. Default: a slide.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    default=30,
    show_default=True,
    help="How often each slide is seen.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the model (.safetensors). Default: none is saved.",
)
@json_flag
def fit(
    table: Path,
    by: str,
    event: str,
    patient: str,
    out: Path | None,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit a model to outcomes of slides, and judge it on held-out slides.

    TABLE is a CSV with a row per slide: a column `features` with the path of a file of
    vectors or a run folder, and the class, the number, or the time and the event.
    """
    survival = options["outcome"] == "survival"
    if survival != bool(event):
        message = "survival needs a column of events, and nothing else does"
        raise click.BadParameter(message, param_hint="--event")
    from workbench.features.opening import open_features  # noqa: PLC0415 - see LazyGroup
    from workbench.training import (  # noqa: PLC0415
        EmbeddedSlide,
        attention_accuracy,
        fit_attention,
    )

    names = ["features", by, *filter(None, [event, patient])]
    columns = dict(zip(names, read_columns(table, names), strict=True))
    paths, labels = columns["features"], columns[by]
    known = list(zip(labels, columns[event], strict=True)) if survival else labels
    slides = [EmbeddedSlide.of(open_features(table.parent / path)) for path in paths]
    groups = columns[patient] if patient else paths
    accuracy = attention_accuracy(slides, known, groups=groups, **options)
    click.echo(json.dumps(accuracy.to_dict()) if as_json else str(accuracy))
    if out is not None:
        click.echo(fit_attention(slides, known, **options).save(out), err=as_json)


@command.command("apply")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of the attention of each tile (.parquet), which the app opens.",
)
@json_flag
def apply(model: Path, file: Path, out: Path | None, *, as_json: bool) -> None:
    """Print the classes, number or risk of a slide; write the attention of its tiles.

    FILE is a file of vectors or a run folder, of the encoder of MODEL.
    """
    from workbench.export.features import export_features  # noqa: PLC0415 - see LazyGroup
    from workbench.features.opening import open_features  # noqa: PLC0415
    from workbench.features.rows import NO_ROWS  # noqa: PLC0415
    from workbench.training import EmbeddedSlide, open_attention  # noqa: PLC0415

    features = open_features(file)
    tiles, opened = EmbeddedSlide.of(features), open_attention(model)
    found = opened.predict(tiles)
    kind = ".1%" if opened.outcome == "class" else ".4g"
    lines = [f"{name}: {value:{kind}}" for name, value in found.items()]
    click.echo(json.dumps(found) if as_json else "\n".join(lines))
    if out is not None:
        scored = replace(features, vectors=NO_ROWS, scores=opened.attention(tiles))
        click.echo(export_features(scored, out), err=as_json)
