"""What every stage needs: checks, figures, timing, and where they are written."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import workbench as wb

if TYPE_CHECKING:
    from collections.abc import Callable


class NotMeasuredError(Exception):
    """A package or a device that is not here; its text is the reason."""


class Bench:
    """The rows of a stage on a device; each is written at once."""

    def __init__(self, device: str, results: Path, *, toy: bool) -> None:
        self.device, self.results, self.toy = torch.device(device), results, toy
        self.rows: list[dict] = []
        self._scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self._scratch.name)

    @property
    def cuda(self) -> bool:
        """Whether the device is CUDA."""
        return self.device.type == "cuda"

    def check(self, name: str, work: Callable[[], str]) -> None:
        """Note whether a check passes: it returns a detail, or raises."""
        try:
            state, detail = "passed", work()
        except NotMeasuredError as reason:
            state, detail = "not measured", str(reason)
        except Exception as error:  # noqa: BLE001 - any failure is a result
            said = f"{type(error).__name__}: {error}"
            state, detail = "failed", " ".join(said.split())[:300]
        self._add(kind="check", name=name, state=state, detail=detail or "")

    def figure(
        self,
        name: str,
        work: Callable[[], float],
        unit: str,
        *,
        limit: float | None = None,
        goal: float | None = None,
    ) -> float | None:
        """Note a figure; what raises is not measured."""
        value, detail, state = None, "", "measured"
        try:
            value = float(work())
        except NotMeasuredError as reason:
            detail, state = str(reason), "not measured"
        except Exception as error:  # noqa: BLE001 - the next figures are measured
            detail = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            state = "failed"
        self._add(
            kind="figure",
            name=name,
            state=state,
            value=value,
            unit=unit,
            limit=limit,
            goal=goal,
            detail=detail,
        )
        return value

    def _add(self, **row: object) -> None:
        self.rows.append(row)
        partial = self.results.with_suffix(".partial")
        partial.write_text(json.dumps(self.rows, indent=1))
        partial.replace(self.results)

    def synchronize(self) -> None:
        """Wait until the device is done."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object], rounds: int = 5) -> float:
        """Return the median seconds of a call, after one that warms up."""
        work()
        taken = []
        for _ in range(1 if self.toy else rounds):
            self.synchronize()
            began = time.perf_counter()
            work()
            self.synchronize()
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)

    @cached_property
    def slide(self) -> Path:
        """Path of a made slide."""
        path = self.folder / "slide.tif"
        side = 512 if self.toy else 2048
        wb.synthetic.write_slide(path, size=(side, side), seed=11, mpp=0.5)
        return path


def near(found, wanted, largest: float, share: float = 1.0) -> str:
    """Return the difference of arrays; raise if it is above the bounds.

    Parameters
    ----------
    found, wanted : array or Tensor
    largest : float
        Largest difference that is allowed.
    share : float
        Largest share of values that may differ at all.
    """
    one, two = (
        (each.detach().float().cpu().numpy() if torch.is_tensor(each) else each)
        for each in (found, wanted)
    )
    one, two = np.asarray(one, np.float32), np.asarray(two, np.float32)
    if one.shape != two.shape or not (np.isnan(one) == np.isnan(two)).all():
        message = f"shapes {one.shape} and {two.shape}, or other gaps"
        raise AssertionError(message)
    difference = np.abs(np.nan_to_num(one) - np.nan_to_num(two))
    most, differing = float(difference.max(initial=0)), float((difference > 0).mean())
    said = f"largest {most:.3g} (allowed {largest:g}), differing {differing:.2%}"
    if not (most <= largest and differing <= share):
        raise AssertionError(said)
    return said


def relative(found, wanted, allowed: float) -> str:
    """Return the norm of the difference by the norm; raise if it is too large."""
    one, two = (each.detach().double().cpu() for each in (found, wanted))
    error = float((one - two).norm() / two.norm().clamp_min(1e-12))
    said = f"relative error {error:.2g} (allowed {allowed:g})"
    if not error <= allowed:
        raise AssertionError(said)
    return said
