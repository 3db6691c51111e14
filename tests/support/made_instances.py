"""Made objects: as many as wanted, shaped and spread like nuclei."""

from __future__ import annotations

import numpy as np

from workbench.instances.instances import STEPS_PER_PX, Instances
from workbench.instances.store import InstanceStore, InstanceWriter, open_instances

CLASSES = ("tumour", "lymphocyte", "stroma")
COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115))


def made_instances(number, size=(4000, 4000), *, seed=3, radius=(8.0, 18.0)):
    """Return ellipses with rough edges, 16 to 24 points each, on the raster."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(16, 25, number)
    ends = np.cumsum(lengths, dtype=np.int64)
    owner = np.repeat(np.arange(number), lengths)
    place = np.arange(ends[-1] if number else 0) - (ends - lengths)[owner]
    angle = 2 * np.pi * place / lengths[owner] + rng.random(number)[owner]
    long = rng.uniform(*radius, number)
    short = long * rng.uniform(0.6, 1, number)
    turn = (rng.random(number) * np.pi)[owner]
    rough = 1 + 0.04 * rng.standard_normal((2, len(owner)))
    along, across = long[owner] * np.cos(angle), short[owner] * np.sin(angle)
    along, across = along * rough[0], across * rough[1]
    centres = rng.random((number, 2)) * size
    x = centres[owner, 0] + np.cos(turn) * along - np.sin(turn) * across
    y = centres[owner, 1] + np.sin(turn) * along + np.cos(turn) * across
    points = np.rint(np.stack([x, y], 1) * STEPS_PER_PX) / STEPS_PER_PX
    return Instances(
        points=points.astype(np.float32),
        ends=ends,
        classes=rng.integers(0, len(CLASSES), number).astype(np.uint16),
        scores=rng.random(number).astype(np.float32),
        measures={"area_um2": (np.pi * long * short / 16).astype(np.float32)},
    )


def write_instances(path, instances, *, classes=CLASSES, mpp=0.25, step=1000):
    """Write objects a few at a time, and open them."""
    with InstanceWriter(
        path,
        classes=classes,
        colours=COLOURS[: len(classes)],
        measures=list(instances.measures),
        mpp=mpp,
    ) as file:
        for start in range(0, len(instances), step):
            some = np.arange(start, min(len(instances), start + step))
            file.append(instances.take(some))
    return open_instances(path)


def made_store(folder, number=3000, **more) -> InstanceStore:
    """Return a store of made objects in a folder."""
    return write_instances(folder / "instances.parquet", made_instances(number, **more))
