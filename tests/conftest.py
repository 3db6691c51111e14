"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from browser import chromium, profile, watched  # noqa: F401 - one browser for all

pytest_plugins = ["reruns"]

# Before torch is loaded, and for all that is started from here: threads that wait for
# each other by spinning take the processor from the tests and servers beside them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more of the machine than of the code.
# The same examples each time, so that a change alone makes a test fail;
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("workbench", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("workbench")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever has the time kill more runs."""
    about = "random moments at which runs of embeddings and segmentations are killed"
    parser.addoption("--kills", type=int, default=None, help=about)


def _shared_data() -> Path:
    named = os.environ.get("WORKBENCH_TEST_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real slides; skip, and say so, where there is none."""
    folder = _shared_data()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set WORKBENCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return ROOT


@pytest.fixture
def undivided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a CPU answer whole batches, as a GPU does: networks then can count them."""
    from workbench.inference.cpu_workers import CpuWorkers  # noqa: PLC0415 - not without torch

    monkeypatch.setattr(
        "workbench.inference.predictor.CpuWorkers", lambda _: CpuWorkers(1)
    )
