"""Studies: slides per hour beside single runs, and the queue of a hospital's day.

    python benchmarks/study.py speed [--slides 8] [--size 4096] [--model tissue-classes]
    python benchmarks/study.py day [--minutes 8] [--gpus 1 2 4 8] [--slides 1200]

    python benchmarks/study.py shell [--slides 4] [--size 2048]
    python benchmarks/study.py memory [--slides 60 2000]
    python benchmarks/study.py instances [--slides 200]

speed: the same slides in one process, in turn, as single runs (`wb.run`) and as a study
(`Study.run`, this process works itself): slides per hour of the study over those of the
single runs, of wall and of processor time; the cost of claiming and noting a slide;
and, for the command, seconds from its start to the first tile of the first slide.
day: from the minutes that a slide takes on one GPU, how long slides wait if a
hospital's slides of a day arrive as its scanners send them (70 % from 10 to 18 h, the
rest evenly), for each number of GPUs. Slides take a time that varies log-normally by
half. A simulation: no model is run.
shell: seconds of a study beside a shell loop of `workbench run`, a process for each
slide, in turn within each round.
memory: peak memory of a process that works on so many tiny slides, and of one that
follows them, with the seconds of processor time of each slide.
instances: seconds and peak memory to open and to aggregate the instances of a study
of so many slides with about 10^5 nuclei each, made of those of a real run.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import workbench as wb
from workbench.instances.writer import KEY
from workbench.study.aggregation import aggregate
from workbench.study.analysis import analysis_of
from workbench.study.study_progress import StudyWatch

DAY_S = 86_400.0
PEAK_H = (10.0, 18.0)
PEAK_SHARE = 0.7
VARIATION = 0.5
"""Standard deviation of the logarithm of the time of a slide."""


def write_slides(folder, number, size):
    """Write made slides; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{each}.tif" for each in range(number)]
    for seed, path in enumerate(paths):
        if not path.exists():
            wb.synthetic.write_slide(path, size=(size, size), seed=seed)
    return paths


def timed(work):
    """Return seconds of wall and of processor time that a call takes."""
    began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def single_runs(paths, recipe, out):
    """Run each slide by itself."""
    for path in paths:
        with wb.open_slide(path) as slide:
            wb.run(slide, recipe, out=out / path.stem)


def compare_speed(paths, recipe, folder, rounds=3):
    """Return the ratios of a study to single runs, by round, and the cost of claims."""
    ratios = []
    for number in range(rounds + 1):
        out = folder / f"round-{number}"
        alone = timed(lambda out=out: single_runs(paths, recipe, out / "single"))
        study = wb.make_study(out / "study", paths)
        whole = timed(lambda study=study: study.run(recipe, workers=0))
        if number:  # the first round compiles and fills caches
            ratios.append([a / b for a, b in zip(alone, whole, strict=True)])
    claims, _ = timed(lambda: claim_all(study, recipe))
    return ratios, claims / len(paths)


def claim_all(study, recipe):
    """Claim each slide of a new analysis, note an attempt and its end."""
    analysis = analysis_of(study, recipe, "claims")
    for row in study.rows:
        claim = analysis.claim(row)
        with claim.hold():
            claim.state(ours=True)
            claim.begin()
            claim.end("cancelled")


def first_tile(paths, recipe, folder):
    """Return seconds from the start of the command to the first finished tile."""
    study = wb.make_study(folder / "first", paths)
    words = [sys.executable, "-m", "workbench.cli", "study", "run", str(study.path)]
    words += ["--no-progress", "--model", recipe.model, "--batch-size", "16"]
    began = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while not any(
            file.stat().st_size > 64 for file in study.path.glob("runs/*/*/journal")
        ):
            if process.poll() is not None:
                break
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        process.terminate()
    return seconds


def arrivals(random, slides):
    """Return when the slides of a day arrive, in seconds, ascending."""
    low, high = (3600 * hour for hour in PEAK_H)
    peak = random.random(slides) < PEAK_SHARE
    times = np.where(
        peak, random.uniform(low, high, slides), random.uniform(0, DAY_S, slides)
    )
    return np.sort(times)


