"""Codes of measures and units in DICOM objects, and the names that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

UNITS: Final[dict[str, tuple[str, str]]] = {
    "": ("1", "no units"),
    "1/mm²": ("/mm2", "per square millimeter"),
    "1/mm2": ("/mm2", "per square millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "um": ("um", "micrometer"),
    "um2": ("um2", "square micrometer"),
    "od": ("{od}", "optical density"),
    "%": ("%", "percent"),
}
"""UCUM codes of units."""

MEASURES: Final[dict[str, tuple[str, str, str]]] = {
    "area": ("42798000", "SCT", "Area"),
    "length": ("410668003", "SCT", "Length"),
    "perimeter": ("131191004", "SCT", "Perimeter"),
}
"""Codes of measures, by their names without unit."""


def name_of(item: Dataset) -> str:
    """Return the name of a measure: that of its code, with its unit as suffix."""
    name = item.ConceptNameCodeSequence[0]
    unit = item.MeasurementUnitsCodeSequence[0]
    known = {value: stem for stem, (value, _, _) in MEASURES.items()}
    stem = known.get(str(name.CodeValue), str(name.CodeMeaning))
    texts = {value: text for text, (value, _) in UNITS.items()}
    suffix = texts.get(str(unit.CodeValue), "")
    return f"{stem}_{suffix}" if suffix else stem
