"""Training on the device: mixed precision, accumulation, resume; samples per second."""

from __future__ import annotations

import threading
import time

import numpy as np

import workbench as wb
from training_loop import write_study

APART = 0.5
"""Largest difference of the mean loss, relative to float32's."""


class Study:
    """A made study, and trainings on it."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.side = 256 if bench.toy else 2048
        study, self.classes = write_study(bench.folder, 2, self.side)
        self.labels = str(study)

    def train(self, name: str, **options):
        """Return a training, and its seconds."""
        plain = {
            "labels": self.labels,
            "classes": self.classes,
            "architecture": "workbench:small-cnn",
            "tile_px": 32 if self.bench.toy else 224,
            "mpp": 1.0 if self.bench.toy else 0.5,
            "batch_size": 8 if self.bench.toy else 64,
            "min_coverage": 0.3,
            "validation": 0,
            "epochs": 1 if self.bench.toy else 3,
            "precision": "float32",
            "device": str(self.bench.device),
        }
        began = time.perf_counter()
        done = wb.train(out=self.bench.folder / name, **(plain | options))
        return done, time.perf_counter() - began

    def loss(self, name: str, **options) -> float:
        """Return the mean loss of the last steps of a training."""
        done, _ = self.train(name, **options)
        return float(done.metrics["loss"].dropna().tail(4).mean())

    def compare(self, name: str, **options) -> str:
        """Compare the loss with that of float32."""
        plain, other = self.loss("plain"), self.loss(name, **options)
        said = f"loss {other:.3f}, in float32 {plain:.3f}"
        if not np.isfinite(other) or abs(other - plain) > APART * max(plain, 0.2):
            raise AssertionError(said)
        return said

    def resumed(self) -> str:
        """Stop a training after some steps and go on; compare the last loss."""
        stop, steps = threading.Event(), []

        def report(at) -> None:
            steps.append(at)
            if len(steps) > 2:
                stop.set()

        self.train("stopped", cancel=stop, report=report)
        plain, other = self.loss("plain"), self.loss("stopped")
        said = f"loss {other:.4f}, without the stop {plain:.4f}"
        if abs(plain - other) > 1e-2 * max(plain, 0.1):
            raise AssertionError(said)
        return said

    def rate(self, name: str, **options) -> float:
        """Return samples per second, reading included."""
        done, seconds = self.train(name, **options)
        return len(done.metrics) * (8 if self.bench.toy else 64) / seconds


def measure(bench) -> None:
    """Check and measure trainings."""
    study = Study(bench)
    reduced = {"bfloat16": {"precision": "bfloat16"}, "4 parts": {"accumulate": 4}}
    if bench.cuda:
        reduced["float16"] = {"precision": "float16"}
    for name, options in reduced.items():
        work = lambda n=name, o=options: study.compare(n.replace(" ", "-"), **o)  # noqa: E731
        bench.check(f"{name} learns as float32 does", work)
    bench.check("stopped and resumed", study.resumed)
    for name, options in {"float32": {}, **({} if bench.toy else reduced)}.items():
        work = lambda n=name, o=options: study.rate(f"rate-{n}".replace(" ", "-"), **o)  # noqa: E731
        bench.figure(f"training, {name}", work, "samples/s")
