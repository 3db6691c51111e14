"""Adding of an encoder: a preset and local weights become a model with a name."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.errors import ModelError
from workbench.models.architectures import build_network, with_tile_size
from workbench.models.encoders.hub_folders import TOKENIZERS, network_of, weights_in
from workbench.models.encoders.preset import find_preset
from workbench.models.formats.card_files import sha256_of
from workbench.models.registry import find_model
from workbench.models.user_models import CARD, user_models_folder

if TYPE_CHECKING:
    from workbench.models.card import ModelCard
    from workbench.models.encoders.preset import EncoderPreset

Pooling = Literal["cls", "mean", "cls+mean"]


def add_encoder(
    name: str,
    weights: str | os.PathLike[str],
    *,
    pooling: Pooling | None = None,
    copy: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> ModelCard:
    """Add an encoder of the catalogue with weights that lie on this machine.

    The network is built, loaded and tried on two tiles before anything is kept.
    Nothing is downloaded.

    Parameters
    ----------
    name : str
        Name of a preset (`workbench.models.encoders.preset.encoder_presets`).
    weights : str or PathLike
        File of weights, or a folder that is a copy of the encoder's hub repository;
        pickled weights are read with `weights_only`.
    pooling : {"cls", "mean", "cls+mean"}, optional
        Vector from the tokens, if not that of the preset.
    copy : bool
        Copy the weights; without it the model refers to them where they lie.
    folder : str or PathLike, optional
        Folder for the model, if not one of its name in the user's folder of models.

    Returns
    -------
    ModelCard
        The card of the model, which can now be run by its name.

    Raises
    ------
    ModelNotFoundError
        If there is no preset of that name.
    MissingPackageError
        If the network needs timm, which is not installed.
    ModelError
        If there are no weights, they do not fit, or the model fails its check.
    """
    preset = find_preset(name)
    file = weights_in(Path(weights).expanduser())
    place = Path(folder).expanduser() if folder else user_models_folder() / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=place.parent) as made:
        here = Path(made) / name
        here.mkdir()
        kept = here / f"weights{file.suffix}"
        _link(file.resolve(), kept, copy=copy)
        for tokenizer in TOKENIZERS:  # of a text tower
            beside = file.parent / tokenizer
            if beside.is_file():
                _link(beside.resolve(), here / tokenizer, copy=copy)
        card = _card(preset, file, kept, pooling)
        text = card.model_dump_json(indent=2, exclude_defaults=True)
        (here / CARD).write_text(text + "\n", encoding="utf-8")
        find_model(here)
        _replace(here, place)
    return card


def _card(
    preset: EncoderPreset, file: Path, kept: Path, pooling: Pooling | None
) -> ModelCard:
    changes = network_of(preset, file)
    if pooling:
        changes["pooling"] = pooling
    card = preset.card(weights=kept.name, sha256=sha256_of(file), **changes)
    network = build_network(with_tile_size(card), trust=False)
    found = getattr(network, "dimensions", card.dimensions)
    return card.model_copy(update={"dimensions": int(found)})


def _link(file: Path, kept: Path, *, copy: bool) -> None:
    if not copy:
        try:
            kept.symlink_to(file)
        except OSError:  # a file system without links
            copy = True
    if copy:
        shutil.copyfile(file, kept)


def _replace(made: Path, place: Path) -> None:
    """Move the finished folder to its place; refuse to replace what is no model."""
    if place.exists():
        if not (place / CARD).is_file():
            message = f"'{place}' exists and holds no model."
            raise ModelError(message, "Choose another folder, or remove it.")
        shutil.rmtree(place)
    os.replace(made, place)  # noqa: PTH105 - of a folder
