"""One peer's tiles/s over a whole slide; run by `infer.py` in the peer's environment.

    /path/to/its/python infer_peers.py tiatoolbox slide.svs resnet18

Each is used as its documentation says, with the network given to it in the memory
format that suits it best, after a warm-up over the same slide. The last line that is
printed is the rate.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

TILE, BATCH = 224, 32
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)


class Free(nn.Module):
    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(tiles), 8)


def network(name: str) -> nn.Module:
    if name == "free":
        return Free()
    if name.startswith("vit_"):
        import timm  # noqa: PLC0415 - for encoders only

        return timm.create_model(name, pretrained=False, num_classes=0).eval()
    made = getattr(torchvision.models, name)(weights=None, num_classes=8)
    return made.eval().to(memory_format=torch.channels_last)


def transform() -> torchvision.transforms.Compose:
    normalize = torchvision.transforms.Normalize(MEAN.flatten(), STD.flatten())
    return torchvision.transforms.Compose(
        [torchvision.transforms.ToTensor(), normalize]
    )


def tiatoolbox(path: str, model: nn.Module) -> int:
    from tiatoolbox.models.engine.deep_feature_extractor import (  # noqa: PLC0415
        DeepFeatureExtractor,
    )
    from tiatoolbox.models.engine.io_config import (  # noqa: PLC0415
        IOPatchPredictorConfig,
    )
    from tiatoolbox.models.models_abc import ModelABC  # noqa: PLC0415

    class Wrapped(ModelABC):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            return self.model(tiles)

        @staticmethod
        def infer_batch(wrapped, batch, *, device):
            del device
            tiles = batch.permute(0, 3, 1, 2)
            if not isinstance(wrapped.model, Free):
                tiles = (tiles.float() / 255 - MEAN) / STD
            with torch.inference_mode():
                return [wrapped(tiles).cpu().numpy()]

    config = IOPatchPredictorConfig(
        patch_input_shape=(TILE, TILE),
        stride_shape=(TILE, TILE),
        input_resolutions=[{"units": "mpp", "resolution": 0.25}],
    )
    engine = DeepFeatureExtractor(Wrapped(), batch_size=BATCH, verbose=False)
    with tempfile.TemporaryDirectory() as scratch:
        mask = Path(scratch) / "mask.png"
        torchvision.io.write_png(
            torch.full((1, 64, 64), 255, dtype=torch.uint8), str(mask)
        )
        done = engine.run(
            images=[path],
            masks=[str(mask)],
            patch_mode=False,
            ioconfig=config,
            save_dir=Path(scratch) / "out",
            output_type="zarr",
            device="cpu",
            batch_size=BATCH,
            num_workers=0,
        )
        import zarr  # noqa: PLC0415

        return zarr.open(str(next(iter(done.values()))), mode="r")["features"].shape[0]


def lazyslide(path: str, model: nn.Module) -> int:
    import lazyslide as zs  # noqa: PLC0415
    from wsidata import open_wsi  # noqa: PLC0415

    wsi = open_wsi(path, store=None)
    zs.pp.tile_tissues(wsi, TILE, tissue_key=None, background_filter=False)
    features = zs.tl.feature_extraction(
        wsi,
        model,
        model_name="model",
        transform=transform(),
        device="cpu",
        amp=False,
        batch_size=BATCH,
        pbar=False,
        return_features=True,
    )
    return len(features if features is not None else wsi["tiles"])


def wsinfer(path: str, model: nn.Module) -> int:
    import h5py  # noqa: PLC0415
    from wsinfer.modellib.data import WholeSlideImagePatches  # noqa: PLC0415

    side = slide_side(path) // TILE
    places = [(x * TILE, y * TILE) for y in range(side) for x in range(side)]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "patches.h5"
        with h5py.File(file, "w") as h5:
            h5["coords"] = np.array(places)
            h5["coords"].attrs.update(patch_size=TILE, patch_level=0)
        tiles = WholeSlideImagePatches(path, file, transform=transform())
        tiles.worker_init()
        with torch.inference_mode():
            for batch, _ in torch.utils.data.DataLoader(tiles, BATCH):
                model(batch)
    return len(tiles)


def slide_side(path: str) -> int:
    import tiffslide  # noqa: PLC0415

    return tiffslide.TiffSlide(path).dimensions[0]


def main() -> None:
    """Print the rate."""
    peer, path, name = sys.argv[1:]
    run, model = (
        {"tiatoolbox": tiatoolbox, "lazyslide": lazyslide, "wsinfer": wsinfer}[peer],
        network(name),
    )
    run(path, model)
    began = time.perf_counter()
    tiles = run(path, model)
    print(json.dumps(tiles / (time.perf_counter() - began)))


if __name__ == "__main__":
    main()
