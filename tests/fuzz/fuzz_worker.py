"""One process that tries cases: it reads their numbers, and answers a line for each.

`python fuzz_worker.py KIND`. A case is the number of a mutation, or the path of a zip
file of the corpus. The driver watches time and memory from outside.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np

import workbench
from fuzz_mutations import mutated
from fuzz_seeds import seeds, unpacked, write_tree
from fuzz_targets import TARGETS
from workbench.errors import WorkbenchError

ADDRESS_SPACE = 4 << 30
"""What a case may map above what the worker has mapped before it, in bytes."""


def status(name: str) -> int:
    """Return a size of this process in bytes, such as VmHWM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def tried(kind: str, tree: dict[str, bytes]) -> dict[str, object]:
    """Write a tree, do what a person does with it, and say what came of it."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory starts anew
    before = status("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        path = write_tree(tree, Path(folder))
        try:
            answer = outcome(kind, path)
        except BaseException as error:  # noqa: BLE001 - what is looked for
            stack = "".join(traceback.format_tb(error.__traceback__)[-6:])
            told = f"{stack}{type(error).__name__}: {error!s:.300}"
            answer = {"outcome": "untyped", "error": told}
    return {**answer, "grown": max(0, status("VmHWM") - before)}


def outcome(kind: str, path: Path) -> dict[str, object]:
    """Do what a person does with a file of a kind; an error says what is wrong."""
    try:
        TARGETS[kind](path)
    except WorkbenchError as error:
        str(error).encode()  # a message that cannot be printed tells nothing
        return {"outcome": "typed", "error": type(error).__name__}
    return {"outcome": "fine"}


def main(kind: str) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    trees = seeds(kind)
    for tree in trees:  # everything is imported, and every seed is fine
        answer = tried(kind, tree)
        if answer["outcome"] not in {"fine", "typed"}:
            print(json.dumps({**answer, "outcome": "bad seed"}), file=out, flush=True)
    limit = status("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(json.dumps({"outcome": "ready"}), file=out, flush=True)
    if code := os.environ.get("WORKBENCH_FUZZ_CODE"):  # tests of the watcher
        TARGETS[kind] = lambda _: exec(code, {"wb": workbench})  # noqa: S102
    for line in sys.stdin:
        case = json.loads(line)
        if isinstance(case, int):
            rng = np.random.default_rng([case, len(kind)])
            tree = mutated(trees[case % len(trees)], rng)
        else:
            tree = unpacked(Path(case).read_bytes())
        print(json.dumps(tried(kind, tree)), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
