"""The app over slides of which some are slow to open, and one breaks a button."""

import os

import slow_library  # noqa: F401 - for what it does to the library, once

from workbench.app.catalog.site import Site
from workbench.app.layout import full_page
from workbench.app.server.serve import session

app = session(Site.of([os.environ["SLIDES"]], os.environ["RUNS"]))


def break_down(_):
    raise ZeroDivisionError(os.environ["SLIDES"])


app.compare._add.on_click(break_down)
full_page(app).servable()
