"""Commands of the panels, as the command palette offers them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from workbench.app.panels.compare import COLOURS, OFF, OVERLAYS
from workbench.app.panels.stain.state import DIFFERENCE, LOOKS, NORMALIZED
from workbench.app.widgets.command_palette import Command
from workbench.models.catalogue import model_names
from workbench.progress import ENDED
from workbench.recipe import NO_METHOD, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workbench.app.panels.annotations import AnnotationPanel
    from workbench.app.panels.bookmarks import BookmarkPanel
    from workbench.app.panels.compare import ComparePanel
    from workbench.app.panels.instances.panel import InstancePanel
    from workbench.app.panels.overlays.panel import OverlayPanel
    from workbench.app.panels.run import RunPanel
    from workbench.app.panels.slide import SlidePanel
    from workbench.app.panels.snapshots import SnapshotPanel
    from workbench.app.panels.stain.panel import StainPanel

_DIVIDERS: Final = {
    OFF: "Remove the divider",
    COLOURS: "Divide the view: raw | normalized",
    OVERLAYS: "Divide the view: slide | overlays",
}


def section_commands(
    names: Iterable[str], opened: str, open_section: Callable[[str], object]
) -> Iterator[Command]:
    """Yield a command that opens each tab of the sidebar.

    Parameters
    ----------
    names : iterable of str
    opened : str
        Name of the open tab.
    open_section : callable
        Opens the tab of a name.
    """
    for name in names:
        reason = "It is open" if name == opened else ""
        yield Command(f"Open {name}", "Sidebar", _of(open_section, name), reason)


def slide_commands(slides: SlidePanel) -> Iterator[Command]:
    """Yield a command that opens each slide."""
    for name in slides.names:
        reason = "It is open" if name == slides.chosen else ""
        yield Command(f"Open slide {name}", "Slides", _of(slides.choose, name), reason)


def stain_commands(stain: StainPanel) -> Iterator[Command]:
    """Yield commands that choose a stain method, and a look of the slide."""
    methods = next(each for each in options() if each.name == "normalize").choices
    for method in methods:
        chosen = method == (stain.method or NO_METHOD)
        label = f"Normalize with {method}"
        if method == NO_METHOD:
            label = "Show the colours as scanned"
        choose = partial(stain.preset, method=method)
        yield Command(label, "Stain", choose, "It is chosen" if chosen else "")
    for look in LOOKS[1:]:
        lacks = look in (NORMALIZED, DIFFERENCE) and stain.method is None
        reason = "Choose a stain method first" if lacks else ""
        yield Command(f"Show {look}", "Stain", partial(stain.preset, look=look), reason)


def run_commands(
    runs: RunPanel, guard: Callable[[Callable[[], object]], object]
) -> Iterator[Command]:
    """Yield commands that run each model, pause the run, and cancel it.

    Parameters
    ----------
    runs : RunPanel
    guard : callable
        Calls a function and shows its error.
    """
    job = runs.job
    active = job is not None and job.progress.status not in ENDED
    busy = "A run is active" if active else ""
    idle = "" if active else "No run is active"

    def start(model: str) -> None:
        runs.preset(model=model)
        guard(runs.start)

    for name in model_names():
        reason = busy or runs.misfit_of(name)
        yield Command(f"Run {name}", "Run", _of(start, name), reason)
    yield Command("Pause or resume the run", "Run", runs.pause, idle)
    yield Command("Cancel the run", "Run", runs.cancel, idle)


def layer_commands(
    overlays: OverlayPanel, instances: InstancePanel, annotations: AnnotationPanel
) -> Iterator[Command]:
    """Yield commands that show or hide overlays, instances and annotations."""
    for overlay in overlays.overlays:
        yield _toggle(f"overlay {overlay.key}", overlay.visible, "value")
    for row in overlays.drawn.rows:
        yield _toggle(f"drawing {row.drawing.title}", row.visible, "value")
    if instances.shown is not None:
        yield _toggle("instances", instances.display.visible, "value")
    if annotations.editor is not None:
        yield _toggle("annotations", annotations.editor, "shown")


def view_commands(
    bookmarks: BookmarkPanel, snapshots: SnapshotPanel
) -> Iterator[Command]:
    """Yield commands that keep the view, go to kept views, and save it as an image."""
    yield Command("Keep this view", "Views", _of(bookmarks.add, ""))
    for name in bookmarks.names:
        yield Command(f"Go to kept view {name}", "Views", _of(bookmarks.go, name))
    for kind, figure in (("picture", False), ("figure with scale and legend", True)):
        save = partial(snapshots.save, figure=figure)
        yield Command(f"Save image: {kind}", "Views", save)


def compare_commands(compare: ComparePanel, names: list[str]) -> Iterator[Command]:
    """Yield commands that divide the view and put slides beside the open one.

    Parameters
    ----------
    compare : ComparePanel
    names : list of str
        Names of the slides that are offered.
    """
    for kind, label in _DIVIDERS.items():
        divide = partial(setattr, compare, "swiped", kind)
        reason = "It is so" if compare.swiped == kind else ""
        yield Command(label, "Compare", divide, reason)
    for beside in compare.beside:
        label = f"Close {beside.name} beside"
        yield Command(label, "Compare", _of(compare.remove, beside))
    shown = {beside.name for beside in compare.beside}
    for name in names:
        if name not in shown:
            add = _of(compare.add, name)
            yield Command(f"Show {name} beside", "Compare", add)


def _toggle(what: str, owner: Any, name: str) -> Command:
    """Return the command that shows or hides something, by a boolean of its owner."""
    shown = bool(getattr(owner, name))
    verb = "Hide" if shown else "Show"
    return Command(f"{verb} {what}", "Layers", partial(setattr, owner, name, not shown))


def _of(call: Callable[[Any], object], argument: object) -> Callable[[], object]:
    """Return a call with its one argument."""
    return partial(call, argument)
