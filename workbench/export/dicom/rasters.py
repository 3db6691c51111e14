"""Heatmaps and class maps as Segmentation and Parametric Map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import highdicom as hd
import numpy as np
from highdicom.content import (
    PixelMeasuresSequence,
    PlaneOrientationSequence,
    PlanePositionSequence,
)
from pydicom.sr.codedict import codes
from pydicom.uid import RLELossless

from workbench.dicom.identifiers import derived_uid
from workbench.dicom.slide_header import SLICE_MM
from workbench.errors import RunError
from workbench.export.dicom.codes import private_code, property_of, unit_of
from workbench.export.dicom.objects import Origin, lab_colour

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.results.run import Run

_TILE: Final = 256
_SHORT: Final = 16
_NARROWEST: Final = 1e-6
LARGE: Final = 1024
"""Cells along the longer side from which a class map gets coarser levels."""

_FIRST_LEVEL: Final = 10
"""Number of the finest level of a pyramid in its series."""

_STEPS: Final = 255
"""Steps of the values of a fractional segmentation, from 0 to 1."""

_PROBABILITY: Final = codes.DCM.FractionalProbabilisticSegmentation


def write_fractional(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write probabilities as a fractional Segmentation, in steps of 1/255.

    Cells without a value are 0. Of one class the object is TILED_FULL; of several it is
    TILED_SPARSE, because Slim shows no TILED_FULL of several segments.

    Raises
    ------
    RunError
        If the values are no probabilities.
    """
    heatmap = run.heatmap
    if heatmap.unit or run.card.task == "measurement":
        message = f"The values of '{run.path}' are no probabilities."
        raise RunError(message, "Export them as a parametric map: FILE.pm.dcm.")
    origin = Origin.of_run(run, source)
    values = np.nan_to_num(heatmap.values, nan=0.0).clip(0, 1).astype(np.float64)
    segments = segments_of(origin, heatmap.classes, run.card.palette)
    full = len(segments) == 1
    made = hd.seg.Segmentation(
        [origin.source.header],
        np.moveaxis(values, 0, -1)[None],
        "FRACTIONAL",
        segments,
        fractional_type="PROBABILITY",
        max_fractional_value=_STEPS,
        content_label="HEATMAP",
        content_description=run.card.name[:64],
        transfer_syntax_uid=RLELossless,
        dimension_organization_type="TILED_FULL" if full else "TILED_SPARSE",
        omit_empty_frames=not full,
        **_placed(origin, heatmap.values.shape, heatmap.cell),
        **origin.identity("seg"),
    )
    origin.dated(made).save_as(path)


def write_parametric_map(
    run: Run, path: Path, *, channel: str | None = None, source: Path | None = None
) -> None:
    """Write values as a Parametric Map of float32, NaN where there is none.

    Parameters
    ----------
    run : Run
    path : Path
    channel : str, optional
        Class whose values are written. Default: all, each with a mapping of its own;
        few viewers join the frames of several.
    source : Path, optional
        DICOM slide to refer to.

    Raises
    ------
    RunError
        If the DICOM slide to refer to cannot be used.
    """
    heatmap, classes = run.heatmap, run.heatmap.classes
    names = classes if channel is None else (channel,)
    origin = Origin.of_run(run, source)
    values = np.stack([heatmap.channel(name) for name in names], axis=-1)
    finite = values[np.isfinite(values)]
    low, high = heatmap.value_range
    if len(finite):
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    window = hd.VOILUTTransformation(
        window_center=float(low + high) / 2,
        window_width=max(float(high - low), _NARROWEST),
    )
    single = len(names) == 1
    number = classes.index(channel) + 2 if channel else 1
    made = hd.pm.ParametricMap(
        [origin.source.header],
        np.ascontiguousarray(values)[None],
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            [_mapping(name, heatmap.unit, (float(low), float(high)))] for name in names
        ],
        voi_lut_transformations=[window],
        content_label="HEATMAP",
        content_description=f"{run.card.name}: {', '.join(names)}"[:64],
        dimension_organization_type="TILED_FULL" if single else "TILED_SPARSE",
        **_placed(origin, heatmap.values.shape, heatmap.cell),
        **origin.identity("pm", number, *names),
    )
    origin.dated(made).save_as(path)


def _mapping(
    name: str, unit: str, values: tuple[float, float]
) -> hd.pm.RealWorldValueMapping:
    """Return what the values of a class mean: themselves, in a unit."""
    return hd.pm.RealWorldValueMapping(
        lut_label=name[:_SHORT],
        lut_explanation=name[:64],
        unit=unit_of(unit),
        value_range=values,
        slope=1.0,
        intercept=0.0,
        quantity_definition=private_code(name) if unit else _PROBABILITY,
    )


