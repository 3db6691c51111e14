"""`workbench study`; each verb has its own module."""

from __future__ import annotations

from workbench.cli.lazy_group import LazyGroup

command = LazyGroup(
    name="study",
    help="Run a model on many slides; collect and compare what it finds.",
    package=__name__,
    verbs={
        "agreement": "Print how far the readers agree: kappa and ICC with intervals.",
        "assign": "Make a worklist: assign slides to readers.",
        "keys": "Write the keys of a Dask cluster into a new folder.",
        "make": "Make a study from a folder or a table of slides; update it.",
        "prioritize": "Let workers draw some slides before others.",
        "quality": "Measure the quality of all slides; print those that are flagged.",
        "queue": "Serve the number of slides that are left, for autoscalers.",
        "readings": "Print how far the readers are; export their answers.",
        "run": "Run a model on all slides; continue what is left.",
        "slides": "Print the table of slides, or write it as CSV to edit it.",
        "status": "Print how far the analyses are; pause, resume or cancel them.",
        "table": "Print the results of all slides; compare groups of them.",
    },
)
