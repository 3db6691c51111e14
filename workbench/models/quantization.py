"""Models with 8-bit arithmetic: an ONNX file calibrated on tiles of a slide.

Static post-training quantization of onnxruntime: convolutions and products calculate
with int8 weights and uint8 activations, whose ranges are those of the calibration
tiles. It costs accuracy, which depends on the model: measure it
(`benchmarks/strategies.py`).
"""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import ModelError
from workbench.models.export import INPUT, export_model
from workbench.models.formats.card_files import sha256_of
from workbench.tiling.grid import Grid
from workbench.tissue import find_tissue

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.models.card import ModelCard
    from workbench.slide.slide import Slide

_OPERATORS: Final = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
"""Operators that calculate with 8 bits; all others keep float32."""

_BATCH: Final = 4
TILES: Final = 32
"""Number of tiles from which the ranges are measured."""


def quantize_model(
    name_or_path: str | os.PathLike[str],
    path: str | os.PathLike[str],
    tiles: NDArray[np.uint8],
    *,
    weights: str | os.PathLike[str] | None = None,
    trust: bool = False,
) -> Path:
    """Write a model as an ONNX file that calculates with 8 bits, its card beside it.

    Parameters
    ----------
    name_or_path, weights, trust
        As for `workbench.find_model`.
    path : str or PathLike
        Ends in .onnx.
    tiles : uint8 (N, tile_px, tile_px, 3)
        Tiles like those that the model will predict, such as `calibration_tiles`.

    Returns
    -------
    Path
        The file; run it as a model by this path.

    Raises
    ------
    ModelError
        If `path` is not an ONNX file, there are no tiles, onnxruntime is not installed,
        or the network cannot be quantized; and all errors of `export_model`.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        message = f"'{path.name}' is no ONNX file; 8-bit models are ONNX files."
        raise ModelError(message, "Give a name that ends in .onnx.")
    if not len(tiles):
        message = "There are no tiles from which ranges could be measured."
        raise ModelError(message, "Give a slide with tissue.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = export_model(
            name_or_path, Path(folder) / "whole.onnx", weights=weights, trust=trust
        )
        _quantize(whole, path, tiles)
        card = json.loads(whole.with_name(whole.name + ".json").read_text())
    note = "Calculates with 8 bits; calibrated on tiles of one slide."
    card |= {
        "weights": path.name,
        "sha256": sha256_of(path),
        "intended_use": f"{card['intended_use']} {note}".strip(),
    }
    path.with_name(path.name + ".json").write_text(json.dumps(card, indent=2))
    return path


def calibration_tiles(
    slide: Slide, card: ModelCard, number: int = TILES
) -> NDArray[np.uint8]:
    """Return tiles of a slide's tissue, evenly spread, as a model takes them.

    Returns
    -------
    uint8 (N, tile_px, tile_px, 3)
        N is `number`, or fewer where there is less tissue.

    Raises
    ------
    MissingMppError
        If the mpp of the slide is not known.
    """
    downsample = card.mpp / slide.require_mpp()
    grid = Grid(slide.size, downsample, card.tile_px, card.margin_px)
    cores = [grid.core(i) for i in range(len(grid))]
    share = find_tissue(slide).fractions(cores)
    best = np.flatnonzero(share >= min(0.5, float(share.max(initial=0))))
    best = best[share[best] > 0]
    chosen = best[np.linspace(0, len(best) - 1, min(number, len(best))).astype(int)]
    boxes = [grid.tile(i) for i in chosen.tolist()]
    side = card.tile_px
    if not boxes:
        return np.empty((0, side, side, 3), np.uint8)
    return slide.read_tiles(boxes, (side, side))


class _Tiles:
    """Batches of calibration tiles, in the form that onnxruntime asks for."""

    def __init__(self, tiles: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(
            np.array_split(tiles, -(-len(tiles) // _BATCH))
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch by the name of the input; None after the last."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        return {INPUT: planes.astype(np.float32)}


def _quantize(whole: Path, path: Path, tiles: NDArray[np.uint8]) -> None:
    try:
        from onnxruntime import quantization  # noqa: PLC0415 - optional
    except ImportError as error:
        message = f"Writing '{path.name}' needs onnxruntime, which is not installed."
        remedy = "Run: pip install 'slide-workbench[onnx,export]'."
        raise ModelError(message, remedy) from error
    options: dict[str, Any] = {
        "quant_format": quantization.QuantFormat.QDQ,
        "op_types_to_quantize": _OPERATORS,
        "per_channel": True,
        "activation_type": quantization.QuantType.QUInt8,
        "weight_type": quantization.QuantType.QInt8,
    }
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises on the root logger
    try:
        quantization.quantize_static(whole, path, _Tiles(tiles), **options)
    except Exception as error:  # onnxruntime raises classes of many modules
        message = f"onnxruntime cannot quantize '{whole.name}': {error}."
        raise ModelError(message, "Use the model as it is.") from error
    finally:
        root.setLevel(level)