def simulate_day(slides, minutes, gpus, *, days=5, seed=0):
    """Return waiting times and queue of the last of several days.

    Each GPU draws the slide that has waited longest, as workers do that draw from a
    folder to which slides are added.
    """
    random = np.random.default_rng(seed)
    free = [0.0] * gpus
    waits, ends, queue = [], [], []
    for day in range(days):
        came = arrivals(random, slides) + day * DAY_S
        spread = random.normal(-(VARIATION**2) / 2, VARIATION, slides)
        for at, cost in zip(came, 60 * minutes * np.exp(spread), strict=True):
            began = max(at, heapq.heappop(free))
            heapq.heappush(free, began + cost)
            if day == days - 1:
                waits.append(began - at)
                ends.append(began + cost - at)
                queue.append((at, began))
    came, began = np.array(queue).T
    longest = max(int((came <= at).sum() - (began <= at).sum()) for at in came)
    return {
        "gpus": gpus,
        "load": slides * minutes * 60 / (gpus * DAY_S),
        "wait_median_min": median(waits) / 60,
        "wait_p95_min": float(np.percentile(waits, 95)) / 60,
        "answer_p95_min": float(np.percentile(ends, 95)) / 60,
        "longest_queue": longest,
    }


def peak_mb():
    """Return the peak memory of this process; its rusage would have its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) / 1024


def work_on(folder):
    """Work on a study in this process, and print peak memory and processor time."""
    study = wb.open_study(folder)
    began = time.process_time()
    study.run(wb.Recipe(device="cpu", tissue_only=False), workers=0)
    worked = time.process_time() - began
    found = {"slides": len(study), "worker_mb": peak_mb()}
    found |= {"slide_ms": 1000 * worked / len(study)}
    for name in ("first", "again"):  # the first reads what each slide's attempts were
        watch = StudyWatch(study.analysis())
        began = time.process_time()
        watch.look()
        found |= {f"look_{name}_ms": 1000 * (time.process_time() - began)}
        began = time.process_time()
        study.table()
        found |= {f"table_{name}_ms": 1000 * (time.process_time() - began)}
    began = time.process_time()
    watch.look()
    found |= {"look_same_process_ms": 1000 * (time.process_time() - began)}
    print(json.dumps({k: round(v, 1) for k, v in found.items()}), flush=True)


def memory(options):
    """Measure a worker on few and on many tiny slides, each in a new process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (slide,) = write_slides(folder / "made", 1, 256)
        for number in options.slides:
            slides = folder / f"slides-{number}"
            slides.mkdir()
            for each in range(number):
                os.link(slide, slides / f"{each:05}.tif")
            study = wb.make_study(folder / f"study-{number}", slides)
            subprocess.run(
                [sys.executable, __file__, "work", str(study.path)], check=True
            )


