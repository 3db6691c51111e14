"""Opens files of features: those that lie in served folders, and uploaded ones."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import panel as pn
import panel_material_ui as pmui

from workbench.app.catalog.feature_files import find_feature_files
from workbench.app.panels.features.question import Question
from workbench.app.panels.features.source import FileSource
from workbench.app.widgets.controls import STYLE, button, stack
from workbench.app.widgets.upload import Upload
from workbench.errors import AccessError, FeaturesError, WorkbenchError
from workbench.features.opening import SUFFIXES, open_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.feature_files import FeatureFile
    from workbench.app.catalog.slides import SlideLibrary
    from workbench.app.panels.features.source import TileSource
    from workbench.app.panels.overlays.card import OverlayCard
    from workbench.app.url_state import Address, FeaturesLook
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background

_UPLOAD_BYTES: Final = 100_000_000


_ANSWERS: Final = ("tile_size_level0", "unit", "encoder", "coordinates")


class _Found(NamedTuple):
    """A file to open, its name in messages, and the folder that it may not leave."""

    path: Path
    name: str
    within: Path
    is_served: bool = False

    @classmethod
    def of(cls, file: FeatureFile) -> _Found:
        """Return a file of a served folder."""
        return cls(file.path, file.name, file.root, is_served=True)


class FeaturesPanel(pn.viewable.Viewer):
    """Lists the files of features of the open slide, and opens them as overlays.

    What a file leaves open, such as the size of its tiles, is asked for.

    Parameters
    ----------
    library : SlideLibrary
        Its folders are searched.
    background : Background
    show : callable
        Shows features as an overlay.
    """

    def __init__(
        self,
        library: SlideLibrary,
        background: Background,
        show: Callable[[TileSource], OverlayCard | None],
    ) -> None:
        super().__init__()
        self._library = library
        self._background = background
        self._show = show
        self._viewer: Viewer | None = None
        self._searched: object = None
        self._files: dict[str, FeatureFile] = {}
        self._uploads: tempfile.TemporaryDirectory[str] | None = None
        self.choice = pmui.Select(label="Feature files", options=[], **STYLE)
        self._open = button("Open", icon="layers")
        self._listed = stack(self.choice, self._open, visible=False)
        self.question = Question()
        self.upload = Upload(
            label="Open a file of features",
            accept=",".join(SUFFIXES[:-1]),
            max_file_size=_UPLOAD_BYTES,
            variant="outlined",
            **STYLE,
        )
        self._open.on_click(lambda _: self.open(self.choice.value))
        self.upload.param.watch(lambda _: self._uploaded(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._listed, self.question, self.upload)

    def attach(self, viewer: Viewer) -> None:
        """Open features over another viewer from now on."""
        self._viewer = viewer
        self.question.close()
        self._found([])

    def search(self, slide: str) -> None:
        """List the files of the slide of this name, once for each viewer."""
        if self._searched is not self._viewer:
            self._search(slide, self._found)

    def address(self) -> dict[str, Any]:
        """Return nothing: the overlays are in an address, not the list."""
        return {}

    def restore(self, address: Address) -> None:
        """Open the files of an address again, of those that are served."""

        def then(files: list[FeatureFile]) -> None:
            self._found(files)
            served = {file.name: file for file in files}
            for look in address.features:
                if look.run in served:
                    answers = _answers(look)
                    self._open_file(_Found.of(served[look.run]), answers, look)

        if address.features:
            self._search(address.slide, then)

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Do nothing: see `address`."""

    def _search(self, slide: str, then: Callable[[list[FeatureFile]], None]) -> None:
        viewer, library = self._viewer, self._library
        if viewer is None:
            return
        self._searched = viewer

        def work() -> list[FeatureFile]:
            names = [entry.name for entry in library.entries(max_age_s=60)]
            return find_feature_files(library.roots, slide, names)

        self._background.do(work, then, slot="feature files")

    def open(self, line: str | None) -> None:
        """Open a file of the list, by its label."""
        file = self._files.get(line or "")
        if file is not None:
            self._open_file(_Found.of(file), {})

    def close(self) -> None:
        """Delete uploaded files."""
        if self._uploads is not None:
            self._uploads.cleanup()

    def _found(self, files: list[FeatureFile]) -> None:
        self._files = {file.line: file for file in files}
        lines = [file.line for file in files if file.layout]
        self.choice.options = lines
        self.choice.value = next(iter(lines), None)
        self._listed.visible = bool(lines)

    def _open_file(
        self, file: _Found, answers: dict[str, Any], look: FeaturesLook | None = None
    ) -> None:
        """Open a file with the answers given so far; ask for what is still missing."""
        viewer = self._viewer
        if viewer is None:
            return
        self._listed.loading = True

        def work() -> FileSource | FeaturesError:
            try:
                features = open_features(
                    file.path,
                    viewer.slide,
                    within=file.within,
                    **self._arguments(answers),
                )
                return FileSource(features, file.name, answers, file.is_served)
            except FeaturesError as error:
                return error

        def then(found: FileSource | FeaturesError) -> None:
            self._listed.loading = False
            if self._viewer is not viewer:
                return
            if isinstance(found, FileSource):
                overlay = self._show(found)
                if overlay is not None and look is not None:
                    overlay.restore(look)
            elif not self._ask(file, answers, found):
                text = str(found).replace(str(file.path), file.name)
                self._background.notify(text)

        def failed() -> None:
            self._listed.loading = False

        self._background.do(
            work, then, slot=f"open features {file.name}", otherwise=failed
        )

    def _arguments(self, answers: dict[str, Any]) -> dict[str, Any]:
        """Return arguments of `open_features`: a file is named, never by its path."""
        if "coordinates" not in answers:
            return answers
        named = {file.name: file.path for file in self._files.values()}
        wanted = str(answers["coordinates"])
        if wanted not in named:
            raise AccessError(wanted)
        return {**answers, "coordinates": named[wanted]}

    def _ask(self, file: _Found, answers: dict[str, Any], error: FeaturesError) -> bool:
        """Ask for what an error needs; return whether that is possible."""
        choices = {choice: choice for choice in error.choices}
        if error.needed == "coordinates":
            choices = {line: file.name for line, file in self._files.items()}
        if not choices and error.needed != "tile_size_level0":
            return False

        def answered(answer: Any) -> None:
            self._open_file(file, {**answers, error.needed: answer})

        sentence = error.message.replace(str(file.path), file.name)
        sentence = sentence.replace(" cannot be used as features:", ":")
        self.question.ask(sentence, error.needed, choices, answered)
        return True

    def _uploaded(self) -> None:
        content, name = self.upload.value, Path(self.upload.filename or "").name
        if not content:
            return
        if not name:
            message = "The uploaded file has no name."
            raise WorkbenchError(message, "Upload it again.")
        if self._uploads is None:
            self._uploads = tempfile.TemporaryDirectory(prefix="workbench-features-")
        folder = Path(tempfile.mkdtemp(dir=self._uploads.name))
        path = folder / name
        path.write_bytes(content)
        self._open_file(_Found(path, name, folder), {})


def _answers(look: FeaturesLook) -> dict[str, Any]:
    """Return arguments of `open_features` in an address; others are ignored."""
    found: dict[str, Any] = {k: v for k, v in look.given if k in _ANSWERS}
    size = found.pop("tile_size_level0", None)
    try:
        return found if size is None else {**found, "tile_size_level0": float(size)}
    except ValueError:
        return found
