"""Every error the workbench raises, in one tree.

WorkbenchError
├── SlideError              a slide file cannot be used
│   ├── SlideNotFoundError
│   ├── UnsupportedSlideError
│   ├── BrokenSlideError
│   ├── SeveralSlidesError  a folder holds more than one slide
│   ├── ColourProfileError  its colour profile cannot be applied
│   └── SlideReadError
│       └── SlideChangedError  the file is another one now
├── MissingMppError         a measurement needs micrometres per pixel
├── OutOfBoundsError        a box or size that no slide can answer
├── StainError              a stain fit that has no answer
├── ModelError              a model or its card cannot be used
│   ├── ModelNotFoundError
│   ├── InvalidCardError
│   └── UntrustedModelError
├── AnnotationError         an annotation, or a file of some, cannot be used
│   └── SharedIdError       work is saved under an id that several slides may have
├── RecipeError             options that do not go together
├── RunError                a run folder cannot be used
│   ├── NoTissueError       no tissue was found where a run was asked for
│   ├── RecipeMismatchError
│   └── RunFolderError      the disk is full, or fails
└── AccessError             a path outside the folders that are served

Each class takes the facts and writes the sentence: what is wrong, with which
file and value, and what to do next. `EXIT_CODES` and `HTTP_CODES` are the only
places where a class becomes a number.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_MESSAGE: Final = 8_000
"""Letters of a message; of a longer one the middle is left out."""


class WorkbenchError(Exception):
    """The root of all errors that a user can do something about.

    Parameters
    ----------
    message : str
        What is wrong, naming the file and the value.
    remedy : str
        What to do next, as a sentence.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        message = _printable(message)
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the finished sentences, whatever the class's arguments."""
        return (_rebuild, (type(self), self.message, self.remedy))


def _printable(message: str) -> str:
    """Return a message that can be encoded, without the middle of a very long one.

    It may quote what stands in a damaged file.
    """
    if len(message) > _MAX_MESSAGE:
        half = _MAX_MESSAGE // 2
        message = f"{message[:half]} ... {message[-half:]}"
    return message.encode(errors="backslashreplace").decode()


def _rebuild(kind: type[WorkbenchError], message: str, remedy: str) -> WorkbenchError:
    error = kind.__new__(kind)
    WorkbenchError.__init__(error, message, remedy)
    return error


class SlideError(WorkbenchError):
    """A slide file that cannot be used."""


class SlideNotFoundError(SlideError):
    """There is no such file or URL."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"There is no slide at '{path}'.",
            "Check the spelling, and that the folder is mounted and readable.",
        )


class UnsupportedSlideError(SlideError):
    """The file is of a kind that no reader opens."""

    def __init__(self, path: object, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"'{path}' is not a slide that can be opened: {reason}.",
            remedy
            or "Convert it to a pyramidal TIFF or OME-TIFF (for example with"
            " bfconvert or vips) and open that.",
        )


class BrokenSlideError(SlideError):
    """The file claims a known format but its content is damaged."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"'{path}' is damaged: {reason}.",
            "Copy the file again from its source and compare the checksums.",
        )


class SeveralSlidesError(SlideError):
    """A folder that holds several slides, of which one has to be chosen.

    Parameters
    ----------
    path : path
        Of the folder.
    choices : dict of str to str
        A path that opens each slide, and what it is.
    """

    choices: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: object, choices: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {choice}: {what}" for choice, what in choices.items())
        super().__init__(
            f"'{path}' holds {len(choices)} slides.",
            f"Open one of them by one of its files:{lines}",
        )
        self.choices = dict(choices)


class ColourProfileError(SlideError):
    """The colour profile of a slide cannot be applied; its pixels can be read."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"The colour profile of '{path}' cannot be applied: {reason}.",
            "Open it without the profile (without icc=True): its pixels can be read"
            " as they are stored.",
        )


class SlideReadError(SlideError):
    """Pixels of a slide that opened could not be read."""

    def __init__(self, path: object, place: object, reason: str) -> None:
        super().__init__(
            f"Reading {place} of '{path}' failed: {reason}.",
            "Check that the file is still there; if it is, it is damaged here:"
            " copy it again, or draw a region that leaves this part out.",
        )


class SlideChangedError(SlideReadError):
    """The file was replaced, cut or written to since the slide was opened."""

    def __init__(self, path: object) -> None:
        WorkbenchError.__init__(
            self,
            f"The file '{path}' changed on disk.",
            "Open it again; if it is still being written, once that is done. What was"
            " saved before is kept with the slide that it was.",
        )


class MissingMppError(WorkbenchError):
    """The slide has no believable micrometres per pixel, and this needs them."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(
            f"The pixel size of '{path}' is not known: {problem}.",
            "Give it: open_slide(path, mpp=0.25), --mpp 0.25, or the field"
            " 'µm per pixel' in the app (0.25 is typical of 40x, 0.5 of 20x).",
        )


