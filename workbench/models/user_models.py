"""The folder of models that a user has added by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

MODELS_VARIABLE: Final = "WORKBENCH_MODELS"
"""Folder of the models that `workbench models add` makes; by default in the user's data
folder."""

CARD: Final = "card.json"


def user_models_folder() -> Path:
    """Return the folder in which each added model has a folder of its name."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return user_data_path("slide-workbench") / "models"


def user_models() -> dict[str, Path]:
    """Return the card of each added model, by name."""
    try:
        cards = sorted(user_models_folder().glob(f"*/{CARD}"))
    except OSError:
        return {}
    return {card.parent.name: card for card in cards}
