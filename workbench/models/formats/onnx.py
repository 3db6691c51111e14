"""ONNX files as networks, run by onnxruntime (extra `onnx`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import ModelError
from workbench.models.fixed_batch import FixedBatch

if TYPE_CHECKING:
    from pathlib import Path

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


_TYPES: Final = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
}
"""Input types that are supported, by onnxruntime's names."""


def load_onnx(path: Path) -> nn.Module:
    """Return the network of an ONNX file with one input of float32 (N, 3, h, w).

    Raises
    ------
    ModelError
        If onnxruntime is not installed or cannot load the file.
    """
    if onnxruntime is None:
        message = f"'{path}' is an ONNX file, and onnxruntime is not installed."
        raise ModelError(message, "Run: pip install 'slide-workbench[onnx]'.")
    network = OnnxNetwork(path)
    return FixedBatch(network, network.batch, has_threads=True)


class OnnxNetwork(nn.Module):
    """An onnxruntime session on the device of the tiles.

    Tiles on a GPU use onnxruntime's CUDA provider if it is installed (package
    onnxruntime-gpu), otherwise the CPU.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._on = torch.device("cpu")
        self._session = _open_session(path, self._on)
        taken = self._session.get_inputs()
        if len(taken) != 1 or not taken[0].shape or taken[0].type not in _TYPES:
            said = ", ".join(f"'{t.name}' {t.type} {t.shape}" for t in taken)
            message = f"'{path}' takes {said or 'nothing'}, not one batch of tiles."
            raise ModelError(message, "Export it with one input of float32 tiles.")
        batch = taken[0].shape[0]
        self.batch = batch if isinstance(batch, int) else None

    def forward(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for float32 (N, 3, h, w); a dict if there are several."""
        if inputs.device != self._on:
            self._session = _open_session(self.path, inputs.device)
            self._on = inputs.device
        taken = self._session.get_inputs()[0]
        values = inputs.to(_TYPES[taken.type])
        names = [each.name for each in self._session.get_outputs()]
        try:
            answers = self._session.run(None, {taken.name: values.cpu().numpy()})
        except Exception as error:  # onnxruntime's classes have no public name
            raise RuntimeError(str(error)) from error
        named = {
            name: torch.from_numpy(answer).to(inputs.device)
            for name, answer in zip(names, answers, strict=True)
            if isinstance(answer, np.ndarray) and answer.dtype.kind in "fiub"
        }
        return named if len(names) > 1 else next(iter(named.values()))


def _open_session(path: Path, device: torch.device) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    cuda = "CUDAExecutionProvider"
    if device.type == "cuda" and cuda in onnxruntime.get_available_providers():
        providers.insert(0, (cuda, {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's classes have no public name
        message = f"onnxruntime cannot load '{path}': {error}."
        remedy = (
            "Keep its external data beside it under the name that it was exported"
            " with, or export it again."
        )
        raise ModelError(message, remedy) from error
