"""Parameters of which `make test` tries a few, and `make thorough` the rest."""

from __future__ import annotations

import pytest


def few_of(values, few, name=str):
    """Return all values as parameters; those not named in `few` are thorough."""
    return [
        pytest.param(value, marks=() if name(value) in few else pytest.mark.thorough)
        for value in values
    ]
