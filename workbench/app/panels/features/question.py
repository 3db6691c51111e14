"""A question about a file of features that its tool has not answered in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import STYLE, button, note, side_by_side, stack
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LABELS: Final = {
    "tile_size_level0": "Side of a tile (level-0 px)",
    "unit": "Unit of the coordinates",
    "encoder": "Encoder",
    "coordinates": "File of the coordinates",
}
_NAMES: Final = {"px": "level-0 pixels", "um": "micrometres"}


class Question(pn.viewable.Viewer):
    """A small form with one field, hidden until something is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._answered: Callable[[Any], None] = lambda _: None
        self._sentence = note("")
        self.number = pmui.TextInput(value="", **STYLE)
        self.choice = pmui.Select(options={}, visible=False, **STYLE)
        self._answer = button("Place the tiles", icon="check")
        self._cancel = button("Cancel", icon="close")
        self._answer.on_click(lambda _: self.answer())
        self._cancel.on_click(lambda _: self.close())
        self._form = pmui.Paper(
            stack(
                self._sentence,
                self.number,
                self.choice,
                side_by_side(self._answer, self._cancel),
            ),
            variant="outlined",
            sizing_mode="stretch_width",
            margin=(4, 0),
            sx={"p": "6px 10px"},
            visible=False,
        )

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._form

    @property
    def asked(self) -> bool:
        """Whether a question is shown."""
        return bool(self._form.visible)

    def ask(
        self,
        sentence: str,
        needed: str,
        choices: Mapping[str, str],
        answered: Callable[[Any], None],
    ) -> None:
        """Ask for the argument `needed` of `open_features`.

        Parameters
        ----------
        sentence : str
            What the file leaves open.
        needed : str
        choices : mapping of str to str
            Labels and values to choose from; empty: a number is asked for.
        answered : callable
            Called with the answer.
        """
        self._answered = answered
        self._sentence.object = sentence
        label = _LABELS.get(needed, needed)
        options = {_NAMES.get(name, name): value for name, value in choices.items()}
        named, unnamed = (label, "") if choices else ("", label)
        self.number.param.update(label=unnamed, value="", visible=not choices)
        self.choice.param.update(
            label=named, options=options, value=None, visible=bool(choices)
        )
        self._form.visible = True

    def answer(self) -> None:
        """Take the answer, if there is one.

        Raises
        ------
        WorkbenchError
            If it is no number, where a number is asked for.
        """
        if self.choice.visible:
            answer = self.choice.value
        else:
            answer = _number_in(self.number.value)
        if answer is not None:
            self.close()
            self._answered(answer)

    def close(self) -> None:
        """Hide the question."""
        self._form.visible = False


def _number_in(text: str) -> float | None:
    """Return the number in a text; None if it is empty."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        message = f"'{text}' is not a number of pixels."
        raise WorkbenchError(message, "Give a number, such as 512.") from None
