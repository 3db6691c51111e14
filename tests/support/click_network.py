"""A made model for clicks: what has the colour of the points, not that of others."""

from __future__ import annotations

import json

import torch
from torch import Tensor, nn

CARD = {
    "name": "by-colour",
    "task": "segmentation",
    "decoder": "prompted",
    "tile_px": 256,
    "weights": "by-colour.pt",
}


class ByColour(nn.Module):
    """Logits at half the size: above 0 where a point on the object is nearest."""

    def forward(self, image: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        side = image.shape[-1]
        at = points[0].long().clamp(0, side - 1)
        colours = image[0][:, at[:, 1], at[:, 0]].t()[:, :, None, None]
        distance = (image - colours).square().sum(1, keepdim=True).sqrt()
        inside = labels[0] > 0.5
        near = distance[inside].amin(0)
        logits = 0.2 - near
        if bool((~inside).any()):
            logits = torch.minimum(logits, distance[~inside].amin(0) - near)
        return logits[None, :, ::2, ::2]


class InTwoParts(nn.Module):
    """The same, with an encoder of its own, which counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = ByColour()
        self.register_buffer("asked", torch.zeros(1))

    @torch.jit.export
    def encode_image(self, image: Tensor) -> Tensor:
        self.asked += 1
        return image

    @torch.jit.export
    def decode_clicks(
        self, embedding: Tensor, points: Tensor, labels: Tensor
    ) -> Tensor:
        return self.whole(embedding, points, labels)

    def forward(self, image: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        return self.whole(image, points, labels)


def write_click_model(folder, network=None, **changes):
    """Write the model into a folder, as TorchScript; return the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.script(network or ByColour()).save(folder / CARD["weights"])
    path = folder / "card.json"
    path.write_text(json.dumps({**CARD, **changes}))
    return path
