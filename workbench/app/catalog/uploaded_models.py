"""Adding of models that users upload to the server's folder of models."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import InvalidCardError, ModelError
from workbench.models.catalogue import model_names
from workbench.models.formats.card_files import external_data, read_card
from workbench.models.user_models import (
    CARD,
    MODELS_VARIABLE,
    trusts_user_models,
    user_models_folder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.models.card import ModelCard

MAX_BYTES: Final = 300_000_000
"""Largest size of the weights and the card together."""

SUFFIXES: Final = (".onnx", ".safetensors", ".pt", ".pth")
"""Suffixes of weights."""

_ABANDONED_S: Final = 3600
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ASK: Final = "Choose both files together: the weights and the card (JSON)."


def accepts_models(user: str) -> bool:
    """Return whether a user may add models.

    Parameters
    ----------
    user : str
        Name of the logged-in user; empty without a login.
    """
    return bool(user and os.environ.get(MODELS_VARIABLE))


def add_uploaded(files: Mapping[str, bytes]) -> ModelCard:
    """Add a model to the server's folder of models, under the name in its card.

    The network is loaded and tried on two tiles before anything is kept. Pickled
    weights are read with `weights_only`; programs such as TorchScript are refused,
    unless the server trusts models.

    Parameters
    ----------
    files : mapping of str to bytes
        Contents of the weights and of the card, by file name.

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        If these are not one file of weights and one card, they are too large, the name
        is taken, or the model cannot be loaded or fails its check.
    """
    from workbench.models.registry import (  # noqa: PLC0415 - imports torch
        find_model,
        load_prompted,
    )

    weights_name, card_name = _sorted(files)
    folder = user_models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _remove_remains(folder)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as made:
        here = Path(made) / "model"  # deeper than models are looked for
        here.mkdir()
        weights = here / f"weights{Path(weights_name).suffix.lower()}"
        (here / CARD).write_bytes(files[card_name])
        weights.write_bytes(files[weights_name])
        try:
            card = _named(here / CARD, weights.name)
            _require_one_file(weights)
            load = load_prompted if card.prompted else find_model
            card = load(here, trust=trusts_user_models()).card
        except ModelError as error:
            raise _of_uploaded(
                error, {weights: weights_name, here / CARD: card_name, here: card_name}
            ) from error
        try:
            here.rename(folder / card.name)
        except OSError as error:
            raise _taken(card.name) from error
    return card


def _remove_remains(folder: Path) -> None:
    """Remove what a server that was killed has left of uploads, hours ago."""
    for remains in folder.glob(".adding-*"):
        if time.time() - remains.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(remains, ignore_errors=True)


def _sorted(files: Mapping[str, bytes]) -> tuple[str, str]:
    """Return the names of the weights and of the card."""
    cards = [name for name in files if name.lower().endswith(".json")]
    weights = [name for name in files if name.lower().endswith(SUFFIXES)]
    if len(files) != 2 or len(cards) != 1 or len(weights) != 1:  # noqa: PLR2004 - both
        message = (
            f"A model is one card and one file of weights ({', '.join(SUFFIXES)})."
        )
        raise ModelError(message, _ASK)
    if sum(map(len, files.values())) > MAX_BYTES:
        message = f"The model is larger than {MAX_BYTES / 1e6:.0f} MB."
        raise ModelError(message, "Put it into the server's folder of models.")
    return weights[0], cards[0]


def _named(path: Path, weights: str) -> ModelCard:
    """Return the card, which refers to the uploaded weights from now on."""
    card = read_card(path)
    if not _NAME.fullmatch(card.name):
        reason = f"name = '{card.name:.80}' is not one to 64 letters, digits, '.-_'"
        raise InvalidCardError(path, reason)
    if card.name in model_names():
        raise _taken(card.name)
    fields: dict[str, Any] = card.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps({**fields, "name": card.name, "weights": weights}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    return card


def _require_one_file(weights: Path) -> None:
    if external_data(weights):
        message = f"'{weights}' keeps its tensors in further files."
        raise ModelError(message, "Export it as one file.")


def _taken(name: str) -> ModelError:
    message = f"There is a model '{name}' already."
    return ModelError(message, "Give the card another name.")


def _of_uploaded(error: ModelError, names: Mapping[Path, str]) -> ModelError:
    """Return the error with the names of the uploaded files in place of paths."""
    message = error.message
    for path, name in names.items():
        message = message.replace(str(path), name)
    return ModelError(message, error.remedy)
