"""Command line; the module of each verb is imported when the verb is used."""

from __future__ import annotations

from workbench.cli.lazy_group import LazyGroup

main = LazyGroup(
    name="workbench",
    help="View, normalize and analyse whole-slide images.\n\n"
    "For research use only, not for diagnosis.",
    package=__name__,
    folders=dict.fromkeys(
        ("archive", "convert", "provenance", "register", "replay", "tiles"), "exchange"
    ),
    verbs={
        "annotations": "Export, import and carry over the annotations of a slide.",
        "archive": "List, fetch and store slides and results of a DICOMweb server.",
        "attention": "Predict classes, numbers or survival by attention over tiles.",
        "convert": "Convert a slide, or a part of it, to a pyramid in another format.",
        "dataset": "Write the labelled tiles of a training for other programs.",
        "demo": "Make demo slides, run a model on one, and open the app on it.",
        "export": "Export a run to the format of another tool.",
        "features": "Describe, convert and judge files of vectors or scores of tiles.",
        "former": "Assign work that an earlier version saved to a slide.",
        "health": "Check this machine: devices, libraries and versions.",
        "info": "Print the metadata of a slide file.",
        "instances": "Learn the classes of instances; import instances.",
        "models": "List the models that can be run by name.",
        "normalize": "Write a stain-normalized image of a slide.",
        "probe": "Fit a classifier of tiles to annotations, on vectors of runs.",
        "provenance": "Print what made a file or run: slide, model, options, versions.",
        "register": "Find where each point of a slide lies in a serial section of it.",
        "replay": "Compute a run or an exported file again, and say what differs.",
        "report": "Write the report of a run or a study as one HTML file.",
        "run": "Run a model on a slide; continue an unfinished run.",
        "serve": "Serve the app for folders of slides.",
        "stain": "Compare, check and measure the staining of slides.",
        "study": "Run a model on many slides; collect and compare what it finds.",
        "synthesize": "Write a synthetic slide with exact truth.",
        "tiles": "Write where the tiles in a folder lie, to open them as one slide.",
        "train": "Train a classification or segmentation of tiles.",
    },
)
"""The command `workbench`."""
