"""Nuclei as DICOM bulk annotations: time, size and memory.

    python benchmarks/export_dicom.py [--nuclei 1000000]

Made outlines of 16 to 24 points with score and area, in three classes, are written by
`write_bulk_annotations` and, for comparison, as highdicom's documentation does: all
outlines as arrays in memory. Each in a process of its own. Processor seconds; the peak
of memory beyond that after the imports; bytes of the file. Then the time that highdicom
needs to read each file, that both hold the same, and what `import_instances` needs to
make a run of it. Figures: benchmarks/export.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import highdicom as hd
import numpy as np

SIDE = 100_000
STEP = 100_000


def write_store(folder, count):
    """Write made nuclei a part at a time."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
    from made_instances import CLASSES, COLOURS, made_instances  # noqa: PLC0415
    from workbench.instances.store import InstanceWriter  # noqa: PLC0415

    path = folder / "instances.parquet"
    with InstanceWriter(
        path, classes=CLASSES, colours=COLOURS, measures=["area_um2"], mpp=0.25
    ) as file:
        for start in range(0, count, STEP):
            number = min(STEP, count - start)
            file.append(made_instances(number, (SIDE, SIDE), seed=start))
    return path


def run_of(path):
    """Return what the writer uses of a run."""
    from workbench.instances.store import open_instances  # noqa: PLC0415
    from workbench.recipe import Recipe  # noqa: PLC0415

    return SimpleNamespace(
        path=path.parent,
        record={
            "slide": {"id": "2-0", "mpp": 0.25},
            "created": "2026-12-01T10:00:00+00:00",
            "recipe": {"model": "nuclei"},
            "model": {"name": "nuclei"},
        },
        final_instances=open_instances(path),
        card=SimpleNamespace(name="nuclei", sha256="0" * 64, task="instances"),
        recipe=Recipe(model="nuclei"),
        grid=SimpleNamespace(slide_size=(SIDE, SIDE)),
    )


def write_ours(run, path):
    """Write with bounded memory."""
    from workbench.export.dicom.instances import (  # noqa: PLC0415
        write_bulk_annotations,
    )

    write_bulk_annotations(run, path)


def write_plain(run, path):
    """Write with highdicom alone: one array for each outline."""
    from workbench.export.dicom.codes import measure_of, property_of  # noqa: PLC0415
    from workbench.export.dicom.objects import Origin  # noqa: PLC0415

    origin, store = Origin.of_run(run), run.final_instances
    columns = store.columns()
    groups = []
    for number, name in enumerate(store.classes):
        found = store.take(np.flatnonzero(columns["class"] == number))
        category, kind = property_of(name)
        measures = {"score": found.scores, **found.measures}
        groups.append(
            hd.ann.AnnotationGroup(
                number=number + 1,
                uid=hd.UID(),
                label=name,
                annotated_property_category=category,
                annotated_property_type=kind,
                graphic_type="POLYGON",
                graphic_data=np.split(found.points, found.ends[:-1]),
                algorithm_type="AUTOMATIC",
                algorithm_identification=origin.algorithm_identification(),
                measurements=[
                    hd.ann.Measurements(measure_of(key)[0], values, measure_of(key)[1])
                    for key, values in measures.items()
                ],
            )
        )
    made = hd.ann.MicroscopyBulkSimpleAnnotations(
        [origin.source.header], "2D", groups, **origin.identity("ann")
    )
    made.save_as(path)


WRITERS = {"ours": write_ours, "highdicom alone": write_plain}


def read_as_run(path):
    """Print what `import_instances` needs for a file, as JSON."""
    from workbench.dicom import outlines  # noqa: F401, PLC0415
    from workbench.geometry import Box, FileFrame  # noqa: PLC0415
    from workbench.results.imported_instances import import_instances  # noqa: PLC0415

    slide = SimpleNamespace(
        id="2-0",
        name="s.tiff",
        path="s.tiff",
        size=(SIDE, SIDE),
        mpp=0.25,
        require_mpp=lambda: 0.25,
        mpp_is_given=False,
        reader_name="none",
        properties={},
        levels=(),
        channels=(),
        bounds=Box(0, 0, SIDE, SIDE),
        pixel_size=SimpleNamespace(xy=(0.25, 0.25)),
        frame=FileFrame((1.0, 1.0)),
    )
    before, start = peak(), time.process_time()
    run = import_instances(path, slide, path.with_name("imported"))
    took = time.process_time() - start
    facts = {"s": took, "MB": peak() - before, "number": len(run.final_instances)}
    print(json.dumps(facts))


def peak():
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name, store, path):
    """Print what one writer needs, as JSON."""
    from workbench.export.dicom import instances, report  # noqa: F401, PLC0415

    run = run_of(store)
    before, start = peak(), time.process_time()
    WRITERS[name](run, path)
    took = time.process_time() - start
    print(json.dumps({"s": took, "MB": peak() - before, "imports MB": before}))


def sums(path):
    """Return number, sum of points and scores of each group, and seconds of reading."""
    start = time.process_time()
    found = []
    for group in hd.ann.annread(path).get_annotation_groups():
        data = group.get_graphic_data("2D")
        values = group.get_measurements()[1]
        points = float(sum(np.float64(each).sum() for each in data))
        found.append((len(data), points, float(values[:, 0].astype(float).sum())))
    return found, time.process_time() - start


def main():
    """Measure both writers and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nuclei", type=int, default=1_000_000)
    parser.add_argument("--child", nargs=3)
    given = parser.parse_args()
    if given.child:
        name, store, path = given.child
        if name == "read":
            read_as_run(Path(path))
            return
        measure(name, Path(store), Path(path))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        store = write_store(folder, given.nuclei)
        print(f"{given.nuclei:,} nuclei, store {store.stat().st_size / 1e6:.0f} MB")
        print("| writer | CPU s | memory, MB | file, MB | read by highdicom, s |")
        print("|---|--:|--:|--:|--:|")
        contents = []
        for number, name in enumerate(WRITERS):
            path = folder / f"{number}.ann.dcm"
            words = [sys.executable, __file__, "--child", name, str(store), str(path)]
            said = subprocess.run(words, capture_output=True, text=True, check=True)
            told = json.loads(said.stdout)
            content, seconds = sums(path)
            contents.append(content)
            size = path.stat().st_size / 1e6
            print(
                f"| {name} | {told['s']:.1f} | {told['MB']:.0f} | {size:.0f} |"
                f" {seconds:.1f} |"
            )
        words = [sys.executable, __file__, "--child", "read", str(store)]
        words.append(str(folder / "0.ann.dcm"))
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        told = json.loads(said.stdout)
        assert told["number"] == given.nuclei, told  # noqa: S101
        print(f"read as a run: {told['s']:.1f} s of CPU, {told['MB']:.0f} MB")
        assert contents[0] == contents[1], "the files differ"  # noqa: S101


if __name__ == "__main__":
    main()
