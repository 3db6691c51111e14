"""Exports a model to one file for other programs: TorchScript, ONNX or TensorRT.

The file takes pixels as they are read from a slide and contains all steps of the model
on its device: normalization if one is given, resizing, channels, mean and standard
deviation, the network, its activation. Decoding of maps is not included.
"""

from __future__ import annotations

import importlib
import io
import json
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined] # by its manual

from workbench.errors import ModelError
from workbench.models.formats.card_files import sha256_of
from workbench.models.formats.tensorrt import SUFFIXES as ENGINES
from workbench.models.formats.tensorrt import import_tensorrt
from workbench.models.outputs import tensor_of
from workbench.models.registry import find_model
from workbench.stain.kernels.tensor_formula import quantize

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from workbench.models.card import ModelCard
    from workbench.models.tile_model import TileModel
    from workbench.stain.normalizer import Normalizer

EnginePrecision = Literal["float32", "float16"]
"""Arithmetic of a TensorRT engine."""

INPUT: Final = "tiles"
OUTPUT: Final = "answers"
_BATCHES: Final = (1, 16, 64)
"""Smallest, usual and largest batch of a TensorRT engine."""


class Deployed(nn.Module):
    """All steps of a model, in operations that every format supports.

    Parameters
    ----------
    model : TileModel
    normalizer : Normalizer, optional
        Normalizer of the slides on which the file will run.
    """

    def __init__(self, model: TileModel, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.channels, self.network = model.channels, model.network
        self.normalizer = normalizer
        self.card = model.card
        activation = (
            model.card.activation if _includes_activation(model.card) else "none"
        )
        self.activation = {
            "softmax": nn.Softmax(dim=1),
            "sigmoid": nn.Sigmoid(),
            "none": nn.Identity(),
        }[activation]
        self.eval()

    def forward(self, tiles: Tensor) -> Tensor:
        """Return the prediction, as `TileModel` does.

        Parameters
        ----------
        tiles : Tensor
            float32 (N, 3, tile_px, tile_px), sRGB grey levels of 0 to 255.
        """
        levels = tiles.round().clamp(0, 255)
        if self.normalizer is not None and self.normalizer.kind != "none":
            parts = self.normalizer
            # Rounded, but not to uint8, which TensorRT does not calculate with.
            levels = quantize(
                parts.kind, levels, parts.table, parts.constants, torch.float32
            ).round()
        answer = self.network(self.channels(levels))
        if not is_scripting() and (self.card.output or not isinstance(answer, Tensor)):
            answer = tensor_of(answer, self.card, len(tiles))
        activated: Tensor = self.activation(answer.float())
        return activated


def export_model(
    name_or_path: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    normalizer: Normalizer | None = None,
    weights: str | os.PathLike[str] | None = None,
    trust: bool = False,
    precision: EnginePrecision = "float32",
) -> Path:
    """Write a model as one file, with its card beside it.

    The file takes float32 (N, 3, tile_px, tile_px), sRGB grey levels of 0 to 255, for
    any N, and returns what the model returns: probabilities, values or maps. One
    activation is left to the card beside the file: a sigmoid over several labels, which
    marks that they do not exclude each other. All these files run in the workbench
    again, by their path.

    Parameters
    ----------
    name_or_path, weights, trust
        As for `find_model`.
    path : str or PathLike
        Ends in .ts or .pt (TorchScript), .onnx, or .engine or .plan (TensorRT, for the
        GPU of this machine and this version of TensorRT).
    normalizer : Normalizer, optional
        Normalizer to include in the file, for one slide or slides stained alike.
    precision : {"float32", "float16"}
        Arithmetic of a TensorRT engine: "float16" lets TensorRT choose it for each
        layer. Other files leave it to the program that runs them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If there is no such format, its exporter is not installed, or the network
        cannot be written in it, such as a Mask R-CNN in ONNX; and all errors of
        `find_model`.
    """
    path = Path(path)
    write = _writer(path, precision)
    model = find_model(name_or_path, weights=weights, trust=trust)
    if _finds_masks(model.network) and write is not _to_torchscript:
        message = (
            f"'{model.card.name}' cannot be written as '{path.suffix}': how much a"
            " Mask R-CNN calculates depends on what it finds, which ONNX's exporter"
            " does not follow."
        )
        raise ModelError(message, "Export it to TorchScript: .ts.")
    side = model.card.tile_px
    example = torch.full((2, 3, side, side), 200.0)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # exporters warn about their internals
            content = write(Deployed(model, normalizer), example)
    except ModelError:
        raise
    except Exception as error:  # exporters raise classes of many modules
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        message = f"'{model.card.name}' cannot be written as '{path.suffix}': {reason}."
        raise ModelError(message, "Try another format: .ts or .onnx.") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    card = _card(model.card, path, normalized=normalizer is not None)
    path.with_name(path.name + ".json").write_text(card)
    return path


def _writer(
    path: Path, precision: EnginePrecision
) -> Callable[[Deployed, Tensor], bytes]:
    """Return the writer of a format; raise if it cannot be written here."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        message = f"'{path.name}' is no format that models are exported to."
        raise ModelError(message, f"Use one of: {', '.join(WRITERS)}.")
    if suffix in (".onnx", *ENGINES) and not _there("onnxscript"):
        message = f"Writing '{path.name}' needs the packages onnx and onnxscript."
        raise ModelError(message, "Run: pip install 'slide-workbench[export]'.")
    if suffix in ENGINES:
        import_tensorrt(f"Writing '{path.name}'")
        return partial(_to_tensorrt, precision=precision)
    return WRITERS[suffix]


def _there(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


_MASK_RCNN: Final = "workbench.models.networks.maskrcnn.MaskRCNN"


def _finds_masks(network: nn.Module) -> bool:
    """Return whether a network is our Mask R-CNN, without importing torchvision."""
    kind = type(network)
    return f"{kind.__module__}.{kind.__name__}" == _MASK_RCNN


def _to_torchscript(model: Deployed, example: Tensor) -> bytes:
    if _finds_masks(model.network):
        # The number of iterations depends on the tile; a trace would fix it.
        model.network = torch.jit.script(model.network)
    traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    torch.jit.save(traced, file)
    return file.getvalue()


def _to_onnx(model: Deployed, example: Tensor) -> bytes:
    program = torch.onnx.export(
        model,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    content: bytes = program.model_proto.SerializeToString()  # type: ignore[union-attr]
    return content


def _to_tensorrt(
    model: Deployed, example: Tensor, *, precision: EnginePrecision = "float32"
) -> bytes:
    tensorrt = importlib.import_module("tensorrt")
    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(_to_onnx(model, example)):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise RuntimeError(reasons)
    config = builder.create_builder_config()
    if precision == "float16":
        config.set_flag(tensorrt.BuilderFlag.FP16)
    profile = builder.create_optimization_profile()
    shapes = [(batch, *example.shape[1:]) for batch in _BATCHES]
    profile.set_shape(INPUT, *shapes)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        message = "TensorRT built no engine; its messages are above"
        raise RuntimeError(message)
    return bytes(plan)


WRITERS: Final[dict[str, Callable[[Deployed, Tensor], bytes]]] = {
    ".ts": _to_torchscript,
    ".pt": _to_torchscript,
    ".onnx": _to_onnx,
    ".engine": _to_tensorrt,
    ".plan": _to_tensorrt,
}
"""Function of each suffix that returns the content of the file."""


def _includes_activation(card: ModelCard) -> bool:
    """Return whether the activation is included in the file."""
    labels = card.task in ("classification", "segmentation") and len(card.classes) > 1
    return not (labels and card.activation == "sigmoid")


def _card(card: ModelCard, path: Path, *, normalized: bool) -> str:
    """Return the card of the file, whose network takes grey levels."""
    changes: dict[str, Any] = {
        "input": "rgb",
        "input_px": 0,
        "mean": (0.0, 0.0, 0.0),
        "std": (1 / 255,) * 3,
        "architecture": "",
        "weights": path.name,
        "sha256": sha256_of(path),
    }
    if card.border == "cut":
        changes["border"] = "median"  # the file takes whole tiles only
    if _includes_activation(card):
        changes["activation"] = "none"
    if normalized:
        said = "Includes stain normalization: run it without normalization."
        changes["intended_use"] = f"{card.intended_use} {said}".strip()
    return json.dumps(card.model_copy(update=changes).model_dump(mode="json"), indent=2)
