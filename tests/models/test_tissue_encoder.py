"""The bundled encoder: its network, and what its vectors keep of real tissue."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import workbench as wb
from efficientnet_lite0 import EfficientNetLite0
from workbench.errors import InvalidCardError
from workbench.models.architectures import build_network

CHANNELS = {"lite0": 816, "lite2": 888}


def card(variant="lite0", dimensions=816):
    return wb.ModelCard(
        name="mine",
        task="embedding",
        classes=("length",),
        dimensions=dimensions,
        mpp=0.5,
        tile_px=64,
        architecture="workbench:tissue-encoder",
        options={"variant": variant},
    )


@pytest.mark.parametrize(("variant", "dimensions"), CHANNELS.items())
def test_a_vector_holds_the_mean_of_each_stage(variant, dimensions):
    network = build_network(card(variant, dimensions), trust=False).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 48)).shape == (2, dimensions)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("lite1", 816), "none of lite0, lite2"),
        (("lite2", 816), "'lite2' has 888"),
    ],
)
def test_what_no_network_is_built_of_is_named(options, reason):
    with pytest.raises(InvalidCardError, match=reason):
        build_network(card(*options), trust=False)


def test_its_stages_are_those_of_the_public_network(shared_data):
    path = shared_data / "models/efficientnet-lite0-57934424.pth"
    weights = torch.load(path, weights_only=True)
    public = EfficientNetLite0(1000)
    public.load_state_dict(weights)
    network = build_network(card(), trust=False)
    own = network.state_dict()
    result = network.load_state_dict(
        {key: value for key, value in weights.items() if key in own}, strict=False
    )
    assert set(result.missing_keys) == {"centre", "spread"}
    means = []
    for index in (0, 2, 4, 7, 10, 14, 15):
        block = public._blocks[index]
        block.register_forward_hook(lambda *a: means.append(a[2].mean((2, 3))))
    pixels = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        public.eval()(pixels)
        found = network.eval()(pixels)
    assert torch.allclose(found[:, 32:], torch.cat(means, 1), atol=1e-4)


@pytest.mark.slow
def test_tissue_is_recognized_in_another_stain_and_focus(shared_data):
    tiles = []
    for name in ("tiatoolbox_target_image.png", "torchstain_source.png"):
        picture = np.asarray(Image.open(shared_data / "tiles" / name).convert("RGB"))
        rows, columns = (range(0, n - 224, 210) for n in picture.shape[:2])
        tiles += [picture[y : y + 224, x : x + 224] for y in rows for x in columns]
    other = [
        cv2.GaussianBlur(
            (255 * (tile / 255) ** (1.4, 0.8, 1.1)).astype(np.uint8), (0, 0), 1
        )
        for tile in tiles
    ]
    model = wb.find_model("tissue-features")
    vectors = [
        torch.nn.functional.normalize(
            model(torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2)), dim=1
        )
        for each in (tiles, other)
    ]
    nearest = (vectors[1] @ vectors[0].T).argmax(1)
    assert (nearest == torch.arange(len(tiles))).float().mean() > 0.8
