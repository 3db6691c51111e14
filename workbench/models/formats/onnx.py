"""ONNX files as networks, run by onnxruntime (extra `onnx`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import ModelError
from workbench.models.fixed_batch import FixedBatch
from workbench.models.formats.engine_folder import engines_folder

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
"""Types of tensors that are supported, by onnxruntime's names."""

_NUMPY: Final = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.float64: np.float64,
}
_PROMPTS: Final = 3
_CUDA: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"


def load_onnx(path: Path, *, prompted: bool = False) -> nn.Module:
    """Return the network of an ONNX file with one input of float32 (N, 3, h, w).

    With `prompted` it has three: see `workbench.models.prompted`.

    Raises
    ------
    ModelError
        If onnxruntime is not installed or cannot load the file.
    """
    if onnxruntime is None:
        message = f"'{path}' is an ONNX file, and onnxruntime is not installed."
        raise ModelError(message, "Run: pip install 'slide-workbench[onnx]'.")
    if prompted:
        return PromptedOnnx(path)
    network = OnnxNetwork(path)
    return FixedBatch(network, network.batch, has_threads=True)


class OnnxNetwork(nn.Module):
    """An onnxruntime session on the device of the tiles.

    Tiles on a GPU stay there with onnxruntime's provider for it (package
    onnxruntime-gpu for CUDA); without it they are copied to the CPU. `prefer_tensorrt`
    selects TensorRT, whose engines are kept on disk for each GPU.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._on = torch.device("cpu")
        self._tensorrt = False
        self._session = open_session(path, self._on)
        taken = self._session.get_inputs()
        if len(taken) != 1 or not taken[0].shape or taken[0].type not in _TYPES:
            said = ", ".join(f"'{t.name}' {t.type} {t.shape}" for t in taken)
            message = f"'{path}' takes {said or 'nothing'}, not one batch of tiles."
            raise ModelError(message, "Export it with one input of float32 tiles.")
        batch = taken[0].shape[0]
        self.batch = batch if isinstance(batch, int) else None

    def prefer_tensorrt(self) -> str:
        """Run by TensorRT from the next call on; return why not, or empty."""
        if _TENSORRT not in onnxruntime.get_available_providers():
            return "onnxruntime has no TensorRT provider here"
        self._tensorrt, self._on = True, torch.device("meta")  # opened at the next call
        return ""

    def forward(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for float32 (N, 3, h, w); a dict if there are several."""
        if inputs.device != self._on:
            self._session = open_session(
                self.path, inputs.device, tensorrt=self._tensorrt
            )
            self._on = inputs.device
        taken = self._session.get_inputs()[0]
        values = inputs.to(_TYPES[taken.type]).contiguous()
        try:
            answers = run_bound(self._session, values, _place(self._session, values))
        except Exception as error:  # onnxruntime's classes have no public name
            raise RuntimeError(str(error)) from error
        return answers if len(answers) > 1 else next(iter(answers.values()))


class PromptedOnnx(nn.Module):
    """An onnxruntime session that takes an image, points and labels, in this order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._session = open_session(path, torch.device("cpu"))
        taken = self._session.get_inputs()
        self._types = [_TYPES.get(each.type) for each in taken]
        self._names = [each.name for each in taken]
        if len(taken) != _PROMPTS or None in self._types:
            said = ", ".join(f"'{t.name}' {t.type} {t.shape}" for t in taken)
            message = f"'{path}' takes {said or 'nothing'}, not an image and clicks."
            remedy = "Export it with three inputs of floats: image, points and labels."
            raise ModelError(message, remedy)

    def forward(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output; a dict if there are several."""
        values = {
            name: each.to("cpu", kind).contiguous().numpy()
            for name, kind, each in zip(self._names, self._types, inputs, strict=True)
        }
        try:
            answers = self._session.run(None, values)
        except Exception as error:  # onnxruntime's classes have no public name
            raise RuntimeError(str(error)) from error
        names = [each.name for each in self._session.get_outputs()]
        found = {
            name: torch.from_numpy(each).to(inputs[0].device)
            for name, each in zip(names, answers, strict=True)
        }
        return found if len(found) > 1 else found[names[0]]


