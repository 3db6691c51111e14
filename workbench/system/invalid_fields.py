"""Errors of pydantic as clauses for a sentence."""

from __future__ import annotations

import difflib
import reprlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


def describe_invalid(error: ValidationError, known: Iterable[str] = ()) -> str:
    """Return a clause for each invalid field: its name, its value and the reason.

    Parameters
    ----------
    error : ValidationError
    known : iterable of str
        Names of all fields, of which the nearest is proposed for an unknown one.
    """
    names = list(known)
    return "; ".join(_clause(each, names) for each in error.errors())


def unknown_field(name: str, known: Iterable[str]) -> str:
    """Return "'name'", with the nearest known name where there is a similar one."""
    near = difflib.get_close_matches(name, list(known), 1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"'{name}'{hint}"


def _clause(problem: ErrorDetails, known: list[str]) -> str:
    field = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"there is no field {unknown_field(field, known)}"
    if problem["type"] == "value_error":
        reason = str(problem["ctx"]["error"])
    else:
        reason = problem["msg"][0].lower() + problem["msg"][1:]
    if not field:
        return reason
    if problem["type"] == "missing":
        return f"{field}: {reason}"
    return f"{field} = {reprlib.repr(problem['input'])} ({reason})"
