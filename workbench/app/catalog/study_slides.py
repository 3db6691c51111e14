"""`StudyLibrary`: the slides of a study, served by their names in its table."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.app.catalog.slides import Entry, SlideLibrary
from workbench.errors import SlideNotFoundError
from workbench.slide.location import is_url
from workbench.slide.pixel_size import parse_mpp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide
    from workbench.study.slide_table import SlideRow
    from workbench.study.study import Study


class StudyLibrary(SlideLibrary):
    """The slides of a study, or some of them. Thread-safe.

    Parameters
    ----------
    study : Study
    names : Mapping of str to str, optional
        Names of the served slides in the table, by the names that users see, which are
        then those of the opened slides, too. Default: all slides, by their own names.
    """

    def __init__(self, study: Study, names: Mapping[str, str] | None = None) -> None:
        super().__init__([study.path])
        self._study, self._names = study, names
        self._reading = threading.Lock()
        self._stamp = -1
        self._rows: dict[str, SlideRow] = {}

    @property
    def rows(self) -> Mapping[str, SlideRow]:
        """The served slides by name, read again when the table has changed."""
        with self._reading:
            stamp = self._study.stamp
            if stamp != self._stamp:
                rows = {row.name: row for row in self._study.rows}
                if self._names is not None:
                    known = self._names.items()
                    rows = {name: rows[own] for name, own in known if own in rows}
                self._rows, self._stamp = rows, stamp
            return self._rows

    def path(self, name: str) -> Path:
        """Return the path of the slide of that name.

        Raises
        ------
        SlideNotFoundError
            If there is no such slide, or it is not a file.
        """
        place = self._row(name).path
        if is_url(place):
            raise SlideNotFoundError(name)
        return Path(place)

    def without_paths(self, text: str) -> str:
        """Return a text with the paths and names of slide files as served names."""
        for name, row in self.rows.items():
            base = os.path.basename(row.path.rstrip("/"))  # noqa: PTH119 - also of URLs
            if base in text:
                text = text.replace(row.path, name).replace(base, name)
        return text

    def open(
        self, name: str, *, mpp: Mpp | None = None, image: int | None = None
    ) -> Slide:
        """Open a slide; its name is the one that it is served under."""
        slide = super().open(name, mpp=mpp, image=image)
        slide.name = name
        return slide

    def _located(self, name: str, mpp: Mpp | None) -> tuple[str, Mpp | None]:
        row = self._row(name)
        given = parse_mpp(row.mpp) if row.mpp else None
        return row.path, given if mpp is None else mpp

    def _entries(self) -> list[Entry]:
        return [Entry(name, 0) for name in self.rows]

    def _row(self, name: str) -> SlideRow:
        row = self.rows.get(name)
        if row is None:
            raise SlideNotFoundError(name)
        return row
