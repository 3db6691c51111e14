"""`workbench dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from workbench.cli.options import chosen_options, flags_of, recipe_file
from workbench.training.loop.recipe import TrainingRecipe

_OF_TRAINING: Final = frozenset(TrainingRecipe.model_fields) - {
    *("task", "labels", "classes", "mpp", "tile_px", "min_coverage"),
    *("normalize", "reference", "validation", "seed", "threads"),
}
"""Options that change nothing of the tiles."""


@click.command("dataset")
@recipe_file
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write; it must not exist, or be empty.",
)
@click.option(
    "--to",
    "layout",
    type=click.Choice(["folders", "webdataset", "hdf5", "coco"]),
    default="folders",
    show_default=True,
    help="Layout: PNG files in folders by class, tar files of WebDataset, one HDF5"
    " file, or COCO (segmentation).",
)
@flags_of(TrainingRecipe, without=_OF_TRAINING)
def command(recipe: Path | None, out: Path, layout: Any, **options: Any) -> None:
    """Write the labelled tiles of a training for other programs.

    RECIPE is a JSON file as of `workbench train`; flags replace its values. The tiles
    are those that `workbench train` learns from, with its split by patient.
    """
    from workbench.training.training_set import export_training_set  # noqa: PLC0415 - see LazyGroup

    chosen = chosen_options(TrainingRecipe, recipe, options)
    click.echo(export_training_set(chosen, out=out, layout=layout))
