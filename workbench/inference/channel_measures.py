"""Measures of channels in the instances of a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.instances.channel_measures import (
    STATISTICS,
    add_measures,
    measure_channels,
)
from workbench.instances.store import open_instances
from workbench.results.instances import INSTANCES

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.slide.slide import Slide


def measure_run(slide: Slide, folder: Path) -> None:
    """Add the values of all channels to the instances of a run, once.

    Does nothing for a slide stored as RGB, and for a run without instances.

    Parameters
    ----------
    slide : Slide
        Slide of the run.
    folder : Path
        Folder of the run, which is finished and locked.

    Raises
    ------
    SlideReadError, RunError, RunFolderError
        If the slide or the instances cannot be read, or writing fails.
    """
    file = folder / INSTANCES
    if not slide.channels or not file.exists():
        return
    store = open_instances(file)
    wanted = {f"{each.name}_{STATISTICS[-1]}" for each in slide.channels}
    if not wanted <= set(store.measures):
        add_measures(file, measure_channels(slide, store))
