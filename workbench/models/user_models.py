"""The folder of models that a user or a server has added by name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from workbench.models.encoders.preset import encoder_presets

MODELS_VARIABLE: Final = "WORKBENCH_MODELS"
"""Folder of the models that `workbench models add` makes; by default in the user's data
folder."""

TRUST_VARIABLE: Final = "WORKBENCH_TRUST_MODELS"
"""1: models of that folder may run code when they are loaded, such as TorchScript or a
pickled network; by default they are refused."""

CARD: Final = "card.json"
_ZOO_CARD: Final = "config.json"


def user_models_folder() -> Path:
    """Return the folder in which each added model has a folder of its name."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return user_data_path("slide-workbench") / "models"


def trusts_user_models() -> bool:
    """Return whether models of the folder may run code when they are loaded."""
    return os.environ.get(TRUST_VARIABLE) == "1"


def user_models() -> dict[str, Path]:
    """Return the card of each added model, by the name of its folder.

    The card is `card.json`, else the `config.json` of a WSInfer-zoo model.
    """
    folder = user_models_folder()
    try:
        cards = [*folder.glob(f"*/{_ZOO_CARD}"), *folder.glob(f"*/{CARD}")]
    except OSError:
        return {}
    return {card.parent.name: card for card in sorted(cards, key=_last_if_own)}


def text_models() -> dict[str, Path]:
    """Return the weights of each added model that has a text tower, by its name.

    Such are vision-language models of the catalogue, added with their whole weights.
    """
    known = {preset.name for preset in encoder_presets() if preset.text}
    found = {}
    for name, path in user_models().items():
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            weights = path.parent / str(card["weights"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if card["name"] in known and weights.is_file():
            found[name] = weights
    return found


def _last_if_own(card: Path) -> tuple[bool, Path]:
    return card.name == CARD, card
