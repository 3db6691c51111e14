"""All errors of the workbench, in one class tree.

WorkbenchError
├── SlideError              a slide file cannot be used
│   ├── SlideNotFoundError
│   ├── UnsupportedSlideError
│   ├── BrokenSlideError
│   ├── SeveralSlidesError  a folder holds more than one slide
│   ├── ColourProfileError  a colour profile cannot be applied
│   └── SlideReadError      pixels cannot be read
│       └── SlideChangedError  the file changed after it was opened
├── MissingMppError         a measurement needs micrometres per pixel
├── OutOfBoundsError        an invalid box, size, level or tile
├── StainError              a stain fit is not possible
├── ModelError              a model or its card cannot be used
│   ├── ModelNotFoundError
│   ├── InvalidCardError
│   └── UntrustedModelError
├── AnnotationError         an annotation or annotation file cannot be used
│   ├── UnsavedError        annotations could not be written
│   └── SharedIdError       work was saved under an id that slides may share
├── FeaturesError           a file of features cannot be used
│   ├── UnplacedTilesError  the file does not say where its tiles lie
│   └── OtherSlideError     the tiles do not fit the slide
├── RecipeError             invalid or conflicting options
├── TrainingError           labels or a training that cannot be used
├── StudyError              a study or its table of slides cannot be used
├── RunError                a run folder cannot be used
│   ├── NoTissueError       no tissue in the region of a run
│   ├── RecipeMismatchError the folder holds a different run
│   └── RunFolderError      an I/O error, such as a full disk
├── ProvenanceError         a file does not say what made it
├── ArchiveError            a DICOMweb server cannot be used
├── RegistrationError       two slides cannot be registered
├── MissingPackageError     an optional package is not installed
├── StoppedError            long work was stopped by the user
└── AccessError             a path outside the served folders

Each class builds its message: what is wrong, with which file and value, and what to do
next. Only `EXIT_CODES` and `HTTP_CODES` map classes to numbers.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_MESSAGE: Final = 8_000
"""Maximum length of a message in characters; the middle of a longer one is cut."""


class WorkbenchError(Exception):
    """Base class of all errors that a user can act on.

    Parameters
    ----------
    message : str
        What is wrong, naming the file and the value.
    remedy : str
        What to do next, as a complete sentence.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        message = _printable(message)
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the finished sentences, so that any constructor signature works."""
        return (_rebuild, (type(self), self.message, self.remedy))


def _printable(message: str) -> str:
    """Return a message that can be encoded; cut the middle of a very long one.

    A message may quote the content of a damaged file.
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
    """The file or URL does not exist."""

    def __init__(self, path: object) -> None:
        remedy = "Check the spelling, and that the folder is mounted and readable."
        super().__init__(f"There is no slide at '{path}'.", remedy)


class UnsupportedSlideError(SlideError):
    """No reader supports the format of the file."""

    def __init__(self, path: object, reason: str, remedy: str = "") -> None:
        usual = "Convert it to a pyramidal TIFF or OME-TIFF (with bfconvert or vips)"
        message = f"'{path}' is not a slide that can be opened: {reason}."
        super().__init__(message, remedy or f"{usual} and open that.")


class BrokenSlideError(SlideError):
    """The file has a known format but its content is damaged."""

    def __init__(self, path: object, reason: str) -> None:
        remedy = "Copy the file again from its source and compare the checksums."
        super().__init__(f"'{path}' is damaged: {reason}.", remedy)


