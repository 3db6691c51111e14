"""The catalogue of encoders: complete, and each network is the one that is named."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from workbench.errors import ModelNotFoundError
from workbench.models.architectures import build_network
from workbench.models.encoders.preset import encoder_presets, find_preset

PRESETS = {preset.name: preset for preset in encoder_presets()}
MILLIONS = {
    "uni": 303.4,
    "uni2-h": 681.4,
    "virchow": 631.2,
    "virchow2": 631.2,
    "h-optimus-0": 1134.8,
    "h0-mini": 85.7,
    "prov-gigapath": 1135.0,
    "phikon": 85.8,
    "phikon-v2": 303.4,
    "hibou-b": 85.7,
    "midnight": 1134.8,
    "ctranspath": 27.5,
    "lunit-vits8": 21.7,
}
"""Parameters as their authors and LazySlide's registry count them."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_complete_and_makes_a_card(name):
    preset = PRESETS[name]
    card = preset.card()
    assert (card.name, card.task, card.dimensions) == (
        name,
        "embedding",
        preset.dimensions,
    )
    assert preset.paper.startswith("https://")
    assert preset.source
    assert preset.licence
    assert card.licence == preset.licence
    assert preset.licence in card.intended_use


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [n for n, p in PRESETS.items() if not p.architecture.startswith("workbench")],
)
def test_a_network_has_the_published_size(name):
    card = PRESETS[name].card()
    with torch.device("meta"):
        network = build_network(card, trust=False)
    assert getattr(network, "dimensions", card.dimensions) == card.dimensions
    if name in MILLIONS:
        size = sum(each.numel() for each in network.parameters()) / 1e6
        assert size == pytest.approx(MILLIONS[name], abs=0.1)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ModelNotFoundError, match="uni3") as caught:
        find_preset("uni3")
    assert "uni2-h" in str(caught.value)


def test_the_list_needs_neither_torch_nor_the_hub():
    code = (
        "import sys\n"
        "from workbench.models.encoders.preset import encoder_presets\n"
        "assert len(encoder_presets()) > 20\n"
        "bad = {'torch', 'timm', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
