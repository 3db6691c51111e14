"""Every bundled model and Mask R-CNN on the device, against the CPU in float32."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

import workbench as wb
from gpu_stages.bench import relative
from workbench.models.architectures import build_network
from workbench.models.card import ModelCard
from workbench.models.catalogue import known_cards
from workbench.models.registry import find_model
from workbench.models.tile_model import TileModel

ALLOWED = {"float32": 3e-3, "bfloat16": 6e-2, "float16": 2e-2}
"""Largest relative error; convolutions of float32 use TF32 on newer GPUs."""

TOYS = ("tissue-classes", "stain-concentration")
"""Models of a dry run."""

COUNTED = {"nuclear-density": 5e-2}
"""Models that count: a nucleus more or less where two pixels tie."""


def tiles_of(bench, side: int, number: int) -> torch.Tensor:
    """Return tiles of the made slide, uint8 (N, 3, side, side)."""
    with wb.open_slide(bench.slide) as slide:
        free = max(1, slide.size[0] - side)
        corners = np.random.default_rng(1).integers(0, free, (number, 2)).tolist()
        boxes = [wb.Box.at(x, y, side, side) for x, y in corners]
        pixels = slide.read_tiles(boxes, (side, side))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def compared(bench, name: str, precision: str, tiles, wanted) -> str:
    """Compare a model on the device with the CPU's answers."""
    model = find_model(name).to(bench.device)
    model.precision = precision
    found = model(tiles.to(bench.device))
    if not torch.isfinite(found).all():
        message = "the answers are not all finite"
        raise AssertionError(message)
    return relative(found, wanted, max(ALLOWED[precision], COUNTED.get(name, 0)))


def maskrcnn(side: int, backbone: str = "resnet50") -> TileModel:
    """Return a Mask R-CNN with random weights, the same each time."""
    card = ModelCard(
        name="maskrcnn",
        task="instances",
        classes=("nucleus",),
        decoder="maskrcnn",
        mpp=0.25,
        tile_px=side,
        margin_px=32,
        min_score=0.05,
        architecture=f"torchvision:maskrcnn_{backbone}_fpn",
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TileModel(card, build_network(card, trust=False))


def features(model: TileModel, tiles) -> torch.Tensor:
    """Return the features of a Mask R-CNN; rounding reorders its detections."""
    with torch.inference_mode(), model._autocast(tiles.device):  # noqa: SLF001
        found = model.network.detector.backbone(model.channels(tiles))
    return found["0"].float()


def compared_maskrcnn(bench, backbone: str, precision: str, tiles, wanted) -> str:
    """Compare the features with the CPU's, and look at the detections."""
    model = maskrcnn(tiles.shape[-1], backbone).to(bench.device)
    model.precision = precision
    moved = tiles.to(bench.device)
    if not torch.isfinite(model(moved)).all():
        message = "the detections are not all finite"
        raise AssertionError(message)
    return relative(features(model, moved), wanted, ALLOWED[precision])


def measure(bench) -> None:
    """Check all models in all precisions."""
    precisions = list(ALLOWED)
    if not bench.cuda:
        precisions.remove("float16")  # convolutions of the CPU lack it
    number = 1 if bench.toy else 4
    for card in known_cards():
        if bench.toy and card.name not in TOYS:
            continue
        tiles = tiles_of(bench, card.tile_px, number)
        wanted = find_model(card.name)(tiles)
        for precision in precisions:
            work = partial(compared, bench, card.name, precision, tiles, wanted)
            bench.check(f"{card.name}, {precision}", work)
    side, backbone = (96, "resnet18") if bench.toy else (512, "resnet50")
    tiles = tiles_of(bench, side, 1)
    wanted = features(maskrcnn(side, backbone), tiles)
    for precision in precisions:
        work = partial(compared_maskrcnn, bench, backbone, precision, tiles, wanted)
        bench.check(f"maskrcnn_{backbone}_fpn, {precision}", work)
