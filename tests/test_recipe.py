"""Options of a run: every way to make them says what is wrong in one sentence."""

from __future__ import annotations

import json

import pytest

import workbench as wb
from workbench.errors import RecipeError
from workbench.recipe import options

WAYS = {
    "Recipe": wb.Recipe,
    "of": wb.Recipe.of,
    "replace": wb.Recipe().replace,
    "of_json": lambda **values: wb.Recipe.of_json(json.dumps(values)),
}

WRONG = [
    ({"normalize": "makenko"}, "normalize = 'makenko' (expected: one of none, rein"),
    ({"batch_size": 0}, "batch_size = 0 (expected: auto or a whole number from 1"),
    ({"min_tissue": 7}, "min_tissue = 7 (expected: a number from 0 to 1)"),
    ({"tissue_only": "jein"}, "tissue_only = 'jein' (expected: true or false)"),
    ({"device": "tpu"}, "device = 'tpu' (expected: Device that runs the model: auto"),
    ({"region": [0, 0, 1.5, 2]}, "(expected: x0, y0, x1, y1 in whole level-0 pixels"),
    ({"region": "here"}, "region = 'here' (This encloses no area"),
    ({"modle": "x"}, "there is no option 'modle' (did you mean 'model'?)"),
    ({"zzzz": 1}, "there is no option 'zzzz'."),
]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("values", "sentence"), WRONG)
def test_a_wrong_option_is_named_with_what_is_accepted(way, values, sentence):
    with pytest.raises(RecipeError) as told:
        way(**values)
    assert sentence in told.value.message
    assert "pydantic" not in str(told.value)


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(RecipeError) as told:
        wb.Recipe(batch_size=0, normalize="makenko", min_score=2)
    for name in ("batch_size = 0", "normalize = 'makenko'", "min_score = 2"):
        assert told.value.message.count(name) == 1


def test_a_text_that_is_no_recipe_is_a_recipe_error():
    for text in ("{", "[1]", "null", b"\xff"):
        with pytest.raises(RecipeError):
            wb.Recipe.of_json(text)


@pytest.mark.parametrize("option", options(), ids=lambda option: option.name)
def test_every_option_says_what_it_accepts(option):
    wrong = (1, 2) if option.kind == "box" else object()
    with pytest.raises(RecipeError, match=f"{option.name} = .*expected: .{{5}}"):
        wb.Recipe(**{option.name: wrong})


def test_a_box_is_a_region_however_it_is_written():
    box = wb.Box(0, 0, 64, 32)
    same = [wb.Recipe(region=each) for each in (box, (0, 0, 64, 32), [0, 0, 64, 32])]
    assert same[0] == same[1] == same[2]
