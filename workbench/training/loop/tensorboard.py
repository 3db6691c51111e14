"""Curves of a training as event files of TensorBoard, if the recipe asks for them."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import MissingPackageError
from workbench.training.loop.folder import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.training.loop.processes import Processes
    from workbench.training.loop.recipe import TrainingRecipe

FOLDER: Final = "tensorboard"
_EXTRA: Final = "tensorboard"


@contextmanager
def event_files(
    path: Path, recipe: TrainingRecipe, step: int, processes: Processes
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what writes a line of the metrics; it does nothing unless asked for.

    Parameters
    ----------
    path : Path
        Folder of the training; event files are written into `tensorboard` in it.
    recipe : TrainingRecipe
    step : int
        Step after which the training goes on; later curves are replaced.
    processes : Processes
        The first one writes.

    Raises
    ------
    MissingPackageError
        If TensorBoard is asked for and not installed.
    """
    if not recipe.tensorboard or not processes.writes:
        yield lambda _: None
        return
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise MissingPackageError(_EXTRA) from error
    writer = module.SummaryWriter(str(path / FOLDER), purge_step=step + 1)
    try:
        yield lambda line: _write(writer, line)
    finally:
        writer.close()


def _write(writer: Any, line: dict[str, Any]) -> None:
    for name, value in flat(line).items():
        if isinstance(value, float):
            writer.add_scalar(name, value, line["step"])
    if "epoch" in line:
        writer.flush()
