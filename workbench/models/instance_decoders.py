"""Decodes the maps of a network into labelled instances; on the CPU, without weights.

A decoder is called with the maps of one tile, float32 (C, H, W), and returns

labels  : int32 (H, W), 0 background, instances 1 to n; or (P, H, W), n over all planes,
          where instances of different planes may overlap
classes : (n,), class index of each instance
scores  : (n,), score of each instance, 0 to 1
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
    """Extracts the instances of a tile; called from several threads at once."""

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
"""Factory of each decoder by its name in the card; takes the card."""


def decoder_of(card: ModelCard) -> Decoder:
    """Return the decoder for the output of a card's network.

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
    """Decoder of networks that output labels themselves, such as InstanSeg.

    There is one channel with instances of the first class, or one for each class.
    A label is any integer above 0; other values are background.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    def __call__(
        self, maps: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
        """Return the labels, renumbered; all scores are 1.

        Parameters
        ----------
        maps : float32 (C, H, W)

        Raises
        ------
        InvalidCardError
            If the number of channels is neither one nor that of the classes.
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
    """Renumber labels from `last` + 1, in the order of their first pixels."""
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
