"""`TileModel`: a network with its card, from uint8 tiles to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError, ModelError
from workbench.models.compiled import CompiledNetwork
from workbench.models.devices import is_out_of_memory
from workbench.models.fixed_batch import FixedBatch
from workbench.models.formats.onnx import OnnxNetwork
from workbench.models.formats.tensorrt import TensorRTNetwork
from workbench.models.outputs import tensor_of
from workbench.models.preprocessing import InputChannels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workbench.models.card import ModelCard
    from workbench.recipe import Precision

_DTYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_BFLOAT16_SINCE: Final = (8, 0)
"""First CUDA compute capability with bfloat16 arithmetic."""

_FAILURES: Final = (RuntimeError, AssertionError, ValueError, TypeError, IndexError)
"""Exceptions that the kinds of networks raise for tiles that they cannot process."""


class Compilation(Protocol):
    """What became of compiling a network."""

    @property
    def problem(self) -> str:
        """Why the network is not compiled; empty while it is."""
        ...


@dataclass(frozen=True)
class Engine:
    """A network that another program compiles."""

    problem: str = ""
    """Why it is not compiled; empty if it is."""


class TilePredictor(Protocol):
    """Predicts tiles: a `TileModel`, or one that runs with several references."""

    precision: Precision
    """Arithmetic of the network; set before the first call."""

    @property
    def card(self) -> ModelCard:
        """The card: input and output of the model."""
        ...

    @property
    def divisible(self) -> bool:
        """Whether several threads may answer parts of a batch, each by itself."""
        ...

    def compile_network(self) -> Compilation:
        """Let the network be compiled at the next call; return what says if it was."""
        ...

    def to(self, device: torch.device) -> Self:
        """Move the model to a device."""
        ...

    def __call__(self, tiles: Tensor) -> Any:
        """Return the predictions for uint8 tiles (N, 3, H, W), a float32 tensor."""
        ...


class TileModel(nn.Module):
    """A network with its card; everything is computed on the tiles' device.

    The steps are conversion from uint8, resizing, channels, mean and standard
    deviation, the network and its activation. The same tiles give the same prediction
    each time on the same machine.

    Parameters
    ----------
    card : ModelCard
        Input and output of the network.
    network : nn.Module
        Takes float32 (N, 3, h, w), returns (N, C) or (N, C, h, w). Several threads may
        call it at the same time.

    Attributes
    ----------
    precision : Precision
        Arithmetic of the network's convolutions and products; measurements always use
        float32. Set it before the first call.
    """

    precision: Precision = "float32"

    def __init__(self, card: ModelCard, network: nn.Module) -> None:
        super().__init__()
        self.card = card
        self.channels = InputChannels(card)
        self.network = network.to(memory_format=torch.channels_last)
        self.eval().requires_grad_(requires_grad=False)

    @property
    def divisible(self) -> bool:
        """Whether several threads may answer parts of a batch, each by itself."""
        return not isinstance(self.network, FixedBatch) or self.network.divisible

    def compile_network(self) -> Compilation:
        """Let the network be compiled at the next call; return what says if it was.

        An ONNX file is run by TensorRT instead, where onnxruntime has it; a TensorRT
        engine is compiled already.
        """
        if isinstance(self.network, CompiledNetwork):  # of an earlier run
            return self.network
        inner = getattr(self.network, "network", None)
        if isinstance(inner, OnnxNetwork):
            return Engine(inner.prefer_tensorrt())
        if isinstance(inner, TensorRTNetwork):
            return Engine()
        compiled = CompiledNetwork(self.network)
        self.network = compiled
        return compiled

    @torch.inference_mode()
    def forward(self, tiles: Tensor) -> Tensor:
        """Return the model's prediction for each tile.

        Parameters
        ----------
        tiles : Tensor
            uint8 (N, 3, tile_px, tile_px), sRGB, on the model's device.

        Returns
        -------
        Tensor
            float32 (N, C), or (N, C, h, w) of a model that predicts pixels;
            probabilities of 0 to 1, or values in the card's unit.

        Raises
        ------
        InvalidCardError
            If the network returns another number of channels than the card names.
        ModelError
            If the network cannot process such tiles.
        """
        return _activate(self.raw(tiles), self.card.activation)

    @torch.inference_mode()
    def raw(self, tiles: Tensor) -> Tensor:
        """Return the network's output before the activation; see `forward`."""
        inputs = self.channels(tiles)
        try:
            with self._autocast(inputs.device):
                answer = self.network(inputs)
        except _FAILURES as error:
            if is_out_of_memory(error):
                raise
            raise self._failure(inputs, error) from error
        tensor = tensor_of(answer, self.card, len(tiles))
        return self._check_shape(tensor, len(tiles)).float()

    def _autocast(self, device: torch.device) -> torch.autocast:
        precision = resolve_precision(self.precision, device)
        reduced = precision != "float32" and self.card.task != "measurement"
        dtype = _DTYPES.get(precision) if reduced else None
        return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)

    def _failure(self, inputs: Tensor, error: Exception) -> ModelError:
        return ModelError(
            f"The network of '{self.card.name}' failed on input of shape"
            f" {tuple(inputs.shape)}: {error}.",
            "Compare tile_px and input_px of its card with what it was made for.",
        )

    def _check_shape(self, answer: Tensor, tiles: int) -> Tensor:
        if not answer.ndim or len(answer) != tiles:
            shape = tuple(answer.shape)
            reason = f"the network answers with shape {shape} for {tiles} tiles"
            raise InvalidCardError(self.card.name, reason)
        if self.card.task == "instances":
            return answer  # interpreted by its decoder
        if answer.ndim == 1:
            answer = answer[:, None]
        vector = self.card.dimensions
        if answer.ndim not in (2, 4) or answer.shape[1] != (
            vector or len(self.card.classes)
        ):
            named = (
                f"{vector} dimensions"
                if vector
                else f"{len(self.card.classes)} classes"
            )
            reason = (
                f"it names {named}, but the network answers"
                f" with shape {tuple(answer.shape)}"
            )
            raise InvalidCardError(self.card.name, reason)
        return answer


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Resolve "auto" for a device; return any other precision unchanged.

    On CUDA: bfloat16 where the hardware has it, else float16. On a CPU: bfloat16
    where it has instructions for it, which is 1.8 to 3 times as fast (see
    benchmarks/README.md), else float32. Elsewhere float32.
    """
    if precision != "auto":
        return precision
    if device.type == "cpu":
        return "bfloat16" if _cpu_has_bfloat16() else "float32"
    if device.type != "cuda":
        return "float32"
    capable = torch.cuda.get_device_capability(device) >= _BFLOAT16_SINCE
    return "bfloat16" if capable else "float16"


def shared_precision(precisions: Iterable[Precision]) -> Precision:
    """Return the arithmetic of devices that share a run: float32, if theirs differ."""
    found = set(precisions)
    return found.pop() if len(found) == 1 else "float32"


def _cpu_has_bfloat16() -> bool:
    # Older versions of torch have no such function; float32 is right everywhere.
    capabilities: Callable[[], dict[str, Any]]
    capabilities = getattr(torch.cpu, "get_capabilities", dict)
    return any(capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def _activate(answer: Tensor, activation: str) -> Tensor:
    if activation == "softmax":
        return answer.softmax(dim=1)
    if activation == "sigmoid":
        return answer.sigmoid()
    return answer
