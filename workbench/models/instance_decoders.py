"""From what a network says of a tile to labelled objects; no weights, no device.

A decoder is called with the maps of one tile, float32 (C, H, W), and returns

labels  : int32 (H, W), 0 background, objects 1 to n; or (P, H, W), n over all planes,
          where objects of different planes may overlap
classes : (n,), index of the class of each
scores  : (n,), how sure the model is of each, 0 to 1
"""

from __future__ import annotations

import importlib
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Protocol

import numba
import numpy as np

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard


class Decoder(Protocol):
    """Finds the objects of a tile; called from several threads at once."""

    def __call__(
        self, maps: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any]]:
        """Return labels, classes and scores."""


DECODERS: Final = {
    "labels": "workbench.models.instance_decoders:LabelsDecoder",
    "maskrcnn": "workbench.models.networks.maskrcnn:MaskRCNNDecoder",
    "nucleus-maps": "workbench.models.nuclei.decoder:NucleusDecoder.of",
    "nucleus-watershed": "workbench.models.nuclei.watershed:WatershedDecoder.of",
}
"""By the name that a card gives: what makes each from the card."""


def decoder_of(card: ModelCard) -> Decoder:
    """Return what finds the objects in the answers of a card's network.

    Raises
    ------
    InvalidCardError
        If there is no such decoder.
    """
    if card.decoder not in DECODERS:
        known = ", ".join(f"'{each}'" for each in DECODERS)
        reason = f"decoder '{card.decoder}' is none of {known}"
        raise InvalidCardError(card.name, reason)
    module, _, name = DECODERS[card.decoder].partition(":")
    make: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    made: Decoder = make(card)
    return made


class LabelsDecoder:
    """For networks that answer with labels themselves, such as InstanSeg's.

    One channel holds the objects of the first class, or there is one for each class.
    A label is any whole number above 0; what is not above 0 is background.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    def __call__(
        self, maps: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
        """Return the labels, numbered through; each object is certain.

        Parameters
        ----------
        maps : float32 (C, H, W)

        Raises
        ------
        InvalidCardError
            If there are neither one nor as many channels as classes.
        """
        maps = maps if maps.ndim == 3 else maps[None]  # noqa: PLR2004 - (C, H, W)
        if len(maps) not in (1, len(self._card.classes)):
            reason = (
                f"it names {len(self._card.classes)} classes, but the network answers"
                f" with {len(maps)} rasters of labels"
            )
            raise InvalidCardError(self._card.name, reason)
        labels = np.rint(maps).astype(np.int32)
        numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        classes: list[int] = []
        for index, plane in enumerate(labels):
            before = len(classes)
            count = _number(plane, numbers, before)
            classes += [index] * (count - before)
            numbers[:] = 0
        return labels, np.array(classes, np.int64), np.ones(len(classes), np.float32)


@numba.njit(nogil=True, cache=True)
def _number(labels: NDArray[np.int32], numbers: NDArray[np.int32], last: int) -> int:
    """Give labels the numbers after `last`, in the order in which they are met."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label <= 0:
                labels[y, x] = 0
                continue
            if not numbers[label]:
                last += 1
                numbers[label] = last
            labels[y, x] = numbers[label]
    return last
