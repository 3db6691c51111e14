"""Forms: what is a question, and what is an answer."""

from __future__ import annotations

import json

import pytest

from workbench.errors import StudyError
from workbench.reading.form import Form, read_forms

SCHEMA = {
    "title": "Dysplasia",
    "type": "object",
    "properties": {
        "grade": {"title": "Grade", "enum": ["none", "low", "high"], "ordered": True},
        "percent": {"type": "number", "minimum": 0, "maximum": 100},
        "mitoses": {"type": "integer", "minimum": 0},
        "remark": {"type": "string"},
    },
    "required": ["grade"],
}


def test_a_form_is_json_schema():
    form = Form.of(SCHEMA, "dysplasia")
    assert form.title == "Dysplasia"
    kinds = [(each.name, each.kind, each.required) for each in form.questions]
    assert kinds == [
        ("grade", "choice", True),
        ("percent", "number", False),
        ("mitoses", "number", False),
        ("remark", "text", False),
    ]
    grade = form.questions[0]
    assert (grade.choices, grade.ordered) == (("none", "low", "high"), True)
    assert form.missing({}) == ["Grade"]
    assert form.missing({"grade": "low"}) == []


def test_answers_are_checked_and_empty_ones_left_out():
    form = Form.of(SCHEMA, "dysplasia")
    given = {"remark": "", "grade": "low", "percent": 12.5, "mitoses": None}
    assert form.checked(given) == {"grade": "low", "percent": 12.5}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"grade": "medium"}, "it is none of: none, low, high"),
        ({"percent": 101}, "it is not from 0 to 100"),
        ({"percent": "many"}, "it is no number"),
        ({"percent": float("nan")}, "it is no number"),
        ({"percent": True}, "it is no number"),
        ({"mitoses": 1.5}, "it is no whole number"),
        ({"remark": 1}, "it is no text"),
        ({"remark": "x" * 5000}, "longer than"),
        ({"other": 1}, "no question 'other'"),
        (["low"], "no set of answers"),
    ],
)
def test_what_is_no_answer_is_refused(answers, said):
    with pytest.raises(StudyError, match=said):
        Form.of(SCHEMA, "dysplasia").checked(answers)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ([], "no 'properties'"),
        ({"properties": {}}, "no 'properties'"),
        ({"properties": {"a": 1}}, "is no object"),
        ({"properties": {"a": {"enum": ["one"]}}}, "no list of 2 to 50 texts"),
        ({"properties": {"a": {"enum": [1, 2]}}}, "no list of 2 to 50 texts"),
        ({"properties": {"a": {"type": "array"}}}, "which no question has"),
        ({"properties": {"a": {"type": "number", "minimum": "x"}}}, "no numbers"),
        (
            {"properties": {"a": {"type": "number", "minimum": 1, "maximum": 1}}},
            "no number answers",
        ),
        ({"properties": {"a": {}}, "required": ["b"]}, "what it does not ask"),
        ({"properties": {f"q{n}": {} for n in range(61)}}, "more than 60"),
    ],
)
def test_what_is_no_form_is_refused_with_the_reason(schema, said):
    with pytest.raises(StudyError, match=said):
        Form.of(schema, "wrong")


def test_forms_are_in_the_study(tmp_path):
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "grading.json").write_text(json.dumps(SCHEMA))
    record = {"forms": {"short": {"properties": {"ok": {"enum": ["yes", "no"]}}}}}
    (tmp_path / "study.json").write_text(json.dumps(record))
    assert sorted(read_forms(tmp_path)) == ["grading", "short"]
    (tmp_path / "forms" / "grading.json").write_text("{")
    with pytest.raises(StudyError, match="cannot be used as a form"):
        read_forms(tmp_path)
