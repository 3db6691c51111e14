"""Download of an encoder's weights from the Hugging Face hub, on explicit request."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from workbench.errors import MissingPackageError, ModelError
from workbench.models.encoders.preset import find_preset

_EXTRA: Final = "encoders"
_FILES: Final = ("config.json", "open_clip_config.json", "*.safetensors", "*.bin")


def download_encoder(name: str) -> Path:
    """Download the repository of an encoder into the hub's cache; return its folder.

    The token is the one that the user has given to the hub's own tool (`hf auth login`
    or HF_TOKEN); it is neither read nor kept here.

    Raises
    ------
    ModelNotFoundError
        If there is no preset of that name.
    MissingPackageError
        If huggingface_hub is not installed.
    ModelError
        If the encoder is not at the hub, or the hub refuses or cannot be reached.
    """
    preset = find_preset(name)
    if not preset.hub:
        message = f"'{name}' is not at the hub."
        raise ModelError(message, f"Get its weights from {preset.source[-1]}.")
    hub = _import_hub()
    try:
        return Path(hub.snapshot_download(preset.hub, allow_patterns=list(_FILES)))
    except Exception as error:
        # The hub's client raises its own classes and those of its HTTP library.
        message = f"'{preset.hub}' could not be downloaded: {_first_line(error)}"
        remedy = (
            f"Accept its conditions at https://huggingface.co/{preset.hub} and run"
            " 'hf auth login', or download it elsewhere and give --weights."
        )
        raise ModelError(message, remedy) from error


def _import_hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise MissingPackageError(_EXTRA) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
