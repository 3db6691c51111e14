"""`ReferenceLibrary`: built-in references, and those that users saved."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from workbench.app.catalog.reference_image import MAX_BYTES, save_reference_image
from workbench.app.widgets.gallery import picture_url
from workbench.errors import StainError, WorkbenchError
from workbench.stain.reference_preview import render_reference
from workbench.stain.references import REFERENCES, Reference, load_reference

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.geometry import Box
    from workbench.slide.slide import Slide

_SAVED: Final = "saved"
_PICTURE: Final = (176, 112)
_MOST_SAVED: Final = 200
_MAX_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """A reference that can be chosen."""

    key: str
    """Key in the browser and in URLs; never a path."""

    text: str
    """Text that names the reference in a recipe."""

    reference: Reference
    """Measured colours; kept, so that choosing the reference again is fast."""

    url: str
    """Data URL of its preview image."""

    name: str = ""
    """Short name for the gallery; empty for that of the reference."""

    @property
    def item(self) -> dict[str, str]:
        """Item of the gallery."""
        reference = self.reference
        title = f"{reference.name}. {reference.provenance}"
        name = self.name or reference.name
        return {"key": self.key, "name": name, "title": title, "url": self.url}


class ReferenceLibrary:
    """References in a folder beside the runs: saved by users, or taken in a session.

    Parameters
    ----------
    folder : Path
        Folder of references; created if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def choices(self) -> list[Choice]:
        """Return built-in and then saved references by name, without damaged ones."""
        return [*_built_in(), *self._saved_ones()]

    def save(self, reference: Reference, name: str) -> Choice:
        """Save a reference under a name, for all users.

        Raises
        ------
        StainError
            If the name is empty, or belongs to another reference.
        """
        stem = re.sub(r"[^\w.-]+", "-", name.strip()).strip(".-")[:_MAX_NAME]
        if not stem:
            message = f"'{name}' cannot be the name of a reference."
            raise StainError(message, "Give it one with letters or digits.")
        path = self._folder / _SAVED / f"{stem}.json"
        named = reference.model_copy(update={"name": name.strip()[:_MAX_NAME]})
        if path.exists() and load_reference(str(path)) != named:
            message = f"There is a reference '{stem}' already."
            raise StainError(message, "Choose another name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        named.save(path)
        return _of_json(path, f"{_SAVED}/{stem}")

    def keep(self, reference: Reference, stem: str) -> Choice:
        """Save a reference of a session as a file, so that a recipe can name it.

        Parameters
        ----------
        reference : Reference
        stem : str
            Prefix of the file name; random digits follow.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{stem}-{secrets.token_hex(4)}.json"
        reference.save(path)
        return self.of_file(path)

    def upload(self, content: bytes, name: str) -> Choice:
        """Save an uploaded file: an image, or a saved reference (JSON).

        Raises
        ------
        StainError
            If it is neither, or too large.
        """
        if content.lstrip()[:1] != b"{":
            path = save_reference_image(content, self._folder)
            return _of_image(path, name)
        if len(content) > MAX_BYTES:
            message = f"'{name}' is too large for a reference."
            raise StainError(message, "Give one that the workbench has saved.")
        digest = hashlib.sha256(content).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{digest}.json"
        path.write_bytes(content)
        try:
            return self.of_file(path)
        except StainError as error:
            path.unlink()
            message = error.message.replace(str(path), name)
            raise StainError(message, error.remedy) from error

    def of_file(self, path: Path) -> Choice:
        """Return a saved reference as a choice.

        Raises
        ------
        StainError
            If the file cannot be used.
        """
        return _of_json(path, _key(str(path)))

    def of_region(self, slide: Slide, box: Box) -> Choice:
        """Return the colours of a region of a slide as a choice.

        Raises
        ------
        StainError
            If the region has no stained tissue.
        """
        edges = f"{box.x0},{box.y0},{box.x1},{box.y1}"
        text = f"{slide.path}@{edges}"
        reference = load_reference(text)
        reference = reference.model_copy(update={"provenance": f"Box of {slide.name}."})
        shrink = max(1.0, max(box.width, box.height) / (2 * _PICTURE[0]))
        size = max(1, round(box.width / shrink)), max(1, round(box.height / shrink))
        url = picture_url(slide.read(box, size=size).pixels)
        return Choice(_key(text), text, reference, url, f"box of {slide.name}")

    def _saved_ones(self) -> list[Choice]:
        paths = sorted((self._folder / _SAVED).glob("*.json"))[:_MOST_SAVED]
        found = []
        for path in paths:
            try:
                found.append(_of_json(path, f"{_SAVED}/{path.stem}"))
            except (WorkbenchError, OSError):  # another kind of file, or incomplete
                continue
        return found


@lru_cache(1)
def _built_in() -> tuple[Choice, ...]:
    return tuple(_shown(each, name, name) for name, each in REFERENCES.items())


def _of_json(path: Path, key: str) -> Choice:
    return _shown(load_reference(str(path)), key, str(path))


def _of_image(path: Path, name: str) -> Choice:
    reference = load_reference(str(path))
    reference = reference.model_copy(
        update={"name": name[:_MAX_NAME] or reference.name}
    )
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((4 * _PICTURE[0], 4 * _PICTURE[1]))
    return Choice(_key(str(path)), str(path), reference, picture_url(np.asarray(small)))


def _shown(reference: Reference, key: str, text: str) -> Choice:
    return Choice(key, text, reference, picture_url(render_reference(reference)))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
