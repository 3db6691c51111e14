"""Runs the checks of one receiver on a folder of files, and prints the results.

Used by the scripts beside it, in environments that need not have the workbench.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import traceback
from pathlib import Path

CHECKS: list = []


def check(formats: str, package: str):
    """Register a check: the format it is of, and the package that reads it."""

    def add(function):
        CHECKS.append((formats, package, function))
        return function

    return add


def version_of(package: str) -> str:
    """Return the installed version; empty for what is no package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def main() -> None:
    """Run all checks on the folder of the command line; print a line of JSON each."""
    folder = Path(sys.argv[1])
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for formats, package, function in CHECKS:
        result = {
            "format": formats,
            "receiver": package,
            "version": version_of(package),
            "check": (function.__doc__ or "").strip().rstrip("."),
        }
        try:
            function(folder, expected)
            result["ok"] = True
        except Exception:  # any failure of a receiver is a result
            result["ok"] = False
            result["reason"] = traceback.format_exc(limit=-2)[-600:]
        print("RESULT " + json.dumps(result), flush=True)
