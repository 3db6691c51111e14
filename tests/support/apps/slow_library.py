"""Slides of which some take as long to open as a test wants.

While SLOW/shut is there they wait; SLOW/begun and SLOW/ended grow by a byte each time.

Apart from the app's script: Bokeh empties a script's names when its session ends,
and what it put into the library would then fail for all other sessions.
"""

import os
import time
from pathlib import Path

from workbench.app.catalog import slides

_opened = slides.open_slide
_slow = Path(os.environ["SLOW"])


def _note(name):
    with (_slow / name).open("a") as file:
        file.write(".")


def _slowly(path, **options):
    if "slow" not in str(path):
        return _opened(path, **options)
    _note("begun")
    while (_slow / "shut").exists():
        time.sleep(0.02)
    try:
        return _opened(path, **options)
    finally:
        _note("ended")


slides.open_slide = _slowly
