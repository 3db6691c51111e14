"""Cards on disk: JSON beside the weights. Nothing here needs torch.

A model is given by any of

- a file of weights, with its card beside it: `model.onnx` and `model.onnx.json`
  (or `model.json`),
- a card, which names its weights: `model.json`,
- a folder with `card.json`, or with the `config.json` of a WSInfer-zoo model.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from workbench.errors import InvalidCardError, ModelError
from workbench.models.card import ModelCard
from workbench.models.formats import wsinfer
from workbench.models.formats.onnx_external_data import external_names
from workbench.system.invalid_fields import describe_invalid
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CARD_BYTES: Final = 4 << 20
"""Largest size of a card file: more than 10,000 classes with long names."""

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Card and files of a model."""

    card: ModelCard
    weights: Path | None
    """Path of the weights; None for a model without weights."""

    trusted: bool = False
    """True for a model of an installed package, whose code is trusted already."""

    checked: bool = False
    """True for a model of this package, whose tests check its predictions."""


def read_source(path: Path) -> ModelSource:
    """Return the model that a file or folder holds.

    Parameters
    ----------
    path : Path
        A file of weights with its card beside it, a card, or a folder.

    Raises
    ------
    InvalidCardError
        If there is no card, or one with a missing or impossible value.
    """
    card_path = _card_of(path)
    card = read_card(card_path)
    if path not in (card_path, card_path.parent):
        return ModelSource(card, path)
    if not card.weights:
        return ModelSource(card, None)
    return ModelSource(card, _weights_of(card, card_path))


def read_card(path: Path) -> ModelCard:
    """Return the card in a JSON file, that of a WSInfer-zoo model included.

    Raises
    ------
    InvalidCardError
        If it is not JSON, or a value is missing or impossible.
    """
    fields = _read_json(path)
    try:
        if wsinfer.is_config(fields):
            fields = wsinfer.card_fields(fields, path.parent)
        return ModelCard.model_validate(fields)
    except InvalidCardError as error:
        raise InvalidCardError(path, error.reason) from error
    except ValidationError as error:
        raise InvalidCardError(path, describe_invalid(error)) from error
    except ValueError as error:
        raise InvalidCardError(path, str(error)) from error


def external_data(weights: Path) -> list[Path]:
    """Return the files beside an ONNX file that hold its large tensors, by name.

    Raises
    ------
    ModelError
        If the file is not an ONNX file.
    """
    if weights.suffix != ".onnx" or not weights.stat().st_size:
        return []
    try:
        with (
            weights.open("rb") as file,
            mmap(file.fileno(), 0, access=ACCESS_READ) as graph,
        ):
            names = external_names(graph)
    except (OSError, ValueError) as error:
        message = f"'{weights}' is no ONNX file that can be read: {error}."
        remedy = "Copy the file again, or export the model again."
        raise ModelError(message, remedy) from error
    return [weights.parent / name for name in sorted(names) if "\0" not in name]


def sha256_of(weights: Path) -> str:
    """Return the SHA-256 of the weights and, after them, of their external data."""
    digest = hashlib.sha256()
    for path in [weights, *filter(Path.is_file, external_data(weights))]:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _card_of(path: Path) -> Path:
    if path.is_dir():
        return _first([path / "card.json", path / "config.json"], path)
    if path.suffix == ".json":
        return path
    beside = [path.with_name(path.name + ".json"), path.with_suffix(".json")]
    return _first(beside, path)


def _first(candidates: Iterable[Path], path: Path) -> Path:
    names = []
    for candidate in candidates:
        if is_file(candidate):
            return candidate
        names.append(f"'{candidate.name}'")
    raise InvalidCardError(path, f"it has none; expected {' or '.join(names)}")


def _weights_of(card: ModelCard, card_path: Path) -> Path:
    name = PurePath(card.weights)
    if name.is_absolute() or ".." in name.parts:
        reason = f"weights = '{card.weights}' lies outside its folder"
        raise InvalidCardError(card_path, reason)
    return card_path.parent / name


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise InvalidCardError(path, "it is too large to be one")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidCardError(path, f"it cannot be read ({error})") from error
    if not isinstance(fields, dict):
        raise InvalidCardError(path, "it is not a JSON object")
    return fields
