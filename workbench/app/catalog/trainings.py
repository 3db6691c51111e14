"""`TrainingLibrary`: trainings of a server, active or saved, and their labels."""

from __future__ import annotations

import csv
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workbench.annotations.collection import Annotations
from workbench.errors import TrainingError
from workbench.models.user_models import user_models_folder
from workbench.training.loop.folder import read_metrics, read_record, total_steps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workbench.app.catalog.training_job import TrainingJob
    from workbench.slide.slide import Slide
    from workbench.training.loop.recipe import TrainingRecipe

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN: Final = ("card.json", "config.json", "training.json")
_IGNORED: Final = "ignore"


@dataclass(frozen=True, slots=True)
class SavedTraining:
    """A training in the folder of models."""

    name: str
    path: Path
    record: dict[str, Any]

    @property
    def total(self) -> int:
        """Number of steps, if it is not stopped early."""
        return total_steps(self.record)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Lines of its metrics so far."""
        return read_metrics(self.path)


class TrainingLibrary:
    """Trainings into the folder of models, each a model of its name at the end.

    What is unfinished can be continued, also after the server was restarted.
    Thread-safe.
    """

    def __init__(self) -> None:
        self._jobs: dict[Path, TrainingJob] = {}
        self._lock = threading.Lock()

    def place(self, name: str) -> Path:
        """Return the folder of a new training.

        Raises
        ------
        TrainingError
            If the name cannot be that of a model, or is taken.
        """
        if not _NAME.fullmatch(name):
            message = f"'{name}' cannot be the name of a model."
            remedy = "Use letters, digits, '-', '_' and '.'."
            raise TrainingError(message, remedy)
        folder = user_models_folder() / name
        if any((folder / file).exists() for file in _TAKEN):
            message = f"There is a model or a training '{name}' already."
            raise TrainingError(message, "Choose another name, or continue it below.")
        return folder

    def saved(self) -> list[SavedTraining]:
        """Return the trainings in the folder of models, newest first."""
        found = []
        for record in user_models_folder().glob("*/training.json"):
            try:
                content = read_record(record.parent)
            except TrainingError:  # that of a probe, or damaged
                continue
            if content is not None:
                age = record.stat().st_mtime
                saved = SavedTraining(record.parent.name, record.parent, content)
                found.append((age, saved))
        return [each for _, each in sorted(found, key=lambda pair: -pair[0])]

    def find(self, name: str) -> SavedTraining | None:
        """Return a saved training by its name; None if there is none."""
        return next((each for each in self.saved() if each.name == name), None)

    def job(self, name: str) -> TrainingJob | None:
        """Return the newest job of a training; None if this process had none."""
        return self._jobs.get(user_models_folder() / name)

    def start(self, recipe: TrainingRecipe, name: str, *, user: str) -> TrainingJob:
        """Start a training, or continue it; one that is active is joined."""
        # Takes seconds to import, as torch comes with it.
        from workbench.app.catalog.training_job import TrainingJob  # noqa: PLC0415

        place = user_models_folder() / name
        with self._lock:
            job = self._jobs.get(place)
            if job is not None and not job.ended:
                job.resume()
                return job
            job = self._jobs[place] = TrainingJob(recipe, place, user=user)
            job.start()
            return job

    def close(self) -> None:
        """Stop all trainings, and wait until their state is saved."""
        active = [job for job in self._jobs.values() if not job.ended]
        for job in active:
            job.cancel()
        for job in active:
            job.wait(10)


def write_labels(slides: Iterable[Slide], annotations: Path, folder: Path) -> Path:
    """Write the labels of slides as they are now; return the CSV that names them.

    Later changes of the annotations are no part of the training, so that it can be
    continued, and what it learnt from stays known.

    Parameters
    ----------
    slides : iterable of Slide
    annotations : Path
        Folder of annotations.
    folder : Path
        Where the CSV and the GeoJSON files are written.

    Raises
    ------
    TrainingError
        If no slide has an annotation with a class.
    """
    rows = []
    for number, slide in enumerate(slides):
        found = Annotations(slide, annotations)
        if not any(_is_label(each.classification) for each in found):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        labels = folder / f"{number}.geojson"
        found.write(labels)
        rows.append((str(slide.path), labels.name))
    if not rows:
        message = "No annotation of these slides has a class."
        raise TrainingError(message, "Draw some, and choose their class: keys 1 to 9.")
    table = folder / "study.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("slide", "labels"), *rows])
    return table


def _is_label(name: str) -> bool:
    return bool(name) and not name.lower().startswith(_IGNORED)
