"""`ConvStem`: the convolutions with which CTransPath replaces a Swin's patches.

X. Wang et al., "Transformer-based unsupervised contrastive learning for
histopathological image classification", Medical Image Analysis 81, 2022.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class ConvStem(nn.Module):
    """Two strided convolutions and a projection, under the names of CTransPath.

    Takes the arguments of timm's `PatchEmbed`.
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 4,
        in_chans: int = 3,
        embed_dim: int = 96,
        norm_layer: Any = None,
        **_: Any,
    ) -> None:
        super().__init__()
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        self.grid_size = (height // patch_size, width // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        layers: list[nn.Module] = []
        inputs, outputs = in_chans, embed_dim // 8
        for _step in range(2):
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs, outputs = outputs, outputs * 2
        self.proj = nn.Sequential(*layers, nn.Conv2d(inputs, embed_dim, 1))
        self.norm = norm_layer(embed_dim) if norm_layer else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float (N, H / 4, W / 4, embed_dim)."""
        values: Tensor = self.norm(self.proj(inputs).permute(0, 2, 3, 1))
        return values
