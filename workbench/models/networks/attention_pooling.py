"""`AttentionPooledViT`: a vision transformer whose tokens a query attends to.

The image towers of CONCH and CONCH 1.5. J. Yu et al., "CoCa", TMLR 2022; M. Lu et al.,
"A visual-language foundation model for computational pathology", Nature Medicine 30,
2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from workbench.errors import InvalidCardError
from workbench.models.networks.timm_networks import import_timm

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_POOL_HEADS: Final = 8


class AttentionPooler(nn.Module):
    """Attention of one learned query to the tokens."""

    def __init__(self, width: int, tokens: int, *, bias: bool) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, width))
        self.ln_q, self.ln_k = nn.LayerNorm(width), nn.LayerNorm(tokens)
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_kv = nn.Linear(tokens, 2 * width, bias=bias)
        self.to_out = nn.Linear(width, width, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return float (N, width) of float (N, T, tokens)."""
        query = self.to_q(self.ln_q(self.query)).expand(len(tokens), -1, -1)
        key, value = self.to_kv(self.ln_k(tokens)).chunk(2, dim=-1)
        heads = [
            each.unflatten(-1, (_POOL_HEADS, -1)).transpose(1, 2)
            for each in (query, key, value)
        ]
        pooled = scaled_dot_product_attention(*heads)
        answer: Tensor = self.to_out(pooled.transpose(1, 2).flatten(2)[:, 0])
        return answer


class AttentionPooledViT(nn.Module):
    """A ViT of timm, an attention pooler and a normalization of its output.

    Parameters
    ----------
    card : ModelCard
        Its options are those of timm's VisionTransformer, and "pool_bias": whether the
        pooler's projections have biases. Its `dimensions` are the pooler's width.

    Raises
    ------
    MissingPackageError
        If timm is not installed.
    InvalidCardError
        If the options do not build a transformer.
    """

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        options: dict[str, Any] = dict(card.options)
        bias = bool(options.pop("pool_bias", True))
        transformers = import_timm().models.vision_transformer
        try:
            self.trunk = transformers.VisionTransformer(num_classes=0, **options)
        except (TypeError, ValueError, AssertionError) as error:
            reason = f"options = {card.options} build no transformer: {error}"
            raise InvalidCardError(card.name, reason) from error
        width = card.dimensions
        if width % _POOL_HEADS:
            reason = f"dimensions = {width} are no multiple of {_POOL_HEADS}"
            raise InvalidCardError(card.name, reason)
        self.attn_pool_contrast = AttentionPooler(
            width, self.trunk.num_features, bias=bias
        )
        self.ln_contrast = nn.LayerNorm(width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the vectors, float (N, dimensions), of float (N, 3, H, W)."""
        tokens = self.trunk.forward_features(inputs)
        vectors: Tensor = self.ln_contrast(self.attn_pool_contrast(tokens))
        return vectors
