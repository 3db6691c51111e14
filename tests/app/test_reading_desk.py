"""Reading by the routes of a study: roles, blinding at the wire, answers, agreement."""

from __future__ import annotations

import json
import re
import uuid

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from study_server import routed
from workbench.app.catalog.access import access_of
from workbench.app.catalog.site import Site
from workbench.app.gallery.study_site import StudySite
from workbench.app.server.auth import Passwords
from workbench.app.server.roles import Roles
from workbench.errors import RunError

FORM = {
    "title": "Grading",
    "properties": {
        "grade": {"title": "Grade", "enum": ["none", "low", "high"]},
        "percent": {"title": "Percent", "type": "number"},
    },
    "required": ["grade"],
}
NAMES = [f"secretname{number}" for number in range(4)]
LABEL = "secretlabel"
OTHER = "bobbington"
ROLES = {"ann": "reader", OTHER: "reader", "lea": "lead", "gil": "guest"}
PATHS = ("/table", "/progress", "/settings", "/agreement?worklist=blind")


@pytest.fixture
def study(tmp_path):
    slides = tmp_path / "slides"
    slides.mkdir()
    for number, name in enumerate(NAMES):
        pixels = two_coloured(256, seed=number)
        write_tiff(slides / f"{name}.tif", pixels, compression="zlib")
    rows = {
        "path": [str(slides / f"{name}.tif") for name in NAMES],
        "case": ["secretcase", "secretcase", "P2", "P3"],
        "diagnosis": [f"{LABEL}{number}" for number in range(4)],
    }
    made = wb.make_study(tmp_path / "study", pd.DataFrame(rows))
    (made.path / "forms").mkdir()
    (made.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    return made


@pytest.fixture
def ask(study):
    site = StudySite(
        study, Site.of_study(study), lambda user: ROLES.get(user, "reader")
    )
    with routed(site) as asker:
        yield asker
    site.close()


def answer(ask, user, slide, grade, **more):
    message = {"worklist": "blind", "slide": slide, "answers": {"grade": grade}}
    message |= {"state": "done", "id": uuid.uuid4().hex, **more}
    return ask("study/reading", message, user=user)


def table(ask, user):
    return ask("study/table", user=user).json


def blinded(study):
    return study.readings().assign(
        "blind", ["ann", OTHER], blind=["model", "readers", "labels"]
    )


# -- roles -----------------------------------------------------------------------


def test_roles_are_in_the_file_of_users_or_in_one_of_their_own(tmp_path):
    users = tmp_path / "users.json"
    entries = {"ann": "open sesame", "lea": {"password": "let me in", "role": "lead"}}
    entries |= {"gil": {"password": "please", "role": "guest"}, "eve": {"role": "lead"}}
    users.write_text(json.dumps(entries))
    roles = Roles([users], login=True)
    found = {name: roles.of(name) for name in (*entries, "nobody")}
    assert found == {
        "ann": "reader",
        "lea": "lead",
        "gil": "guest",
        "eve": "lead",
        "nobody": "reader",
    }
    passwords = Passwords(str(users))
    assert passwords.admit("lea", "let me in")
    assert passwords.admit("ann", "open sesame")
    assert not passwords.admit("lea", "lead")
    assert not passwords.admit("eve", "")
    own = tmp_path / "roles.json"
    own.write_text(json.dumps({"ann": "lead", "gil": "no role"}))
    both = Roles(["one for all", own], login=True)
    assert [both.of(name) for name in ("ann", "gil")] == ["lead", "reader"]
    assert Roles([], login=False).of("") == "lead"


def test_what_only_leads_do_is_refused_to_others(ask, study):
    blinded(study)
    for user in ("ann", "gil"):
        for path in ("run", "advice"):
            assert ask(f"study/{path}", {}, user=user).status == 403
        assert ask("study/settings", user=user).status == 403
        assert ask("study/agreement?worklist=blind", user=user).status == 403
        assert "runs" not in ask("study/progress", user=user).json
    assert ask("study/settings", user="lea").status == 200
    site = Site.of_study(study, access_of("ann", "reader", study.readings()))
    with pytest.raises(RunError, match="Only leads"):
        site.run_library.start(None, None)


def test_a_reader_sees_what_is_theirs_and_a_guest_no_answers(ask, study):
    study.readings().assign("open", ["ann", OTHER], slides=NAMES[:2])
    assert table(ask, "ann")["names"] == NAMES[:2]
    assert table(ask, "eve")["names"] == []
    assert ask(f"study/thumbnail?slide={NAMES[0]}", user="ann").status == 200
    assert ask(f"study/thumbnail?slide={NAMES[3]}", user="ann").status == 404
    assert table(ask, "gil")["names"] == NAMES
    assert table(ask, "gil")["worklists"] == []
    made = answer(ask, "ann", NAMES[0], "low", worklist="open")
    assert made.json == {"saved": True}
    assert answer(ask, "ann", NAMES[3], "low", worklist="open").json["error"]
    assert answer(ask, "gil", NAMES[0], "low", worklist="open").json["error"]
    path = f"study/reading?worklist=open&slide={NAMES[0]}"
    # Bob is not blind to other readers here.
    (other,) = ask(path, user=OTHER).json["others"]
    assert (other["reader"], other["answers"]) == ("ann", {"grade": "low"})
    assert ask(path, user="gil").json["error"]
    assert b"low" not in ask("study/table", user="gil").body


# -- blinding --------------------------------------------------------------------


def bodies(ask, user, slides):
    """Return all that the routes answer to a user, as one text."""
    paths = [*PATHS, *(f"/reading?worklist=blind&slide={each}" for each in slides)]
    for name in (*slides, *NAMES, "none"):
        paths += [f"/thumbnail?slide={name}"]
        paths += [f"/thumbnail?slide={name}&analysis=tissue-classes&class=tumour"]
        paths += [f"/reading?worklist={worklist}&slide={name}" for worklist in "xy"]
    answers = [ask(f"study{path.replace(' ', '%20')}", user=user) for path in paths]
    answers.append(answer(ask, user, NAMES[0], "low"))
    answers.append(answer(ask, user, slides[0], "no such grade"))
    text = b"\n".join(each.body for each in answers)
    return text.decode(errors="replace") + "".join(str(a.headers) for a in answers)


@pytest.mark.slow  # a model is run
def test_no_response_shows_a_blinded_reader_what_is_hidden(ask, study):
    made = blinded(study)
    study.run(wb.Recipe(device="cpu", batch_size=4), name="tissue-classes", workers=0)
    ask("study/progress", user="lea")
    seen = table(ask, "ann")
    slides = seen["names"]
    assert slides == [made.alias(slide) for slide in made.assigned]
    assert seen["worklists"][0]["slides"] == slides
    answer(ask, OTHER, slides[0], "high", answers={"grade": "high", "percent": 77.125})
    hidden = [*NAMES, LABEL, OTHER, "77.125", str(study.path), "tumour"]
    hidden += ["tissue-classes", "(share)", "secretcase"]
    text = bodies(ask, "ann", slides)
    assert [word for word in hidden if word in text] == []
    page = ask("study", user="ann").body.decode()
    written = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert [word for word in hidden if word in written] == []
    # The same words are there for who leads.
    text = bodies(ask, "lea", NAMES)
    assert [word for word in hidden if word not in text] == [str(study.path)]


def test_a_blinded_reader_does_not_see_that_others_have_answered(ask, study):
    made = blinded(study)
    before = ask("study/progress", user="ann").json["stamp"]
    answer(ask, OTHER, made.alias(NAMES[0]), "high")
    assert ask("study/progress", user="ann").json["stamp"] == before
    answer(ask, "ann", made.alias(NAMES[0]), "high")
    assert ask("study/progress", user="ann").json["stamp"] != before


def test_what_is_hidden_in_one_worklist_is_hidden_in_all(study):
    readings = study.readings()
    readings.assign("open", ["ann"], slides=NAMES[:3])
    access = access_of("ann", "reader", readings)
    assert (list(access.names), access.hidden) == (NAMES[:3], set())
    readings.assign("blind", ["ann"], slides=NAMES[2:], blind=["labels"])
    access = access_of("ann", "reader", readings)
    assert access.hidden == {"labels"}
    assert sorted(access.names) == ["blind 1", "blind 2", "open 1", "open 2"]
    assert sorted(access.names.values()) == NAMES


@pytest.mark.slow  # a model is run
def test_the_app_of_a_blinded_reader_has_no_model_and_a_folder_of_its_own(study):
    blinded(study)
    study.run(wb.Recipe(device="cpu", batch_size=4), name="tissue-classes", workers=0)
    sites = {
        user: Site.of_study(study, access_of(user, ROLES[user], study.readings()))
        for user in ("ann", OTHER, "lea")
    }
    slides = {user: site.library.entries()[0].name for user, site in sites.items()}
    runs = {
        user: site.run_library.saved(site.library.open(slides[user]))
        for user, site in sites.items()
    }
    assert [len(each) for each in runs.values()] == [0, 0, 1]
    assert len({site.run_library.folder for site in sites.values()}) == 3
    assert not sites["ann"].labels


# -- answers ---------------------------------------------------------------------


def test_answers_come_back_and_are_kept_once(ask, study):
    made = blinded(study)
    slide = made.alias(NAMES[1])
    path = f"study/reading?worklist=blind&slide={slide.replace(' ', '%20')}"
    assert ask(path, user="ann").json == {"own": None}
    assert answer(ask, "ann", slide, "low", id="one").json == {"saved": True}
    assert answer(ask, "ann", slide, "high", id="one").json == {"saved": False}
    own = ask(path, user="ann").json["own"]
    assert (own["answers"], own["state"]) == ({"grade": "low"}, "done")
    assert ask(path, user=OTHER).json == {"own": None}
    (column,) = [c for c in table(ask, "ann")["columns"] if c["name"] == "state"]
    states = [column["levels"][code] for code in column["codes"]]
    assert sorted(states) == ["done", "open", "open", "open"]


def test_a_lead_sees_agreement_and_enters_a_consensus(ask, study):
    made = blinded(study)
    grades = {
        "ann": ["low", "low", "high", "none"],
        OTHER: ["low", "high", "high", "low"],
    }
    for user, given in grades.items():
        for slide, grade in zip(NAMES, given, strict=True):
            answer(ask, user, made.alias(slide), grade)
    report = ask("study/agreement?worklist=blind", user="lea").json
    (kappa,) = report["agreement"]
    assert kappa["value"] == pytest.approx(cohen_kappa_score(*grades.values()))
    assert report["discuss"] == 2
    assert [row["done"] for row in report["progress"]] == [4, 4]

    def column(name):
        found = {each["name"]: each for each in table(ask, "lea")["columns"]}[name]
        return [found["levels"][code] for code in found["codes"]]

    assert column("Grade") == ["low", "high / low", "high", "low / none"]
    assert column("to discuss") == ["", "grade", "", "grade"]
    assert answer(ask, "ann", made.alias(NAMES[1]), "high", consensus=True).json[
        "error"
    ]
    assert answer(ask, "lea", NAMES[1], "high", consensus=True).json == {"saved": True}
    assert column("consensus") == ["", "high", "", ""]
    assert column("state") == ["done", "consensus", "done", "done"]


def test_leads_read_all_answers_as_a_file(ask, study):
    made = blinded(study)
    answer(ask, "ann", made.alias(NAMES[0]), "low")
    file = ask("study/answers.csv?worklist=blind", user="lea")
    assert "attachment" in file.headers["Content-Disposition"]
    assert len(file.body.decode().splitlines()) == 9
    assert ask("study/answers.csv?worklist=none", user="lea").status == 404
    assert ask("study/answers.csv?worklist=blind", user="ann").status == 403
    (worklist,) = table(ask, "ann")["worklists"]
    assert sorted(worklist["states"]) == ["done", "open", "open", "open"]
