"""Versions of the packages that decide what a run computes."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE: Final = "slide-workbench"

_PACKAGES: Final = (
    PACKAGE,
    "torch",
    "numpy",
    "opencv-python-headless",
    "scipy",
    "scikit-image",
    "numba",
    "imagecodecs",
    "simplejpeg",
    "tiffslide",
    "tifffile",
    "openslide-bin",
    "wsidicom",
    "shapely",
    "torchvision",
    "timm",
    "onnxruntime",
)
"""Packages that read pixels, compute values or trace outlines."""


@cache
def versions() -> Mapping[str, str]:
    """Return the version of each installed package that matters, by its name.

    This package has the version "unknown" in a source checkout that is not installed.
    """
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package == PACKAGE:
                found[package] = "unknown"
    return MappingProxyType(found)
