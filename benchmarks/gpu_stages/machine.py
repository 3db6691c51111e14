"""Facts of the machine."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "torchvision", "triton", "onnxruntime-gpu", "onnxruntime")
PACKAGES += ("tensorrt", "nvidia-nvimgcodec-cu13", "nvidia-nvimgcodec-cu12", "numpy")


def facts_of(device: str) -> dict:
    """Return date, device, driver and versions."""
    there = device == "cpu" or torch.cuda.is_available()
    name = platform.processor() or platform.machine()
    if device != "cpu" and there:
        name = torch.cuda.get_device_name()
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "available": there,
        "date": time.strftime("%Y-%m-%d"),
        "device": name,
        "processors": os.cpu_count(),
        "cuda": torch.version.cuda or "",
        "python": platform.python_version(),
        "packages": versions,
    }