class OutOfBoundsError(WorkbenchError):
    """A box, size or level that cannot be answered."""


class StainError(WorkbenchError):
    """A stain fit that has no answer, such as one on bare glass."""


class ModelError(WorkbenchError):
    """A model that cannot be used."""


class ModelNotFoundError(ModelError):
    """No model has that name, and no file or folder lies there."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"There is no model '{name}'.",
            f"Known by name: {', '.join(known)}. Or give the path of a"
            " TorchScript, ONNX or safetensors file with its card, or of a"
            " WSInfer-zoo folder.",
        )


class InvalidCardError(ModelError):
    """A model card with a missing or impossible value."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"The model card of '{path}' cannot be used: {reason}.",
            "Correct the card; the README lists its fields.",
        )


class UntrustedModelError(ModelError):
    """A file whose loading could run code, without the user's consent."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"'{path}' was not loaded: {reason}.",
            "Loading it can run code. If you trust where it comes from, say so:"
            " trust=True, --trust, or the checkbox in the app.",
        )


class AnnotationError(WorkbenchError):
    """An annotation, or a file of annotations, that cannot be used."""

    def __init__(self, what: object, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"'{what}' cannot be used as annotations: {reason}.",
            remedy or "Correct it, or export it again where it comes from.",
        )


class UnsavedError(AnnotationError):
    """What was done to annotations could not be written, and may be again later."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(path, reason, "Make room, or repair the disk.")


class SharedIdError(AnnotationError):
    """An earlier version saved work under an id that other slides may share."""

    def __init__(self, slide: str, what: str) -> None:
        super().__init__(
            slide,
            f"an earlier version saved {what} under an id that several slides may"
            " have, and it cannot be told whose they are",
            f"Say whether they are of this slide: workbench former '{slide}' --take"
            " or --leave; in Python, former='take' or former='leave'.",
        )


class RecipeError(WorkbenchError):
    """Options that are out of bounds or do not go together."""


class RunError(WorkbenchError):
    """A run folder that cannot be opened or continued."""


class NoTissueError(RunError):
    """No tissue was found where a run was asked for."""

    def __init__(self, slide: object, where: str) -> None:
        super().__init__(
            f"No tissue was found {where} '{slide}', so there is nothing to run on.",
            "Look at the slide; lower tissue_threshold, say where tissue is"
            " (tissue_in), keep ink, or run without tissue_only.",
        )


class RecipeMismatchError(RunError):
    """The folder holds a run of another recipe, slide or model."""

    def __init__(self, path: object, difference: str) -> None:
        super().__init__(
            f"'{path}' holds a different run: {difference}.",
            "Choose another output folder, or repeat the options of that run.",
        )


class RunFolderError(RunError):
    """The disk did not take or give a file of a run."""

    def __init__(self, path: object, error: OSError) -> None:
        super().__init__(
            f"'{path}' cannot be written or read: {error.strerror or error}.",
            "What was done before is kept: make room or repair the disk, and run"
            " again to go on.",
        )


class AccessError(WorkbenchError):
    """A path outside the folders that the operator serves."""

    def __init__(self, name: object) -> None:
        super().__init__(
            f"'{name}' is not in the folders that are served.",
            "Ask the operator to add its folder with --slides.",
        )


EXIT_CODES: Final[dict[type[WorkbenchError], int]] = {
    WorkbenchError: 1,
    SlideError: 3,
    MissingMppError: 4,
    OutOfBoundsError: 2,
    StainError: 5,
    ModelError: 6,
    AnnotationError: 9,
    RecipeError: 2,
    RunError: 7,
    AccessError: 8,
}
"""Exit status of the command line; a class without a row uses its parent's."""

HTTP_CODES: Final[dict[type[WorkbenchError], int]] = {
    WorkbenchError: 400,
    SlideNotFoundError: 404,
    SlideChangedError: 409,
    SlideError: 422,
    MissingMppError: 422,
    OutOfBoundsError: 404,
    StainError: 422,
    ModelNotFoundError: 404,
    ModelError: 422,
    AnnotationError: 422,
    RecipeError: 400,
    RunError: 409,
    AccessError: 403,
}
"""HTTP status of the servers; a class without a row uses its parent's."""


def code_for(error: WorkbenchError, table: dict[type[WorkbenchError], int]) -> int:
    """Return the number of the nearest class of `error` in `table`."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)
