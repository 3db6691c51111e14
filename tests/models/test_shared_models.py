"""Models that others have published run, and see what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from workbench.models.registry import find_model
from workbench.stain.normalizer import fit_normalizer

CARDS = Path(__file__).parents[1] / "support" / "cards"


@pytest.fixture(scope="module")
def shell(shared_data):
    weights = shared_data / "models" / "shell_model_v1.onnx"
    return find_model(CARDS / "shell.json", weights=weights)


def tiles_of(array):
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None]


class TestShell:
    """SegResNetVAE of PyPI's lavlab-shell: background, epithelium, stroma."""

    @pytest.fixture(scope="class")
    @classmethod
    def picture(cls, shared_data):
        """Return a carcinoma in standard colours, 1 µm per pixel."""
        path = shared_data / "nuclei_hgsc_nest" / "img" / "hgsc_nest.jpg"
        picture = np.asarray(Image.open(path).convert("RGB").reduce(2))
        return fit_normalizer(picture, "he-standard", method="macenko")(picture)

    @pytest.mark.slow
    def test_it_finds_glass_nest_and_stroma(self, shell, picture):
        answer = shell(tiles_of(picture[:744, :744]))[0]
        assert answer.shape == (3, 744, 744)
        torch.testing.assert_close(answer.sum(0), torch.ones(744, 744))
        places = {
            "background": (slice(435, 465), slice(640, 670)),
            "epithelium": (slice(230, 400), slice(200, 400)),
            "stroma": (slice(50, 160), slice(540, 640)),
        }
        for index, name in enumerate(shell.card.classes):
            means = answer[:, *places[name]].mean((1, 2))
            assert means.argmax() == index, name
            assert means[index] > 0.7, name

    @pytest.mark.slow
    def test_margins_hide_the_edges_of_tiles(self, shell, picture):
        margin, tile = shell.card.margin_px, shell.card.tile_px
        one = shell(tiles_of(picture[:tile, :tile]))
        other = shell(tiles_of(picture[128 : 128 + tile, :tile]))
        core = slice(margin, tile - margin)
        upper = one[0, :, 128 + margin : tile - margin, core]
        lower = other[0, :, margin : tile - margin - 128, core]
        assert (upper - lower).abs().mean() < 0.12

    @pytest.mark.slow
    def test_the_batch_does_not_matter(self, shell, picture):
        tiles = torch.cat([tiles_of(picture[i : i + 256, :256]) for i in (0, 200, 400)])
        one_by_one = torch.cat([shell(tile[None]) for tile in tiles])
        torch.testing.assert_close(shell(tiles), one_by_one, atol=1e-3, rtol=0)


class TestEfficientNetLite:
    """Bare ImageNet weights with a network that the user brings."""

    def model(self, shared_data, tmp_path):
        card = {
            "name": "efficientnet-lite0",
            "task": "classification",
            "classes": [str(number) for number in range(1000)],
            "mpp": 0.5,
            "tile_px": 300,
            "input_px": 224,
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
            "activation": "softmax",
            "architecture": "efficientnet_lite0:build",
        }
        (tmp_path / "card.json").write_text(json.dumps(card))
        weights = shared_data / "models" / "efficientnet-lite0-57934424.pth"
        return find_model(tmp_path / "card.json", weights=weights, trust=True)

    def test_it_sees_the_cat(self, shared_data, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(Path(__file__).parents[1] / "support")
        model = self.model(shared_data, tmp_path)
        answer = model(tiles_of(data.chelsea()[:, 80:380]))[0]
        cats = range(281, 286)
        assert int(answer.argmax()) in cats
        assert float(answer[list(cats)].sum()) > 0.8
