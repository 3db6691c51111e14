"""Tries damaged files against the workbench, in processes that may die.

    make fuzz FUZZ="--kind tiff --cases 2000"
    make fuzz FUZZ="--seconds 3600"

Whatever is neither right nor a `WorkbenchError`, takes more than `CPU_S` seconds of
processor time or grows by more than `GROWN` is put into the corpus beside this file,
which the tests try first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from fuzz_mutations import mutated
from fuzz_seeds import SEEDS, packed, seeds

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
CPU_S = 20.0
WALL_S = 180.0
GROWN = 700 << 20
_MAX_KEPT = 200_000
"""Bytes of a case that is kept in the corpus."""


@dataclass
class Figures:
    """What came of the cases of one kind."""

    kind: str
    counts: Counter = field(default_factory=Counter)
    grown: int = 0
    faults: list[tuple[object, str]] = field(default_factory=list)

    def line(self) -> str:
        c = self.counts
        return (
            f"{self.kind:<10}{sum(c.values()):>8}{c['fine']:>8}{c['typed']:>8}"
            f"{c['untyped']:>9}{c['hang']:>7}{c['crash']:>8}{c['memory']:>8}"
            f"{self.grown >> 20:>8} MB"
        )


HEAD = (
    f"{'kind':<10}{'inputs':>8}{'fine':>8}{'typed':>8}{'untyped':>9}{'hangs':>7}"
    f"{'crashes':>8}{'memory':>8}{'largest':>11}"
)


class Worker:
    """A process that tries cases of one kind, and is started anew when it dies."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def try_case(self, case: object) -> dict:
        """Return what came of a case: its outcome, error and growth."""
        if self._process is None:
            self._start()
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer["outcome"] in {"hang", "crash"}:
            self._end()
        elif answer.get("grown", 0) > GROWN:
            answer["outcome"] = "memory"
        return answer

    def _start(self) -> None:
        command = [sys.executable, str(HERE / "fuzz_worker.py"), self._kind]
        folders = [str(HERE.parent / "support"), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
        environment["OMP_NUM_THREADS"] = "1"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        answer = self._answer(cpu_s=10 * CPU_S)
        if answer["outcome"] != "ready":
            self._end()
            message = f"the worker did not start: {answer}"
            raise RuntimeError(message)

    def _listen(self) -> None:
        process, lines = self._process, self._lines
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def _answer(self, cpu_s: float | None = None) -> dict:
        """Wait for a line; by the processor's time, as the machine may be busy."""
        cpu_s = CPU_S if cpu_s is None else cpu_s
        started, used = time.monotonic(), self._cpu()
        while True:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if self._cpu() - used > cpu_s or time.monotonic() - started > WALL_S:
                    return {"outcome": "hang", "error": f"after {self._cpu() - used} s"}
                continue
            if not line:
                return {"outcome": "crash", "error": f"exit {self._process.wait()}"}
            return json.loads(line)

    def _cpu(self) -> float:
        try:
            parts = Path(f"/proc/{self._process.pid}/stat").read_text().split()
        except OSError:
            return 0.0
        return (int(parts[13]) + int(parts[14])) / os.sysconf("SC_CLK_TCK")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def tried(kind: str, cases, *, keep: bool = False) -> Figures:
    """Try cases of a kind: numbers of mutations, or paths of the corpus."""
    figures = Figures(kind)
    with Worker(kind) as worker:
        for case in cases:
            answer = worker.try_case(case)
            outcome = answer["outcome"]
            figures.counts[outcome] += 1
            figures.grown = max(figures.grown, int(answer.get("grown", 0)))
            if outcome not in {"fine", "typed"}:
                text = f"{outcome}: {answer.get('error', answer.get('grown'))}"
                figures.faults.append((case, text))
                if keep and isinstance(case, int):
                    keep_case(kind, case)
    return figures


def keep_case(kind: str, number: int) -> None:
    """Put a case into the corpus, if it is small."""
    trees = seeds(kind)
    rng = np.random.default_rng([number, len(kind)])
    data = packed(mutated(trees[number % len(trees)], rng))
    if len(data) <= _MAX_KEPT:
        CORPUS.mkdir(exist_ok=True)
        name = f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}.zip"
        (CORPUS / name).write_bytes(data)


def corpus(kind: str) -> list[str]:
    """Return the paths of what was found before."""
    return [str(path) for path in sorted(CORPUS.glob(f"{kind}-*.zip"))]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--kind", action="append", choices=sorted(SEEDS))
    asked.add_argument("--cases", type=int, default=500, help="of each kind")
    asked.add_argument("--first", type=int, default=0, help="number of the first case")
    asked.add_argument("--seconds", type=float, help="instead of a number of cases")
    asked.add_argument("--keep", action="store_true", help="put faults in the corpus")
    given = asked.parse_args()
    print(HEAD)
    bad = 0
    kinds = given.kind or sorted(SEEDS)
    for kind in kinds:
        numbers = iter(range(given.first, given.first + given.cases))
        if given.seconds:
            numbers = _until(time.monotonic() + given.seconds / len(kinds), given.first)
        figures = tried(kind, numbers, keep=given.keep)
        print(figures.line(), flush=True)
        for case, text in figures.faults:
            shown = text.encode("ascii", "backslashreplace").decode()
            print(f"--- {kind} {case}\n{shown}", flush=True)
        bad += len(figures.faults)
    return bool(bad)


def _until(end: float, first: int):
    while time.monotonic() < end:
        yield first
        first += 1


if __name__ == "__main__":
    sys.exit(main())
