"""Comparison of the stains of all slides, with a proposed reference."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import button, note, side_by_side, stack
from workbench.app.widgets.html_snippets import bar, table_of
from workbench.app.widgets.text import Html
from workbench.errors import StainError
from workbench.layers.colormaps import hex_colour
from workbench.markup import render
from workbench.progress import counted_noun
from workbench.stain.adviser import advise
from workbench.stain.optical_density import swatches

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from workbench.app.catalog.slides import SlideLibrary
    from workbench.app.widgets.background import Background
    from workbench.progress import Progress
    from workbench.stain.adviser import Advice, SlideStains
    from workbench.stain.references import Reference

_MOST: Final = 200
"""Largest number of slides that are compared and plotted."""


class AdvicePanel(pn.viewable.Viewer):
    """Compares the stains of all slides, and proposes their medoid as reference.

    Parameters
    ----------
    library : SlideLibrary
    background : Background
    take : callable
        Normalizes to the reference that the user accepts.
    """

    def __init__(
        self,
        library: SlideLibrary,
        background: Background,
        take: Callable[[Reference], None],
    ) -> None:
        super().__init__()
        self._library = library
        self._background = background
        self._take = take
        self._cancelled = threading.Event()
        self._advice: Advice | None = None
        self._open = button("Compare the stains of all slides", icon="query_stats")
        self._bar = pmui.LinearProgress(value=0, sizing_mode="stretch_width")
        self._status = note()
        self._cancel = button("Cancel", icon="stop", sizing_mode=None)
        self._plot = stack()
        self._table = Html("", sizing_mode="stretch_width")
        self._accept_button = button(
            "Take it as the reference", icon="check", main=True, sizing_mode=None
        )
        self.dialog = pmui.Dialog(
            stack(
                stack(self._status, self._bar),
                self._plot,
                self._table,
                side_by_side(self._accept_button, self._cancel),
            ),
            title="How the slides are stained",
            show_close_button=True,
            width_option="md",
        )
        self._open.on_click(lambda _: self.start())
        self._cancel.on_click(lambda _: self._cancelled.set())
        self._accept_button.on_click(lambda _: self._accept())

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._open, self.dialog)

    @property
    def advice(self) -> Advice | None:
        """Result of the last comparison, or None."""
        return self._advice

    def start(self) -> None:
        """Compare all slides in a thread, and show the progress."""
        self._cancelled.set()
        self._cancelled = cancelled = threading.Event()
        self._plot.objects, self._table.object = [], ""
        self._accept_button.visible = False
        self._cancel.visible = self._bar.visible = True
        self._bar.value = 0
        self._status.object = "Measuring the slides …"
        self.dialog.open = True
        self._background.do(
            lambda: self._compare(cancelled),
            self._found,
            slot="advice",
            otherwise=self._hide_progress,
        )

    def close(self) -> None:
        """Cancel the comparison."""
        self._cancelled.set()

    def _compare(self, cancelled: threading.Event) -> Advice:
        names = [entry.name for entry in self._library.entries()[:_MOST]]
        if not names:
            message = "There are no slides whose stains could be compared."
            raise StainError(message, "Serve a folder that has some.")

        def report(progress: Progress) -> None:
            self._background.later(lambda: self._show_progress(progress, cancelled))

        paths = [self._library.path(name) for name in names]
        return advise(paths, progress=report, cancel=cancelled)

    def _show_progress(self, progress: Progress, cancelled: threading.Event) -> None:
        if cancelled is self._cancelled and self._bar.visible:
            self._bar.value = round(100 * progress.fraction)
            self._status.object = progress.sentence

    def _found(self, advice: Advice) -> None:
        self._advice = advice
        self._hide_progress()
        if advice.medoid is None:
            self._status.object = "No slide could be measured."
        else:
            outliers = len(advice.outliers)
            self._status.object = (
                f"{counted_noun(len(advice.slides), 'slides')}, {outliers or 'no'}"
                f" {'outlier' if outliers == 1 else 'outliers'}. Nearest to all others,"
                f" and proposed as the reference: {advice.medoid.name}"
            )
            from workbench.app.panels.stain.adviser_plot import advice_plot  # noqa: PLC0415 - slow

            plot = pn.pane.HoloViews(advice_plot(advice), margin=0)
            self._plot.objects = [plot]
        self._accept_button.visible = advice.medoid is not None
        self._table.object = _table_of(advice)

    def _hide_progress(self) -> None:
        self._bar.visible = self._cancel.visible = False

    def _accept(self) -> None:
        medoid = None if self._advice is None else self._advice.medoid
        if medoid is not None and medoid.reference is not None:
            self.dialog.open = False
            self._take(medoid.reference)


def _table_of(advice: Advice) -> Markup:
    head = ["slide", "hematoxylin", "R G B", "", "eosin", "R G B", "", "outlier"]
    rows = [_row(each, proposed=each is advice.medoid) for each in advice.slides]
    return render("advice", table=table_of(head, rows))


def _row(slide: SlideStains, *, proposed: bool) -> list[str]:
    wrapped = render("advice_reasons", reasons="; ".join(map(str, slide.findings)))
    cells: list[str] = [render("advice_name", name=slide.name, proposed=proposed)]
    if slide.fit is None:
        return [*cells, *[""] * 6, wrapped]
    colours = swatches(slide.fit.stains, slide.fit.max_concentrations)
    for vector, most, row in zip(
        slide.fit.stains, slide.fit.max_concentrations, colours, strict=True
    ):
        numbers = " ".join(f"{part:.2f}" for part in vector)
        cells += [bar(map(hex_colour, row), width=56), numbers, f"{most:.2f}"]
    return [*cells, wrapped]
