"""The peers of `benchmarks/stain.py`: how each is fitted, and how it takes its tiles.

Every peer is called as its manual says, with tiles in the form that it likes best,
made before the clock starts. A peer that cannot be imported is left out, and named.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Transform = Callable[[Any], Any]


@dataclass(frozen=True)
class Form:
    """How tiles are handed over, and how results come back."""

    give: Callable[[np.ndarray], list]
    """From uint8 (N, H, W, 3) to what `Transform` is called with, in turn."""

    take: Callable[[Any], np.ndarray]
    """From one result to uint8 (..., H, W, 3)."""


@dataclass(frozen=True)
class Peer:
    """One method of one package."""

    name: str
    method: str
    module: str
    form: Form
    fit: Callable[[np.ndarray], Transform]
    """From a target, uint8 (H, W, 3), to the transform of one input."""

    slow: bool = False
    """Takes seconds for a tile: timed once, on single tiles only."""


def as_bytes(pixels: Any) -> np.ndarray:
    return np.clip(np.asarray(pixels), 0, 255).astype(np.uint8)


def planes(tiles: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(tiles.transpose(0, 3, 1, 2)))


def from_unit(result: torch.Tensor) -> np.ndarray:
    return as_bytes((result * 255).round().permute(0, 2, 3, 1))


ARRAYS = Form(lambda tiles: list(tiles.copy()), as_bytes)
PLANES = Form(lambda tiles: list(planes(tiles)), as_bytes)
BATCH = Form(
    lambda tiles: [planes(tiles)], lambda result: as_bytes(result.permute(0, 2, 3, 1))
)
UNIT = Form(lambda tiles: [planes(tiles).float() / 255], from_unit)


def torchstain(kind: str) -> Callable:
    def fit(target: np.ndarray) -> Transform:
        from torchstain.torch import normalizers  # noqa: PLC0415

        made = getattr(normalizers, f"Torch{kind}Normalizer")()
        made.fit(planes(target[None])[0])
        if kind == "Reinhard":
            return made.normalize
        return lambda tile: made.normalize(tile, stains=False)[0]

    return fit


def stainx(kind: str) -> Callable:
    def fit(target: np.ndarray) -> Transform:
        import stainx as package  # noqa: PLC0415

        made = getattr(package, kind)(device="cpu").fit(planes(target[None]))
        return made.transform

    return fit


def torch_staintools(method: str, *, cached: bool = False) -> Callable:
    def fit(target: np.ndarray) -> Transform:
        from torch_staintools.constants import CONFIG  # noqa: PLC0415
        from torch_staintools.normalizer import NormalizerBuilder  # noqa: PLC0415

        # Only the dictionary is compiled, which takes minutes; it is cached here.
        CONFIG.ENABLE_COMPILE = not cached
        made = NormalizerBuilder.build(method, use_cache=cached, rng=0)
        unit = planes(target[None]).float() / 255
        if not cached:
            made.fit(unit)
            return made.transform
        made.fit(unit, cache_keys=["target"])
        made.transform(unit, cache_keys=["slide"])
        return lambda tiles: made.transform(tiles, cache_keys=["slide"] * len(tiles))

    return fit


def tiatoolbox(method: str) -> Callable:
    def fit(target: np.ndarray) -> Transform:
        from tiatoolbox.tools import stainnorm  # noqa: PLC0415

        made = stainnorm.get_normalizer(method)
        made.fit(target.copy())
        # It writes into what it is given.
        return lambda tile: made.transform(tile.copy())

    return fit


def staintools(method: str) -> Callable:
    def fit(target: np.ndarray) -> Transform:
        import staintools as package  # noqa: PLC0415

        if method == "reinhard":
            made = package.ReinhardColorNormalizer()
        else:
            made = package.StainNormalizer(method)
        made.fit(target.copy())
        return lambda tile: made.transform(tile.copy())

    return fit


PEERS = [
    Peer("torchstain Macenko", "macenko", "torchstain", PLANES, torchstain("Macenko")),
    Peer("stainx Macenko", "macenko", "stainx", BATCH, stainx("Macenko")),
    Peer(
        "torch-staintools Macenko",
        "macenko",
        "torch_staintools",
        UNIT,
        torch_staintools("macenko"),
    ),
    Peer("tiatoolbox Macenko", "macenko", "tiatoolbox", ARRAYS, tiatoolbox("macenko")),
    Peer("staintools Macenko", "macenko", "staintools", ARRAYS, staintools("macenko")),
    Peer(
        "torch-staintools Vahadane, cached matrix",
        "vahadane",
        "torch_staintools",
        UNIT,
        torch_staintools("vahadane", cached=True),
    ),
    Peer(
        "torch-staintools Vahadane, default",
        "vahadane",
        "torch_staintools",
        UNIT,
        torch_staintools("vahadane"),
        slow=True,
    ),
    Peer(
        "tiatoolbox Vahadane",
        "vahadane",
        "tiatoolbox",
        ARRAYS,
        tiatoolbox("vahadane"),
        slow=True,
    ),
    Peer(
        "staintools Vahadane (spams)",
        "vahadane",
        "staintools",
        ARRAYS,
        staintools("vahadane"),
        slow=True,
    ),
    Peer(
        "staintools Reinhard (OpenCV)",
        "reinhard",
        "staintools",
        ARRAYS,
        staintools("reinhard"),
    ),
    Peer(
        "torchstain Reinhard", "reinhard", "torchstain", PLANES, torchstain("Reinhard")
    ),
    Peer("stainx Reinhard", "reinhard", "stainx", BATCH, stainx("Reinhard")),
    Peer(
        "torch-staintools Reinhard",
        "reinhard",
        "torch_staintools",
        UNIT,
        torch_staintools("reinhard"),
    ),
    Peer(
        "tiatoolbox Reinhard", "reinhard", "tiatoolbox", ARRAYS, tiatoolbox("reinhard")
    ),
]

PARTS = {
    "tiatoolbox": "tiatoolbox.tools.stainnorm",
    "torch_staintools": "torch_staintools.normalizer",
}
"""What is imported to see whether a package works; elsewhere the package itself."""


def importable(modules: set[str]) -> set[str]:
    """Return the modules that can be imported; name the others."""
    found = set()
    for module in sorted(modules):
        try:
            importlib.import_module(PARTS.get(module, module))
        except ImportError as error:
            print(f"{module}: not installed ({error})")
        else:
            found.add(module)
    return found


def installed(skip: Sequence[str] = ()) -> list[Peer]:
    """Return the peers that can be run here, without those whose name has a part."""
    found = importable({peer.module for peer in PEERS})
    return [
        peer
        for peer in PEERS
        if peer.module in found and not any(part in peer.name for part in skip)
    ]


def normalized(peer: Peer, target: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return one picture, uint8 (H, W, 3), in the colours of a target."""
    transform = peer.fit(target)
    (given,) = peer.form.give(picture[None])
    return peer.form.take(transform(given)).reshape(picture.shape)