def write_class_map(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write the most probable class of each cell as bits, a segment for each class.

    Raises
    ------
    RunError
        If the run has no classes to choose from, or the DICOM slide to refer to cannot
        be used.
    """
    origin, winner, segments = _winners(run, source)
    _class_map(origin, winner, segments, run.heatmap.cell).save_as(path)


def write_class_map_pyramid(
    run: Run, folder: Path, name: str, *, source: Path | None = None
) -> None:
    """Write the class map as a pyramid: one object a level, in one series.

    Each level has half the cells of the one before, with the class of most of the four;
    below `LARGE` cells along the longer side there is one level.

    Parameters
    ----------
    run : Run
    folder : Path
    name : str
        Name of the finest level, without ".classmap.dcm"; "-1", "-2"... are appended
        for the others.
    source : Path, optional
        DICOM slide to refer to.

    Raises
    ------
    RunError
        As `write_class_map`.
    """
    origin, winner, segments = _winners(run, source)
    cell, level = float(run.heatmap.cell), 0
    large = max(winner.shape) > LARGE
    while True:
        made = _class_map(origin, winner, segments, cell, level if large else None)
        end = f"-{level}" if level else ""
        made.save_as(folder / f"{name}{end}.classmap.dcm")
        if max(winner.shape) <= LARGE:
            return
        winner, cell, level = _majority(winner), 2 * cell, level + 1


def _majority(winner: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the most frequent number of each 2 x 2 cells; the lowest of equal ones."""
    rows, columns = winner.shape
    padded = np.pad(winner, ((0, rows % 2), (0, columns % 2)), "edge")
    four = np.stack([padded[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    best = np.zeros(four.shape[1:], np.uint16)
    most = np.zeros(four.shape[1:], np.uint8)
    for number in np.unique(four).tolist():
        count = (four == number).sum(axis=0, dtype=np.uint8)
        best[count > most] = number
        np.maximum(most, count, out=most)
    return best


def _class_map(
    origin: Origin,
    winner: NDArray[np.uint16],
    segments: Sequence[hd.seg.SegmentDescription],
    cell: float,
    level: int | None = None,
) -> Dataset:
    """Return the numbers of classes as planes of bits; `level` of a pyramid."""
    planes = winner[..., None] == np.arange(1, len(segments) + 1)
    return binary_segmentation(
        origin, planes.astype(np.uint8), segments, cell, level=level
    )


def write_label_map(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write the number of the most probable class of each cell, 0 where none.

    Raises
    ------
    RunError
        If the run has no classes to choose from, or the DICOM slide to refer to cannot
        be used.
    """
    origin, winner, segments = _winners(run, source)
    made = hd.seg.Segmentation(
        [origin.source.header],
        (winner if len(segments) > _STEPS else winner.astype(np.uint8))[None],
        "LABELMAP",
        segments,
        content_label="CLASSMAP",
        dimension_organization_type="TILED_FULL",
        omit_empty_frames=False,
        transfer_syntax_uid=RLELossless,
        **_placed(origin, winner.shape, run.heatmap.cell),
        **origin.identity("classmap", 2),
    )
    origin.dated(made).save_as(path)


def _winners(
    run: Run, source: Path | None
) -> tuple[Origin, NDArray[np.uint16], list[hd.seg.SegmentDescription]]:
    """Return the number of the most probable class of each cell, and the classes."""
    heatmap = run.heatmap
    if run.card.task == "measurement" or heatmap.unit or len(heatmap.classes) == 1:
        message = f"'{run.path}' has no classes of which one is the most probable."
        raise RunError(message, "Export it as a parametric map: FILE.pm.dcm.")
    origin = Origin.of_run(run, source)
    known = np.isfinite(heatmap.values).all(axis=0)
    winner = np.where(known, np.nan_to_num(heatmap.values).argmax(axis=0) + 1, 0)
    segments = segments_of(origin, heatmap.classes, run.card.palette)
    return origin, winner.astype(np.uint16), segments


def binary_segmentation(
    origin: Origin,
    planes: NDArray[np.uint8],
    segments: Sequence[hd.seg.SegmentDescription],
    cell: float,
    *,
    level: int | None = None,
) -> Dataset:
    """Return the Segmentation of planes of bits.

    Parameters
    ----------
    origin : Origin
    planes : uint8 (rows, columns, segments)
        1 where a cell belongs to a segment; segments may overlap.
    segments : sequence of SegmentDescription
    cell : float
        Side of a cell, in level-0 pixels.
    level : int, optional
        Level of a pyramid, of which it is a part.
    """
    identity = origin.identity("classmap", 1)
    if level is not None:
        own = (origin.source.header.SOPInstanceUID, origin.whose, "classmap")
        identity = origin.identity("classmap", _FIRST_LEVEL + level, "level")
        identity["pyramid_uid"] = derived_uid(*own, "pyramid")
        identity["series_instance_uid"] = derived_uid(*own, "pyramid series")
    made = hd.seg.Segmentation(
        [origin.source.header],
        planes[None],
        "BINARY",
        segments,
        content_label="CLASSMAP",
        dimension_organization_type="TILED_SPARSE",
        omit_empty_frames=True,
        **_placed(origin, planes.shape[:2], cell),
        **identity,
    )
    return origin.dated(made)


def segments_of(
    origin: Origin, classes: Sequence[str], colours: Sequence[Sequence[int]]
) -> list[hd.seg.SegmentDescription]:
    """Return the description of each class."""
    manual = not origin.algorithm
    described = []
    for number, (name, colour) in enumerate(zip(classes, colours, strict=True), 1):
        category, kind = property_of(name)
        described.append(
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=name[:64],
                segmented_property_category=category,
                segmented_property_type=kind,
                algorithm_type="MANUAL" if manual else "AUTOMATIC",
                algorithm_identification=None
                if manual
                else origin.algorithm_identification(),
                display_color=lab_colour(colour),
            )
        )
    return described


def _placed(origin: Origin, shape: tuple[int, ...], cell: float) -> dict[str, Any]:
    """Return the arguments of highdicom that place a raster of square cells."""
    source = origin.source
    across, down = source.cell_spacing(cell)
    (place,) = source.to_mm(np.array([[cell / 2, cell / 2]]))
    x, y, z = (float(part) for part in place)
    return {
        "tile_pixel_array": True,
        "tile_size": (min(_TILE, shape[-2]), min(_TILE, shape[-1])),
        "pixel_measures": PixelMeasuresSequence((down, across), SLICE_MM),
        "plane_orientation": PlaneOrientationSequence(
            "SLIDE", [float(part) for part in source.header.ImageOrientationSlide]
        ),
        "plane_positions": [PlanePositionSequence("SLIDE", (x, y, z), (1, 1))],
    }
