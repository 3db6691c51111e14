"""Undo and redo of one user's edits of annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workbench.annotations.annotation import Annotation
    from workbench.annotations.collection import Annotations

_DEPTH: Final = 200
_SIGNED: Final = {"editor": "", "modified": "", "author": "", "created": ""}


@dataclass(frozen=True, slots=True)
class Edit:
    """An annotation before and after an edit; None: it did not exist."""

    before: Annotation | None
    after: Annotation | None

    @property
    def id(self) -> str:
        """Id of the annotation."""
        annotation = self.before or self.after
        assert annotation is not None  # noqa: S101 - an edit has at least one
        return annotation.id

    @property
    def reverse(self) -> Edit:
        """The edit that undoes this one."""
        return Edit(self.after, self.before)


class Edits:
    """Saves the edits of one user, with undo and redo.

    An edit can be undone until another user changes the same annotation.

    Parameters
    ----------
    annotations : Annotations
    author : callable
        Returns the name of the current user.
    """

    def __init__(self, annotations: Annotations, author: Callable[[], str]) -> None:
        self.annotations = annotations
        self._author = author
        self._done: list[tuple[Edit, ...]] = []
        self._undone: list[tuple[Edit, ...]] = []

    @property
    def can_undo(self) -> bool:
        """Whether an edit can be undone."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether an edit can be redone."""
        return bool(self._undone)

    def put(self, *changed: Annotation) -> bool:
        """Save new or changed annotations; return whether there were any."""
        get = self.annotations.get
        return self._do(tuple(Edit(get(each.id), each) for each in changed))

    def delete(self, *keys: str) -> bool:
        """Delete annotations; return whether there were any."""
        present = map(self.annotations.get, keys)
        return self._do(tuple(Edit(each, None) for each in present if each is not None))

    def replace(self, old: Iterable[str], new: Annotation) -> bool:
        """Save one annotation in place of several, in one step."""
        get = self.annotations.get
        gone = [Edit(get(key), None) for key in old if key != new.id and get(key)]
        return self._do((*gone, Edit(get(new.id), new)))

    def undo(self) -> set[str]:
        """Undo the last step; return the changed ids."""
        return self._move(self._done, self._undone)

    def redo(self) -> set[str]:
        """Redo the step that was undone last; return the changed ids."""
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
            whom = now.editor if now else "another user"
            reason = f"{whom} has changed it since"
            raise AnnotationError(title, reason, "Change it by hand instead.")

    def _apply(self, step: tuple[Edit, ...]) -> None:
        by = self._author()
        deleted = [edit.id for edit in step if edit.after is None]
        if deleted:
            self.annotations.delete(*deleted, by=by)
        changed = [edit.after for edit in step if edit.after is not None]
        if changed:
            self.annotations.put(*changed, by=by)


def _content(annotation: Annotation | None) -> Annotation | None:
    """Return an annotation without users and times."""
    return annotation.replace(**_SIGNED) if annotation else None
