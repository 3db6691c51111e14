"""`workbench stain`: verbs about colours, each in its own module."""

from __future__ import annotations

from workbench.cli.lazy_group import LazyGroup

command = LazyGroup(
    name="stain",
    help="Look into how slides are stained and normalized.",
    package=__name__,
    verbs={
        "advise": "Tell how slides are stained, and which to refer to.",
        "check": "Tell how far the ways to a normalized pixel are apart.",
        "quantify": "Measure how much of a stain there is: DAB, for example.",
        "reference": "Save the colours of a slide or an image as a reference.",
    },
)
