"""Saving of a probe as a model: encoder and head in one file of weights."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import ModelError, TrainingError
from workbench.models.card import ModelCard
from workbench.models.catalogue import find_source
from workbench.provenance.embedding import write_in_folder
from workbench.system.atomic_files import disk_errors, replace_file
from workbench.training.model_provenance import provenance_of_model

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from workbench.models.formats.card_files import ModelSource
    from workbench.models.tile_model import TileModel
    from workbench.training.accuracy import Accuracy
    from workbench.training.probe import Probe

CARD: Final = "card.json"
WEIGHTS: Final = "weights.safetensors"
PROVENANCE: Final = "training.json"

_OF_ENCODER: Final = (
    "mpp",
    "tile_px",
    "input_px",
    "margin_px",
    "border",
    "input",
    "mean",
    "std",
    "licence",
    "stains",
)
"""Fields of the encoder's card that hold for the probe too."""


def save_probe(
    probe: Probe,
    folder: str | os.PathLike[str],
    *,
    encoder: str | os.PathLike[str] = "",
    name: str = "",
    colours: Mapping[str, tuple[int, int, int]] | None = None,
    accuracy: Accuracy | None = None,
    trust: bool = False,
) -> Path:
    """Save a probe as a model that `wb.run` takes: the folder is its name.

    The folder holds `card.json`, `weights.safetensors` (encoder and head),
    `training.json` (labels, their sources and authors, accuracy) and `provenance.json`
    (see `wb.read_provenance`). The model answers what the probe does, if the run
    normalizes as that of the vectors did.

    Parameters
    ----------
    probe : Probe
    folder : path
        Made if it does not exist; files of an earlier probe are replaced.
    encoder : str or path, optional
        Name or path of the encoder; by default the one that the vectors name.
    name : str, optional
        Name of the model; by default that of the folder.
    colours : mapping, optional
        Colours of classes; the others have those of a palette.
    accuracy : Accuracy, optional
        Figure to save with the model.
    trust : bool
        Load an encoder that could run code.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If the encoder cannot be loaded, or is a program rather than weights.
    TrainingError
        If it is not the encoder that made the vectors.
    RunFolderError
        If writing fails; files of an earlier probe are then unchanged or replaced
        whole.
    """
    source = find_source(encoder or probe.encoder)
    model = _load_encoder(source, encoder or probe.encoder, trust=trust)
    _require_same(probe, model.card)
    path = Path(folder)
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    weights = _weights_of(probe, model)
    card = _card_of(probe, model.card, name or path.name, weights, colours or {})
    replace_file(path / PROVENANCE, _json(_provenance(probe, model.card, accuracy)))
    replace_file(path / WEIGHTS, weights)
    replace_file(path / CARD, _json(card.model_dump(mode="json")))
    options = {"encoder": model.card.name, "labels": probe.counts}
    dumped = card.model_dump(mode="json")
    write_in_folder(path, provenance_of_model(dumped, options, probe.provenance))
    return path


def _load_encoder(
    source: ModelSource, name: str | os.PathLike[str], *, trust: bool
) -> TileModel:
    """Return an encoder whose network can be built from its card.

    Raises
    ------
    ModelError
        If its file is a program: its weights cannot lie beside those of a head.
    """
    from workbench.models.formats.weights import kind_of  # noqa: PLC0415 - loads torch
    from workbench.models.registry import find_model  # noqa: PLC0415

    if source.weights is not None:
        kind = kind_of(source.weights)
        if kind not in ("safetensors", "pickle") or not source.card.architecture:
            message = (
                f"'{source.card.name}' is a file of kind '{kind}', to which no head can"
                " be added."
            )
            remedy = "Use an encoder of weights with `architecture` in its card."
            raise ModelError(message, remedy)
    return find_model(name, trust=trust)


def _require_same(probe: Probe, card: ModelCard) -> None:
    """Refuse another encoder than that of the vectors, as far as is known."""
    width = probe.head.weight.shape[1]
    if card.task != "embedding" or card.dimensions != width:
        found = f"{card.dimensions} dimensions" if card.dimensions else "no vectors"
        message = f"'{card.name}' gives {found}; the probe was fitted on {width}."
        raise TrainingError(message, "Give the encoder of the vectors: encoder=...")
    if card.activation != "none":
        message = f"'{card.name}' has activation = '{card.activation}'."
        raise TrainingError(message, "A probe can be saved for encoders without one.")
    for slide in probe.provenance:
        sha256 = slide["features"].get("model_sha256")
        if sha256 and sha256 != card.sha256:
            message = (
                f"The vectors of '{slide['slide']}' were made by other weights than"
                f" those of '{card.name}'."
            )
            raise TrainingError(message, "Run this encoder again and fit the probe.")


def _weights_of(probe: Probe, model: TileModel) -> bytes:
    """Return encoder and head as the content of a safetensors file."""
    import torch  # noqa: PLC0415 - slow
    from safetensors.torch import save  # noqa: PLC0415

    state = model.network.state_dict()
    tensors = {f"encoder.{k}": v.clone().contiguous() for k, v in state.items()}
    tensors["head.weight"] = torch.from_numpy(probe.head.weight.copy())
    tensors["head.bias"] = torch.from_numpy(probe.head.bias.copy())
    content: bytes = save(tensors)
    return content


def _card_of(
    probe: Probe,
    encoder: ModelCard,
    name: str,
    weights: bytes,
    colours: Mapping[str, tuple[int, int, int]],
) -> ModelCard:
    from workbench.models.networks.linear_probe import (  # noqa: PLC0415 - loads torch
        LinearProbe,
        probe_options,
    )

    fields = {field: getattr(encoder, field) for field in _OF_ENCODER}
    bare = ModelCard(
        name=name, task="classification", classes=probe.classes, **fields
    ).palette
    chosen = [colours.get(n, c) for n, c in zip(probe.classes, bare, strict=True)]
    counts = ", ".join(f"{n} {count}" for n, count in probe.counts.items())
    return ModelCard(
        name=name,
        task="classification",
        classes=probe.classes,
        colours=tuple(chosen),
        activation="softmax",
        architecture=LinearProbe.ARCHITECTURE,
        options=probe_options(encoder),
        weights=WEIGHTS,
        sha256=hashlib.sha256(weights).hexdigest(),
        intended_use=f"Logistic regression on the vectors of '{encoder.name}', fitted"
        f" to a few labelled tiles; for slides like those. {_normalization(probe)}"
        " Research only, not for diagnosis.",
        source=f"Labels: {counts}; listed in {PROVENANCE}. Encoder: {encoder.name},"
        f" {encoder.source}",
        **fields,
    )


def _normalization(probe: Probe) -> str:
    """Return how slides must be normalized before the model sees them."""
    pairs = {
        (each["features"].get("normalize"), each["features"].get("reference"))
        for each in probe.provenance
    }
    if len(pairs) != 1:
        return "Its vectors were normalized in different ways."
    ((method, reference),) = pairs
    if not method:
        return "How its vectors were normalized is not known."
    if method == "none":
        return "Run it without normalization."
    return f"Run it with normalize = '{method}', reference = '{reference}'."


def _provenance(
    probe: Probe, encoder: ModelCard, accuracy: Accuracy | None
) -> dict[str, Any]:
    return {
        "format": 1,
        "kind": "probe",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "encoder": {"name": encoder.name, "sha256": encoder.sha256},
        "classes": probe.counts,
        "accuracy": None if accuracy is None else accuracy.to_dict(),
        "slides": list(probe.provenance),
    }


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
