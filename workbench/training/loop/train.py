"""`train`: from labels to a model that runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from workbench.errors import TrainingError, WorkbenchError
from workbench.markup import facts
from workbench.models.devices import resolve_device
from workbench.provenance.embedding import write_in_folder
from workbench.system.long_work import ProgressBar, in_notebook
from workbench.training.loop.curves import curves_of
from workbench.training.loop.examples import open_examples
from workbench.training.loop.folder import (
    BEST,
    CARD,
    CHECKPOINT,
    WEIGHTS,
    TrainingFolder,
    flat,
    identity_of,
    read_metrics,
    read_record,
    total_steps,
)
from workbench.training.loop.notebook_view import NotebookView, TrainingCounter
from workbench.training.loop.processes import Processes, joined
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.state import State
from workbench.training.loop.tasks import task_of
from workbench.training.loop.tensorboard import event_files
from workbench.training.loop.trainer import Trainer
from workbench.training.model_provenance import provenance_of_model

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from workbench.models.card import ModelCard
    from workbench.progress import Progress
    from workbench.training.loop.examples import Examples
    from workbench.training.loop.mistakes import Mistake
    from workbench.training.loop.sources import Source


@dataclass(frozen=True, slots=True)
class Training:
    """The folder of a training, under way or ended; a model once it has ended."""

    path: Path
    """The folder; give it to `wb.run(slide, model=str(path))`."""

    @property
    def record(self) -> dict[str, Any]:
        """Content of `training.json`.

        Raises
        ------
        TrainingError
            If there is no training in the folder, or it is damaged.
        """
        found = read_record(self.path)
        if found is None:
            message = f"There is no training at '{self.path}'."
            raise TrainingError(message, "Give a folder of `workbench train`.")
        return found

    @property
    def status(self) -> str:
        """Status: "running", "finished", "cancelled" or "failed"."""
        return str(self.record["status"])

    @property
    def metrics(self) -> pd.DataFrame:
        """Loss of each step, and held-out figures of the last step of each epoch.

        Grows while the training goes on.
        """
        import pandas as pd  # noqa: PLC0415 - slow

        return pd.DataFrame([flat(line) for line in read_metrics(self.path)])

    def worst_tiles(self, count: int = 12) -> list[Mistake]:
        """Return the tiles with the largest loss of the best epoch so far.

        Held-out tiles, where there are any; each with its label, the answer and its
        pixels.

        Raises
        ------
        TrainingError
            If no epoch has ended, or the labels cannot be read any more.
        """
        from workbench.training.loop.mistakes import worst_tiles  # noqa: PLC0415

        return worst_tiles(self.path, count=count)

    def __repr__(self) -> str:
        """Return one line with the status and the best figure."""
        return f"<Training '{self.path}': {self.status}, {self._best()}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks, with the curves."""
        record = self.record
        counts = record["identity"]["examples"]["tiles"]
        return str(
            facts(
                {
                    "Folder": str(self.path),
                    "Status": self.status,
                    "Classes": ", ".join(record["identity"]["examples"]["classes"]),
                    "Tiles learnt from": f"{sum(counts['train']):,}",
                    "Tiles held out": f"{sum(counts['validation']):,}",
                    "Best": self._best(),
                    "Notes": " ".join(record["notes"]),
                    "Curves": curves_of(
                        read_metrics(self.path),
                        total=total_steps(record),
                        figure=record["figure"],
                    ),
                }
            )
        )

    def _best(self) -> str:
        """Return the best held-out figure so far, in words."""
        figure = self.record["figure"]
        judged = [line for line in read_metrics(self.path) if line.get("held_out")]
        if not judged:
            return "no held-out figure"
        best = max(judged, key=lambda line: line["held_out"][figure])
        value = best["held_out"][figure]
        return f"{figure} {value:.3f} after epoch {best['epoch']}"


def train(
    recipe: TrainingRecipe | None = None,
    *,
    out: str | os.PathLike[str],
    cancel: threading.Event | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    **options: Any,
) -> Training:
    r"""Train a model from labels; continue a training that was stopped or killed.

    The folder `out` becomes a model that `wb.run` takes. A training that is killed at
    any step goes on from its last checkpoint when it is called again, and ends with the
    same weights, bit for bit on a CPU. Started by torchrun, its processes train one
    network together.

    Parameters
    ----------
    recipe : TrainingRecipe, optional
        The options; or give them as keywords, which replace those of a recipe.
    out : path
        Folder of the training.
    cancel : threading.Event, optional
        Stops the training after the current step when it is set.
    report : callable, optional
        Called after each step with its line of the metrics. By default a notebook
        shows a bar and the curves below the cell.
    progress : callable or True, optional
        Called with a `Progress` after each step; True draws a bar.
    **options
        Fields of `TrainingRecipe`.

    Returns
    -------
    Training

    Raises
    ------
    RecipeError
        If an option is out of bounds.
    RecipeMismatchError
        If the folder holds another training.
    TrainingError
        If there is nothing to learn, or the loss is not a finite number; what was
        learnt up to the last checkpoint is kept.
    SlideError, AnnotationError
        If a slide or its labels cannot be read.
    RunFolderError
        If the disk is full; the last checkpoint is kept.

    Examples
    --------
    >>> from pathlib import Path
    >>> import shapely
    >>> places = {"a": (0, 0, 384, 768), "b": (384, 0, 768, 768)}
    >>> notes = [
    ...     wb.Annotation(geometry=shapely.box(*box), classification=name)
    ...     for name, box in places.items()
    ... ]
    >>> for name in ("slide", "other"):
    ...     wb.annotations.write_geojson(notes, Path(f"{name}.geojson"))
    >>> lines = "slide.tif,slide.geojson", "other.tif,other.geojson"
    >>> _ = Path("study.csv").write_text("\n".join(["slide,labels", *lines]))
    >>> training = wb.train(labels="study.csv", epochs=1, out="models/mine")
    >>> training.status
    'finished'
    """
    given = recipe or TrainingRecipe()
    chosen = given.replace(**options) if options else given
    stop = cancel or threading.Event()
    view = _view(Path(out), progress) if report is None else None
    with joined() as processes, ProgressBar(enabled=progress is True) as bar:
        listen = progress if callable(progress) else bar
        count = TrainingCounter(listen, Path(out)) if progress else _ignore
        watch = count if processes.writes else _ignore

        def follow(line: dict[str, Any]) -> None:
            watch(line)
            (report or view or _ignore)(line)

        examples = open_examples(chosen)
        folder = TrainingFolder(Path(out))
        try:
            held = folder.locked() if processes.writes else contextlib.nullcontext()
            with held:
                _train(chosen, examples, folder, processes, (stop, follow))
        finally:
            examples.close()
            if view is not None:
                view.close()
    return Training(folder.path)


