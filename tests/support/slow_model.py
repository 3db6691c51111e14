"""Models of nuclei, so slow that their progress is seen on any machine.

Where `GATE` names a folder that is there, a model that counts takes a ticket from it
for each tile, and waits where there is none: progress is watched step by step.

A package of its own, as users may install one: `offer` writes it into a folder that
a server then has on its PYTHONPATH.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Self

from workbench.models.catalogue import find_card
from workbench.models.networks.measurements import NuclearDensity
from workbench.models.nuclei.watershed import HematoxylinContrast

NAME = "slow-nuclear-density"
CARD = Path(__file__).with_name("slow_card.json")
OUTLINES = "slow-nuclei"
OUTLINES_CARD = Path(__file__).with_name("slow_nuclei_card.json")
PAUSE = "SLOW_MODEL_PAUSE_S"
GATE = "SLOW_MODEL_GATE"
LOG = "SLOW_MODEL_LOG"
"""Names a file to which a model that counts writes a line for each tile: its sum."""

PAUSE_S = float(os.environ.get(PAUSE, "0.15"))


class Gate:
    """Lets models count so many tiles, and no more, until it is opened.

    Parameters
    ----------
    folder : Path
        The one that the server's environment names.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._given = 0

    def __enter__(self) -> Self:
        """Let nothing through."""
        self._folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        """Let everything through."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def let_through(self, tiles: int = 1) -> None:
        """Give tickets for so many tiles."""
        for _ in range(tiles):
            (self._folder / f"{self._given:06}").touch()
            self._given += 1

    def let_check_through(self) -> None:
        """Give tickets for the check of a model that is loaded: two tiles, and one."""
        self.let_through(3)


def _wait_at_gate(tiles: int) -> None:
    gate = Path(os.environ[GATE])
    while tiles and gate.is_dir():
        with suppress(FileNotFoundError):  # it has just been opened
            for ticket in sorted(gate.iterdir())[:tiles]:
                ticket.unlink()
                tiles -= 1
        time.sleep(0.02)


def _log(rgb):
    if name := os.environ.get(LOG):
        sums = [zlib.crc32(tile.contiguous().numpy().tobytes()) for tile in rgb]
        file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, "".join(f"{each:08x}\n" for each in sums).encode())
        os.close(file)


class SlowDensity(NuclearDensity):
    """Counts nuclei, and pauses at each tile."""

    def forward(self, rgb):
        _wait_at_gate(len(rgb))
        time.sleep(PAUSE_S * len(rgb))
        _log(rgb)
        return super().forward(rgb)


class SlowContrast(HematoxylinContrast):
    """Finds nuclei, and pauses at each tile."""

    def forward(self, rgb):
        time.sleep(PAUSE_S * len(rgb))
        return super().forward(rgb)


def offer(folder: Path) -> dict[str, str]:
    """Install the package in a folder; return the environment that finds it."""
    module = Path(__file__).stem
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[workbench.models]\n{NAME} = {module}:CARD\n"
        f"{OUTLINES} = {module}:OUTLINES_CARD\n"
    )
    shutil.copy(__file__, folder)
    for name, path, like, network in (
        (NAME, CARD, "nuclear-density", SlowDensity),
        (OUTLINES, OUTLINES_CARD, "nuclei-watershed", SlowContrast),
    ):
        card = find_card(like).model_dump(mode="json")
        card |= {"name": name, "architecture": f"{module}:{network.__name__}"}
        (folder / path.name).write_text(json.dumps(card))
    return {
        "PYTHONPATH": str(folder),
        "OMP_NUM_THREADS": "1",
        GATE: str(folder / "gate"),
    }