class SeveralSlidesError(SlideError):
    """A folder holds several slides, and one must be chosen."""

    choices: Mapping[str, str] = MappingProxyType({})
    """For each slide, a path that opens it, and its description."""

    def __init__(self, path: object, choices: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {choice}: {text}" for choice, text in choices.items())
        remedy = f"Open one of them by one of its files:{lines}"
        super().__init__(f"'{path}' holds {len(choices)} slides.", remedy)
        self.choices = dict(choices)


class ColourProfileError(SlideError):
    """The colour profile of a slide cannot be applied; its pixels can be read."""

    def __init__(self, path: object, reason: str) -> None:
        message = f"The colour profile of '{path}' cannot be applied: {reason}."
        super().__init__(message, "Open it without icc=True, as it is stored.")


class SlideReadError(SlideError):
    """Pixels of an open slide could not be read."""

    def __init__(self, path: object, place: object, reason: str) -> None:
        super().__init__(
            f"Reading {place} of '{path}' failed: {reason}.",
            "Check that the file still exists. If it does, this part of it is damaged:"
            " copy the file again, or restrict the region to leave this part out.",
        )


class SlideChangedError(SlideReadError):
    """The file was replaced, truncated or written to after the slide was opened."""

    def __init__(self, path: object) -> None:
        WorkbenchError.__init__(
            self,
            f"The file '{path}' changed since it was opened.",
            "Open it again; if it is still being written, wait until that is done."
            " Saved work stays with the previous version of the slide.",
        )


class MissingMppError(WorkbenchError):
    """The operation needs micrometres per pixel, and the slide has no valid value."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(
            f"The pixel size of '{path}' is not known: {problem}.",
            "Set it: open_slide(path, mpp=0.25), --mpp 0.25, or the field 'µm per"
            " pixel' in the app (0.25 is typical of 40x, 0.5 of 20x).",
        )


class OutOfBoundsError(WorkbenchError):
    """An invalid box, size, level or tile number."""


class StainError(WorkbenchError):
    """A stain fit is not possible, for example on bare glass."""


class ModelError(WorkbenchError):
    """A model cannot be used."""


class ModelNotFoundError(ModelError):
    """No model has this name, and there is no such file or folder."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"There is no model '{name}'.",
            f"Known by name: {', '.join(known)}. Or give the path of a TorchScript,"
            " ONNX or safetensors file with a model card, or of a WSInfer-zoo folder.",
        )


class InvalidCardError(ModelError):
    """A value of a model card is missing or invalid."""

    reason: str = ""
    """The field, its value and what is wrong with it."""

    def __init__(self, path: object, reason: str) -> None:
        message = f"The model card of '{path}' cannot be used: {reason}."
        remedy = "Correct the card; the reference of model cards lists its fields."
        super().__init__(message, remedy)
        self.reason = reason


