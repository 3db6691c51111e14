"""Models that segment an object by clicks (decoder "prompted"), such as SAM.

The network takes three float32 tensors

image  : (1, 3, h, w), preprocessed as the card says
points : (1, N, 2), x and y in pixels of the image, from its upper left corner
labels : (1, N), 1 on the object, 0 beside it

and returns logits (1, 1, H, W) over the whole image, of any size: above 0 is the
object. The prompts have the form of Kirillov et al., "Segment Anything", ICCV 2023.

A network with two more methods is asked in two parts, so that further clicks on the
same pixels do not wait for its encoder: `encode_image(image)` returns an embedding of
any form, and `decode_clicks(embedding, points, labels)` the logits.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError, ModelError, OutOfBoundsError
from workbench.models.outputs import tensor_of
from workbench.models.preprocessing import InputChannels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from workbench.models.card import ModelCard

_FAILURES: Final = (RuntimeError, AssertionError, ValueError, TypeError, IndexError)
"""Exceptions that networks raise for input that they cannot process."""

_KEPT: Final = 4
"""Embeddings that are kept, each of the pixels of a view."""


class PromptedModel(nn.Module):
    """A network that segments the object that clicks mean, with its card.

    It is used by one thread at a time.

    Parameters
    ----------
    card : ModelCard
        With decoder "prompted".
    network : nn.Module
        See `workbench.models.prompted`.

    Examples
    --------
    >>> model = wb.models.load_prompted("clicks/card.json", trust=True)
    >>> mask = model.propose(pixels, points=[(512, 512)], labels=[1])
    """

    def __init__(self, card: ModelCard, network: nn.Module) -> None:
        super().__init__()
        self.card = card
        self.channels = InputChannels(card)
        self.network = network
        self._embeddings: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self.eval().requires_grad_(requires_grad=False)

    @property
    def embeds(self) -> bool:
        """Whether further clicks on the same pixels do not compute them again."""
        names = ("encode_image", "decode_clicks")
        return all(callable(getattr(self.network, name, None)) for name in names)

    def propose(
        self, pixels: NDArray[np.uint8], points: ArrayLike, labels: ArrayLike
    ) -> NDArray[np.bool_]:
        """Return the mask of the object that clicks mean.

        Parameters
        ----------
        pixels : uint8 (tile_px, tile_px, 3)
            sRGB.
        points : (N, 2)
            x and y of each click, in pixels from the upper left corner.
        labels : (N,)
            1 on the object, 0 beside it.

        Returns
        -------
        bool (tile_px, tile_px)

        Raises
        ------
        OutOfBoundsError
            If the pixels have another size, or there is not one label for each point.
        ModelError
            If the network fails or answers in another form.
        """
        side = self.card.tile_px
        where = np.asarray(points, np.float32).reshape(-1, 2)
        what = np.asarray(labels, np.float32).ravel()
        if pixels.shape != (side, side, 3) or not 0 < len(where) == len(what):
            message = (
                f"'{self.card.name}' takes pixels of shape {(side, side, 3)} and one"
                f" label for each point, not {pixels.shape}, {len(where)} points and"
                f" {len(what)} labels."
            )
            raise OutOfBoundsError(message)
        logits = self.logits(pixels, where, what)
        large = nn.functional.interpolate(
            logits, size=(side, side), mode="bilinear", align_corners=False
        )
        mask: NDArray[np.bool_] = (large[0, 0] > 0).cpu().numpy()
        return mask

    @torch.inference_mode()
    def logits(
        self,
        pixels: NDArray[np.uint8],
        points: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> Tensor:
        """Return the network's output, float32 (1, 1, h, w); see `propose`."""
        device = self.channels.scale.device
        side = self.channels.crop or self.channels.side or len(pixels)
        where = torch.from_numpy(points * (side / len(pixels)))[None].to(device)
        what = torch.from_numpy(labels)[None].to(device)
        try:
            if self.embeds:
                network: Any = self.network
                answer = network.decode_clicks(self._embedded(pixels), where, what)
            else:
                answer = self.network(self._image(pixels), where, what)
        except _FAILURES as error:
            message = f"The network of '{self.card.name}' failed for clicks: {error}."
            remedy = "Compare what it takes with the section on clicks of models.md."
            raise ModelError(message, remedy) from error
        found = tensor_of(answer, self.card, 1)
        if found.ndim != 4 or tuple(found.shape[:2]) != (1, 1):  # noqa: PLR2004
            shape = tuple(found.shape)
            reason = f"the network answers with shape {shape}, not (1, 1, h, w)"
            raise InvalidCardError(self.card.name, reason)
        return found.float()

    def _image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return the input of the network, float32 (1, 3, h, w)."""
        tile = torch.tensor(pixels).permute(2, 0, 1)[None]  # read-only pixels
        image: Tensor = self.channels(tile.to(self.channels.scale.device))
        return image.contiguous()

    def _embedded(self, pixels: NDArray[np.uint8]) -> Any:
        """Return the embedding of pixels, kept for the next clicks on them."""
        digest = blake2b(pixels.tobytes(), digest_size=16).digest()
        key = (str(self.channels.scale.device), digest)
        if key not in self._embeddings:
            network: Any = self.network
            self._embeddings[key] = network.encode_image(self._image(pixels))
            if len(self._embeddings) > _KEPT:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(key)
        return self._embeddings[key]


def check_prompted(model: PromptedModel) -> None:
    """Check the answers for a dark disc, with a click on it and one beside it.

    Raises
    ------
    InvalidCardError, ModelError
        If the model fails, answers in another form, with values that are not finite,
        or differently for the same clicks.
    """
    side = model.card.tile_px
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(x - side / 2, y - side / 2) < side / 4
    pixels = np.where(disc[..., None], (100, 70, 150), (225, 170, 205)).astype(np.uint8)
    points = np.array([(side / 2, side / 2), (side / 16, side / 16)], np.float32)
    labels = np.array([1, 0], np.float32)
    model.logits(pixels, points[:1], labels[:1])
    once, again = (model.logits(pixels, points, labels) for _ in range(2))
    if not torch.isfinite(once).all():
        message = f"'{model.card.name}' answers values that are not finite to clicks."
        remedy = "Compare mean, std and input of its card with what it was made for."
        raise ModelError(message, remedy)
    if not torch.allclose(once, again, rtol=1e-2, atol=1e-2):
        message = f"'{model.card.name}' answers differently to the same clicks."
        raise ModelError(message, "Export it again after network.eval().")
