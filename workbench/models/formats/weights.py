"""Loads networks: TorchScript, torch.export, ONNX, TensorRT engines, bare weights.

Whether a file needs the user's trust depends on what loading it can do:

- ONNX and safetensors hold numbers and a graph of standard operators: no trust.
- Pickled weights (.pt, .pth, .bin) are read with `weights_only`, which accepts
  tensors only: no trust. A pickled *module* runs any code of its author: trust.
- TorchScript and torch.export files are programs. Their language is small, but
  includes `torch.save` and `torch.from_file`, so that a model can overwrite files of
  the user: trust.
- A TensorRT engine holds machine code for a GPU, and may hold plug-ins: trust.

Nothing is downloaded.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from safetensors.torch import load_file
from torch import nn

from workbench.errors import (
    InvalidCardError,
    ModelError,
    UntrustedModelError,
    WorkbenchError,
)
from workbench.models.architectures import NoHead, build_network, with_tile_size
from workbench.models.fixed_batch import FixedBatch
from workbench.models.formats.checkpoints import AmbiguousError, weights_for
from workbench.models.formats.onnx import load_onnx
from workbench.models.formats.tensorrt import SUFFIXES as ENGINES
from workbench.models.formats.tensorrt import load_tensorrt
from workbench.models.formats.transformer_keys import to_timm
from workbench.models.formats.vision_language_keys import image_tower
from workbench.models.networks.third_party import is_packaged, load_packaged

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.models.card import ModelCard

_MISFITS: Final = (RuntimeError, TypeError, ValueError, KeyError, AttributeError)
"""Exceptions that networks raise for weights that do not fit."""

_log = logging.getLogger(__name__)

Kind = Literal["onnx", "safetensors", "torchscript", "export", "tensorrt", "pickle"]

_PROGRAMS: Final = {
    "torchscript": "it is a program, which could write files",
    "export": "it is a program, which could write files",
    "tensorrt": "it is machine code for a GPU",
}
"""Why a kind of file needs trust."""


def load_network(card: ModelCard, weights: Path, *, trust: bool) -> nn.Module:
    """Return the network that a file of weights holds, on the CPU.

    Raises
    ------
    UntrustedModelError
        If loading could run code and `trust` is False.
    InvalidCardError
        If the weights are bare and the card names no architecture that fits them.
    ModelError
        If the file is damaged, or its content does not match its suffix.
    """
    if is_packaged(card.architecture):
        if kind_of(weights) == "pickle" and weights.suffix != ".h5":
            _unpickle(weights, trust=trust)  # refuses content that could run code
        return load_packaged(card, weights)
    kind = kind_of(weights)
    if kind in _PROGRAMS and not trust:
        raise UntrustedModelError(weights, _PROGRAMS[kind])
    try:
        if kind == "onnx":
            return load_onnx(weights, prompted=card.prompted)
        if kind == "tensorrt":
            return load_tensorrt(weights)
        if kind == "torchscript":
            return _load_torchscript(weights)
        if kind == "export":
            return _load_exported(weights)
        return _load_bare(card, weights, kind, trust=trust)
    except WorkbenchError:
        raise
    except Exception as error:
        # Loaders raise many classes for files that are damaged or pickled with other
        # code.
        message = f"'{weights}' cannot be loaded as {kind}: {_first_line(error)}."
        remedy = "Copy the file again, or export the model again."
        raise ModelError(message, remedy) from error


def kind_of(weights: Path) -> Kind:
    """Return the kind of a file of weights, by suffix, or by content for .pt."""
    if weights.suffix == ".onnx":
        return "onnx"
    if weights.suffix in ENGINES:
        return "tensorrt"
    if weights.suffix == ".safetensors":
        return "safetensors"
    if not zipfile.is_zipfile(weights):
        return "pickle"
    try:
        with zipfile.ZipFile(weights) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        message = f"'{weights}' is damaged: {error}."
        raise ModelError(message, "Copy the file again.") from error
    if any("/code/" in name for name in names):
        return "torchscript"
    if any("/models/" in n or n.endswith("exported_program.json") for n in names):
        return "export"
    return "pickle"


def _load_torchscript(weights: Path) -> nn.Module:
    network: nn.Module = torch.jit.load(weights, map_location="cpu")  # type: ignore[no-untyped-call]
    return network


def _load_exported(weights: Path) -> nn.Module:
    program = torch.export.load(weights)
    tiles = program.graph_signature.user_inputs[0]
    node = next(node for node in program.graph.nodes if node.name == tiles)
    size = node.meta["val"].shape[0]
    return FixedBatch(program.module(), size if isinstance(size, int) else None)


def _load_bare(card: ModelCard, weights: Path, kind: Kind, *, trust: bool) -> nn.Module:
    content = (
        load_file(weights) if kind == "safetensors" else _unpickle(weights, trust=trust)
    )
    if (module := _find_module(content, card.checkpoint)) is not None:
        return module
    network = build_network(with_tile_size(card), trust=trust)
    holder = getattr(network, "weighted", network)
    content = to_timm(image_tower(content, holder), holder)
    headless = [n for n, each in holder.named_modules() if isinstance(each, NoHead)]
    try:
        found = weights_for(holder, content, wanted=card.checkpoint, headless=headless)
    except AmbiguousError as error:
        reason = f"{error}; name one of them: checkpoint = '...'"
        raise InvalidCardError(weights, reason) from error
    except ValueError as error:
        raise InvalidCardError(weights, str(error)) from error
    try:
        found.into(holder)
    except _MISFITS as error:
        reason = (
            f"architecture '{card.architecture}' with {len(card.classes)} classes does"
            f" not fit the weights ({found.problem or _first_line(error)})"
        )
        raise InvalidCardError(weights, reason) from error
    if found.where or found.surplus:
        left = f"; left over: {', '.join(found.surplus[:20])}" if found.surplus else ""
        _log.info("%s: the weights lie under '%s'%s", weights.name, found.where, left)
    return network


def _find_module(content: Any, wanted: str) -> nn.Module | None:
    """Return the pickled network of a file, which may be inside a checkpoint."""
    inner = content.items() if isinstance(content, dict) else ()
    found = {"": content, **{str(name): each for name, each in inner}}
    modules = {n: each for n, each in found.items() if isinstance(each, nn.Module)}
    if not modules:
        return None
    if len(modules) > 1 and wanted not in modules:
        message = f"it holds several networks: {', '.join(map(repr, modules))}"
        remedy = "Name one of them in the card: checkpoint = '...'."
        raise ModelError(message, remedy)
    module = modules.get(wanted) or next(iter(modules.values()))
    while isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        module = module.module
    return module.float()


def _unpickle(weights: Path, *, trust: bool) -> Any:
    try:
        return torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:
        if not trust and not isinstance(error, pickle.UnpicklingError):
            raise
        if not trust:
            reason = "it is damaged, or holds more than weights"
            raise UntrustedModelError(weights, reason) from error
    return torch.load(weights, map_location="cpu", weights_only=False)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
