"""The normalization reference of a study, which is saved in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.study.slide_table import safe_name
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workbench.stain.references import Reference


def reference_in(study: Path, record: Mapping[str, Any]) -> str:
    """Return the reference that the record of a study names; empty: none."""
    text = str(record.get("reference", ""))
    own = study / text
    return str(own) if text and is_file(own) else text


def saved_reference(study: Path, reference: Reference | str) -> str:
    """Return a reference as the record of a study names it; colours are saved."""
    if isinstance(reference, str):
        return reference
    text = f"references/saved/{safe_name(reference.name)}.json"
    (study / text).parent.mkdir(parents=True, exist_ok=True)
    reference.save(study / text)
    return text
