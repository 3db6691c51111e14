"""What an export format says of itself."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.errors import MissingPackageError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Content = Literal["scores", "instances", "vectors"]
"""What a run holds: values on a raster, instances, or vectors of tiles."""

Group = Literal[
    "Tables and shapes", "Pictures", "Pathology tools", "Editors", "DICOM", "Archives"
]
"""What formats are for, in the order of menus."""

_OF_TASK: Final[Mapping[str, Content]] = {
    "instances": "instances",
    "embedding": "vectors",
}
"""Content of the runs of a task; of any other task: scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format that runs are exported to."""

    name: str
    """Name for `--to`."""

    label: str
    """Name in menus."""

    group: Group
    """Heading in menus."""

    usual: bool = False
    """Whether it is among the first that menus offer."""

    suffixes: tuple[str, ...] = ()
    """Suffixes of its files, the usual one first; a folder has none."""

    writers: Mapping[Content, str] = field(default_factory=dict)
    """Module and function that write each content; a run of instances or of vectors
    without a writer of its own is written as its scores."""

    holds: Mapping[Content, str] = field(default_factory=dict)
    """What the file holds, for each content."""

    receiver: str = ""
    """Programs that read the format."""

    tested: str = ""
    """Programs and versions that the tests read the files with."""

    read_by: str = ""
    """What reads it back here; empty: nothing."""

    reads_slide: bool = False
    """Whether the pixels of the slide are read."""

    refers_to_slide: bool = False
    """Whether the file refers to a DICOM slide, which may be given."""

    not_for: tuple[str, ...] = ()
    """Tasks whose results have no place in the format, not even as scores."""

    extra: str = ""
    """Extra of this package that the writers need; empty: none."""

    def takes(self, task: str) -> bool:
        """Return whether runs of a task have content of their own for this format."""
        return task not in self.not_for and content_of_task(task) in self.writers

    def accepts(self, task: str) -> bool:
        """Return whether runs of a task can be written, if only as their scores."""
        own = content_of_task(task) in self.writers
        return task not in self.not_for and (own or "scores" in self.writers)

    def writer(self, task: str) -> Callable[..., Any]:
        """Return the writer of runs of a task: called with run and path.

        Raises
        ------
        RunError
            If the format cannot hold the results of the task.
        MissingPackageError
            If the extra of the format is not installed.
        """
        place = self.writers.get(content_of_task(task)) or self.writers.get("scores")
        if place is None or not self.accepts(task):
            message = f"'{self.name}' cannot hold the results of a run of {task}."
            raise RunError(message, "See the formats: workbench export --help.")
        module, name = place.split(":")
        try:
            found = importlib.import_module(f"workbench.export.{module}")
        except ImportError as error:
            if not self.extra:
                raise
            raise MissingPackageError(self.extra) from error
        write: Callable[..., Any] = getattr(found, name)
        return write


def content_of_task(task: str) -> Content:
    """Return what runs of a task hold."""
    return _OF_TASK.get(task, "scores")
