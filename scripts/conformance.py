"""Read exports with the programs that they are for, and write docs/conformance.md.

    python scripts/conformance.py [--envs FOLDER] [--only NAME ...] [--check]

Each group of receivers has an environment of its own (build/conformance by default),
because they do not fit beside the workbench; it is made at the first run, from the
package index of this machine. `--check` leaves the page as it is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "conformance"
PAGE = ROOT / "docs" / "conformance.md"


@dataclass(frozen=True)
class Environment:
    """Receivers that live together."""

    script: str
    packages: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    """Packages that are installed without what they ask for."""


ENVIRONMENTS = {
    "own": Environment("readers.py"),
    "small": Environment(
        "documents.py",
        (
            *("pycocotools>=2.0.8", "ome-types>=0.6", "ome-zarr-models>=1.6"),
            *("tissuumaps-schema>=1.3", "wsinfer-zoo>=0.6", "jsonschema>=4.23"),
            *("geojson-pydantic>=2", "geojson-validator>=0.7", "pyogrio>=0.10"),
            *("geoparquet-validator>=0.2", "geopandas>=1", "pyarrow>=17"),
        ),
    ),
    "tiatoolbox": Environment(
        "tiatoolbox_store.py",
        (
            *("shapely<=2.1.2", "numpy>=2", "pandas>=2", "tqdm", "requests", "pyyaml"),
            "typing_extensions",
        ),
        ("tiatoolbox>=2.1",),
    ),
    "spatialdata": Environment("spatial.py", ("spatialdata>=0.7.3", "wsidata>=0.12")),
    "girder": Environment("girder_schema.py", ("girder-large-image-annotation>=1.35",)),
    "rocrate": Environment("crates.py", ("roc-validator>=0.13", "rocrate>=0.16")),
}


def python_of(name: str, envs: Path) -> Path:
    """Return the interpreter of an environment, which is made if it is not there."""
    if name == "own":
        return Path(sys.executable)
    folder, needs = envs / name, ENVIRONMENTS[name]
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *needs.packages], check=True)  # noqa: S603 - of the list
        if needs.alone:
            subprocess.run([*pip, "--no-deps", *needs.alone], check=True)  # noqa: S603
    return python


def results_of(name: str, envs: Path, files: Path) -> list[dict]:
    """Return the results of the receivers of one environment."""
    script = FOLDER / "receivers" / ENVIRONMENTS[name].script
    own = [ROOT, ROOT / "tests" / "support"] if name == "own" else []
    path = os.pathsep.join(map(str, own))
    command = [str(python_of(name, envs)), "-W", "ignore", str(script), str(files)]
    environment = {**os.environ, "PYTHONPATH": path}
    ended = subprocess.run(  # noqa: S603 - of this repository
        command, capture_output=True, text=True, check=False, env=environment
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    if ended.returncode or not lines:
        return [
            {
                "format": "",
                "receiver": name,
                "version": "",
                "check": "the receivers start",
                "ok": False,
                "reason": ended.stderr[-600:],
            }
        ]
    return [json.loads(line.removeprefix("RESULT ")) for line in lines]


def page_of(results: list[dict], day: str) -> str:
    """Return the page: a row for each check."""
    head = (
        "# Conformance\n\nFiles of small made runs, written by `workbench export` and"
        " `workbench convert`, and read by the programs that they are for: `make"
        f" conformance`, {day}, Python {sys.version.split()[0]}. What is read beside"
        " the workbench is tested in `make test` too.\n\n"
    )
    rows = [
        "| format | receiver | version | what was checked | |",
        "|---|---|---|---|---|",
    ]
    ordered = sorted(results, key=lambda r: (r["format"], r["receiver"], r["check"]))
    for each in ordered:
        sign = "passed" if each["ok"] else "**failed**"
        rows.append(
            f"| `{each['format']}` | {each['receiver']} | {each['version']}"
            f" | {each['check']} | {sign} |"
        )
    passed = sum(each["ok"] for each in results)
    return (
        f"{head}{passed} of {len(results)} checks passed.\n\n" + "\n".join(rows) + REST
    )


REST = """

Not run by the kit:

- QuPath itself needs a Java machine: the rules of its parser are stated in
  `tests/support/qupath_rules.py`. To load exports into a QuPath project from Python,
  use [paquo](https://paquo.readthedocs.io), which needs QuPath installed:
  `image.hierarchy.load_geojson(json.load(open("nuclei.geojson"))["features"])`.
  Project folders are not written here: QuPath keeps the objects of each image in
  `data.qpdata`, serialized objects of its own Java classes.
- The servers of HistomicsUI, TissUUmaps, xOpat and CVAT: their schemas and layouts are
  checked.
- DICOM: see [DICOM](dicom.md).
"""


def main() -> None:
    """Make the files, run the receivers, write the page; fail if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", type=Path, default=ROOT / "build" / "conformance")
    parser.add_argument("--only", nargs="+", choices=ENVIRONMENTS)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    results: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "support")))
        subprocess.run(  # noqa: S603 - of this repository
            [sys.executable, str(FOLDER / "made_files.py"), str(files)],
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        for name in options.only or ENVIRONMENTS:
            results += results_of(name, options.envs.resolve(), files)
    for each in results:
        print("passed" if each["ok"] else "FAILED", each["receiver"], each["check"])
        if not each["ok"]:
            print(each.get("reason", ""))
    if not options.check and not options.only:
        day = dt.datetime.now(tz=dt.UTC).date().isoformat()
        PAGE.write_text(page_of(results, day), encoding="utf-8")
    sys.exit(not all(each["ok"] for each in results))


if __name__ == "__main__":
    main()
