"""Checks and measures everything that a GPU does, in one command of under 8 minutes.

    python benchmarks/gpu.py [--dry-run] [--stages NAME ...] [--out build/gpu]

Stages run in the order of their worth, each in a process of its own with a time limit,
so that one that hangs or crashes loses only what it had not yet written. Results are
written after each check: `gpu.json` and `gpu.md`. What cannot run here is "not
measured", with the reason. The last line counts the failed checks; the exit code is 1
if there are any. `--dry-run` goes through all stages on the CPU at toy size, with
stand-ins for decoders and devices; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

STAGES = {
    "normalizers": 90,
    "models": 60,
    "runs": 70,
    "decoding": 40,
    "pipelines": 80,
    "slides": 60,
    "training": 35,
    "exports": 40,
}
"""Seconds of each stage, in the order of worth; together under 8 minutes."""

TOY_SECONDS = 240
PRELOADED = ["gpu_stages.bench", "workbench.inference.engine", "workbench.synthetic"]


def fresh_processes(device: str):
    """Return what starts processes in which no device has been used.

    On a CPU they are forks of one that has imported everything; CUDA refuses forks of a
    process that has only looked for it.
    """
    if device != "cpu":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def perform(stage: str, device: str, results: str, *, toy: bool) -> None:
    """Go through a stage; the work of its process."""
    os.setsid()  # so that its own processes end with it
    from gpu_stages.bench import Bench  # noqa: PLC0415 - loads torch

    bench = Bench(device, Path(results), toy=toy)
    importlib.import_module(f"gpu_stages.{stage}").measure(bench)


def performed(stage: str, device: str, folder: Path, seconds: float, *, toy: bool):
    """Return the rows of a stage that was run in a process of its own."""
    context = fresh_processes(device)
    results = folder / f"{stage}.json"
    results.write_text("[]")
    arguments = (stage, device, str(results))
    process = context.Process(target=perform, args=arguments, kwargs={"toy": toy})
    process.start()
    process.join(seconds)
    problem = ""
    if process.is_alive():
        problem = f"stopped after {seconds:.0f} s"
        end(process)
    elif process.exitcode:
        problem = f"ended with exit code {process.exitcode}"
    rows = json.loads(results.read_text())
    if problem:
        row = {"kind": "check", "name": "the stage ends", "state": "failed"}
        rows.append({**row, "detail": problem})
    return rows


def end(process) -> None:
    """Kill a process with those that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it had not yet made its group
        process.kill()
    process.join()


def table(found: dict) -> list[str]:
    """Return facts, checks and figures as Markdown."""
    lines = ["# Checks and figures of a device", ""]
    lines += [f"{name}: {value}" for name, value in found["facts"].items()]
    for stage, rows in found["stages"].items():
        lines += ["", f"## {stage}", ""]
        checks = [row for row in rows if row["kind"] == "check"]
        figures = [row for row in rows if row["kind"] == "figure"]
        if checks:
            lines += ["| check | | |", "|---|---|---|"]
            lines += [f"| {r['name']} | {r['state']} | {r['detail']} |" for r in checks]
        if figures:
            lines += ["", "| figure | | unit | share of the limit | goal |"]
            lines += ["|---|--:|---|--:|--:|"]
            lines += [figure_line(row) for row in figures]
    return lines


def figure_line(row: dict) -> str:
    """Return a figure as a line of a table."""
    if row["value"] is None:
        return f"| {row['name']} | not measured: {row['detail']} | | | |"
    share = f"{row['value'] / row['limit']:.2f}" if row["limit"] else ""
    goal = f"{row['goal']:g}" if row["goal"] else ""
    return f"| {row['name']} | {row['value']:,.4g} | {row['unit']} | {share} | {goal} |"


def write(found: dict, folder: Path) -> None:
    """Write the results until now."""
    (folder / "gpu.json").write_text(json.dumps(found, indent=1))
    (folder / "gpu.md").write_text("\n".join(table(found)) + "\n")


def facts(device: str) -> dict:
    """Return the device and the versions, from a process of its own."""
    context = fresh_processes(device)
    from gpu_stages.machine import facts_of  # noqa: PLC0415 - needs the path above

    with context.Pool(1) as pool:
        return pool.apply(facts_of, (device,))


def main(arguments: list[str] | None = None) -> int:
    """Run the stages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="toy size, on the CPU")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    device = "cpu" if given.dry_run else "cuda"
    found = {"facts": facts(device), "stages": {}}
    if not given.dry_run and not found["facts"]["available"]:
        print("There is no GPU here: not measured. Try --dry-run.")
        return 0
    for stage in given.stages:
        began = time.perf_counter()
        limit = TOY_SECONDS if given.dry_run else STAGES[stage]
        rows = performed(stage, device, given.out, limit, toy=given.dry_run)
        found["stages"][stage] = rows
        write(found, given.out)
        print(f"{stage}: {len(rows)} rows, {time.perf_counter() - began:.1f} s")
    print("\n".join(table(found)))
    states = [r["state"] for rows in found["stages"].values() for r in rows]
    failed = states.count("failed")
    missing = states.count("not measured")
    print(f"{failed} checks failed; {missing} rows not measured; {len(states)} rows")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
