"""Text towers of vision-language models: prompts to vectors beside those of tiles.

A. Radford et al., "Learning transferable visual models from natural language
supervision", ICML 2021 (CLIP, PLIP); J. Yu et al., "CoCa", TMLR 2022 (CONCH).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from workbench.errors import MissingPackageError, ModelError, UntrustedModelError
from workbench.models.encoders.hub_folders import TOKENIZERS, weights_in
from workbench.models.formats.vision_language_keys import text_tower
from workbench.models.user_models import text_models
from workbench.system.paths import exists, is_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HEAD: Final = 64
"""Channels of an attention head, in all known towers."""

_EXTRA: Final = "encoders"
_TINY: Final = np.finfo(np.float32).tiny


class _QuickGelu(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * torch.sigmoid(1.702 * inputs)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, *, quick: bool) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(width, 4 * width),
                "gelu": _QuickGelu() if quick else nn.GELU(),
                "c_proj": nn.Linear(4 * width, width),
            }
        )

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        inner = self.ln_1(values)
        attended, _ = self.attn(inner, inner, inner, need_weights=False, attn_mask=mask)
        values = values + attended
        inner = self.ln_2(values)
        for layer in self.mlp.values():
            inner = layer(inner)
        result: Tensor = values + inner
        return result


class TextTower(nn.Module):
    """A causal transformer over tokens, under the names of open_clip.

    Parameters
    ----------
    state : dict of Tensor
        Its weights, from which its size follows. With "cls_emb" a class token stands
        at the end and sees no padding (CoCa); without it the vector is that of the
        token with the highest number, the end of the text (CLIP).
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        vocabulary, width = state["token_embedding.weight"].shape
        self.classes = "cls_emb" in state
        blocks = {key.split(".")[2] for key in state if ".resblocks." in key}
        self.token_embedding = nn.Embedding(vocabulary, width)
        shape = state["positional_embedding"].shape
        self.positional_embedding = nn.Parameter(torch.zeros(shape))
        if self.classes:
            self.cls_emb = nn.Parameter(torch.zeros(width))
        self._heads = max(width // _HEAD, 1)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(
            _Block(width, self._heads, quick=not self.classes) for _ in blocks
        )
        self.ln_final = nn.LayerNorm(width)
        projection = state["text_projection"]
        self.text_projection = nn.Parameter(torch.zeros(projection.shape))
        self.load_state_dict(state)
        self.eval().requires_grad_(requires_grad=False)

    @property
    def length(self) -> int:
        """Number of tokens that a text may have."""
        return len(self.positional_embedding) - (1 if self.classes else 0)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return float32 (P, D) of int64 (P, length)."""
        values = self.token_embedding(tokens)
        if self.classes:
            last = self.cls_emb.expand(len(tokens), 1, -1)
            values = torch.cat([values, last], dim=1)
        values = values + self.positional_embedding[: values.shape[1]]
        mask = self._mask(tokens, values.shape[1])
        values = values.transpose(0, 1)
        for block in self.transformer.get_submodule("resblocks").children():
            values = block(values, mask)
        values = self.ln_final(values.transpose(0, 1))
        rows = torch.arange(len(tokens))
        ends = torch.full_like(rows, -1) if self.classes else tokens.argmax(dim=1)
        vectors: Tensor = values[rows, ends] @ self.text_projection
        return vectors

    def _mask(self, tokens: Tensor, length: int) -> Tensor:
        """Return what is added to the attention, (length, length), or one a head."""
        causal = torch.full((length, length), float("-inf")).triu(1)
        if not self.classes:
            return causal
        # As in CoCa: the mask of padding stands one place to the right.
        seen = pad((tokens != 0)[:, None], (1, 0, length - 1, 0), value=True)
        closed = torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))
        return (causal + closed).repeat_interleave(self._heads, dim=0)


@dataclass(frozen=True)
class TextEncoder:
    """A text tower with its tokenizer and what aligns vectors of tiles with it."""

    tower: TextTower
    tokenizer: Any
    """Of the package tokenizers."""

    scale: float
    """Factor of cosines before a softmax, as learned."""

    projection: NDArray[np.float32] | None = None
    """Matrix that maps vectors of tiles to the space of texts; None: they are in it."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors of texts."""
        return int(self.tower.text_projection.shape[1])

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of prompts, float32 (P, D), each of length 1."""
        limit = self.tower.length
        rows = torch.zeros((len(prompts), limit), dtype=torch.int64)
        for row, found in zip(
            rows, self.tokenizer.encode_batch(list(prompts)), strict=True
        ):
            ids = found.ids
            if len(ids) > limit:  # the end of the text stays
                ids = [*ids[: limit - 1], ids[-1]]
            row[: len(ids)] = torch.tensor(ids)
        vectors = normalize(self.tower(rows), dim=1)
        return np.asarray(vectors.numpy(), np.float32)

    def align(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Return vectors of tiles in the space of texts, float32 (N, D), of length 1.

        Raises
        ------
        ModelError
            If they are not of the image tower that belongs to this text tower.
        """
        values = np.asarray(vectors, np.float32)
        wanted = self.dimensions if self.projection is None else len(self.projection)
        if values.ndim != 2 or values.shape[1] != wanted:  # noqa: PLR2004
            message = (
                f"The tiles have vectors of shape {values.shape[1:]}; the image tower"
                f" of this text tower gives {wanted} numbers."
            )
            raise ModelError(message, "Use vectors of the same vision-language model.")
        if self.projection is not None:
            values = values @ self.projection
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        aligned: NDArray[np.float32] = values / np.maximum(lengths, _TINY)
        return aligned