def run_bound(session: Any, values: Tensor, place: torch.device) -> dict[str, Tensor]:
    """Return the outputs of a session, by name, on the device of its input.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    values : Tensor
        Input, contiguous, of the session's type.
    place : torch.device
        Where the session calculates: outputs whose shape is known are written there.
    """
    taken = session.get_inputs()[0]
    values = values.to(place)
    if place.type == "cuda":
        torch.cuda.current_stream(place).synchronize()  # the session has its own stream
    binding = session.io_binding()
    binding.bind_input(taken.name, *_described(values, place))
    answers: dict[str, Tensor] = {}
    rest = []
    for output in session.get_outputs():
        shape = _shape_of(output.shape, taken.shape[0], len(values))
        if shape is None or output.type not in _TYPES:
            rest.append(output.name)
            binding.bind_output(output.name, "cpu")
            continue
        answer = torch.empty(shape, dtype=_TYPES[output.type], device=place)
        binding.bind_output(output.name, *_described(answer, place))
        answers[output.name] = answer
    session.run_with_iobinding(binding)
    bound = dict(
        zip(
            (output.name for output in session.get_outputs()),
            binding.get_outputs(),
            strict=True,
        )
    )
    for name in rest:
        array = bound[name].numpy() if bound[name].is_tensor() else None
        if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
            answers[name] = torch.from_numpy(array).to(place)
    return answers


def _described(values: Tensor, place: torch.device) -> tuple[Any, ...]:
    """Return device, index, type, shape and address of a tensor, for a binding."""
    kind = _NUMPY[values.dtype]
    return (
        place.type,
        place.index or 0,
        kind,
        tuple(values.shape),
        values.data_ptr(),
    )


def _shape_of(named: list[Any], batch: Any, count: int) -> tuple[int, ...] | None:
    """Return the shape of an output for `count` tiles; None if it is not known."""
    shape = [count if side == batch else side for side in named]
    return tuple(shape) if all(isinstance(side, int) for side in shape) else None


def _place(session: Any, values: Tensor) -> torch.device:
    """Return where a session takes its input: the device of tiles, or the host."""
    on_gpu = {_CUDA, _TENSORRT} & set(session.get_providers())
    return values.device if on_gpu else torch.device("cpu")


def open_session(path: Path, device: torch.device, *, tensorrt: bool = False) -> Any:
    """Return an onnxruntime session on a device.

    Parameters
    ----------
    path : Path
        ONNX file.
    device : torch.device
    tensorrt : bool
        Use TensorRT on a CUDA device. Its engines are built at the first call for each
        GPU and kept in the folder that `WORKBENCH_ENGINES` names.

    Raises
    ------
    ModelError
        If onnxruntime cannot load the file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    providers = _providers(device, tensorrt=tensorrt)
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's classes have no public name
        message = f"onnxruntime cannot load '{path}': {error}."
        remedy = (
            "Keep its external data beside it under the name that it was exported"
            " with, or export it again."
        )
        raise ModelError(message, remedy) from error


def _providers(device: torch.device, *, tensorrt: bool) -> list[Any]:
    """Return the providers for a device, the preferred one first."""
    installed = onnxruntime.get_available_providers()
    providers: list[Any] = []
    if device.type == "cuda":
        chosen = {"device_id": device.index or 0}
        if tensorrt:
            folder = engines_folder() / "onnxruntime"
            folder.mkdir(parents=True, exist_ok=True)
            kept = {
                "trt_engine_cache_enable": True,
                "trt_engine_cache_path": str(folder),
                "trt_timing_cache_enable": True,
            }
            providers.append((_TENSORRT, chosen | kept))
        providers.append((_CUDA, chosen))
    found = [each for each in providers if each[0] in installed]
    return [*found, "CPUExecutionProvider"]
