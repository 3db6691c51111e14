"""`workbench health`."""

from __future__ import annotations

import json
import os
import platform
import time
import urllib.request
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.options import json_flag
from workbench.errors import StudyError
from workbench.system.thread_pool import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGES: Final = ("slide-workbench", "torch", "numpy", "zarr", "pyarrow")
_CODECS: Final = (
    "simplejpeg",
    "imagecodecs",
    "tiffslide",
    "openslide",
    "wsidicom",
    "fastslide",
)
_OPTIONAL: Final = frozenset(("openslide", "wsidicom", "fastslide"))
_SIDE: Final = 1024
_TILE_PX: Final = 512
_ROUNDS: Final = 5
_CLOSE: Final = 1e-2
_ANSWER_S: Final = 10.0


@click.command("health")
@click.option("--gpu", is_flag=True, help="Fail if there is no GPU that computes.")
@click.option(
    "--url", help="Check only that this address answers, such as /health of the app."
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Check only that this Dask scheduler answers, with the keys of $DASK_CONFIG.",
)
@json_flag
def command(
    *, gpu: bool, url: str | None, scheduler: str | None, as_json: bool
) -> None:
    """Check this machine: devices, arithmetic, decoding, libraries and versions.

    Ends with status 1 if a check fails, so that it serves as the health check of a
    container. It takes a few seconds. With --url or --scheduler only these are checked,
    which takes less.
    """
    if url or scheduler:
        facts = _services(url, scheduler)
        problems = [error for name, error in facts.items() if name.endswith("error")]
    else:
        facts = {**_machine(), "devices": _devices(), "codecs": _codecs()}
        facts |= _decoding()
        problems = _problems(facts, gpu=gpu)
    if as_json:
        facts = {**facts, "problems": problems, "healthy": not problems}
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)
        for problem in problems:
            click.echo(f"Problem: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(1)


def _services(url: str | None, scheduler: str | None) -> dict[str, Any]:
    """Return what servers answer; keys that end in `error` say why one does not."""
    facts: dict[str, Any] = {}
    if url:
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310 - the user's own
                facts["url"] = answer.status
        except (OSError, ValueError) as error:
            facts["url_error"] = f"'{url}' does not answer: {error}."
    if scheduler:
        from workbench.study.cluster.dask_client import workers_of  # noqa: PLC0415 - an extra

        try:
            facts["dask_workers"] = workers_of(scheduler)
        except StudyError as error:
            facts["scheduler_error"] = str(error)
    return facts


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "cores": available_cores(),
        "memory_gb": _memory_gb(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a source checkout that is not installed
        return "unknown"


def _memory_gb() -> float | None:
    """Return the memory of the machine; None where it is not known."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return round(size / 1e9, 1)


def _devices() -> list[dict[str, Any]]:
    """Return each device with the speed of a matrix product, which is checked."""
    import torch  # noqa: PLC0415 - see LazyGroup

    from workbench.models.devices import gpu_names  # noqa: PLC0415 - see LazyGroup

    found = []
    for name in ("cpu", *gpu_names()):
        facts: dict[str, Any] = {"name": name}
        try:
            if torch.device(name).type == "cuda":
                properties = torch.cuda.get_device_properties(name)
                facts["model"] = properties.name
                facts["memory_gb"] = round(properties.total_memory / 1e9, 1)
            facts |= _product(name)
        except RuntimeError as error:  # a driver that is too old, no memory
            facts["error"] = str(error).partition("\n")[0]
        found.append(facts)
    return found


def _product(device: str) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - see LazyGroup

    seed = torch.Generator().manual_seed(0)
    matrix = torch.randn((_SIDE, _SIDE), generator=seed).to(device)

    def multiply() -> float:
        return float((matrix @ matrix).diagonal().sum())

    expected = float((matrix.double().cpu() * matrix.double().cpu().T).sum())
    right = abs(multiply() - expected) <= _CLOSE * abs(expected) + 1
    seconds = _fastest(multiply)
    return {"gflops": round(2 * _SIDE**3 / seconds / 1e9, 1), "right": right}


def _codecs() -> dict[str, str]:
    """Return the version of each codec library; the error of one that fails."""
    found = {}
    for name in _CODECS:
        try:
            found[name] = str(getattr(import_module(name), "__version__", "installed"))
        except Exception as error:  # noqa: BLE001 - shared libraries fail in many ways
            found[name] = f"missing ({error})"
    return found


def _decoding() -> dict[str, Any]:
    """Return how many JPEG tiles one core decodes each second."""
    import numpy as np  # noqa: PLC0415 - see LazyGroup
    import simplejpeg  # noqa: PLC0415

    ramp = np.linspace(0, 255, _TILE_PX, dtype=np.uint8)
    pixels = np.stack([np.add.outer(ramp, ramp) // 2 for _ in range(3)], axis=-1)
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85)
    seconds = _fastest(lambda: simplejpeg.decode_jpeg(data))
    return {"jpeg_tiles_per_s": round(1 / seconds)}


def _fastest(work: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of several calls."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _problems(facts: dict[str, Any], *, gpu: bool) -> list[str]:
    problems = []
    for device in facts["devices"]:
        if error := device.get("error"):
            problems.append(f"{device['name']}: {error}")
        elif not device["right"]:
            problems.append(f"{device['name']} computes a wrong matrix product.")
    for name, text in facts["codecs"].items():
        if text.startswith("missing") and name not in _OPTIONAL:
            problems.append(f"{name} is {text}.")
    if gpu and not any(device["name"] != "cpu" for device in facts["devices"]):
        problems.append("There is no GPU, or torch was built without CUDA.")
    return problems


def _print(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if isinstance(value, dict):
            said = ", ".join(f"{key} {text}" for key, text in value.items())
        elif isinstance(value, list):
            said = "; ".join(
                ", ".join(f"{key} {text}" for key, text in each.items())
                for each in value
            )
        else:
            said = str(value)
        click.echo(f"{name}: {said}")