def load_text_encoder(
    weights: str | os.PathLike[str], *, tokenizer: str | os.PathLike[str] | None = None
) -> TextEncoder:
    """Load the text tower of a vision-language model from this machine.

    Parameters
    ----------
    weights : str or PathLike
        File of the whole model, or a copy of its hub repository: CLIP of transformers
        (PLIP) or CoCa as CONCH has it; or the name of such a model that was added.
    tokenizer : str or PathLike, optional
        File of its tokenizer, in the format of the package tokenizers; by default
        `tokenizer.json` or `conch_byte_level_bpe_uncased.json` beside the weights.

    Raises
    ------
    MissingPackageError
        If the package tokenizers is not installed.
    UntrustedModelError
        If the file holds more than weights.
    ModelError
        If there is no text tower or no tokenizer.
    """
    path = Path(weights).expanduser()
    if not exists(path):
        path = text_models().get(str(weights), path)
    file = weights_in(path)
    read = _read_tokenizer(file, tokenizer)
    try:
        state = text_tower(_content(file))
        scale = float(state.pop("logit_scale").exp())
        projection = state.pop("image_projection", None)
        own = {key: value.float() for key, value in state.items()}
        tower = TextTower(own)
    except (KeyError, RuntimeError, ValueError, AttributeError) as error:
        message = f"'{file}' holds no text tower that is known: {error}."
        remedy = "Give the whole model, of CLIP (PLIP) or CONCH, not its image tower."
        raise ModelError(message, remedy) from error
    matrix = None if projection is None else projection.float().numpy()
    return TextEncoder(tower, read, scale, matrix)


def _content(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        loaded: dict[str, Tensor] = load_file(file)
        return loaded
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = "it is damaged, or holds more than weights"
        raise UntrustedModelError(file, reason) from error
    inner = content.get("state_dict", content)
    return {key.removeprefix("module."): value for key, value in inner.items()}


def _read_tokenizer(file: Path, given: str | os.PathLike[str] | None) -> Any:
    # The weights of an added model are a link to where the tokenizer lies, too.
    folders = dict.fromkeys([file.parent, file.resolve().parent])
    candidates = [folder / name for folder in folders for name in TOKENIZERS]
    if given is not None:
        candidates = [Path(given).expanduser()]
    found = next((path for path in candidates if is_file(path)), None)
    if found is None:
        message = f"There is no tokenizer: {', '.join(map(str, candidates))}."
        raise ModelError(message, "Put it beside the weights, or give its path.")
    try:
        package = importlib.import_module("tokenizers")
    except ImportError as error:
        raise MissingPackageError(_EXTRA) from error
    tokenizer = package.Tokenizer.from_file(str(found))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
