"""What is public is documented, and what the documentation says is so."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import click
import pytest

import generated_pages
import workbench as wb
from stained_slide import write_stained
from workbench.cli import main
from workbench.models.card import ModelCard
from workbench.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
README_WORDS = 700
ARCHITECTURE_BYTES = 8000
BENCHMARKS_LINES = 150
TASKS = 15
SPACES = sorted(generated_pages.namespaces())
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def tracked(pattern):
    command = ["git", "ls-files", "-co", "--exclude-standard", pattern]
    listed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def blocks(path, language=""):
    """Return the fenced blocks of a page that are of a language."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_pages_that_are_read_first_are_short():
    words = len((ROOT / "README.md").read_text().split())
    assert words <= README_WORDS
    assert (ROOT / "ARCHITECTURE.md").stat().st_size <= ARCHITECTURE_BYTES
    lines = (ROOT / "benchmarks" / "README.md").read_text().splitlines()
    assert len(lines) <= BENCHMARKS_LINES


@pytest.mark.parametrize("space", SPACES)
def test_every_public_name_and_member_has_a_docstring(space):
    module = importlib.import_module(space)
    missing = []
    for name in generated_pages.namespaces()[space]:
        value = getattr(module, name)
        if not generated_pages.summary_of(value, name, space):
            missing.append(name)
        for member, raw in vars(value).items() if inspect.isclass(value) else ():
            bound = inspect.isroutine(raw) or isinstance(
                raw, property | classmethod | staticmethod
            )
            documented = inspect.getdoc(getattr(value, member))
            if bound and not member.startswith("_") and not documented:
                missing.append(f"{name}.{member}")
    assert missing == []


def test_every_public_name_is_on_a_page_of_the_reference(tmp_path):
    generated_pages.write_api(tmp_path)
    for space, names in generated_pages.namespaces().items():
        page = (tmp_path / f"{space}.md").read_text()
        links = dict(re.findall(r"^\| \[`(\w+)`\]\(([^)]+)\)", page, re.MULTILINE))
        assert list(links) == names
        assert all((tmp_path / link).is_file() for link in links.values())


def test_every_verb_and_flag_has_help():
    missing = []
    for words, command in generated_pages.commands():
        if not command.help:
            missing.append(" ".join(words))
        missing += [
            f"{' '.join(words)} {option.opts[0]}"
            for option in command.params
            if isinstance(option, click.Option) and not option.help
        ]
    assert missing == []
    (root,) = re.findall(
        r"\.\. click:: ([\w.]+):(\w+)", (ROOT / "docs/cli.md").read_text()
    )
    assert getattr(importlib.import_module(root[0]), root[1]) is main


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        (generated_pages.recipe_fields, Recipe.model_fields),
        (generated_pages.card_fields, ModelCard.model_fields),
    ],
)
def test_every_field_has_a_row_that_says_what_it_means(page, fields):
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page().splitlines()[2:]]
    assert [row[0].strip(" `") for row in rows] == list(fields)
    assert [row[0] for row in rows if len(row[-1].strip()) < len("a word")] == []


def variables_read():
    """Return the names of environment variables in the package's code."""
    names = set()
    for path in sorted((ROOT / "workbench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = getattr(node, "value", None)
            if isinstance(node, ast.Constant) and isinstance(text, str):
                names |= set(
                    re.findall(r"\b(?:WORKBENCH|JUPYTERHUB|PANEL)_[A-Z_]+", text)
                )
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "os.environ.get",
                "os.getenv",
            ):
                names |= {a.value for a in node.args if isinstance(a, ast.Constant)} - {
                    ""
                }
    return names


@pytest.mark.slow
def test_every_environment_variable_is_documented():
    known = generated_pages.environment_variables()
    assert all(known.values()), known
    page = (ROOT / "docs/environment.md").read_text()
    assert {n for n in variables_read() if n not in known and n not in page} == set()
    assert "{environment-variables}" in page


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    write_stained(folder / "slide.tiff", width=640, height=512)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["tissue-classes", "tissue-features", "nuclei-watershed"]
)
def test_the_page_on_run_folders_names_all_that_is_in_one(here, model):
    page = (ROOT / "docs/run-folder.md").read_text()
    with wb.open_slide(here / "slide.tiff") as slide:
        run = wb.run(slide, model=model, out=here / model)
    found = {path.name for path in run.path.iterdir()} | set(run.record)
    found |= set(run.record["slide"]) | set(run.record["grid"])
    assert {name for name in found if f"`{name}`" not in page} == set()


@pytest.mark.slow
def test_the_readmes_python_runs(here):
    code = "\n".join(blocks(ROOT / "README.md", "python"))
    lines = [line for line in code.splitlines() if line]
    assert len(lines) <= 6
    told = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code],
        check=False,
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert told.returncode == 0, told.stderr


def test_names_of_the_package_in_guides_exist():
    wrong = [
        f"{page.name}: wb.{name}"
        for page in GUIDES
        for name in re.findall(r"\bwb\.(\w+)", page.read_text(encoding="utf-8"))
        if name not in wb.__all__
    ]
    assert wrong == []


