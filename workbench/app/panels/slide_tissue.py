"""Tissue of open slides, found once for all panels."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from workbench.slide.slide import Slide
    from workbench.tissue import Tissue

_FOUND: Final = TissueChoice()

_found: WeakKeyDictionary[Slide, tuple[float | None, Tissue]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


def tissue_of_slide(slide: Slide, choice: TissueChoice = _FOUND) -> Tissue:
    """Return the tissue of a slide; with the default choice it is found once.

    It is kept as long as the slide. Other choices change with each move of a
    slider, and are computed each time.
    """
    if choice != _FOUND:
        return find_tissue(slide, choice=choice)
    with _lock:
        cached = _found.get(slide)
    if cached is None or cached[0] != slide.mpp:
        cached = slide.mpp, find_tissue(slide)
        with _lock:
            _found[slide] = cached
    return cached[1]