class UntrustedModelError(ModelError):
    """Loading the file could run code, and the user has not allowed it."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"'{path}' was not loaded: {reason}.",
            "Loading it can run code. If you trust its source, allow it with"
            " trust=True or --trust; in the app, its server with --trust-models.",
        )


class AnnotationError(WorkbenchError):
    """An annotation or a file of annotations cannot be used."""

    def __init__(self, source: object, reason: str, remedy: str = "") -> None:
        remedy = remedy or "Correct it, or export it again from its program."
        super().__init__(f"'{source}' cannot be used as annotations: {reason}.", remedy)


class UnsavedError(AnnotationError):
    """Changes of annotations could not be written; the write can be tried again."""

    def __init__(self, path: object, reason: str) -> None:
        message = f"'{path}' could not be written or read: {reason}."
        WorkbenchError.__init__(self, message, "Free disk space, or repair the disk.")


class SharedIdError(AnnotationError):
    """An earlier version saved work under an id that other slides may share."""

    def __init__(self, slide: str, what: str) -> None:
        super().__init__(
            slide,
            f"an earlier version saved {what} under an id that several slides may"
            " have, so the slide that they belong to is not known",
            f"Decide whether they belong to this slide: workbench former '{slide}'"
            " --take or --leave; in Python, former='take' or former='leave'.",
        )


class FeaturesError(WorkbenchError):
    """A file of vectors or scores of tiles cannot be used."""

    needed: str = ""
    """Argument of `open_features` that says what the file leaves open; empty: none."""

    choices: tuple[str, ...] = ()
    """Values of that argument; empty: any."""

    def __init__(self, path: object, reason: str, remedy: str = "") -> None:
        remedy = remedy or "Write it again with the program that made it."
        super().__init__(f"'{path}' cannot be used as features: {reason}.", remedy)

    def asking(self, *, needed: str, choices: tuple[str, ...] = ()) -> Self:
        """Return the error with the argument that is needed."""
        self.needed, self.choices = needed, choices
        return self


class UnplacedTilesError(FeaturesError):
    """The file lacks what is needed to place its tiles on a slide; it can be given."""


class OtherSlideError(FeaturesError):
    """The tiles do not fit the slide; they are probably of another one."""

    def __init__(self, path: object, slide: object, difference: str) -> None:
        remedy = "Open the slide from which the features were made."
        super().__init__(path, f"they do not fit '{slide}': {difference}", remedy)


class RecipeError(WorkbenchError):
    """Options are out of bounds or conflict with each other."""


class TrainingError(WorkbenchError):
    """Labels or a training cannot be used."""


class StudyError(WorkbenchError):
    """A study, or its table of slides, cannot be used."""


class RunError(WorkbenchError):
    """A run folder cannot be opened or continued."""


class NoTissueError(RunError):
    """No tissue was found in the region of a run."""

    def __init__(self, slide: object, where: str) -> None:
        super().__init__(
            f"No tissue was found {where} '{slide}', so there is nothing to run on.",
            "View the slide; lower tissue_threshold, mark the tissue (tissue_in),"
            " keep ink, or run without tissue_only.",
        )


class RecipeMismatchError(RunError):
    """The folder holds a run of a different recipe, slide or model."""

    def __init__(self, path: object, difference: str) -> None:
        remedy = "Choose another output folder, or use the options of that run."
        super().__init__(f"'{path}' holds a different run: {difference}.", remedy)


class RunFolderError(RunError):
    """A file of a run could not be written or read (I/O error)."""

    def __init__(self, path: object, error: OSError) -> None:
        message = f"'{path}' cannot be written or read: {error.strerror or error}."
        remedy = "Results are kept: free disk space or repair the disk, then run again."
        super().__init__(message, remedy)


class ProvenanceError(WorkbenchError):
    """A file does not say what made it, or says it in a damaged way."""

    def __init__(self, path: object, reason: str, remedy: str = "") -> None:
        remedy = remedy or "Give a run folder, or a file that this program exported."
        super().__init__(f"What made '{path}' is not known: {reason}.", remedy)


class ArchiveError(WorkbenchError):
    """A DICOMweb server cannot be reached, refuses, or answers with something else."""


class RegistrationError(WorkbenchError):
    """Two slides cannot be registered, or not so that it can be relied on."""

    def __init__(self, path: object, reason: str, remedy: str) -> None:
        super().__init__(f"'{path}' cannot be registered: {reason}.", remedy)


class MissingPackageError(WorkbenchError):
    """An optional package is not installed."""

    def __init__(self, package: str) -> None:
        message = f"This needs the package '{package}', which is not installed."
        super().__init__(message, f"Run: pip install 'slide-workbench[{package}]'.")


class StoppedError(WorkbenchError):
    """Long work that was stopped by the user; nothing is left half written."""


class AccessError(WorkbenchError):
    """The path is outside the folders that the operator serves."""

    def __init__(self, name: object) -> None:
        remedy = "Ask the operator to add its folder with --slides."
        super().__init__(f"'{name}' is not in the served folders.", remedy)


_CODES: Final[dict[type[WorkbenchError], tuple[int, int]]] = {
    WorkbenchError: (1, 400),
    SlideError: (3, 422),
    SlideNotFoundError: (3, 404),
    SlideChangedError: (3, 409),
    MissingMppError: (4, 422),
    OutOfBoundsError: (2, 404),
    StainError: (5, 422),
    ModelError: (6, 422),
    ModelNotFoundError: (6, 404),
    AnnotationError: (9, 422),
    FeaturesError: (10, 422),
    RecipeError: (2, 400),
    TrainingError: (11, 400),
    StudyError: (12, 400),
    RunError: (7, 409),
    ProvenanceError: (13, 422),
    RegistrationError: (15, 422),
    AccessError: (8, 403),
    StoppedError: (130, 409),
    ArchiveError: (14, 422),
}
EXIT_CODES: Final = {kind: codes[0] for kind, codes in _CODES.items()}
"""Exit status of the command line; a class without an entry uses its parent's."""

HTTP_CODES: Final = {kind: codes[1] for kind, codes in _CODES.items()}
"""HTTP status of the servers; a class without an entry uses its parent's."""


def code_for(error: WorkbenchError, table: dict[type[WorkbenchError], int]) -> int:
    """Return the code of `error`: that of its nearest base class in `table`."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)
