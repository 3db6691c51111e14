"""Any bytes give a result or a `WorkbenchError`: no hang, no growth, no crash."""

from __future__ import annotations

import pytest

import fuzz_driver
from fuzz_seeds import SEEDS

CASES = {
    "dicom": 75,
    "features": 150,
    "geojson": 300,
    "image": 300,
    "journal": 100,
    "model": 125,
    "reference": 300,
    "run": 50,
    "tiff": 400,
    "zarr": 75,
}
"""How many new cases of each kind; `make fuzz` tries as many as an hour allows."""


def test_every_kind_is_tried():
    assert sorted(CASES) == sorted(SEEDS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", sorted(CASES))
def test_damaged_files_are_answered_or_refused(kind):
    cases = [*fuzz_driver.corpus(kind), *range(CASES[kind])]
    figures = fuzz_driver.tried(kind, cases)
    assert not figures.faults, "\n".join(
        f"{case}\n{what}" for case, what in figures.faults
    )
    assert figures.counts["typed"] > len(cases) / 10, "nearly nothing was damaged"
    assert figures.counts["fine"] > 0, "not even what is hardly damaged can be used"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("raise KeyError('x')", "untyped"),
        ("import os; os.abort()", "crash"),
        ("while True: pass", "hang"),
        ("bytearray(800 << 20)", "memory"),
        ("raise wb.WorkbenchError('so')", "typed"),
        ("raise wb.WorkbenchError('so', '\\ud800')", "untyped"),
        ("pass", "fine"),
    ],
)
def test_each_fault_is_noticed(code, outcome, monkeypatch):
    """The watcher itself: a target that does the worst, in a worker of its own."""
    monkeypatch.setenv("WORKBENCH_FUZZ_CODE", code)
    monkeypatch.setattr(fuzz_driver, "CPU_S", 4.0)
    with fuzz_driver.Worker("reference") as worker:
        assert worker.try_case(0)["outcome"] == outcome
