"""Trains, and kills itself at chosen moments; begins again until it has ended.

    python killable_training.py CSV OUT SEED KILLS OPTIONS

A moment is one of: a step is reported, a file or line is about to be written, it has
been written. Each attempt is a process of its own, forked before torch has computed
anything, so that torch is imported once. Prints how many attempts were killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys

import torch

import workbench as wb
from workbench.training.loop import folder as folders
from workbench.training.loop import train as module


class Moments:
    """Counts moments, and kills the process at one of them."""

    def __init__(self, last):
        self.left = last

    def pass_one(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, kind, name):
        original = getattr(kind, name)

        def wrapped(*args, **kwargs):
            self.pass_one()
            done = original(*args, **kwargs)
            self.pass_one()
            return done

        setattr(kind, name, wrapped)


def attempt(labels, out, options, last):
    moments = Moments(last)
    for name in ("save", "note", "rewind", "write"):
        moments.around(folders.TrainingFolder, name)
    torch.set_num_threads(1)
    module.train(labels=labels, out=out, report=lambda _: moments.pass_one(), **options)


def main():
    labels, out, seed, kills, options = sys.argv[1:]
    chosen = random.Random(int(seed))
    killed = 0
    while True:
        last = chosen.randint(3, 14) if killed < int(kills) else 0
        child = os.fork()
        if not child:
            attempt(labels, out, json.loads(options), last)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            continue
        sys.stdout.write(f"{killed}\n")
        sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _ = wb.train
    main()
