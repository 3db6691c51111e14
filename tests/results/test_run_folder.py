"""One rule decides the folder of a run, whoever starts it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import workbench as wb
from stained_slide import write_stained
from workbench.app.catalog.runs import RunLibrary
from workbench.cli import main
from workbench.errors import RecipeMismatchError
from workbench.models.catalogue import find_card
from workbench.recipe import Recipe
from workbench.results.run import open_run

MODEL = "stain-concentration"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return write_stained(folder / "tissue.tif", width=640, height=512)


@pytest.fixture
def slide(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with wb.open_slide(file) as opened:
        yield opened


def of_the_app(slide, **options):
    """Return the run that the app starts or continues, once it has ended."""
    job = RunLibrary("runs").start(slide, Recipe.of(model=MODEL, **options))
    assert job.wait(60)
    assert job.error is None
    return job.run


def interrupted(run):
    """Make of a run one that was killed before its first answer."""
    record = json.loads((run.path / "run.json").read_text())
    record |= {"status": "running", "tiles_done": 0}
    (run.path / "run.json").write_text(json.dumps(record))
    shutil.rmtree(run.path / "scores.zarr")
    (run.path / "journal").unlink(missing_ok=True)


def edited(run, **parts):
    """Rewrite parts of a run's record as an earlier version would have."""
    file = run.path / "run.json"
    record = json.loads(file.read_text())
    for name, change in parts.items():
        change(record[name])
    file.write_text(json.dumps(record))


def folders():
    return sorted(file.parent.name for file in Path("runs").glob("*/run.json"))


def test_the_app_continues_a_run_of_the_command_line(slide, monkeypatch):
    monkeypatch.setattr("sys.argv", ["workbench"])
    main(["run", slide.path, "--model", MODEL, "--no-progress"], standalone_mode=False)
    (name,) = folders()
    begun = open_run(Path("runs") / name)
    finished = of_the_app(slide)
    assert finished.path.name == name
    assert len(finished.record["sessions"]) == 1  # finished, so returned as it is
    interrupted(begun)
    continued = of_the_app(slide)
    assert folders() == [name]
    assert continued.status == "finished"
    assert len(continued.record["sessions"]) == 2


def test_the_command_line_continues_a_run_of_the_app(slide):
    begun = of_the_app(slide)
    interrupted(begun)
    continued = wb.run(slide, model=MODEL)
    assert continued.path.samefile(begun.path)
    assert continued.status == "finished"


@pytest.mark.parametrize("options", [{"device": "cpu"}, {"trust": True}])
def test_an_option_that_changes_no_answer_continues_the_run(slide, options):
    begun = of_the_app(slide)
    interrupted(begun)
    assert of_the_app(slide, **options).path == begun.path
    assert len(folders()) == 1


def test_another_request_is_another_run(slide):
    begun = of_the_app(slide)
    for options in ({"min_tissue": 0.5}, {"normalize": "macenko"}, {"batch_size": 3}):
        assert of_the_app(slide, **options).path != begun.path
    assert len(folders()) == 4


@pytest.mark.parametrize("name", ["tissue-stain-concentration-cb3fcb5d89", "named"])
def test_a_run_is_found_under_any_name(slide, name):
    """Earlier versions of the app and of the command line named folders otherwise."""
    begun = of_the_app(slide)
    interrupted(begun)
    begun.path.rename(begun.path.with_name(name))
    assert wb.run(slide, model=MODEL).path.name == name
    assert of_the_app(slide).path.name == name


def test_options_newer_than_the_record_are_at_their_defaults(slide):
    begun = of_the_app(slide)
    edited(
        begun,
        recipe=lambda recipe: [recipe.pop(name) for name in ("ink", "tissue_in")],
        model=lambda card: card.pop("dimensions"),
    )
    assert of_the_app(slide).path == begun.path
    assert of_the_app(slide, ink="keep").path != begun.path


@pytest.mark.slow
def test_a_run_whose_card_holds_the_least_score_of_its_recipe_goes_on(slide):
    """Earlier versions put the least score of a recipe into the card."""
    begun = wb.run(slide, model="nuclei", min_score=0.3)
    shipped = find_card("nuclei").min_score
    assert begun.card.min_score == shipped != 0.3
    edited(begun, model=lambda card: card.update(min_score=0.3))
    former = open_run(begun.path)
    assert (former.card.min_score, former.recipe.min_score) == (0.3, 0.3)
    assert wb.run(slide, model="nuclei", min_score=0.3).path == begun.path
    assert wb.run(slide, out=begun.path, model="nuclei", min_score=0.3).status
    for other in (0.4, None):
        assert wb.run(slide, model="nuclei", min_score=other).path != begun.path
    with pytest.raises(RecipeMismatchError):
        wb.run(slide, out=begun.path, model="nuclei", min_score=0.4)


def test_a_finished_run_comes_before_one_that_is_not(slide):
    done = of_the_app(slide)
    for name in ("a", "z"):
        shutil.copytree(done.path, done.path.with_name(name))
        interrupted(open_run(done.path.with_name(name)))
    assert of_the_app(slide).path == done.path
    shutil.rmtree(done.path)
    assert of_the_app(slide).path.name in ("a", "z")


def test_damaged_records_are_passed_over(slide):
    done = of_the_app(slide)
    for number, text in enumerate(["", "[]", '{"format": 1, "slide": 3}', "{}"]):
        folder = done.path.with_name(f"damaged-{number}")
        folder.mkdir()
        (folder / "run.json").write_text(text)
    assert of_the_app(slide).path == done.path


def test_where_a_run_is_saved_is_known_without_its_network(slide, monkeypatch):
    done = of_the_app(slide)

    def loaded(*_, **__):
        message = "the network was loaded"
        raise AssertionError(message)

    monkeypatch.setattr("workbench.models.registry.load_network", loaded)
    monkeypatch.setattr("workbench.models.registry._build_without_weights", loaded)
    assert RunLibrary("runs").place(slide, Recipe.of(model=MODEL)) == done.path


def test_no_method_is_none_and_references_are_a_tuple():
    plain = Recipe.of(normalize="none", references="he-rose; he-pale;he-rose")
    assert plain.normalize is None
    assert plain.references == ("he-rose", "he-pale")
    assert Recipe.of(references=["he-rose", "he-pale"]).references == plain.references
    assert Recipe.of_json(plain.model_dump_json()) == plain


def test_a_record_holds_the_words_that_earlier_versions_read(slide):
    options = {"normalize": "macenko", "references": ("he-rose",)}
    for asked, words in ({}, ["none", ""]), (options, ["macenko", "he-rose"]):
        run = wb.run(slide, model=MODEL, **asked)
        recipe = run.record["recipe"]
        assert [recipe["normalize"], recipe["references"]] == words
        assert open_run(run.path).recipe == run.recipe
        assert of_the_app(slide, **asked).path.samefile(run.path)
