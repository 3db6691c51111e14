"""Annotation panel: the selected annotation, import and export of GeoJSON."""

from __future__ import annotations

import getpass
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.annotations.classes import CLASSES, colour_of
from workbench.annotations.collection import Annotations
from workbench.annotations.edits import Edits
from workbench.annotations.geojson import to_geojson
from workbench.app.panels.annotations_drawn import AnnotationEditor
from workbench.app.panels.annotations_table import (
    AnnotationTable,
    line_of,
    place_of,
    size_of,
)
from workbench.app.panels.edit_history import EditHistory
from workbench.app.widgets.background import explain_damage
from workbench.app.widgets.class_palette import ClassPalette
from workbench.app.widgets.controls import (
    STYLE,
    button,
    floating,
    note,
    side_by_side,
    stack,
)
from workbench.app.widgets.upload import Upload
from workbench.layers.colormaps import hex_colour
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.annotations.annotation import Annotation
    from workbench.annotations.geojson import Imported
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

_POLL_MS: Final = 2000
_LISTED: Final = 300
_UPLOAD_BYTES: Final = 30_000_000
_NONE: Final = "None is selected"
_CENTRED: Final = {
    "left": "50%",
    "transform": "translateX(-50%)",
    "max-width": "min(76%, 780px)",
    "width": "max-content",
}


