"""Errors of pydantic as clauses: each names the field, its value and the reason."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.system.invalid_fields import describe_invalid, unknown_field


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=1)]
    steps: tuple[int, int] = (1, 2)

    @model_validator(mode="after")
    def _ordered(self):
        if self.steps[0] > self.steps[1]:
            raise ValueError("steps go down")  # noqa: EM101, TRY003 - short, of a test
        return self


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 0}, "size = 0 (input should be greater than or equal to 1)"),
        ({}, "size: field required"),
        ({"size": 1, "steps": (1, "x")}, "steps.1 = 'x' (input should be a valid"),
        ({"size": 1, "steps": (2, 1)}, "steps go down"),
        ({"size": 1, "stpes": 1}, "no field 'stpes' (did you mean 'steps'?)"),
        ({"size": 0, "zz": 1}, "1); there is no field 'zz'"),
        ({"size": "x" * 999}, "xxx...xxx"),
    ],
)
def test_each_invalid_field_is_a_clause(values, text):
    with pytest.raises(ValidationError) as caught:
        Point(**values)
    described = describe_invalid(caught.value, Point.model_fields)
    assert text in described
    assert "pydantic" not in described
    assert len(described) < 200


def test_a_name_that_resembles_none_gets_no_proposal():
    assert unknown_field("zzzz", ["size"]) == "'zzzz'"
