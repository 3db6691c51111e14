"""Bookmarks: named views of a slide, saved in the folder of runs."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.url_state import Address
from workbench.app.widgets.controls import STYLE, button, side_by_side, stack
from workbench.errors import RunFolderError
from workbench.slide.migration import FormerWork
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.app.viewer.viewer import Viewer
    from workbench.slide.slide import Slide

_MOST: Final = 500
_LONGEST: Final = 80
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A named view."""

    name: str
    query: str
    """Query of the address that shows the view."""

    made: str
    """Time in UTC, ISO 8601."""


class Bookmarks:
    """Bookmarks of all slides, one file for each slide; shared by all sessions.

    Parameters
    ----------
    folder : Path
        Created when the first bookmark is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, slide: Slide) -> list[Bookmark]:
        """Return the bookmarks of a slide, the oldest first.

        Raises
        ------
        RunFolderError
            If their file is damaged or cannot be read.
        """
        path = self._path(slide)
        return _read(path) if path.exists() else self._former(slide)

    def save(self, slide: Slide, name: str, query: str) -> None:
        """Save a view under a name; a bookmark of that name is replaced."""
        slide.require_unchanged()
        made = datetime.now(UTC).isoformat(timespec="seconds")
        new = Bookmark(name.strip()[:_LONGEST], query, made)
        with _lock:
            others = [each for each in self.of(slide) if each.name != new.name]
            self._write(slide, [*others[-(_MOST - 1) :], new])

    def delete(self, slide: Slide, name: str) -> None:
        """Delete the bookmark of that name."""
        with _lock:
            kept = [each for each in self.of(slide) if each.name != name]
            self._write(slide, kept)

    def _former(self, slide: Slide) -> list[Bookmark]:
        """Return bookmarks of an earlier version; the next save rewrites them.

        With a former id that several slides may share, only after a user claimed them.
        """
        names = [file.stem for file in self._folder.glob("*.json")]
        taken = FormerWork(self._folder, slide).own_ids(names)
        return [each for id_ in taken for each in _read(self._folder / f"{id_}.json")]

    def _path(self, slide: Slide) -> Path:
        return self._folder / f"{slide.id}.json"

    def _write(self, slide: Slide, bookmarks: list[Bookmark]) -> None:
        path = self._path(slide)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(each) for each in bookmarks], indent=1)
        replace_file(path, text.encode())


def _read(path: Path) -> list[Bookmark]:
    with disk_errors(path):
        text = path.read_text(encoding="utf-8")
    try:
        return [Bookmark(**each) for each in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise RunFolderError(path, OSError("it is damaged")) from error


class BookmarkPanel(pn.viewable.Viewer):
    """Lets the user save views of the slide under names, and return to them.

    Parameters
    ----------
    bookmarks : Bookmarks
    current : callable
        Returns the present address.
    go : callable
        Shows an address.
    """

    def __init__(
        self,
        bookmarks: Bookmarks,
        *,
        current: Callable[[], Address],
        go: Callable[[Address], None],
    ) -> None:
        super().__init__()
        self._bookmarks = bookmarks
        self._here = current
        self._go = go
        self._slide: Slide | None = None
        self._name = pmui.TextInput(
            label="Name of this view", max_length=_LONGEST, **STYLE
        )
        self._add = button("Keep this view", icon="bookmark_add")
        self._choice = pmui.Select(label="Kept views", options=[], **STYLE)
        self._back = button("Go there", icon="bookmark")
        self._delete = button("Delete", icon="delete")
        self._kept = stack(
            self._choice, side_by_side(self._back, self._delete), visible=False
        )
        self._add.on_click(lambda _: self.add(self._name.value_input))
        self._back.on_click(lambda _: self.go(self._choice.value))
        self._delete.on_click(lambda _: self.delete(self._choice.value))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._name, self._add, self._kept)

    @property
    def names(self) -> list[str]:
        """Names of the bookmarks of the open slide."""
        return list(self._choice.options)

    def attach(self, viewer: Viewer) -> None:
        """Show the bookmarks of another slide from now on."""
        self._slide = viewer.slide
        self._list()

    def add(self, name: str) -> None:
        """Save the present view; without a name it gets a number."""
        if self._slide is None:
            return
        name = name.strip() or f"View {len(self.names) + 1}"
        self._bookmarks.save(self._slide, name, self._here().query)
        self._name.param.update(value="", value_input="")
        self._list(name)

    def go(self, name: str | None) -> None:
        """Show a saved view; the slide keeps the name it is served under now."""
        for bookmark in [] if self._slide is None else self._bookmarks.of(self._slide):
            if bookmark.name == name:
                address = Address.parse(bookmark.query)
                slide = self._here().slide
                self._go(address.model_copy(update={"slide": slide}))

    def delete(self, name: str | None) -> None:
        """Delete a bookmark."""
        if self._slide is not None and name:
            self._bookmarks.delete(self._slide, name)
            self._list()

    def _list(self, chosen: str = "") -> None:
        slide = self._slide
        names = (
            [] if slide is None else [each.name for each in self._bookmarks.of(slide)]
        )
        self._choice.options = names
        self._choice.value = chosen if chosen in names else next(iter(names), None)
        self._kept.visible = bool(names)
