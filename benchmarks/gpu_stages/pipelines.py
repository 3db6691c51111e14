"""From slide to answers, as a share of the bare network's rate; where the rest goes."""

from __future__ import annotations

import importlib.util
from functools import partial
from unittest import mock

import torch
from torch import nn

import workbench as wb
from gpu_stages.bench import NotMeasuredError
from infer import MEAN, STD, Free
from memory import write_slide
from workbench.models.card import ModelCard
from workbench.models.tile_model import TileModel, resolve_precision
from workbench.recipe import Recipe

TILE, GOAL = 224, 0.90
NETWORKS = {
    "resnet50": ("torchvision:resnet50", 256, 110),
    "vit_large_patch16_224": ("timm:vit_large_patch16_224", 256, 45),
    "vit_giant_patch14_224": ("timm:vit_giant_patch14_224", 128, 22),
}
"""Architecture, tiles in a batch and tiles along a side of the slide."""

STEPS = ("normalizing", "model", "post-processing")


def network(name: str) -> nn.Module:
    """Return a network with random weights and 8 classes."""
    import torchvision  # noqa: PLC0415 - slow

    family, _, kind = name.partition(":")
    if family == "torchvision":
        return getattr(torchvision.models, kind)(weights=None, num_classes=8).eval()
    if importlib.util.find_spec("timm") is None:
        message = "timm is not installed"
        raise NotMeasuredError(message)
    import timm  # noqa: PLC0415 - optional

    return timm.create_model(kind, pretrained=False, num_classes=8).eval()


def card(name: str) -> ModelCard:
    """Return the card of such a network."""
    return ModelCard(
        name=name,
        task="classification",
        classes=tuple("abcdefgh"),
        mpp=0.25,
        tile_px=TILE,
        mean=MEAN,
        std=STD,
    )


def bare(bench, model: TileModel, batch: int) -> float:
    """Return the tiles/s of the network on tensors on the device."""
    model = model.to(bench.device)
    model.precision = resolve_precision("auto", bench.device)
    tiles = torch.randint(
        0, 256, (batch, 3, TILE, TILE), dtype=torch.uint8, device=bench.device
    )
    return batch / bench.seconds(lambda: model(tiles), 8)


def whole(bench, path, model: TileModel, across: int, batch: int, **options):
    """Return a run over a square of a slide of one tile, repeated."""
    recipe = Recipe(
        tissue_only=False,
        batch_size=batch,
        device=str(bench.device),
        region=(0, 0, across * TILE, across * TILE),
    )
    with (
        mock.patch("workbench.inference.plan.find_model", return_value=model),
        wb.open_slide(path) as slide,
    ):
        out = bench.folder / f"{model.card.name}-{len(list(bench.folder.iterdir()))}"
        return wb.run(slide, recipe.replace(**options), out=out)


def rate_of(run) -> float:
    """Return the tiles/s of a run."""
    return run.tiles_total / run.record["timings"]["tiles"]


def busy(run) -> float:
    """Return the share of the time in which the device works."""
    timings = run.record["timings"]
    return min(1.0, sum(timings.get(step, 0) for step in STEPS) / timings["tiles"])


def measured(bench, path, name: str, plan: tuple[str, int, int]) -> None:
    """Measure one network: bare, as a pipeline, and the device's load."""
    architecture, batch, across = plan
    if bench.toy:
        batch, across = 2, 2
    try:
        model = TileModel(card(name), network(architecture))
    except NotMeasuredError as error:
        bench.figure(name, partial(_raise, error), "tiles/s")
        return
    limit = bench.figure(f"{name}, bare", lambda: bare(bench, model, batch), "tiles/s")
    runs = []

    def pipeline() -> float:
        whole(bench, path, model, min(across, 4), batch, normalize="macenko")
        runs.append(whole(bench, path, model, across, batch, normalize="macenko"))
        return rate_of(runs[0])

    bench.figure(f"{name}, pipeline", pipeline, "tiles/s", limit=limit, goal=GOAL)
    bench.figure(f"{name}, device busy", lambda: busy(runs[0]), "share of the time")
    for step in ("waiting", "reading", "transfer", *STEPS, "writing"):
        bench.figure(
            f"{name}, {step}",
            lambda step=step: runs[0].record["timings"].get(step, 0.0),
            "s, of all threads",
        )


def _raise(error: Exception) -> float:
    raise error


def measure(bench) -> None:
    """Measure the feed rate and the networks."""
    path = bench.folder / "repeated.svs"
    write_slide(path, 2048 if bench.toy else 32768)
    free = Free(card("free"), nn.Identity())
    across, batch = (4, 8) if bench.toy else (140, 512)
    whole(bench, path, free, 2, batch)  # compiles
    bench.figure(
        "feed rate, free model",
        lambda: rate_of(whole(bench, path, free, across, batch)),
        "tiles/s",
    )
    networks = dict(NETWORKS)
    if bench.toy:
        networks = {"resnet18": ("torchvision:resnet18", 2, 2)}
    for name, plan in networks.items():
        measured(bench, path, name, plan)
