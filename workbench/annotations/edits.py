"""What one person does to annotations, so that it can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.annotations.annotation import Annotation
    from workbench.annotations.collection import Annotations

_DEPTH: Final = 200
_SIGNED: Final = {"editor": "", "modified": "", "author": "", "created": ""}


@dataclass(frozen=True, slots=True)
class Edit:
    """One annotation before and after; None: it was not there."""

    before: Annotation | None
    after: Annotation | None

    @property
    def id(self) -> str:
        """Of the annotation."""
        there = self.before or self.after
        assert there is not None  # noqa: S101 - nothing became nothing is no edit
        return there.id

    @property
    def reverse(self) -> Edit:
        """What undoes it."""
        return Edit(self.after, self.before)


class Edits:
    """Saves what one person does, and takes it back.

    Only the own work is undone, and only while nobody else has touched it since.

    Parameters
    ----------
    annotations : Annotations
    author : callable
        Returns who it is, at the moment.
    """

    def __init__(self, annotations: Annotations, author: Callable[[], str]) -> None:
        self.annotations = annotations
        self._author = author
        self._done: list[tuple[Edit, ...]] = []
        self._undone: list[tuple[Edit, ...]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return bool(self._undone)

    def put(self, *changed: Annotation) -> bool:
        """Save annotations, new or changed; tell whether that was anything."""
        get = self.annotations.get
        return self._do(tuple(Edit(get(each.id), each) for each in changed))

    def delete(self, *keys: str) -> bool:
        """Take annotations away; tell whether there were any."""
        there = map(self.annotations.get, keys)
        return self._do(tuple(Edit(each, None) for each in there if each is not None))

    def undo(self) -> set[str]:
        """Take the last step back; return the ids of what has changed."""
        return self._move(self._done, self._undone)

    def redo(self) -> set[str]:
        """Do again what was undone last; return the ids of what has changed."""
        return self._move(self._undone, self._done)

    def _do(self, step: tuple[Edit, ...]) -> bool:
        if not step:
            return False
        self._apply(step)
        self._done = [*self._done, step][-_DEPTH:]
        self._undone.clear()
        return True

    def _move(
        self, source: list[tuple[Edit, ...]], target: list[tuple[Edit, ...]]
    ) -> set[str]:
        if not source:
            return set()
        step = source.pop()
        back = tuple(edit.reverse for edit in reversed(step))
        self.annotations.refresh()
        for edit in back:
            self._check(edit)
        self._apply(back)
        target.append(back)
        return {edit.id for edit in back}

    def _check(self, edit: Edit) -> None:
        now = self.annotations.get(edit.id)
        if _content(now) != _content(edit.before):
            title = (now or edit.before or edit.after).title  # type: ignore[union-attr]
            whom = now.editor if now else "somebody"
            reason = f"{whom} has changed it since"
            raise AnnotationError(title, reason, "Change it by hand instead.")

    def _apply(self, step: tuple[Edit, ...]) -> None:
        by = self._author()
        gone = [edit.id for edit in step if edit.after is None]
        if gone:
            self.annotations.delete(*gone, by=by)
        there = [edit.after for edit in step if edit.after is not None]
        if there:
            self.annotations.put(*there, by=by)


def _content(annotation: Annotation | None) -> Annotation | None:
    """Return an annotation without what says who saved it and when."""
    return annotation.replace(**_SIGNED) if annotation else None