def command_lines():
    return [
        (page.name, line.split("#")[0].strip())
        for page in GUIDES
        for block in blocks(page)
        for line in block.splitlines()
        if line.startswith("workbench ")
    ]


def test_command_lines_in_guides_have_verbs_and_flags_that_exist():
    lines = command_lines()
    assert len(lines) > 10
    known = dict(generated_pages.commands())
    wrong = []
    for page, line in lines:
        words = shlex.split(line)
        command = next(
            (known[tuple(words[:n])] for n in (3, 2) if tuple(words[:n]) in known), None
        )
        flags = {
            o
            for p in getattr(command, "params", ())
            for o in (*p.opts, *p.secondary_opts)
        }
        if command is None or {w for w in words if w.startswith("--")} - flags:
            wrong.append(f"{page}: {line}")
    assert wrong == []


def test_links_lead_somewhere():
    wrong = []
    for page in tracked("*.md"):
        text = re.sub(
            r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists():
                wrong.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and anchor not in anchors(file):
                wrong.append(f"{page.relative_to(ROOT)}: {target} has no such heading")
    assert wrong == []


def anchors(page):
    """Return the anchors of headings, as hosts of repositories make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_files_that_pages_name_exist():
    pages = [*GUIDES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]
    pages += [
        *(ROOT / "benchmarks").glob("*.md"),
        *(ROOT / "docs/decisions").glob("*.md"),
    ]
    folders = "workbench|tests|benchmarks|scripts|docs|notebooks"
    wrong = [
        f"{page.name}: {name}"
        for page in pages
        for name in re.findall(rf"`((?:{folders})/[\w/.-]+\.\w+)`", page.read_text())
        if not (ROOT / name).exists()
    ]
    assert wrong == []


STEP = re.compile(r"^\d+\. `([\w./]+)`: `([\w.]+)`", re.MULTILINE)


def defined(module, name):
    """Whether a module of the package, in Python or JavaScript, defines a function."""
    if module.endswith(".js"):
        method = rf"^\s*(?:async )?\*?\s*(?:function )?\*?{name}\("
        return re.search(method, (ROOT / module).read_text(), re.MULTILINE) is not None
    path = (ROOT / module.replace(".", "/")).with_suffix(".py")
    body = ast.parse(path.read_text()).body if path.is_file() else []
    for part in name.split("."):
        found = [n for n in body if getattr(n, "name", "") == part]
        if not found:
            return False
        body = getattr(found[-1], "body", [])
    return True


def test_the_walks_name_functions_that_exist_and_count_them():
    text = (ROOT / "docs/walks.md").read_text()
    walks = re.split(r"^## ", text, flags=re.MULTILINE)[1:5]
    wrong, told = [], []
    for walk in walks:
        steps = STEP.findall(walk)
        wrong += [
            f"{module}: {name}" for module, name in steps if not defined(module, name)
        ]
        said = re.search(r"\*\*(\d+) calls, (\d+) modules\*\*", walk)
        counted = len(steps), len({module for module, _ in steps})
        told.append((tuple(map(int, said.groups())), counted))
        assert [int(n) for n in re.findall(r"^(\d+)\. ", walk, re.MULTILINE)] == list(
            range(1, len(steps) + 1)
        )
    assert wrong == []
    assert all(said == counted for said, counted in told), told


def test_the_first_guess_of_each_task_is_the_name_of_a_file():
    text = (ROOT / "docs/walks.md").read_text().split("## Where things are")[1]
    rows = [line.split("|")[1:4] for line in text.splitlines() if line[:1] == "|"][2:]
    assert len(rows) == TASKS
    for task, guess, files in rows:
        paths = [ROOT / name for name in re.findall(r"`(\S+)`", files)]
        assert paths, task
        assert all(path.is_file() for path in paths), task
        names = "_".join(part for path in paths for part in path.parts[-2:])
        for word in re.split(r"\W+", guess.strip()):
            assert word in names, (task, word)


def test_checks_build_the_site_with_warnings_as_errors():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(
        r"^DOCS := .*sphinx-build .*--fail-on-warning", makefile, re.MULTILINE
    )
    recipes = dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    assert "docs" in recipes["check"].split()
    assert recipes["docs"] == "\t$(DOCS)\n"


def test_pictures_are_shown_somewhere():
    text = "".join(page.read_text(encoding="utf-8") for page in GUIDES)
    pictures = sorted((ROOT / "docs/images").iterdir())
    assert [p.name for p in pictures if f"images/{p.name})" not in text] == []


def test_code_blocks_are_valid():
    for page in GUIDES:
        for code in blocks(page, "python"):
            compile(code, str(page), "exec")
        for code in blocks(page, "json"):
            json.loads(code)


def test_decisions_are_numbered_and_listed():
    folder = ROOT / "docs/decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    numbers = [int(path.name[:3]) for path in records]
    assert all(b == a + 1 for a, b in pairwise(numbers))
    listed = (folder / "README.md").read_text()
    assert [path.name for path in records if f"({path.name})" not in listed] == []
