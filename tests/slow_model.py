"""Models of nuclei, so slow that their progress is seen on any machine.

A package of its own, as users may install one: `offer` writes it into a folder that
a server then has on its PYTHONPATH.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from workbench.models.catalogue import find_card
from workbench.models.measurements import NuclearDensity
from workbench.models.nuclei.watershed import HematoxylinContrast

NAME = "slow-nuclear-density"
CARD = Path(__file__).with_name("slow_card.json")
OUTLINES = "slow-nuclei"
OUTLINES_CARD = Path(__file__).with_name("slow_nuclei_card.json")
PAUSE = "SLOW_MODEL_PAUSE_S"
PAUSE_S = float(os.environ.get(PAUSE, "0.15"))


class SlowDensity(NuclearDensity):
    """Counts nuclei, and pauses at each tile."""

    def forward(self, rgb):
        time.sleep(PAUSE_S * len(rgb))
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
    return {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
