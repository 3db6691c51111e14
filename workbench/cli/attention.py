"""`workbench attention`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from workbench.cli.options import json_flag
from workbench.cli.tables import read_columns


@click.group("attention")
def command() -> None:
    """Classify slides by attention over their tiles (multiple-instance learning)."""


@command.command("fit")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="Column of the classes.")
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
    patient: str,
    out: Path | None,
    *,
    as_json: bool,
    **options: int,
) -> None:
    """Fit a model to classes of slides, and judge it on held-out slides.

    TABLE is a CSV with a row per slide: a column `features` with the path of a file of
    vectors or a run folder, and the class.
    """
    from workbench.features.opening import open_features  # noqa: PLC0415 - see LazyGroup
    from workbench.training import (  # noqa: PLC0415
        EmbeddedSlide,
        attention_accuracy,
        fit_attention,
    )

    paths, labels, *rest = read_columns(
        table, ["features", by, *filter(None, [patient])]
    )
    slides = [EmbeddedSlide.of(open_features(table.parent / path)) for path in paths]
    groups = rest[0] if rest else paths
    accuracy = attention_accuracy(slides, labels, groups=groups, **options)
    click.echo(json.dumps(accuracy.to_dict()) if as_json else str(accuracy))
    if out is not None:
        click.echo(fit_attention(slides, labels, **options).save(out), err=as_json)


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
    """Print the probability of each class of a slide; write the attention of its tiles.

    FILE is a file of vectors or a run folder, of the encoder of MODEL.
    """
    from workbench.export.features import export_features  # noqa: PLC0415 - see LazyGroup
    from workbench.features.opening import open_features  # noqa: PLC0415
    from workbench.features.rows import NO_ROWS  # noqa: PLC0415
    from workbench.training import EmbeddedSlide, open_attention  # noqa: PLC0415

    features = open_features(file)
    tiles, opened = EmbeddedSlide.of(features), open_attention(model)
    found = opened.predict(tiles)
    lines = [f"{name}: {share:.1%}" for name, share in found.items()]
    click.echo(json.dumps(found) if as_json else "\n".join(lines))
    if out is not None:
        scored = replace(features, vectors=NO_ROWS, scores=opened.attention(tiles))
        click.echo(export_features(scored, out), err=as_json)
