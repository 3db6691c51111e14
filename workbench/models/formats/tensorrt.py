"""TensorRT engines as networks, run by the package `tensorrt` on an NVIDIA GPU.

An engine fits one kind of GPU and one version of TensorRT; `workbench models export`
and `workbench models engine` build it on the machine that runs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from workbench.errors import ModelError
from workbench.models.fixed_batch import FixedBatch

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES: Final = (".engine", ".plan")
"""Suffixes of TensorRT engines."""

_TYPES: Final = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT8": torch.int8,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
}
"""Types of an engine's tensors, by TensorRT's names."""


def import_tensorrt(purpose: str) -> Any:
    """Return the package `tensorrt`.

    Parameters
    ----------
    purpose : str
        What needs it; the subject of the error's sentence.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        message = f"{purpose} needs TensorRT, which is not installed."
        remedy = (
            "Run: pip install tensorrt, on the machine whose NVIDIA GPU will run it."
            " Or use the ONNX file of the model (.onnx), which runs everywhere."
        )
        raise ModelError(message, remedy) from error


def load_tensorrt(path: Path) -> nn.Module:
    """Return the network of a TensorRT engine with one input of tiles.

    Raises
    ------
    ModelError
        If TensorRT is not installed, there is no NVIDIA GPU, or the engine was built
        for another GPU or version of TensorRT.
    """
    tensorrt = import_tensorrt(f"Running '{path}'")
    if not torch.cuda.is_available():
        message = f"'{path}' is a TensorRT engine, and there is no NVIDIA GPU here."
        raise ModelError(message, "Use the ONNX file of the model: .onnx.")
    return FixedBatch(TensorRTNetwork(path, tensorrt), None, has_threads=True)


class TensorRTNetwork(nn.Module):
    """A TensorRT engine on the GPU of the tiles.

    Tiles on the host are copied to the current GPU, and the answers back. Batches
    larger than the engine takes are divided, smaller ones are filled up.

    Parameters
    ----------
    path : Path
        File of the engine.
    tensorrt : module
        The package `tensorrt`.
    """

    def __init__(self, path: Path, tensorrt: Any) -> None:
        super().__init__()
        self.path = path
        self._tensorrt = tensorrt
        self._open(_gpu())

    def forward(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for float32 (N, 3, h, w); a dict if there are several."""
        device = self._on
        if inputs.device.type == "cuda" and inputs.device != device:
            device = inputs.device
            self._open(device)
        parts = [
            self._answer(part.to(device)) for part in torch.split(inputs, self.most)
        ]
        answers = {
            name: torch.cat([part[name] for part in parts]).to(inputs.device)
            for name in self._outputs
        }
        return answers if len(answers) > 1 else next(iter(answers.values()))

    def _answer(self, tiles: Tensor) -> dict[str, Tensor]:
        """Return the outputs for a batch that the engine takes, by name."""
        count, missing = len(tiles), max(0, self.least - len(tiles))
        tiles = pad(tiles, (0,) * 6 + (0, missing)).contiguous()
        tiles = tiles.to(self._dtype(self._input))
        context = self._context
        if not context.set_input_shape(self._input, tuple(tiles.shape)):
            message = f"'{self.path}' takes no tiles of shape {tuple(tiles.shape)}"
            raise RuntimeError(message)
        context.set_tensor_address(self._input, tiles.data_ptr())
        answers = {name: self._bind_output(name) for name in self._outputs}
        stream = torch.cuda.current_stream(self._on)
        if not context.execute_async_v3(stream.cuda_stream):
            message = f"TensorRT could not run '{self.path}'; its messages are above"
            raise RuntimeError(message)
        return {name: answer[:count] for name, answer in answers.items()}

    def _bind_output(self, name: str) -> Tensor:
        shape = tuple(self._context.get_tensor_shape(name))
        answer = torch.empty(shape, dtype=self._dtype(name), device=self._on)
        self._context.set_tensor_address(name, answer.data_ptr())
        return answer

    def _dtype(self, name: str) -> torch.dtype:
        return _TYPES[self._engine.get_tensor_dtype(name).name]

    def _open(self, device: torch.device) -> None:
        """Load the engine onto a GPU, and note the names of its tensors."""
        tensorrt = self._tensorrt
        logger = tensorrt.Logger(tensorrt.Logger.WARNING)
        with torch.cuda.device(device):
            # The runtime must live as long as its engine.
            self._runtime = tensorrt.Runtime(logger)
            engine = self._runtime.deserialize_cuda_engine(self.path.read_bytes())
        if engine is None:
            message = (
                f"TensorRT {tensorrt.__version__} cannot load '{self.path}' on"
                f" '{device}': it was built for another GPU or version of TensorRT."
            )
            remedy = "Export the model again on this machine, or use its .onnx file."
            raise ModelError(message, remedy)
        self._engine, self._context = engine, engine.create_execution_context()
        self._on = device
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        mode = tensorrt.TensorIOMode.INPUT
        inputs = [n for n in names if engine.get_tensor_mode(n) == mode]
        if len(inputs) != 1:
            message = f"'{self.path}' takes {len(inputs)} inputs, not one of tiles."
            raise ModelError(message, "Export it with one input of float32 tiles.")
        self._input = inputs[0]
        self._outputs = [name for name in names if name != self._input]
        least, _, most = engine.get_tensor_profile_shape(self._input, 0)
        self.least, self.most = int(least[0]), int(most[0])


def _gpu() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device())
