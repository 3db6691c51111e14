"""TensorRT engines of models, built once for each GPU and kept."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from workbench.errors import ModelError
from workbench.models.export import export_model
from workbench.models.formats.engine_folder import engines_folder
from workbench.models.formats.tensorrt import import_tensorrt
from workbench.models.registry import identify_model

if TYPE_CHECKING:
    import os

    from workbench.models.export import EnginePrecision


def kept_engine(
    name_or_path: str | os.PathLike[str],
    *,
    precision: EnginePrecision = "float16",
    weights: str | os.PathLike[str] | None = None,
    trust: bool = False,
) -> Path:
    """Return the TensorRT engine of a model for the current GPU; build it if missing.

    An engine is kept for each model (by the SHA-256 of its weights), GPU, version of
    TensorRT and precision, in the folder that `WORKBENCH_ENGINES` names, else in the
    user's cache folder. Building takes minutes.

    Parameters
    ----------
    name_or_path, weights, trust
        As for `workbench.find_model`.
    precision : {"float32", "float16"}
        Arithmetic of the engine; "float16" lets TensorRT choose for each layer.

    Returns
    -------
    Path
        The engine, with its card beside it: run it as a model by this path, with
        `trust=True`.

    Raises
    ------
    ModelError
        If TensorRT is not installed, there is no NVIDIA GPU, or the model cannot be
        built as an engine; and all errors of `find_model`.
    """
    card = identify_model(name_or_path, weights=weights)
    tensorrt = import_tensorrt(f"An engine of '{card.name}'")
    if not torch.cuda.is_available():
        message = f"An engine of '{card.name}' is built on an NVIDIA GPU; here is none."
        raise ModelError(message, "Run the model itself, or export it to .onnx.")
    gpu = torch.cuda.get_device_name(torch.cuda.current_device())
    parts = (
        card.name,
        card.sha256[:16] or "no-weights",
        gpu,
        f"trt-{tensorrt.__version__}",
        precision,
    )
    path = engines_folder() / f"{_file_name('_'.join(parts))}.engine"
    if not path.is_file():
        _build(name_or_path, path, precision=precision, weights=weights, trust=trust)
    return path


def _build(
    name_or_path: str | os.PathLike[str],
    path: Path,
    *,
    precision: EnginePrecision,
    weights: str | os.PathLike[str] | None,
    trust: bool,
) -> None:
    """Build an engine beside its place, then move its card and it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = export_model(
            name_or_path,
            Path(folder) / path.name,
            weights=weights,
            trust=trust,
            precision=precision,
        )
        card = built.with_name(built.name + ".json")
        card.replace(path.with_name(card.name))
        built.replace(path)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)
