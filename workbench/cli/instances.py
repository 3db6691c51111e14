"""`workbench instances`."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.options import json_flag, mpp_flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.instances.edited import EditedInstances
    from workbench.slide.pixel_size import Mpp


@click.group("instances")
def command() -> None:
    """Learn the classes of instances, apply them to runs; import instances."""


@command.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("slide")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run to make.",
)
@click.option("--name", default="", help="Name of what found them.")
@mpp_flag
def import_(file: Path, slide: str, out: Path, *, name: str, mpp: Mpp | None) -> None:
    """Make a run of the outlines that another program has found on SLIDE.

    FILE is DICOM Microscopy Bulk Simple Annotations (.ann.dcm). The run is drawn,
    counted, corrected and exported as those of models.
    """
    from workbench.results.imported_instances import (  # noqa: PLC0415 - see LazyGroup
        import_instances,
    )
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with open_slide(slide, mpp=mpp) as opened:
        run = import_instances(file, opened, out, name=name)
    click.echo(run.path)
    click.echo(f"{len(run.final_instances):,} instances", err=True)


@command.command("learn")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the classifier, .safetensors.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with columns id and class, for a single run. Default: the instances"
    " whose class users changed in the app.",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    help="Name of a measure to look at. Default: all that all runs have.",
)
@json_flag
def learn(
    runs: tuple[Path, ...],
    out: Path,
    labels: Path | None,
    measures: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Fit a classifier of instances to those whose class users changed.

    RUNS are run folders of instances. The classifier is a random forest over the
    measures of the instances; its accuracy is that on held-out runs, or on held-out
    parts of a single slide.
    """
    from workbench.training.instance_classifier import (  # noqa: PLC0415 - see LazyGroup
        fit_instance_classifier,
    )
    from workbench.training.instance_labels import (  # noqa: PLC0415
        instance_accuracy,
        reclassified,
    )

    if labels and len(runs) > 1:
        message = "the ids of a CSV belong to one run: give a single one"
        raise click.BadParameter(message, param_hint="--labels")
    stores = [_edited(run) for run in runs]
    given: list[Mapping[int, str]] = (
        [_read_labels(labels)] if labels else [reclassified(each) for each in stores]
    )
    origin = {"runs": [str(run) for run in runs], "labels_from": str(labels or "edits")}
    classifier = fit_instance_classifier(
        stores, given, measures=measures, provenance=origin
    )
    mpp = stores[0].mpp or 1.0
    accuracy = instance_accuracy(stores, given, mpp=mpp, measures=measures)
    file = classifier.save(out)
    counts = classifier.provenance["labels"]
    if as_json:
        facts = {"labels": counts, "accuracy": accuracy.to_dict(), "file": str(file)}
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    click.echo(str(accuracy))
    click.echo(file)


@command.command("classify")
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--classifier",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the classifier, as `workbench instances learn` writes it.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Leave the class of instances of which the classifier is less sure (0-1).",
)
@click.option(
    "--by",
    default=getpass.getuser,
    help="Author of the edits. Default: your user name.",
)
def classify(run: Path, file: Path, min_score: float, by: str) -> None:
    """Give the instances of RUN the classes of a classifier, as edits.

    Classes that users gave stay. The edits are listed and undone as those of users.
    """
    from workbench.instances.edits import InstanceEdits  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415
    from workbench.training.instance_classifier import (  # noqa: PLC0415
        open_instance_classifier,
    )
    from workbench.training.instance_labels import apply_classifier  # noqa: PLC0415

    classifier = open_instance_classifier(file)
    edits = InstanceEdits(open_run(run).final_instances)
    changed: dict[str, Any] = apply_classifier(
        edits, classifier, by=by, name=file.stem, min_score=min_score
    )
    click.echo(", ".join(f"{count:,} now {name}" for name, count in changed.items()))


def _edited(run: Path) -> EditedInstances:
    """Return the instances of a run with all edits."""
    from workbench.instances.edits import InstanceEdits  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415

    return InstanceEdits(open_run(run).final_instances).current


def _read_labels(file: Path) -> dict[int, str]:
    """Return the classes in a CSV with columns id and class."""
    import pandas as pd  # noqa: PLC0415 - see LazyGroup

    from workbench.errors import TrainingError  # noqa: PLC0415

    try:
        table = pd.read_csv(file, dtype={"id": "int64", "class": "str"})
        return dict(zip(table["id"].tolist(), table["class"].tolist(), strict=True))
    except (ValueError, KeyError) as error:
        message = f"'{file}' cannot be used as labels: {error}."
        raise TrainingError(message, "Give columns 'id' and 'class'.") from error
