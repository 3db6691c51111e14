"""Names in options are unique and known."""

from __future__ import annotations

import pytest

from workbench.system.option_names import check_names, parse_names


def test_names_are_split_and_unique():
    assert parse_names("a; b;a;;") == ("a", "b")
    assert parse_names(["b", "b"]) == ("b",)
    assert parse_names([1]) == [1]  # for pydantic to refuse


def test_an_unknown_name_is_named():
    assert check_names(("a", "b"), ("b",)) == ("b",)
    with pytest.raises(ValueError, match="'c' is none of a, b"):
        check_names(("a", "b"), ("b", "c"))
