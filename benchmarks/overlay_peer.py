"""TIAToolbox's half of `overlay.py`: builds its store, then draws what it is asked for.

    python overlay_peer.py OBJECTS.npz WIDTH HEIGHT wall|busy

Reads one question a line, answers one a line, as JSON. Runs in the peer's environment
and knows nothing of ours.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shapely
from tiatoolbox.annotation import Annotation, SQLiteStore
from tiatoolbox.tools.pyramid import AnnotationTileGenerator
from tiatoolbox.utils.visualization import AnnotationRenderer
from tiatoolbox.wsicore.wsimeta import WSIMeta

PART = 100_000
COLOURS = [(213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167)]


def build(path: Path, objects) -> SQLiteStore:
    """Return a store of the objects, with the index that its users make."""
    ends, classes = objects["ends"], objects["classes"]
    owner = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    rings = shapely.linearrings(objects["points"].astype(float), indices=owner)
    polygons = shapely.polygons(rings)
    store = SQLiteStore(path)
    for at in range(0, len(ends), PART):
        some = range(at, min(len(ends), at + PART))
        store.append_many(
            [Annotation(polygons[i], {"type": f"t{classes[i]}"}) for i in some]
        )
    store.create_index("area", '"area"')
    store.commit()
    return store


def generator(store: SQLiteStore, size: tuple[int, int], number: int):
    """Return what draws its tiles: filled, without blur, thinned out when far away."""
    mapper = {
        f"t{i}": (*(part / 255 for part in COLOURS[i % len(COLOURS)]), 1.0)
        for i in range(number)
    }
    renderer = AnnotationRenderer(
        score_prop="type",
        mapper=mapper,
        thickness=-1,
        edge_thickness=0,
        zoomed_out_strat="scale",
        blur_radius=0,
    )
    meta = WSIMeta(size, axes="YXS", mpp=(0.25, 0.25), level_dimensions=(size,))
    return AnnotationTileGenerator(meta, store, renderer)


def main() -> None:
    """Build, then answer."""
    now = time.process_time if sys.argv[4] == "busy" else time.perf_counter
    objects = np.load(sys.argv[1])
    size = (int(sys.argv[2]), int(sys.argv[3]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.db"
        start = time.perf_counter()
        store = build(path, objects)
        facts = {
            "version": version("tiatoolbox"),
            "built_s": time.perf_counter() - start,
            "megabytes": path.stat().st_size / 1e6,
        }
        print(json.dumps(facts), flush=True)
        tiles = generator(store, size, int(objects["classes"].max()) + 1)
        for line in sys.stdin:
            question = json.loads(line)
            level = tiles.level_count - question["downsample"].bit_length()
            took: list[float] = []
            for x, y in question["tiles"]:
                start = now()
                image = tiles.get_tile(level, x, y)
                image.save(io.BytesIO(), format="webp")
                took.append(1e3 * (now() - start))
                if sum(took) > 1e3 * question["seconds"]:
                    break
            print(json.dumps({"ms": took}), flush=True)


if __name__ == "__main__":
    main()
