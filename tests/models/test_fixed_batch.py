"""Networks exported for one number of tiles take any other, in parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.models.fixed_batch import FixedBatch


class OfSize(nn.Module):
    """Takes `size` tiles and no other number; returns a tensor or a container."""

    def __init__(self, size, returns):
        super().__init__()
        self.size, self.returns = size, returns

    def forward(self, inputs):
        assert len(inputs) == self.size
        return self.returns(inputs.mean((1, 2, 3)))


def plain(answer):
    return answer


def named(answer):
    return {"out": answer, "aux": {"twice": 2 * answer}}


def several(answer):
    return answer, (2 * answer, "not a tensor")


@pytest.mark.parametrize("count", [1, 3, 4, 9])
@pytest.mark.parametrize("returns", [plain, named, several])
def test_each_tile_has_its_own_answer_in_any_container(count, returns):
    tiles = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    network = FixedBatch(OfSize(4, returns), 4)
    found, alone = network(tiles), tiles.mean((1, 2, 3))
    if returns is plain:
        pairs = [(found, alone)]
    elif returns is named:
        pairs = [(found["out"], alone), (found["aux"]["twice"], 2 * alone)]
    else:
        pairs = [(found[0], alone), (found[1][0], 2 * alone)]
        assert found[1][1] == "not a tensor"
    for each, wanted in pairs:
        torch.testing.assert_close(each, wanted)
