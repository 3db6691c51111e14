"""Codes of classes, measures and units, as far as they are known.

Codes are of SNOMED CT as distributed with DICOM (PS3.16), of DICOM itself, and of UCUM
for units. A class without a code gets one of the private scheme `99WORKBENCH` that
carries its name.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from highdicom.sr import CodedConcept

from workbench.dicom.measures import MEASURES, UNITS

PRIVATE: Final = "99WORKBENCH"
"""Coding scheme of what has no code: private, as its "99" says."""

_MAX_MEANING: Final = 64
_MAX_VALUE: Final = 16


class Property(NamedTuple):
    """What a segment or a group of annotations shows."""

    category: CodedConcept
    kind: CodedConcept


ABNORMAL: Final = ("49755003", "Morphologically Abnormal Structure")
ANATOMY: Final = ("91723000", "Anatomical Structure")
TISSUE: Final = ("85756007", "Tissue")

CLASSES: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "adipose": (TISSUE, ("55603005", "Fat")),
    "blood vessel": (ANATOMY, ("59820001", "Blood Vessel")),
    "carcinoma": (ABNORMAL, ("1187425009", "Carcinoma")),
    "cell": (ANATOMY, ("4421005", "Cell")),
    "connective tissue": (TISSUE, ("21793004", "Connective tissue")),
    "fat": (TISSUE, ("55603005", "Fat")),
    "haemorrhage": (ABNORMAL, ("50960005", "Hemorrhage")),
    "hemorrhage": (ABNORMAL, ("50960005", "Hemorrhage")),
    "inflammation": (ABNORMAL, ("409774005", "Inflammation")),
    "muscle": (TISSUE, ("91727004", "Muscle")),
    "necrosis": (ABNORMAL, ("6574001", "Necrosis")),
    "neoplasm": (ABNORMAL, ("108369006", "Neoplasm")),
    "nuclei": (ANATOMY, ("84640000", "Nucleus")),
    "nucleus": (ANATOMY, ("84640000", "Nucleus")),
    "stroma": (TISSUE, ("21793004", "Connective tissue")),
    "tissue": (TISSUE, ("85756007", "Tissue")),
    "tumor": (ABNORMAL, ("108369006", "Neoplasm")),
    "tumour": (ABNORMAL, ("108369006", "Neoplasm")),
    "vessel": (ANATOMY, ("59820001", "Blood Vessel")),
}
"""Category and type of classes, by their names in small letters: code and meaning."""


def concept(value: str, scheme: str, meaning: str) -> CodedConcept:
    """Return a code."""
    return CodedConcept(value, scheme, meaning[:_MAX_MEANING])


def private_code(name: str) -> CodedConcept:
    """Return the code of the private scheme for a name."""
    value = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    if not value or len(value) > _MAX_VALUE:
        value = hashlib.sha256(name.encode()).hexdigest()[:_MAX_VALUE]
    return concept(value, PRIVATE, name)


def property_of(name: str) -> Property:
    """Return the codes of a class."""
    known = CLASSES.get(name.strip().lower())
    if known is None:
        return Property(concept(*_sct(ANATOMY)), private_code(name))
    category, kind = known
    return Property(concept(*_sct(category)), concept(*_sct(kind)))


def measure_of(name: str) -> tuple[CodedConcept, CodedConcept]:
    """Return the codes of a measure and of its unit, from a name such as "area_um2"."""
    stem, _, unit = name.rpartition("_")
    if unit not in UNITS or not stem:
        stem, unit = name, ""
    known = MEASURES.get(stem)
    code = concept(*known) if known else private_code(stem)
    return code, unit_of(unit)


def unit_of(unit: str) -> CodedConcept:
    """Return the UCUM code of a unit; one that is not known is an annotation."""
    value, meaning = UNITS.get(
        unit, ("{" + re.sub(r"[^!-~]|[{}]", "", unit) + "}", unit)
    )
    return concept(value[:_MAX_VALUE], "UCUM", meaning)


def _sct(code: tuple[str, str]) -> tuple[str, str, str]:
    return code[0], "SCT", code[1]
