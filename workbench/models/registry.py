"""Loads models by name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import InvalidCardError, ModelError
from workbench.models.architectures import (
    build_network,
    is_torchvision,
    wrap_detector,
)
from workbench.models.catalogue import find_card, find_source, model_names
from workbench.models.formats.card_files import ModelSource, read_source, sha256_of
from workbench.models.formats.weights import load_network
from workbench.models.live_model import Model
from workbench.models.prompted import PromptedModel, check_prompted
from workbench.models.self_check import check_model
from workbench.models.tile_model import TileModel
from workbench.system.paths import is_file

if TYPE_CHECKING:
    import os

    from torch import nn

    from workbench.models.card import ModelCard

__all__ = ["find_card", "find_model", "identify_model", "load_prompted", "model_names"]


def find_model(
    name_or_path: str | os.PathLike[str] | Model,
    *,
    trust: bool = False,
    weights: str | os.PathLike[str] | None = None,
    min_score: float | None = None,
) -> TileModel:
    """Load a model on the CPU, ready to run.

    Parameters
    ----------
    name_or_path : str, PathLike or Model
        A name (`model_names()`), a file of weights with its card beside it, a card,
        or a folder with either, such as one of the WSInfer zoo. With `weights` also
        the name of a classifier of torchvision, such as "resnet18", or of a Mask
        R-CNN, such as "maskrcnn_resnet50_fpn".
    trust : bool
        Load files that could run code (see `workbench.models.formats.weights`).
    weights : str or PathLike, optional
        A file of weights to use instead of those of the card; for a network of
        torchvision the card is beside this file.
    min_score : float, optional
        0 to 1, instead of the card's: a network that drops instances itself drops those
        with a lower score.

    Returns
    -------
    TileModel
        The model; its card is as shipped, with the SHA-256 of the weights, given or
        computed.

    Raises
    ------
    ModelNotFoundError
        If there is neither a model of that name nor such a file or folder.
    InvalidCardError
        If its card is missing, has a missing or impossible value, or does not fit
        the weights.
    UntrustedModelError
        If loading it could run code and `trust` is False.
    ModelError
        If its weights are missing, damaged or not those of the card; if it fails the
        check of `workbench.models.self_check`; if `min_score` is given and it does
        not predict instances; or if it takes clicks (`load_prompted`).

    Examples
    --------
    >>> wb.find_model("tissue-classes").card.task
    'classification'
    """
    if isinstance(name_or_path, Model):
        return _load_live(name_or_path, min_score)
    source = _identify_source(name_or_path, weights, min_score)
    acting = source.card.with_min_score(min_score)
    network = wrap_detector(_load(source, acting, trust=trust), acting)
    model = TileModel(source.card, network)
    if not source.checked:
        check_model(model)
    return model


def load_prompted(
    name_or_path: str | os.PathLike[str], *, trust: bool = False
) -> PromptedModel:
    """Load a model that segments objects by clicks, on the CPU.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name (`model_names()`), a file of weights with its card beside it, a card, or
        a folder with either. The card has the decoder "prompted".
    trust : bool
        Load files that could run code, such as TorchScript.

    Raises
    ------
    ModelNotFoundError, InvalidCardError, UntrustedModelError
        As of `find_model`.
    ModelError
        If it takes no clicks; if its weights are missing, damaged or not those of the
        card; or if it fails its check.
    """
    source = _source(name_or_path, None)
    if not source.card.prompted:
        message = f"'{source.card.name}' does not segment by clicks."
        raise ModelError(message, "Choose a model with decoder = 'prompted'.")
    source = _verified(source)
    model = PromptedModel(source.card, _load(source, source.card, trust=trust))
    check_prompted(model)
    return model


def identify_model(
    name_or_path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    min_score: float | None = None,
) -> ModelCard:
    """Return the card of the model that `find_model` returns, without loading it.

    Parameters
    ----------
    name_or_path, weights
        As of `find_model`.
    min_score : float, optional
        Least score of a run; refused where the model predicts no instances.

    Raises
    ------
    ModelNotFoundError, InvalidCardError, ModelError
        As `find_model`, for what can be checked without the network.
    """
    return _identify_source(name_or_path, weights, min_score).card


def _identify_source(
    name_or_path: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    min_score: float | None,
) -> ModelSource:
    """Return the source of a model, with the SHA-256 in its card."""
    source = _source(name_or_path, weights)
    _require_tiles(source.card)
    _require_scores(source.card, min_score)
    return _verified(source)


def _verified(source: ModelSource) -> ModelSource:
    """Return the source, whose weights are those of its card."""
    if source.weights is None:
        return source
    card = _verify_sha256(source.card, _check_exists(source.weights))
    return replace(source, card=card)


def _load(source: ModelSource, acting: ModelCard, *, trust: bool) -> nn.Module:
    """Return the network of a source, for a card that it acts by."""
    trust = trust or source.trusted
    if source.weights is None:
        return _build_without_weights(acting, trust=trust)
    return load_network(acting, source.weights, trust=trust)


def _load_live(model: Model, min_score: float | None) -> TileModel:
    _require_tiles(model.card)
    _require_scores(model.card, min_score)
    acting = model.card.with_min_score(min_score)
    found = TileModel(model.card, wrap_detector(model.copy_network(), acting))
    check_model(found)
    return found


def _require_tiles(card: ModelCard) -> None:
    if card.prompted:
        message = f"'{card.name}' segments objects by clicks and makes no runs."
        remedy = "Choose another model; this one is a tool of the app (key K)."
        raise ModelError(message, remedy)


def _require_scores(card: ModelCard, min_score: float | None) -> None:
    if min_score is not None and card.task != "instances":
        message = f"'{card.name}' does not predict instances that have a score."
        raise ModelError(message, "Leave min_score out, or choose another model.")


def _source(
    name_or_path: str | os.PathLike[str], weights: str | os.PathLike[str] | None
) -> ModelSource:
    name = str(name_or_path)
    is_known = not name.isidentifier() or name in model_names()
    if is_known or not is_torchvision(name):
        source = find_source(name)
        if weights is None:
            return source
        card = source.card.model_copy(update={"sha256": ""})
        # Trust in a package does not extend to other weights for its model.
        return ModelSource(card, Path(weights).expanduser(), trusted=False)
    if weights is None:
        message = f"'{name}' is an architecture and needs weights."
        remedy = "Give a file of weights that has its card beside it: weights=..."
        raise ModelError(message, remedy)
    source = read_source(_check_exists(Path(weights).expanduser()))
    update = {"architecture": f"torchvision:{name}"}
    return ModelSource(source.card.model_copy(update=update), source.weights)


def _check_exists(weights: Path) -> Path:
    if not is_file(weights):
        message = f"There is no file of weights at '{weights}'."
        remedy = "Put it there, or give another with weights=..."
        raise ModelError(message, remedy)
    return weights


def _build_without_weights(card: ModelCard, *, trust: bool) -> nn.Module:
    """Return a network without weights; refuse one that needs some (never random)."""
    network = build_network(card, trust=trust)
    if any(True for _ in network.parameters()):
        reason = f"`weights` is empty, but '{card.architecture}' needs some"
        raise InvalidCardError(card.name, reason)
    return network


def _verify_sha256(card: ModelCard, weights: Path) -> ModelCard:
    """Return the card with the SHA-256 of the weights, which must match the card's."""
    actual = sha256_of(weights)
    if card.sha256 not in ("", actual):
        message = (
            f"'{weights}' is not the file that its card was made for: its SHA-256 is"
            f" {actual}, not {card.sha256}."
        )
        raise ModelError(message, "Copy the file again, or ask the author of the card.")
    return card.model_copy(update={"sha256": actual})
