"""Forms: the questions that readers answer for each slide, written as JSON Schema.

A form is an object with properties of these types: a string with `enum` (a choice), a
number or integer, optionally with `minimum` and `maximum`, or a plain string (a text).
`title` is the question; `required` lists what must be answered before a slide is done;
`ordered: true` marks a choice whose values have an order, such as grades.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMS: Final = "forms"
"""Folder of forms in a study."""

Kind = Literal["choice", "number", "text"]
_MOST_QUESTIONS: Final = 60
_MOST_CHOICES: Final = 50
_MOST_BYTES: Final = 200_000
_LONGEST: Final = 4000
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a form."""

    name: str
    """Name of its answer, in tables and files."""

    title: str
    """The question, as readers see it."""

    kind: Kind
    choices: tuple[str, ...] = ()
    ordered: bool = False
    """Whether the choices have an order, such as grades."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    """Whether a number must be whole."""

    required: bool = False
    """Whether a slide is done only with an answer."""

    def problem(self, answer: Any) -> str:
        """Return why a value is no answer; empty: it is one."""
        if self.kind == "choice":
            known = ", ".join(self.choices)
            return "" if answer in self.choices else f"it is none of: {known}"
        if self.kind == "text":
            if not isinstance(answer, str):
                return "it is no text"
            return "" if len(answer) <= _LONGEST else f"it is longer than {_LONGEST:,}"
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            return "it is no number"
        if not math.isfinite(answer) or (self.whole and not float(answer).is_integer()):
            return "it is no whole number" if self.whole else "it is no number"
        if not self.low <= answer <= self.high:
            return f"it is not from {self.low:g} to {self.high:g}"
        return ""


@dataclass(frozen=True, slots=True)
class Form:
    """The questions of a form.

    Attributes
    ----------
    name : str
    title : str
    questions : tuple of Question
    schema : dict
        The form as JSON Schema.
    """

    name: str
    title: str
    questions: tuple[Question, ...]
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, schema: Any, name: str, source: object = "") -> Form:
        """Return a form from its JSON Schema.

        Parameters
        ----------
        schema : dict
        name : str
        source : path or str
            Where it is from, for errors.

        Raises
        ------
        StudyError
            If it is no such schema, or has more than 60 questions or 50 choices.
        """
        source = source or name
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict) or not properties:
            raise _faulty(source, "it has no 'properties'")
        if len(properties) > _MOST_QUESTIONS:
            raise _faulty(source, f"it has more than {_MOST_QUESTIONS} questions")
        required = schema.get("required", [])
        if not isinstance(required, list) or set(required) - set(properties):
            raise _faulty(source, "'required' names what it does not ask")
        questions = tuple(
            _question(key, entry, source, required=key in required)
            for key, entry in properties.items()
        )
        title = str(schema.get("title", name))[:_LONGEST_NAME]
        return cls(name, title, questions, schema)

    def checked(self, answers: Any) -> dict[str, Any]:
        """Return answers without empty ones, in the order of the questions.

        Raises
        ------
        StudyError
            If one is no answer to its question, or there is no such question.
        """
        if not isinstance(answers, dict):
            message = f"{answers!r} is no set of answers."
            raise StudyError(
                message, "Give a dict: the name of a question, its answer."
            )
        unknown = sorted(set(answers) - {each.name for each in self.questions})
        if unknown:
            message = f"The form '{self.name}' has no question '{unknown[0]}'."
            raise StudyError(message, "Answer the questions of the form.")
        found = {}
        for question in self.questions:
            answer = answers.get(question.name)
            if answer is None or answer == "":
                continue
            if problem := question.problem(answer):
                message = f"'{answer}' is no answer to '{question.title}': {problem}."
                raise StudyError(message, "Correct the answer.")
            found[question.name] = answer
        return found

    def missing(self, answers: Mapping[str, Any]) -> list[str]:
        """Return the titles of required questions without an answer."""
        return [
            each.title
            for each in self.questions
            if each.required and each.name not in answers
        ]


def _question(name: str, entry: Any, source: object, *, required: bool) -> Question:
    if not isinstance(entry, dict) or not name or len(name) > _LONGEST_NAME:
        raise _faulty(source, f"the question '{name[:_LONGEST_NAME]}' is no object")
    title = str(entry.get("title", name))[:_LONGEST_NAME]
    kind, choices = entry.get("type", "string"), entry.get("enum")
    if choices is not None:
        texts = isinstance(choices, list) and all(isinstance(c, str) for c in choices)
        if not texts or not 1 < len(set(choices)) <= _MOST_CHOICES or "" in choices:
            raise _faulty(source, f"'enum' of '{name}' is no list of 2 to 50 texts")
        ordered = entry.get("ordered") is True
        kept = tuple(dict.fromkeys(choices))
        return Question(name, title, "choice", kept, ordered, required=required)
    if kind in ("number", "integer"):
        low, high = entry.get("minimum", -math.inf), entry.get("maximum", math.inf)
        try:
            limits = float(low), float(high)
        except (TypeError, ValueError):
            raise _faulty(source, f"the limits of '{name}' are no numbers") from None
        if not limits[0] < limits[1]:
            raise _faulty(source, f"no number answers '{name}'")
        whole = kind == "integer"
        return Question(
            *(name, title, "number"),
            low=limits[0],
            high=limits[1],
            whole=whole,
            required=required,
        )
    if kind != "string":
        raise _faulty(source, f"'{name}' has the type '{kind}', which no question has")
    return Question(name, title, "text", required=required)


def read_forms(study: Path) -> dict[str, Form]:
    """Return the forms of a study: `forms/*.json`, and `forms` in `study.json`.

    Raises
    ------
    StudyError
        If one of them cannot be read as a form.
    """
    found = {name: Form.of(schema, name) for name, schema in _in_record(study)}
    for file in sorted((study / FORMS).glob("*.json")):
        found[file.stem] = Form.of(_read(file), file.stem, file)
    return found


def _in_record(study: Path) -> Iterator[tuple[str, Any]]:
    """Yield the forms that `study.json` has."""
    record = _read(study / "study.json")
    forms = record.get("forms", {}) if isinstance(record, dict) else {}
    if isinstance(forms, dict):
        yield from forms.items()


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise _faulty(file, "it is too large")
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _faulty(file, str(error)) from error


def _faulty(source: object, reason: str) -> StudyError:
    message = f"'{source}' cannot be used as a form: {reason}."
    return StudyError(message, "Correct it; docs/reading.md has an example.")
