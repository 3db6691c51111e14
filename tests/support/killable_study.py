"""Workers of studies that are killed at random moments; driven over pipes.

This process imports everything once and computes nothing; each worker is a fork of it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback

import torch

from killable import CARDS, Network
from workbench.inference import plan
from workbench.models.tile_model import TileModel
from workbench.study.analysis import find_analysis
from workbench.study.study import open_study
from workbench.study.worker import WorkerOptions, draw_order, work


class Poisoned(Network):
    """Ends its process at a tile that is purely magenta."""

    def forward(self, rgb):
        means = rgb.mean((2, 3))
        if ((means[:, 0] > 0.99) & (means[:, 1] < 0.01)).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(rgb)


def fork(order):
    """Start a worker; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        network = Poisoned(log, order["pause_s"])
        model = TileModel(CARDS["classification"], network)
        plan.find_model = lambda *_, **__: model
        work(find_analysis(open_study(order["study"])), WorkerOptions(threads=1))
        code = 0
    except BaseException:  # noqa: BLE001 - said, and then the process ends
        traceback.print_exc()
    finally:
        os._exit(code)


def play(order):
    """Let workers finish a study while they are killed; return what happened."""
    chance = random.Random(order["seed"])
    analysis = find_analysis(open_study(order["study"]))
    deaths = kills = failed = 0
    workers = set()
    while workers or draw_order(analysis, (0, 1)):
        while len(workers) < order["workers"] and draw_order(analysis, (0, 1)):
            workers.add(fork(order))
        if kills < order["kills"]:
            time.sleep(chance.uniform(0.02, order["mean_s"]))
            os.kill(chance.choice(sorted(workers)), signal.SIGKILL)
            kills += 1
        ended, status = os.waitpid(-1, 0)
        workers.discard(ended)
        code = os.waitstatus_to_exitcode(status)
        deaths += code == -signal.SIGKILL
        failed += code > 0
        if failed > 5:
            break
    return {"deaths": deaths, "kills": kills, "failed": failed}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(play(json.loads(line))) + "\n")
        sys.stdout.flush()
