"""The app over slides of which some are slow to open, and one breaks a button."""

import os
import time

from workbench.app import library
from workbench.app.serve import session
from workbench.app.site import Site

opened = library.open_slide


def slowly(path, **options):
    if "slow" in str(path):
        time.sleep(float(os.environ["SLOW_S"]))
    return opened(path, **options)


library.open_slide = slowly

app = session(Site.of([os.environ["SLIDES"]], os.environ["RUNS"]))


def break_down(_):
    raise ZeroDivisionError(os.environ["SLIDES"])


app.compare._add.on_click(break_down)
app.page().servable()
