"""Runs that are killed: starting them, and killing them at random moments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import tifffile


class Killable:
    """Starts runs in processes of their own, and kills them.

    `task` is that of their model: classification, segmentation, embedding or instances.
    """

    def __init__(self, process, slide, folder, task="classification", pause_s=0.015):
        self._process, self._slide, self._folder = process, slide, folder
        self._task, self.pause_s = task, pause_s

    def run(self, name, *, kill_after_s=None, fatal=0, pause_s=0.0):
        order = {
            "slide": str(self._slide),
            "out": str(self.path(name)),
            "log": str(self._folder / f"{name}.log"),
            "kill_after_s": kill_after_s,
            "fatal": fatal,
            "pause_s": pause_s,
            "task": self._task,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def run_slowly(self, name, kill_after_s=None):
        """Run with a pause in each chunk, in which there is time to kill it."""
        return self.run(name, kill_after_s=kill_after_s, pause_s=self.pause_s)

    def path(self, name):
        return self._folder / name

    def chunks_begun(self, name):
        log = self._folder / f"{name}.log"
        return log.stat().st_size if log.exists() else 0

    def operations(self, name):
        return int((self._folder / f"{name}.log.operations").read_text())

    def kill_at_random(self, name, seconds, random):
        """Kill a new run at a random moment; return the name it went by."""
        for attempt in range(10):
            moment = random.uniform(0, seconds) / (1 + attempt)
            tried = f"{name}-{attempt}"
            ended = self.run_slowly(tried, kill_after_s=moment)
            if ended["code"] == -signal.SIGKILL:
                return tried
            assert ended["code"] == 0, "it was done before the moment came"
        return pytest.fail("no run lasted long enough to be killed")

    def killed_at_operations(self, chunks, *, stride, share):
        """Kill new runs at every so many operations on the disk; give their names.

        Some end before, as files are written in any order; a `share` of them must not.
        """
        self.run("counted")
        operations = self.operations("counted")
        assert operations > chunks
        killed = 0
        for fatal in range(1, operations + 1, stride):
            name = f"operation-{fatal}"
            ended = self.run(name, fatal=fatal)
            if ended["code"] == 0:
                continue
            assert ended["code"] == -signal.SIGKILL
            killed += 1
            yield name
        assert killed > operations / stride * share


@contextmanager
def harness(*flags):
    """Start the process whose forks the runs are."""
    script = Path(__file__).with_name("killable.py")
    with subprocess.Popen(
        [sys.executable, script, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield process
        process.stdin.close()


def write_slide(folder, pixels, tile):
    """Write a slide of 1 µm per pixel; return its path."""
    tifffile.imwrite(
        folder / "slide.tiff",
        pixels,
        tile=(tile, tile),
        photometric="rgb",
        resolution=(10000, 10000),  # 1 µm per pixel
        resolutionunit="CENTIMETER",
    )
    return folder / "slide.tiff"