class AnnotationPanel(pn.viewable.Viewer):
    """Lets the user draw, name, classify and measure annotations of the slide.

    Parameters
    ----------
    folder : Path
        Folder of saved annotations.
    background : Background
    reading : callable
        Returns a summary of the overlays within an annotation, as text.
    take_reference : callable
        Makes the colours within an annotation the reference.
    history : EditHistory, optional
        History of the session.
    """

    labelling = param.Boolean(
        default=False, doc="Whether clicks on the slide give the class of the palette."
    )
    annotation = param.Parameter(default=None, doc="The selected annotation, or None.")
    editor = param.Parameter(
        default=None, doc="The `AnnotationEditor`; None before annotations are read."
    )

    def __init__(
        self,
        folder: Path,
        background: Background,
        *,
        reading: Callable[[Annotation], str],
        take_reference: Callable[[Annotation], None],
        history: EditHistory | None = None,
    ) -> None:
        super().__init__()
        self._history = history or EditHistory()
        self._folder = folder
        self._background = background
        self._reading = reading
        self._take_reference = take_reference
        self._slide: Slide | None = None
        self._viewer: Viewer | None = None
        self._filling = False
        self._stop_polling: Callable[[], None] = lambda: None
        self._build()
        self._watch()
        self._fill()

    def _build(self) -> None:
        self._shown = pmui.Switch(label="Show", value=True, size="small", margin=(4, 0))
        self._choice = pmui.Select(label="Annotation", searchable=True, **STYLE)
        self.table = AnnotationTable(self.pick)
        self._class = pmui.AutocompleteInput(
            label="Class",
            options=list(CLASSES),
            restrict=False,
            min_characters=0,
            case_sensitive=False,
            **STYLE,
        )
        self._palette = ClassPalette(margin=0)
        self.palette = pmui.Paper(
            self._palette,
            elevation=4,
            margin=0,
            visible=False,
            styles={**floating(bottom=6), **_CENTRED},
            sx={"p": "1px 4px"},
        )
        self._name = pmui.TextInput(label="Name", **STYLE)
        self._facts = note()
        self._go = button("Go to", icon="center_focus_strong")
        self._delete = button("Delete", icon="delete")
        self._reference = button("Take its colours as the reference", icon="palette")
        self._author = pmui.TextInput(
            label="Your name", value=pn.state.user or getpass.getuser(), **STYLE
        )
        self._author.visible = not pn.state.user
        self._download = pmui.FileDownload(
            callback=self._content,
            filename="annotations.geojson",
            label="Export",
            icon="download",
            **STYLE,
        )
        self._upload = Upload(
            label="Import",
            accept=".geojson,.json,.gz,.zip,.dcm",
            max_file_size=_UPLOAD_BYTES,
            variant="outlined",
            **STYLE,
        )
        self._one = stack(
            self._name,
            self._facts,
            side_by_side(self._go, self._delete),
            self._reference,
        )

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._shown,
            self._choice,
            self._class,
            self._one,
            self.table,
            side_by_side(self._download, self._upload),
            self._author,
        )

    @property
    def author(self) -> str:
        """Name of the user, saved with each edit."""
        return str(pn.state.user or self._author.value.strip() or "unknown")

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their keys."""
        return list(self._class.options)

    @property
    def current_class(self) -> str:
        """The class of what is drawn next; empty for none."""
        return self._class.value or ""

    @property
    def drawn(self) -> list[Annotation]:
        """All annotations of the slide; none before they are read."""
        return [] if self.editor is None else list(self.editor.edits.annotations)

    @property
    def visible(self) -> list[Annotation]:
        """The annotations that are shown on the slide."""
        return self.drawn if self.editor is not None and self.editor.shown else []

    def attach(self, viewer: Viewer) -> None:
        """Annotate another slide from now on."""
        self.close()
        slide = viewer.slide
        self._slide, self._viewer = slide, viewer
        self._background.do(
            lambda: Annotations(slide, self._folder),
            lambda found: self._opened(found, viewer),
            slot="annotations",
        )

    def close(self) -> None:
        """Close the editor, and stop polling for annotations of others."""
        self._stop_polling()
        self._stop_polling = lambda: None
        if self.editor is not None:
            self.editor.close()
        self.editor = None
        self.annotation = None
        self._show_palette()

    def _opened(self, found: Annotations, viewer: Viewer) -> None:
        editor = AnnotationEditor(
            viewer,
            Edits(found, lambda: self.author),
            classification=lambda: self._class.value or "",
            guard=self._background.guard,
            history=self._history,
        )
        editor.param.watch(lambda _: self._fill(), ["chosen", "version"])
        editor.param.watch(lambda _: self._show_palette(), ["chosen", "tool"])
        self.editor = editor
        if damage := explain_damage("annotations", found.damaged):
            self._background.notify(damage)
        self._stop_polling = self._background.every(_POLL_MS, self.poll)
        self._fill()

    def poll(self) -> None:
        """Show the annotations that others have drawn since."""
        if self.editor is not None:
            self.editor.refresh()

    def refill(self) -> None:
        """Show the values of the selected annotation anew."""
        self._fill()

    def _watch(self) -> None:
        self.param.watch(lambda _: self._show_palette(), "labelling")
        for widget, act in (
            (self._delete, self.delete),
            (self._go, self.go_to),
            (self._reference, self._as_reference),
        ):
            widget.on_click(lambda _, act=act: self._background.guard(act))
        self._choice.param.watch(self._picked, "value")
        self._shown.param.watch(self._set_shown, "value")
        self._class.param.watch(lambda _: self._classified(), "value")
        self._palette.param.watch(self._class_picked, "value")
        self._name.param.watch(lambda _: self._rename(), "value")
        self._upload.param.watch(lambda _: self._uploaded(), "value")

    def delete(self) -> None:
        """Delete the selected annotations, in one step to undo."""
        if (editor := self.editor) and self._viewer:
            editor.delete(editor.chosen, *self._viewer.stage.annotation_also)

    def go_to(self) -> None:
        """Move the view to the selected annotation."""
        if self._viewer is None or self.annotation is None:
            return
        self._viewer.go_to(place_of(self.annotation))

    def _as_reference(self) -> None:
        if self.annotation is not None:
            self._take_reference(self.annotation)

    def _set_shown(self, event: param.parameterized.Event) -> None:
        if self.editor is not None:
            self.editor.shown = event.new

    def _picked(self, event: param.parameterized.Event) -> None:
        if self._filling or self.editor is None or not event.new:
            return
        if event.new != self.editor.chosen:
            self.pick(event.new)

    def pick(self, key: str) -> None:
        """Select an annotation by its id, and move the view to it."""
        if self.editor is not None:
            self.editor.chosen = key
            self.go_to()

    def _class_picked(self, event: param.parameterized.Event) -> None:
        """Give the class to the selected annotation, and to those drawn next."""
        if not self._filling:
            self._class.value = event.new

    def _classified(self) -> None:
        """Save the class in the field; one that is known is meant in any case."""
        if self._filling:
            return
        value = self._class.value or ""  # None in place of an empty text
        known = {name.casefold(): name for name in self._class.options}
        name = known.get(value.strip().casefold(), value.strip())
        if name != value:
            self._class.value = name  # which comes back here
            return
        self._rename()
        # The browser empties the field when its text becomes a new option.
        self._background.later(self._fill)

    def _show_palette(self) -> None:
        """Show the palette while something is drawn or selected."""
        editor = self.editor
        marking = editor is not None and bool(editor.tool or editor.chosen)
        self.palette.visible = self._palette.active = marking or self.labelling

    def _rename(self) -> None:
        """Save the name and the class in the fields."""
        editor, chosen = self.editor, self.annotation
        if self._filling or editor is None or chosen is None:
            return
        changed = chosen.replace(
            name=self._name.value.strip(), classification=self._class.value or ""
        )
        if changed != chosen:
            self._background.guard(editor.put, changed)

    def _fill(self) -> None:
        """Show the selected annotation and the list of annotations."""
        self._filling = True
        try:
            editor = self.editor
            chosen = editor.annotation if editor else None
            self._list(editor, chosen)
            self._one.visible = chosen is not None
            if chosen is not None:
                self._name.value = chosen.name
                self._class.value = chosen.classification
                self._facts.object = self._sentence(chosen)
                self._reference.visible = chosen.kind == "area"
            self._palette.value = self._class.value or ""
            self.annotation = chosen
        finally:
            self._filling = False

    def _list(self, editor: AnnotationEditor | None, chosen: Annotation | None) -> None:
        found = list(editor.edits.annotations) if editor else []
        recent = found[: -_LISTED - 1 : -1]
        if chosen is not None and chosen not in recent:
            recent.append(chosen)
        used = {each.classification for each in found} - {"", *CLASSES}
        classes = [*CLASSES, *sorted(used)]
        self._class.options = classes
        self._palette.classes = [
            {"name": name, "colour": hex_colour(colour_of(name))} for name in classes
        ]
        # Without a value Panel chooses the first option as the list is shown.
        options = {_NONE: "", **{line_of(each): each.id for each in recent}}
        self._choice.param.update(
            label=counted_noun(len(found), "annotations"),
            options=options,
            value=chosen.id if chosen else "",
            disabled=not found,
        )
        mpp = self._slide.mpp if self._slide else None
        self.table.show(found, chosen.id if chosen else "", mpp=mpp)
        self._download.disabled = not found

    def _sentence(self, chosen: Annotation) -> str:
        mpp = self._slide.mpp if self._slide else None
        sizes = map(size_of, *zip(*chosen.measures(mpp).items(), strict=True))
        made = f"By {chosen.author}, {chosen.created[:16].replace('T', ' ')} UTC."
        parts = [f"{', '.join(sizes)}.", self._reading(chosen), made]
        return " ".join(filter(None, parts))

    def _content(self) -> io.BytesIO:
        editor = self.editor
        if editor is None:
            return io.BytesIO()
        found = editor.edits.annotations
        self._download.filename = f"{Path(found.slide.name).stem}.geojson"
        data = to_geojson(
            found,
            frame=found.slide.scanned_frame,
            mpp=found.slide.mpp,
            made=found.provenance(found),
        )
        return io.BytesIO(data)

    def _uploaded(self) -> None:
        editor, content = self.editor, self._upload.value
        if editor is None or not content:
            return
        name, author = self._upload.filename or "the file", self.author
        self._background.do(
            lambda: editor.edits.annotations.take_in(content, by=author, name=name),
            lambda found: self._imported(editor, found),
            slot="import",
        )

    def _imported(self, editor: AnnotationEditor, found: Imported) -> None:
        editor.show_all()
        if found.notes:
            self._background.notify(found.report())