def instances(options):
    """Measure the instances of a study with many slides."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (slide,) = write_slides(folder / "made", 1, 2048)
        table = pd.DataFrame({"path": [str(slide)]})
        analysis = wb.make_study(folder / "one", table).run(model="nuclei", workers=0)
        (row,) = analysis.study.rows
        file = analysis.run_folder(row) / "instances.parquet"
        rows = pq.read_table(file)
        facts = {KEY.encode(): pq.read_metadata(file).metadata[KEY.encode()]}
        enlarged = varied(rows).replace_schema_metadata(facts)
        pq.write_table(enlarged, file, row_group_size=1 << 16)
        for each in range(options.slides):
            place = folder / "runs" / f"{each}"
            place.mkdir(parents=True)
            shutil.copy(file, place)
        words = [sys.executable, __file__, "ask", str(folder / "runs")]
        subprocess.run(words, check=True)


def varied(rows, times=24):
    """Return rows repeated, with other numbers, which do not compress as copies do."""
    random = np.random.default_rng(0)
    parts = []
    for _ in range(times):
        part = rows
        for place, field in enumerate(rows.schema):
            if pa.types.is_float32(field.type):
                values = rows.column(field.name).to_numpy()
                values = values * random.uniform(0.95, 1.0, len(values))
                column = pa.array(values.astype(np.float32))
                part = part.set_column(place, field, column)
        parts.append(part)
    return pa.concat_tables(parts)


def ask(base):
    """Print seconds and memory of questions about all instances below a folder."""
    files = sorted(str(file) for file in base.glob("*/instances.parquet"))
    slide = ds.DirectoryPartitioning(pa.schema([("slide", pa.string())]))
    before = peak_mb()
    found = {"gb": sum(map(os.path.getsize, files)) / 1e9}
    began = time.perf_counter()
    data = ds.dataset(
        files, format="parquet", partitioning=slide, partition_base_dir=str(base)
    )
    found |= {"open_s": time.perf_counter() - began, "rows": data.count_rows()}
    questions = {
        "count": lambda: aggregate(data, ["slide", "class"], [], None),
        "areas": lambda: aggregate(data, ["class"], ["area_um2"], None),
        "filtered": lambda: aggregate(
            data, ["slide"], ["hematoxylin_od"], pc.field("score") > 0.8
        ),
        "one_slide": lambda: data.to_table(
            columns=["x", "y"], filter=pc.field("slide") == "7"
        ),
    }
    for name, question in questions.items():
        wall, processor = timed(question)
        found |= {f"{name}_s": wall, f"{name}_processor_s": processor}
    found["more_mb"] = peak_mb() - before
    print(json.dumps({k: round(v, 2) for k, v in found.items()}))


def speed(options):
    """Measure and print the speed of a study."""
    recipe = wb.Recipe(model=options.model, device=options.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_slides(folder / "slides", options.slides, options.size)
        ratios, claim = compare_speed(paths, recipe, folder)
        wall, processor = (median(each) for each in zip(*ratios, strict=True))
        first = first_tile(paths[:2], recipe, folder)
    found = {"study_over_single_wall": wall, "study_over_single_processor": processor}
    found |= {"claim_ms": 1000 * claim, "first_tile_s": first}
    print(json.dumps({k: round(v, 3) for k, v in found.items()}, indent=2))


def shell(options):
    """Measure and print a study beside a shell loop, each in processes of their own."""
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_slides(folder / "slides", options.slides, options.size)
        flags = ["--model", options.model, "--device", "cpu", "--no-progress"]
        program = [sys.executable, "-m", "workbench.cli"]
        for number in range(options.rounds):
            out = folder / f"round-{number}"
            study = wb.make_study(out / "study", paths)
            whole = [[*program, "study", "run", str(study.path), *flags]]
            loop = [
                [*program, "run", str(path), "--out", str(out / path.stem), *flags]
                for path in paths
            ]
            rounds.append([processes(words) for words in (loop, whole)])
            checked = study.analysis().counts()["finished"]
            if checked != len(paths):
                sys.exit(f"{checked} of {len(paths)} slides are finished.")
    wall, processor = (
        median(loop[which] / whole[which] for loop, whole in rounds) for which in (0, 1)
    )
    found = {"slides": options.slides, "shell_over_study_wall": wall}
    found |= {"shell_over_study_processor": processor, "rounds_s": rounds}
    print(json.dumps(found, default=lambda x: round(x, 2)))


def processes(commands):
    """Return seconds of wall and of processor time of commands, one after another."""
    began, before = time.perf_counter(), os.times()
    for words in commands:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return round(time.perf_counter() - began, 2), round(used, 2)


def day(options):
    """Simulate and print the days of a hospital."""
    for gpus in options.gpus:
        found = simulate_day(options.slides, options.minutes, gpus)
        print(json.dumps({k: round(v, 2) for k, v in found.items()}))


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("speed")
    verb.add_argument("--slides", type=int, default=8)
    verb.add_argument("--size", type=int, default=4096)
    verb.add_argument("--model", default="tissue-classes")
    verb.add_argument("--device", default="auto")
    verb.set_defaults(work=speed)
    verb = verbs.add_parser("shell")
    verb.add_argument("--slides", type=int, default=4)
    verb.add_argument("--size", type=int, default=2048)
    verb.add_argument("--model", default="tissue-classes")
    verb.add_argument("--rounds", type=int, default=2)
    verb.set_defaults(work=shell)
    verb = verbs.add_parser("day")
    verb.add_argument("--slides", type=int, default=1200)
    verb.add_argument("--minutes", type=float, default=8.0)
    verb.add_argument("--gpus", type=int, nargs="+", default=[4, 7, 8, 10, 14])
    verb.set_defaults(work=day)
    verb = verbs.add_parser("memory")
    verb.add_argument("--slides", type=int, nargs="+", default=[60, 2000])
    verb.set_defaults(work=memory)
    verb = verbs.add_parser("work")
    verb.add_argument("folder")
    verb.set_defaults(work=lambda options: work_on(options.folder))
    verb = verbs.add_parser("ask")
    verb.add_argument("folder", type=Path)
    verb.set_defaults(work=lambda options: ask(options.folder))
    verb = verbs.add_parser("instances")
    verb.add_argument("--slides", type=int, default=200)
    verb.set_defaults(work=instances)
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
