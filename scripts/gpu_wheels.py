"""Gather the wheels that a GPU machine without network needs for `make gpu`.

    python scripts/gpu_wheels.py [FOLDER] [--python 3.12] [--installed FILE] [--list]

The requirements of the workbench are followed through the metadata of the packages in
this environment; what such a machine usually has (PyTorch and the scientific packages;
`--installed` reads another list, as `pip freeze` prints it) is left out. pip downloads
the rest for the other machine's Python, with the versions of constraints.txt. Prints
the size of each; above 60 MB the exit code is 1. There:

    pip install --no-index --no-deps --target site FOLDER/*.whl
    PYTHONPATH=site python benchmarks/gpu.py
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LIMIT_MB = 60
PROJECT, EXTRAS = "slide-workbench", ("onnx", "export")
INSTALLED = """
annotated-doc anyio attrs certifi click coverage einops filelock fsspec h5py imageio
jinja2 joblib lazy-loader llvmlite markupsafe ml-dtypes mpmath narwhals networkx numba
numpy onnx onnx-ir onnxruntime onnxscript opencv-python-headless packaging pandas pillow
protobuf psutil pyarrow python-dateutil pyyaml regex requests safetensors scikit-image
scikit-learn scipy setuptools six sympy threadpoolctl tifffile timm torch torchvision
tqdm triton typing-extensions tzdata
"""
"""Packages of a machine with PyTorch and the usual scientific packages."""

PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 24, 17, 12, 5)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux1_x86_64"]


def installed_names(text: str) -> set[str]:
    """Return the canonical names in a list, or in what `pip freeze` prints."""
    lines = text.splitlines() if "==" in text else text.split()
    words = (re.split(r"[=<>@ ]", line.strip())[0] for line in lines)
    return {canonicalize_name(word) for word in words if word}


def needed(name: str, extras: tuple[str, ...], present: set[str]) -> dict[str, str]:
    """Return the packages that a package needs and a machine lacks, with versions."""
    found: dict[str, str] = {}
    waiting = [(name, extras)]
    while waiting:
        current, chosen = waiting.pop()
        for need in requirements(current, chosen):
            key = canonicalize_name(need.name)
            if key in present or key in found or key == name:
                continue
            try:
                found[key] = distribution(key).version
            except PackageNotFoundError:
                continue  # not for this platform
            waiting.append((key, tuple(need.extras)))
    return dict(sorted(found.items()))


def requirements(name: str, extras: tuple[str, ...]) -> list[Requirement]:
    """Return the requirements of an installed package, with some of its extras."""
    every = [Requirement(text) for text in distribution(name).requires or ()]
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [
        need
        for need in every
        if need.marker is None or any(map(need.marker.evaluate, environments))
    ]


def download(packages: dict[str, str], folder: Path, python: str) -> None:
    """Download wheels for another machine; a pure source is built here."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--python-version",
        python,
        "--dest",
        str(folder),
    ]
    command += ["--implementation", "cp"]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    names = [f"{name}=={version}" for name, version in packages.items()]
    subprocess.run([*command, *names], check=True)  # noqa: S603 - fixed words


def main() -> int:
    """Print the list; gather the wheels; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build/wheels")
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--installed", type=Path, help="names, or output of pip freeze")
    parser.add_argument("--list", action="store_true", help="download nothing")
    given = parser.parse_args()
    text = given.installed.read_text() if given.installed else INSTALLED
    packages = needed(PROJECT, EXTRAS, installed_names(text))
    if given.list:
        print("\n".join(f"{name}=={version}" for name, version in packages.items()))
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    download(packages, given.folder, given.python)
    sizes = {
        path.name: path.stat().st_size / 1e6 for path in given.folder.glob("*.whl")
    }
    for name, size in sorted(sizes.items(), key=lambda each: -each[1]):
        print(f"{size:7.2f} MB  {name}")
    total = sum(sizes.values())
    print(f"{total:7.2f} MB  {len(sizes)} wheels; at most {LIMIT_MB} MB may travel")
    return int(total > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