def _view(path: Path, progress: object) -> NotebookView | None:
    """Return the view of a training in a notebook, if nothing else follows it."""
    return NotebookView(path) if progress is None and in_notebook() else None


def _ignore(line: dict[str, Any]) -> None:
    """Show nothing of a step."""


def _train(
    recipe: TrainingRecipe,
    examples: Examples,
    folder: TrainingFolder,
    processes: Processes,
    follow: tuple[threading.Event, Callable[[dict[str, Any]], None]],
) -> None:
    task = task_of(examples, recipe)
    card = task.card(folder.path.name)
    identity = identity_of(recipe.model_dump(mode="json"), examples.summary())
    finished = (folder.record() or {}).get("status") == "finished"
    if processes.writes:
        folder.begin(identity, _facts(examples, task.figure))
    if finished:
        return
    state = State(card, recipe, _device(recipe, processes))
    if (folder.path / CHECKPOINT).is_file():
        state.restore(folder.path / CHECKPOINT)
    processes.any(False)  # noqa: FBT003 - all have read the checkpoint
    if processes.writes:
        folder.rewind(state.step)
    trainer = Trainer(state, examples, task, folder, processes)
    stop, report = follow
    try:
        with event_files(folder.path, recipe, state.step, processes) as note:
            ended = trainer.run(stop, lambda line: (note(line), report(line))[1])
    except WorkbenchError as error:
        if processes.writes:
            with contextlib.suppress(WorkbenchError):  # the disk may be full
                folder.update(status="failed", problem=str(error))
        raise
    if processes.writes:
        if ended:
            _write_model(card, folder, trainer)
        folder.update(status="finished" if ended else "cancelled", step=state.step)


def _device(recipe: TrainingRecipe, processes: Processes) -> torch.device:
    device = resolve_device(recipe.device)
    if device.type == "cuda" and processes.world > 1:
        device = torch.device("cuda", processes.local)
        torch.cuda.set_device(device)
    return device


def _facts(examples: Examples, figure: str) -> dict[str, Any]:
    """Return what the record says besides recipe and split."""
    return {
        "figure": figure,
        "notes": list(examples.notes),
        "sources": [each.name for each in examples.sources],
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _about_split(examples: Examples) -> str:
    """Return what was learnt from, and what was held out."""
    learnt, held = (
        len(set(examples.group[mask].tolist()))
        for mask in (~examples.held, examples.held)
    )
    if examples.block:
        size = f"{examples.block} x {examples.block} tiles"
        return (
            f"Trained on {learnt} blocks of {size}, held out {held} of the same"
            " slides, which says little of other slides"
        )
    return f"Trained on the labels of {learnt} slides or patients, held out {held}"


def _write_model(card: ModelCard, folder: TrainingFolder, trainer: Trainer) -> None:
    """Write the weights of the best epoch, with their card."""
    content = (folder.path / BEST).read_bytes()
    recipe, examples = trainer.recipe, trainer.examples
    said = Training(folder.path)._best()  # noqa: SLF001 - of this module
    way = f"normalize = '{recipe.normalize}', reference = '{recipe.reference}'"
    whole = card.model_copy(
        update={
            "weights": WEIGHTS,
            "sha256": hashlib.sha256(content).hexdigest(),
            "intended_use": f"{_about_split(examples)}: {said}."
            f" Run it {f'with {way}' if recipe.normalize else 'without normalization'}."
            " Research only, not for diagnosis.",
            "source": f"workbench train; recipe, split and figures in"
            f" training.json; labels: {Path(recipe.labels).name}.",
        }
    )
    dumped = whole.model_dump(mode="json")
    text = json.dumps(dumped, indent=1, ensure_ascii=False)
    folder.save(WEIGHTS, content)
    folder.save(CARD, f"{text}\n".encode())
    options = recipe.model_dump(mode="json")
    slides = [_source(each) for each in examples.sources]
    device = str(trainer.device)
    write_in_folder(folder.path, provenance_of_model(dumped, options, slides, device))


def _source(source: Source) -> dict[str, str]:
    """Return name and id of the slide of a source; pictures have no id."""
    slide = getattr(source, "slide", None)
    return {"slide": source.name, "slide_id": slide.id if slide is not None else ""}
