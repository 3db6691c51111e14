"""The app over slides of which some are slow to open, and one breaks a button."""

import os

import slow_library  # noqa: F401 - for what it does to the library, once

from workbench.app.serve import session
from workbench.app.site import Site

app = session(Site.of([os.environ["SLIDES"]], os.environ["RUNS"]))


def break_down(_):
    raise ZeroDivisionError(os.environ["SLIDES"])


app.compare._add.on_click(break_down)
app.page().servable()
