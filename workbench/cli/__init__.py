"""The command line: each verb lives in its own module, imported when it is used."""

from __future__ import annotations

from workbench.cli.lazy_group import LazyGroup

main = LazyGroup(
    name="workbench",
    help="Look at, normalize and analyse whole slides.\n\n"
    "A research tool: not for diagnosis.",
    package=__name__,
    verbs={
        "annotations": "Bring what is marked on a slide in and out, as GeoJSON.",
        "demo": "Make demo slides, run a model on one, and open the app on it.",
        "export": "Write a run in the format of another tool.",
        "former": "Say whose the work is that an earlier version saved of a slide.",
        "info": "Tell what a slide file says of itself.",
        "models": "List the models that can be run by name.",
        "normalize": "Write an image of a slide in the colours of a reference.",
        "run": "Run a model on a slide; continue if the folder holds such a run.",
        "serve": "Serve the app for the slides in some folders.",
        "stain": "Look into how slides are stained and normalized.",
        "synthesize": "Write a made slide whose truth is known.",
    },
)
"""The command `workbench`."""
