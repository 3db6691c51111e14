"""`workbench probe`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.annotations import FOLDER
from workbench.cli.options import json_flag

if TYPE_CHECKING:
    from workbench.training.embedded import EmbeddedSlide
    from workbench.training.probe import Probe
    from workbench.training.tile_labels import TileLabels


@click.command("probe")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the model, which `workbench run --model` takes. Default: none is"
    " saved.",
)
@click.option(
    "--geojson",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of annotations, one for each run in their order. Default: the"
    " annotations of the app.",
)
@click.option(
    "--annotations",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(FOLDER),
    show_default=True,
    help="Folder of annotations. The app uses `annotations` below its --runs.",
)
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of a tile that an annotation must cover to label it.",
)
@click.option("--name", default="", help="Name of the model. Default: that of OUT.")
@click.option(
    "--trust", is_flag=True, help="Allow an encoder that can run code when loaded."
)
@click.option(
    "--suggest",
    "suggested",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="Print this many tiles of each run that are worth labelling next.",
)
@json_flag
def command(
    runs: tuple[Path, ...],
    out: Path | None,
    files: tuple[Path, ...],
    folder: Path,
    *,
    min_coverage: float,
    suggested: int,
    as_json: bool,
    **saving: Any,
) -> None:
    """Fit a classifier of tiles to annotations, on the vectors of embedding runs.

    RUNS are run folders of one embedding model. Tiles that a classified area covers,
    and those under classified points, are the examples of a logistic regression. Its
    accuracy is that on held-out slides, or on held-out parts of a single slide.
    """
    from workbench.annotations.classes import colour_of  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415
    from workbench.training.probe import fit_probe  # noqa: PLC0415
    from workbench.training.probe_accuracy import probe_accuracy  # noqa: PLC0415
    from workbench.training.probe_file import save_probe  # noqa: PLC0415
    from workbench.training.run_labels import label_run  # noqa: PLC0415

    if files and len(files) != len(runs):
        message = f"{len(files)} files for {len(runs)} runs: give one for each, or none"
        raise click.BadParameter(message, param_hint="--geojson")
    pairs = [
        label_run(open_run(run), geojson=file, folder=folder, min_coverage=min_coverage)
        for run, file in zip(runs, files or [None] * len(runs), strict=True)
    ]
    slides, labels = [each[0] for each in pairs], [each[1] for each in pairs]
    probe, accuracy = fit_probe(slides, labels), probe_accuracy(slides, labels)
    facts: dict[str, Any] = {"labels": probe.counts, "accuracy": accuracy.to_dict()}
    if out is not None:
        colours = {name: colour_of(name) for name in probe.classes}
        saving |= {"accuracy": accuracy, "colours": colours}
        facts["model"] = str(save_probe(probe, out, **saving))
    if suggested:
        facts["suggested"] = _suggestions(slides, labels, probe, suggested)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(", ".join(f"{count:,} {name}" for name, count in probe.counts.items()))
    click.echo(str(accuracy))
    for name, boxes in facts.get("suggested", {}).items():
        for box in boxes:
            click.echo(f"{name}: {','.join(map(str, box))}")
    if out is not None:
        click.echo(out)


def _suggestions(
    slides: list[EmbeddedSlide], labels: list[TileLabels], probe: Probe, count: int
) -> dict[str, list[list[int]]]:
    """Return the boxes of the tiles of each slide that are worth labelling next."""
    from workbench.training.suggestions import suggest  # noqa: PLC0415 - see LazyGroup

    return {
        slide.name: [
            [round(edge) for edge in slide.boxes[row].tolist()]
            for row in suggest(slide, own, probe, count=count)
        ]
        for slide, own in zip(slides, labels, strict=True)
    }
