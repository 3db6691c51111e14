"""Writes objects to a file, and prints the most memory of its own that it had.

    python writing_instances.py FILE PARTS...

Of each number of parts, of 10,000 objects each; pages of files, which the system takes
back when it needs them, do not count.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from made_instances import CLASSES, made_instances
from workbench.instances.writer import InstanceWriter

SIDE = 4000


class Memory(threading.Thread):
    """Looks at the process all the time, and remembers the most."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0
        self.start()

    def run(self):
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            own = next(line for line in lines if line.startswith("RssAnon"))
            self.most = max(self.most, int(own.split()[1]))
            time.sleep(0.005)


def write(path, part, number):
    measures = tuple(part.measures)
    with InstanceWriter(path, classes=CLASSES, measures=measures) as file:
        for i in range(number):
            there = np.array([SIDE * (i % 20), SIDE * (i // 20)], np.float32)
            file.append(replace(part, points=part.points + there))


def main():
    path, *numbers = sys.argv[1:]
    part, memory = made_instances(10_000, (SIDE, SIDE)), Memory()
    write(path, part, 1)  # what is loaded and compiled once
    for number in map(int, numbers):
        memory.most = 0
        write(path, part, number)
        sys.stdout.write(f"{memory.most}\n")


if __name__ == "__main__":
    main()
