"""A stand-in for TensorRT: its names and calls, answered by onnxruntime on the CPU.

An "engine" is the ONNX file from which it was built, with a mark in front. Addresses
are those of tensors in the host's memory, which is where a stand-in GPU keeps them.
"""

from __future__ import annotations

import ctypes
import enum
from contextlib import nullcontext
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import onnxruntime
import torch

__version__ = "10.99"
MARK = b"engine for this GPU"


class Logger:
    WARNING = 1

    def __init__(self, level):
        self.level = level


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class BuilderFlag(enum.Enum):
    FP16 = 1


class Runtime:
    def __init__(self, logger):
        self.logger = logger

    def deserialize_cuda_engine(self, content):
        return Engine(content[len(MARK) :]) if content.startswith(MARK) else None


class Engine:
    most = 4

    def __init__(self, content):
        self.session = onnxruntime.InferenceSession(content)
        self.tensors = [*self.session.get_inputs(), *self.session.get_outputs()]
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, number):
        return self.tensors[number].name

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name == self.taken.name else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name):
        del name
        return SimpleNamespace(name="FLOAT")

    def get_tensor_profile_shape(self, name, profile):
        del name, profile
        sides = tuple(self.taken.shape[1:])
        return [(1, *sides), (2, *sides), (self.most, *sides)]

    @property
    def taken(self):
        return self.tensors[0]

    def create_execution_context(self):
        return Context(self)


class Context:
    def __init__(self, engine):
        self.engine, self.addresses, self.shape = engine, {}, None

    def set_input_shape(self, name, shape):
        assert name == self.engine.taken.name
        self.shape = shape
        return shape[0] <= self.engine.most

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def get_tensor_shape(self, name):
        answer = next(t for t in self.engine.tensors if t.name == name)
        return (self.shape[0], *answer.shape[1:])

    def execute_async_v3(self, stream):
        del stream
        taken = self.engine.taken.name
        answers = self.engine.session.run(None, {taken: self._array(taken, self.shape)})
        for output, answer in zip(self.engine.tensors[1:], answers, strict=True):
            self._array(output.name, answer.shape)[...] = answer
        return True

    def _array(self, name, shape):
        size = int(np.prod(shape))
        held = (ctypes.c_float * size).from_address(self.addresses[name])
        return np.frombuffer(held, np.float32).reshape(shape)


class Builder:
    def __init__(self, logger):
        self.logger = logger

    def create_network(self, flags):
        assert flags == 0
        return SimpleNamespace(content=b"")

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return SimpleNamespace(set_shape=lambda *_: None)

    def build_serialized_network(self, network, config):
        Config.built.append(config.flags)
        return MARK + network.content


class Config:
    built: ClassVar = []
    """Flags of each engine that was built."""

    def __init__(self):
        self.flags = []

    def set_flag(self, flag):
        self.flags.append(flag)

    def add_optimization_profile(self, profile):
        pass


class OnnxParser:
    num_errors = 0

    def __init__(self, network, logger):
        self.network, self.logger = network, logger

    def parse(self, content):
        self.network.content = content
        return True


def stand_in_for_cuda(monkeypatch):
    """Let the host's memory be that of a GPU, as far as running an engine needs it."""
    host = torch.device("cpu")
    stream = SimpleNamespace(cuda_stream=0)
    for name, answer in {
        "is_available": lambda: True,
        "current_device": lambda: 0,
        "get_device_name": lambda *_: "Stand-in GPU",
        "current_stream": lambda *_: stream,
        "device": lambda *_: nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr("workbench.models.formats.tensorrt._gpu", lambda: host)
