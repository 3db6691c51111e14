"""Upload of a model with its card, where the server takes models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from workbench.app.catalog.uploaded_models import (
    MAX_BYTES,
    SUFFIXES,
    accepts_models,
    add_uploaded,
)
from workbench.app.widgets.controls import STYLE, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.widgets.background import Background
    from workbench.models.card import ModelCard

_HINT = (
    "Choose two files together: the weights (ONNX, safetensors or a state dict) and"
    " the card (JSON). The model is offered to every user of this server."
)


class ModelUpload(pn.viewable.Viewer):
    """Lets a logged-in user add a model to the server's folder of models.

    Parameters
    ----------
    background : Background
    user : str
        Name of the logged-in user; empty without a login.
    added : callable
        Called with the card of each added model.
    """

    def __init__(
        self,
        background: Background,
        user: str,
        added: Callable[[ModelCard], object],
    ) -> None:
        super().__init__()
        self._background = background
        self._added = added
        self.field = Upload(
            label="Add a model",
            accept=",".join((*SUFFIXES, ".json")),
            multiple=True,
            max_file_size=MAX_BYTES,
            variant="outlined",
            **STYLE,
        )
        self._said = note(visible=False)
        self.offered = accepts_models(user)
        self.field.param.watch(lambda _: self._uploaded(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        fold = Fold("Add your own model", stack(note(_HINT), self.field, self._said))
        return stack(fold, visible=self.offered)

    def _uploaded(self) -> None:
        contents, names = self.field.value or [], self.field.filename or []
        if not contents or not self.offered:
            return
        self._said.param.update(object="Checking the model …", visible=True)
        self.field.clear()  # hundreds of megabytes
        files = dict(zip(names, contents, strict=True))
        self._background.do(
            lambda: add_uploaded(files),
            self._finish,
            otherwise=lambda: self._said.param.update(visible=False),
        )

    def _finish(self, card: ModelCard) -> None:
        self._said.object = f"Added '{card.name}'."
        self._added(card)
