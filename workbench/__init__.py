"""Slide Workbench: look at, normalize and analyse whole slides.

Everything a user needs is a name of this package; each is imported when first
used, so that `import workbench` is quick and loads neither torch nor Panel.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.annotations.annotation import Annotation
    from workbench.annotations.collection import Annotations, open_annotations
    from workbench.annotations.summary import summarise
    from workbench.app.jupyter.notebook import Workbench
    from workbench.area import Area
    from workbench.errors import WorkbenchError
    from workbench.geometry import Box
    from workbench.inference.engine import run
    from workbench.layers.figure import snapshot
    from workbench.models.card import ModelCard
    from workbench.progress import Progress
    from workbench.recipe import Recipe
    from workbench.results.heatmap import Heatmap
    from workbench.results.run import Run, open_run
    from workbench.slide.region import Region
    from workbench.slide.slide import Slide, open_slide
    from workbench.stain.adviser import advise
    from workbench.stain.normalizer import Normalizer, fit_normalizer
    from workbench.stain.per_image import normalize_each
    from workbench.stain.references import Reference, load_reference

__version__ = "0.1.0"

_HOMES = {
    "Annotation": "workbench.annotations.annotation",
    "Annotations": "workbench.annotations.collection",
    "Area": "workbench.area",
    "Box": "workbench.geometry",
    "Heatmap": "workbench.results.heatmap",
    "ModelCard": "workbench.models.card",
    "Normalizer": "workbench.stain.normalizer",
    "Progress": "workbench.progress",
    "Recipe": "workbench.recipe",
    "Reference": "workbench.stain.references",
    "Region": "workbench.slide.region",
    "Run": "workbench.results.run",
    "Slide": "workbench.slide.slide",
    "Workbench": "workbench.app.jupyter.notebook",
    "WorkbenchError": "workbench.errors",
    "advise": "workbench.stain.adviser",
    "fit_normalizer": "workbench.stain.normalizer",
    "load_reference": "workbench.stain.references",
    "normalize_each": "workbench.stain.per_image",
    "open_annotations": "workbench.annotations.collection",
    "open_run": "workbench.results.run",
    "open_slide": "workbench.slide.slide",
    "run": "workbench.inference.engine",
    "snapshot": "workbench.layers.figure",
    "summarise": "workbench.annotations.summary",
}

__all__ = [
    "Annotation",
    "Annotations",
    "Area",
    "Box",
    "Heatmap",
    "ModelCard",
    "Normalizer",
    "Progress",
    "Recipe",
    "Reference",
    "Region",
    "Run",
    "Slide",
    "Workbench",
    "WorkbenchError",
    "advise",
    "fit_normalizer",
    "load_reference",
    "normalize_each",
    "open_annotations",
    "open_run",
    "open_slide",
    "run",
    "snapshot",
    "summarise",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name not in _HOMES:
        message = f"module 'workbench' has no attribute '{name}'"
        raise AttributeError(message)
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, those not imported yet included."""
    return sorted({*globals(), *__all__})
