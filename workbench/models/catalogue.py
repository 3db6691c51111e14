"""Lists the available models: bundled, of installed packages, added, or by path.

Nothing here needs torch, so that the app can list models quickly.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidCardError, ModelError, ModelNotFoundError
from workbench.models.formats.card_files import ModelSource, read_source
from workbench.models.user_models import trusts_user_models, user_models
from workbench.system.paths import exists

if TYPE_CHECKING:
    import os

    from workbench.models.card import ModelCard

_log = logging.getLogger(__name__)

ENTRY_POINTS: Final = "workbench.models"
"""Entry point group for models of other packages: the name is that of the model, the
value the path (str or Path) of its card, weights or folder."""

_BUNDLED: Final = Path(__file__).parent / "bundled"


def model_names() -> list[str]:
    """Return the names that `find_model` accepts, in alphabetical order.

    Examples
    --------
    >>> "nuclei" in wb.model_names()
    True
    """
    return sorted(
        {path.stem for path in _BUNDLED.glob("*.json")}
        | set(_entry_points())
        | set(user_models())
    )


def known_cards() -> list[ModelCard]:
    """Return the cards of all named models, in alphabetical order.

    A card that cannot be read, such as one of another package, is left out with a
    warning in the log, so that the others are listed.
    """
    cards, unreadable = sort_models()
    for name, reason in unreadable.items():
        _log.warning("The model '%s' is left out: %s", name, reason)
    return list(cards.values())


def sort_models() -> tuple[dict[str, ModelCard], dict[str, str]]:
    """Return the cards of all named models, and why others cannot be read, by name."""
    cards, unreadable = {}, {}
    for name in model_names():
        try:
            cards[name] = find_card(name)
        except ModelError as error:
            unreadable[name] = str(error)
    return cards, unreadable


def find_card(name_or_path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a model without loading it or importing torch.

    Raises
    ------
    ModelNotFoundError
        If there is neither a model of that name nor such a file or folder.
    InvalidCardError
        If its card is missing or has a missing or impossible value.
    """
    return find_source(name_or_path).card


def find_source(name_or_path: str | os.PathLike[str]) -> ModelSource:
    """Return the source of a model; a name takes precedence over a path.

    Raises
    ------
    ModelNotFoundError
        If there is neither a model of that name nor such a file or folder.
    InvalidCardError
        If its card is missing or has a missing or impossible value.
    """
    name = str(name_or_path)
    if name in {path.stem for path in _BUNDLED.glob("*.json")}:
        return replace(read_source(_BUNDLED / f"{name}.json"), checked=True)
    if offered := _entry_points().get(name):
        return _from_package(offered)
    if added := user_models().get(name):
        return replace(read_source(added), trusted=trusts_user_models())
    path = Path(name).expanduser()
    if not exists(path):
        raise ModelNotFoundError(name, model_names())
    return read_source(path)


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _from_package(entry: EntryPoint) -> ModelSource:
    try:
        place = Path(entry.load())
    except (ImportError, AttributeError, TypeError) as error:
        reason = f"the entry point '{entry.value}' leads to no path ({error})"
        raise InvalidCardError(entry.name, reason) from error
    source = read_source(place)
    card = source.card.model_copy(update={"name": entry.name})
    return ModelSource(card, source.weights, trusted=True)
