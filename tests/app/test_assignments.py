"""Assignment of slides from the gallery: what leads assign and see, by the routes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from study_server import routed
from workbench.app.catalog.site import Site
from workbench.app.gallery.study_site import StudySite

NAMES = [f"s{number}" for number in range(10)]
ROLES = {"ann": "reader", "bob": "reader", "lea": "lead", "gil": "guest"}
FORM = {"title": "Grading", "properties": {"grade": {"enum": ["low", "high"]}}}
ASKED = {"name": "first", "readers": ["ann", "bob"], "each": 1, "blind": ["model"]}


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "slide.tif"
    write_tiff(file, two_coloured(64), compression="zlib")
    made = wb.make_study(tmp_path / "study", pd.DataFrame({"path": [str(file)]}))
    table = made.slides.iloc[[0] * len(NAMES)].assign(slide=NAMES)
    table.to_parquet(made.path / "slides.parquet", index=False)
    (made.path / "forms").mkdir()
    (made.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    return made


@pytest.fixture
def ask(study):
    site = StudySite(
        study, Site.of_study(study), lambda user: ROLES[user], lambda: ROLES
    )
    with routed(site) as asker:
        yield asker
    site.close()


def assign(ask, user="lea", **changes):
    return ask("study/worklists", {**ASKED, **changes}, user=user)


def test_only_leads_assign_and_see_the_progress_of_readers(ask, study):
    for user in ("ann", "gil"):
        assert assign(ask, user).status == 403
        assert ask("study/worklists", user=user).status == 403
    assert ask("study/worklists", ASKED, user="lea", ours=False).status == 403
    assert ask("study/worklists", ASKED, user="").status == 403
    assert study.readings().worklists == {}


def test_a_lead_assigns_slides_and_sees_how_far_readers_are(ask, study):
    offered = ask("study/worklists", user="lea").json
    assert offered["forms"] == [{"name": "grading", "title": "Grading", "questions": 1}]
    assert offered["progress"] == []
    readers = {each["name"]: each["role"] for each in offered["readers"]}
    assert readers == {"ann": "reader", "bob": "reader", "lea": "lead"}
    made = assign(ask, slides=NAMES[:6]).json
    assert made == {"name": "first", "slides": {"ann": 3, "bob": 3}}
    assert study.readings().worklist("first").blind == {"model"}
    own = ask("study/table", user="ann").json["names"]
    assert len(own) == 3
    answer = {"worklist": "first", "slide": own[0], "answers": {"grade": "low"}}
    answer |= {"state": "done", "id": "one"}
    assert ask("study/reading", answer, user="ann").json == {"saved": True}
    rows = ask("study/worklists", user="lea").json["progress"]
    done = {row["reader"]: (row["done"], row["open"], row["slides"]) for row in rows}
    assert done == {"ann": (1, 2, 3), "bob": (0, 3, 3)}
    assert [bool(row["last"]) for row in rows] == [True, False]
    columns = ask("study/table", user="lea").json["columns"]
    found = next(each for each in columns if each["name"] == "readers")
    assert sorted(found["levels"]) == ["", "ann", "bob"]
    # A reader sees neither who else reads, nor what is not theirs.
    assert b"bob" not in ask("study/table", user="ann").body


def test_a_share_of_the_slides_is_read_twice(ask, study):
    assert assign(ask, each=1.4).json["slides"] == {"ann": 7, "bob": 7}
    assigned = study.readings().worklist("first").assigned
    assert sorted(map(len, assigned.values())) == [1] * 6 + [2] * 4
    assert list(assigned) == NAMES
    again = study.readings().assign("b", ["x", "y", "z"], each=1.4, seed=3).assigned
    third = study.readings().assign("c", ["x", "y", "z"], each=1.4, seed=3).assigned
    assert again == third


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"readers": ["ann", "gil"]}, "'gil' is a guest"),
        ({"readers": []}, "Name the readers"),
        ({"readers": "ann"}, "no list of names"),
        ({"readers": ["ann"] * 201}, "too many"),
        ({"slides": ["s99"]}, "no slide 's99'"),
        ({"slides": []}, "no slides to read"),
        ({"each": 0.5}, "0.5 readers of each slide"),
        ({"each": 3}, "3 readers of each slide"),
        ({"each": "two"}, "no number of readers"),
        ({"blind": ["all"]}, "cannot be blind to 'all'"),
        ({"name": "../first"}, "cannot be the name"),
        ({"form": "none"}, "no form 'none'"),
    ],
)
def test_what_cannot_be_assigned_is_refused_with_its_reason(
    ask, study, changes, reason
):
    answer = assign(ask, **changes)
    assert answer.status >= 400
    assert reason in answer.json["error"]
    assert str(study.path) not in answer.json["error"]
    assert study.readings().worklists == {}


def test_a_worklist_is_not_assigned_twice(ask):
    assert assign(ask).status == 200
    assert "already" in assign(ask).json["error"]
