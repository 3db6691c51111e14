"""Indexes of tiles of many slides that a server offers: one for each encoder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from workbench.app.catalog.feature_files import (
    feature_paths,
    folders_below,
    slide_of,
    slides_by_stem,
)
from workbench.errors import OutOfBoundsError, WorkbenchError
from workbench.features.formats import run
from workbench.features.index import BOXES, CODES, RECORD, VECTORS, open_index
from workbench.features.index_building import build_index, slide_name
from workbench.features.opening import open_features
from workbench.results.run_record import RECORD as RUN_RECORD
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.app.catalog.runs import RunLibrary
    from workbench.app.catalog.slides import SlideLibrary
    from workbench.features.features import Features
    from workbench.features.index import FeatureIndex

_FOLDER: Final = "indexes"
"""Name of the folder of indexes, in that of the runs."""

_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9.]+")
_BUILDING: Final[dict[Path, Lock]] = {}
"""A lock for each index, so that sessions do not write one at the same time."""


@dataclass(frozen=True, slots=True)
class IndexLibrary:
    """Indexes in the served folders, and those that the app has made."""

    library: SlideLibrary
    runs: RunLibrary

    def find(self, features: Features) -> FeatureIndex | None:
        """Return the newest index of the encoder of some features; None: there is none.

        If the encoder has no name, an index must hold the file itself.
        """
        places = sorted(self._places(), key=_age)
        for place in places:
            if _fits(place, features):
                found = open_index(place.parent)
                if found.vectors.shape[1] == features.dimensions:
                    return found
        return None

    def served(self, index: FeatureIndex) -> dict[str, str]:
        """Return the names under which slides of an index are served, by that there.

        A name that does not tell which of several slides it means is left out.
        """
        names = self._slides()
        by_stem = slides_by_stem(names)
        found = {}
        for name in index.slides:
            slide = name if name in names else slide_of(f"{name}.", by_stem)
            # The name of a served slide, with its suffix, means no other.
            gone = slide != name and Path(slide or "").suffix == Path(name).suffix
            if slide is not None and not gone:
                found[name] = slide
        return found

    def own_name(self, index: FeatureIndex, features: Features) -> str | None:
        """Return the name that the slide of some features has in an index.

        None: it is not in the index, or cannot be told from others of its name.
        """
        path, stem = str(features.path), slide_name(features)
        if path in index.files:
            return index.slides[index.files.index(path)]
        if stem in index.slides:
            return stem
        like = [name for name in index.slides if Path(name).stem == stem]
        return like[0] if len(like) == 1 else None

    def _slides(self) -> list[str]:
        """Return the names of the slides that are served."""
        return [entry.name for entry in self.library.entries(max_age_s=60)]

    def name_of(self, path: str) -> str:
        """Return the name of a file or run as it is served; empty: it is not."""
        for root in (*self.library.roots, self.runs.folder):
            if root.is_dir() and Path(path).is_relative_to(root):
                return Path(path).relative_to(root).as_posix()
        return ""

    def build(
        self,
        features: Features,
        answers: Mapping[str, Any],
    ) -> tuple[FeatureIndex, int]:
        """Make an index of the files of the same encoder of all slides.

        Slides and tiles are counted, for a `followed` block.

        Parameters
        ----------
        features : Features
            Features of one slide: the others have the same layout and encoder.
        answers : mapping
            Arguments of `open_features` that were needed for it.

        Returns
        -------
        FeatureIndex
        int
            Number of slides without such a file, or whose file cannot be opened.
        """
        kind = f"{features.encoder or features.format}-{features.dimensions}"
        place = self.runs.folder / _FOLDER / _UNSAFE.sub("-", kind)
        with _BUILDING.setdefault(place, Lock()):
            if features.format == run.FORMAT:
                found, left_out = self._runs_like(features), 0
            else:
                found, left_out = self._files_like(features, answers)
            if not found:
                message = "No slide has features of this encoder."
                raise OutOfBoundsError(message, "Extract them for several slides.")
            place.parent.mkdir(parents=True, exist_ok=True)
            index = build_index(list(found.values()), place, names=list(found))
        return index, left_out

    def _files_like(
        self,
        features: Features,
        answers: Mapping[str, Any],
    ) -> tuple[dict[str, Features], int]:
        """Return features of the same kind, by the name of their slide as served."""
        names = self._slides()
        paths = feature_paths(self.library.roots, names)
        found: dict[str, Features] = {}
        for name in counted(names, len(names), "slides"):
            nearest = sorted(
                (path.parent != features.path.parent, path, root)
                for root, path in paths.get(name, ())
                if path.suffix == features.path.suffix
            )
            for _, path, root in nearest:
                opened = self._open_like(features, path, name, root, answers)
                if opened is not None:
                    found[name] = opened
                    break
        return found, len(names) - len(found)

    def _open_like(
        self,
        features: Features,
        path: Path,
        name: str,
        root: Path,
        answers: Mapping[str, Any],
    ) -> Features | None:
        """Return the features of a file if they are of the same kind."""
        given = {key: value for key, value in answers.items() if key != "coordinates"}
        try:
            slide = self.library.open(name)
            found = open_features(path, slide, within=root, **given)
        except WorkbenchError:
            return None
        return found if _kind(found) == _kind(features) else None

    def _runs_like(self, features: Features) -> dict[str, Features]:
        """Return the newest run of the same model and colours of each slide."""
        by_stem = slides_by_stem(self._slides())
        found: dict[str, Features] = {}
        for record in sorted(self.runs.folder.glob(f"*/{RUN_RECORD}"), key=_age):
            try:
                opened = open_features(record.parent)
            except (WorkbenchError, KeyError):
                continue
            if _kind(opened) == _kind(features) and len(opened):
                found.setdefault(self._slide_of_run(opened, by_stem), opened)
        return found

    def _slide_of_run(self, run: Features, by_stem: dict[str, list[str]]) -> str:
        """Return the name of the slide of a run as it is served, else its own.

        Slides of the same name are told apart by their content.
        """
        stem = slide_name(run)
        names = by_stem.get(stem, [])
        for name in names if len(names) > 1 else ():
            try:
                if self.library.open(name).id == run.attributes["slide_id"]:
                    return name
            except WorkbenchError:
                continue
        return names[0] if len(names) == 1 else stem

    def _places(self) -> Iterator[Path]:
        """Yield folders of indexes whose files all lie in the same served folder."""
        for root in (*self.library.roots, self.runs.folder / _FOLDER):
            for folder, entries in folders_below(root) if root.is_dir() else ():
                if any(entry.name == RECORD for entry in entries) and all(
                    (folder / name).resolve().is_relative_to(root.resolve())
                    for name in (RECORD, VECTORS, BOXES, CODES)
                ):
                    yield folder / RECORD


def _fits(record: Path, features: Features) -> bool:
    """Return whether an index is of the encoder of some features."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        encoder, files = content["encoder"], content["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not features.encoder:
        return encoder == "" and str(features.path) in files
    return bool(encoder == features.encoder)


def _kind(features: Features) -> tuple[object, ...]:
    facts = features.attributes
    own = features.format == run.FORMAT
    made_by = (facts["model_sha256"], facts["normalize"]) if own else ()
    return (features.format, features.encoder, features.dimensions, made_by)


def _age(path: Path) -> float:
    return -path.stat().st_mtime
