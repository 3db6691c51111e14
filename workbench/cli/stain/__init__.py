"""`workbench stain`; each verb has its own module."""

from __future__ import annotations

from workbench.cli.lazy_group import LazyGroup

command = LazyGroup(
    name="stain",
    help="Compare, check and measure the staining of slides.",
    package=__name__,
    verbs={
        "advise": "Compare the staining of slides and propose a reference slide.",
        "check": "Compare normalization back-ends (CPU, GPU, table) pixel by pixel.",
        "quantify": "Measure the amount of a stain, such as DAB.",
        "reference": "Save the stain colours of a slide or image as a reference.",
    },
)
