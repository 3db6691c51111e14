"""The folder of a training: record, metrics, checkpoint, and the model at the end.

training.json        recipe, examples, split, status and figures
metrics.jsonl        one line for each step, with held-out figures at ends of epochs
metrics.csv          the same as a table, written at the end of each epoch
checkpoint.pt        state after the last saved step
best.safetensors     weights of the best epoch so far
card.json, weights.safetensors   the model, once the training has ended
"""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import filelock

from workbench.errors import RecipeMismatchError, TrainingError
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1
RECORD: Final = "training.json"
METRICS: Final = "metrics.jsonl"
TABLE: Final = "metrics.csv"
CHECKPOINT: Final = "checkpoint.pt"
BEST: Final = "best.safetensors"
WEIGHTS: Final = "weights.safetensors"
CARD: Final = "card.json"

_FREE: Final = ("device", "threads", "checkpoint_steps", "tensorboard")
"""Options of which another value continues the same training."""


class TrainingFolder:
    """Writes the folder of a training.

    Parameters
    ----------
    path : Path
        Made if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that no other process trains into it.

        Raises
        ------
        TrainingError
            If another one does.
        """
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            with lock:
                yield
        except filelock.Timeout as error:
            message = f"Another process trains into '{self.path}'."
            raise TrainingError(
                message, "Wait for it, or give another folder."
            ) from error

    def begin(self, identity: dict[str, Any], facts: dict[str, Any]) -> None:
        """Write the record of a new training, or check that of a former part.

        Raises
        ------
        RecipeMismatchError
            If the folder holds another training.
        """
        known = self.record()
        if known is not None:
            difference = _difference(known["identity"], identity)
            if difference:
                raise RecipeMismatchError(self.path, difference)
            if known["status"] == "finished":
                return
        elif (self.path / CARD).exists():
            raise RecipeMismatchError(self.path, "it holds a finished model")
        record = known or {"format": FORMAT, "kind": "training", "identity": identity}
        self.write({**record, **facts, "status": "running"})

    def record(self) -> dict[str, Any] | None:
        """Return the content of `training.json`; None: there is none.

        Raises
        ------
        TrainingError
            If it is damaged.
        """
        return read_record(self.path)

    def write(self, record: dict[str, Any]) -> None:
        """Write `training.json` whole."""
        text = json.dumps(record, indent=1, ensure_ascii=False)
        replace_file(self.path / RECORD, f"{text}\n".encode())

    def update(self, **facts: Any) -> None:
        """Change some facts of the record."""
        self.write({**(self.record() or {}), **facts})

    def rewind(self, step: int) -> None:
        """Remove the metrics of steps after `step`, which are computed again."""
        kept = [line for line in read_metrics(self.path) if line["step"] <= step]
        text = "".join(f"{json.dumps(line)}\n" for line in kept)
        replace_file(self.path / METRICS, text.encode())

    def note(self, line: dict[str, Any]) -> None:
        """Append a line to the metrics."""
        with (
            disk_errors(self.path / METRICS),
            (self.path / METRICS).open("a", encoding="utf-8") as file,
        ):
            file.write(f"{json.dumps(line)}\n")

    def tabulate(self) -> None:
        """Write the metrics as a table, whole."""
        rows = [flat(line) for line in read_metrics(self.path)]
        names = dict.fromkeys(name for row in rows for name in row)
        file = io.StringIO()
        table = csv.DictWriter(file, list(names), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        replace_file(self.path / TABLE, file.getvalue().encode())

    def save(self, name: str, content: bytes) -> None:
        """Write a file whole; an earlier one stays until then."""
        replace_file(self.path / name, content)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the content of `training.json`; None: there is none.

    Raises
    ------
    TrainingError
        If it is damaged, or of a newer format.
    """
    file = path / RECORD
    if not file.is_file():
        return None
    try:
        record: dict[str, Any] = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        message = f"'{file}' cannot be read as a training: {error}."
        raise TrainingError(message, "Train into another folder.") from error
    if (record.get("format"), record.get("kind")) != (FORMAT, "training"):
        kind = f"'{record.get('kind')}' of format {record.get('format')}"
        message = f"'{file}' is no training of this version: it is {kind}."
        raise TrainingError(message, "Train into another folder.")
    return record


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the metrics; a line cut off by a kill is left out."""
    file = path / METRICS
    if not file.is_file():
        return []
    lines = []
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines


def total_steps(record: dict[str, Any]) -> int:
    """Return the number of steps of a training that is not stopped early."""
    recipe = record["identity"]["recipe"]
    tiles = sum(record["identity"]["examples"]["tiles"]["train"])
    steps: int = recipe["epochs"] * (tiles // max(1, min(recipe["batch_size"], tiles)))
    return steps


def flat(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the metrics with the held-out figures beside the others.

    Figures of single classes are left out.
    """
    held = line.get("held_out") or {}
    rest = {name: value for name, value in line.items() if name != "held_out"}
    return rest | {k: v for k, v in held.items() if not isinstance(v, dict)}


def identity_of(recipe: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    """Return what must be equal for a training to go on."""
    fixed = {name: value for name, value in recipe.items() if name not in _FREE}
    return {"recipe": fixed, "examples": examples}


def _difference(known: dict[str, Any], given: dict[str, Any]) -> str:
    """Return the first option that differs; empty: none does."""
    for name, value in given["recipe"].items():
        before = known["recipe"].get(name)
        if before != value:
            return f"{name} was {before!r}, and is {value!r} now"
    same = known["examples"] == given["examples"]
    return "" if same else "its examples or their split were others"
