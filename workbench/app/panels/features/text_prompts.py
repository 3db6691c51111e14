"""Text prompts in the app: texts, one a line, become scores of tiles."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.widgets.controls import STYLE, button, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.errors import OutOfBoundsError
from workbench.models.user_models import text_models

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.app.widgets.background import Background
    from workbench.features.features import Features
    from workbench.features.scores import TileScores
    from workbench.models.text_tower import TextEncoder

_MOST: Final = 50
_LONGEST: Final = 2_000
"""Largest number of texts, and of characters of all."""

_HINT: Final = (
    "Several prompts are classes that exclude each other; one alone is scored by its"
    " cosine. The vectors must be of the same model."
)


class TextPrompts(pn.viewable.Viewer):
    """A part that unfolds, with texts that are compared with the vectors of tiles.

    The text towers are those of the models that have been added by name.

    Parameters
    ----------
    background : Background
    features : Features, optional
        Features whose tiles are scored, if they are known already.
    """

    scores = param.Parameter(default=None, doc="`TileScores` of the texts.")

    def __init__(
        self, background: Background, features: Features | None = None
    ) -> None:
        super().__init__()
        self._background = background
        self.features = features
        """Features whose tiles are scored; None: not known yet."""
        self._towers = text_models()
        self.texts = pmui.TextAreaInput(
            label="Prompts, one a line", value="", rows=3, max_length=_LONGEST, **STYLE
        )
        names = list(self._towers)
        encoder = "" if features is None else features.encoder
        fitting = [name for name in names if name in encoder]
        self.model = pmui.Select(
            label="Model",
            options=names,
            value=next(iter(fitting or names), None),
            **STYLE,
        )
        self.model.visible = len(names) > 1
        self.start = button("Score the tiles", icon="text_fields")
        self.start.on_click(lambda _: self.score())
        body = stack(note(_HINT), self.texts, self.model, self.start)
        self._fold = Fold("Text prompts", body)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._fold

    @property
    def possible(self) -> bool:
        """Whether there is a text tower on this machine."""
        return bool(self._towers)

    def score(self) -> None:
        """Score the tiles by the texts, in a thread.

        Raises
        ------
        OutOfBoundsError
            If there are no texts, or too many.
        """
        lines = [line.strip() for line in self.texts.value.splitlines()]
        texts = list(dict.fromkeys(filter(None, lines)))
        features = self.features
        if not texts or len(texts) > _MOST:
            message = f"{len(texts)} texts cannot be scored."
            raise OutOfBoundsError(message, f"Give 1 to {_MOST}, one a line.")
        if features is None:
            return
        path = self._towers[self.model.value]
        self.start.loading = True

        def work() -> TileScores:
            from workbench.features.text import text_scores  # noqa: PLC0415 - torch

            kind: Any = "softmax" if len(texts) > 1 else "cosine"
            tower = _tower(path, path.stat().st_mtime_ns)
            return text_scores(features, tower, texts, kind=kind)

        def then(scores: TileScores) -> None:
            self.start.loading = False
            self.scores = scores

        def failed() -> None:
            self.start.loading = False

        self._background.do(
            work, then, slot=f"text prompts {id(self)}", otherwise=failed
        )


@lru_cache(maxsize=2)
def _tower(path: Path, stamp: int) -> TextEncoder:
    """Return the text tower of a file; `stamp` changes when the file does."""
    del stamp
    from workbench.models.text_tower import load_text_encoder  # noqa: PLC0415 - torch

    return load_text_encoder(path)
