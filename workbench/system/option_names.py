"""Parsing and checking of names in options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_reference(reference: object) -> object:
    """Return the text of a `Reference`; anything else unchanged."""
    return getattr(reference, "text", reference)


def parse_names(names: object) -> object:
    """Return unique names as a tuple; a text is split at semicolons."""
    given = names.split(";") if isinstance(names, str) else names
    if not isinstance(given, list | tuple):
        return names
    parts: list[Any] = [parse_reference(part) for part in given]
    if not all(isinstance(part, str) for part in parts):
        return names
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def check_names(known: Sequence[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of which each is known.

    Raises
    ------
    ValueError
        If one is not; it names it.
    """
    if unknown := [name for name in names if name not in known]:
        message = f"'{unknown[0]}' is none of {', '.join(known)}"
        raise ValueError(message)
    return names
