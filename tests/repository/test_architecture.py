"""The structure of the code is a contract too."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys

import pytest

import bundles
import workbench

MODULE_LINES = 400
FUNCTION_LINES = 60
FOLDER_MODULES = 25
LOOSE_MODULES = 7


def modules(repository):
    return sorted((repository / "workbench").rglob("*.py"))


def test_public_names_are_sorted_documented_and_there():
    assert list(workbench.__all__) == sorted(workbench.__all__)
    for name in workbench.__all__:
        value = getattr(workbench, name)
        assert value.__doc__, f"{name} has no docstring"
        if callable(value):
            assert value.__module__.startswith("workbench."), name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = workbench.nothing_here


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import workbench", ["torch", "panel", "bokeh", "pandas", "numpy"]),
        ("from workbench import open_slide", ["torch", "panel", "bokeh"]),
        ("from workbench import open_run", ["torch", "panel", "bokeh"]),
        ("import workbench.cli", ["torch", "panel", "bokeh"]),
        ("from workbench import run", ["panel", "bokeh", "torchvision"]),
        ("import workbench.app.server.serve", ["torch", "holoviews", "pandas"]),
    ],
)
@pytest.mark.slow
def test_imports_bring_no_more_than_they_need(statement, absent):
    code = f"{statement}\nimport sys\nprint([n for n in {absent} if n in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == "[]"


@pytest.mark.slow
def test_modules_and_functions_stay_short(repository):
    long = []
    for path in modules(repository):
        text = path.read_text()
        if len(text.splitlines()) > MODULE_LINES:
            long.append(f"{path.name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                if lines > FUNCTION_LINES:
                    long.append(f"{path.name}: {node.name} {lines} lines")
    assert not long, "\n".join(long)


def folders(repository):
    """Return the packages below `workbench`, as paths from it."""
    root = repository / "workbench"
    found = (path.parent.relative_to(root) for path in root.rglob("__init__.py"))
    return sorted(str(path) for path in found if str(path) != ".")


def test_every_folder_has_its_place_in_the_architecture(repository):
    text = (repository / "ARCHITECTURE.md").read_text()
    assert [name for name in folders(repository) if f"`{name}/`" not in text] == []


def test_folders_are_small_and_few_files_are_loose(repository):
    root = repository / "workbench"
    crowded = [
        name
        for name in folders(repository)
        if len(list((root / name).glob("*.py"))) > FOLDER_MODULES
    ]
    assert crowded == []
    assert len(list(root.glob("*.py"))) <= LOOSE_MODULES


def test_nothing_of_a_machine_is_in_the_repository(repository):
    listed = subprocess.run(
        ["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in listed:
        path = repository / name
        if path.suffix in {".png", ".safetensors"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        assert str(repository) + "/" not in text, name


NAMES = (
    "a b i p br hr em td th tr ul ol li dl dt dd h1 h2 h3 div img pre svg sub sup link"
    " meta body head html code base form rect line path text span style table title"
    " input label embed small video audio strong object button script iframe figure"
    " details summary canvas option select template figcaption blockquote"
)
TAG = re.compile(rf"</?(?:{NAMES.replace(' ', '|')})(?=[\s/>])", re.IGNORECASE)
NO_TAGS = {"<path"}
"""What is left out of a line of the log, which nobody shows as HTML."""

NO_TEXT = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "dangerouslySetInnerHTML",
    "createContextualFragment",
    "setHTMLUnsafe",
    "new Function",
    " eval(",
    "javascript:",
)


def strings(tree):
    """Return the strings of a module that are no docstrings, with their lines."""
    said = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for child in body if isinstance(body, list) else []:
            if isinstance(child, ast.Expr):
                said.add(id(child.value))
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in said
    ]


@pytest.mark.slow
def test_html_is_made_by_templates_alone(repository):
    """No other string in Python holds a tag, so nothing can be put into one."""
    found = [
        f"{path.name}:{line}: {tag}"
        for path in modules(repository)
        if path.name != "security_headers.py"  # of a finished page
        for line, text in strings(ast.parse(path.read_text()))
        for tag in TAG.findall(text)
        if tag.lower() not in NO_TAGS
    ]
    assert found == []


def test_templates_escape_everything(repository):
    found = [
        f"{path.name}: {word}"
        for path in sorted(
            (repository / "workbench" / "markup" / "templates").iterdir()
        )
        for word in (
            r"\|\s*safe",
            "autoescape",
            "Markup",
            r"\son\w+\s*=",
            "javascript:",
        )
        if re.search(word, path.read_text())
    ]
    assert found == []


def test_javascript_in_python_writes_text_and_no_markup(repository):
    """Modules of the browser are linted for this; `npm run check`."""
    found = [
        f"{path.name}: {word}"
        for path in modules(repository)
        for word in NO_TEXT
        if word in path.read_text()
    ]
    assert found == []


def test_bundles_are_made_of_the_modules_as_they_are(repository):
    assert bundles.stale(repository) == []


def test_a_bundle_is_stale_once_a_module_has_changed(repository, tmp_path):
    app = tmp_path / "workbench" / "app"
    shutil.copytree(repository / "workbench" / "app", app)
    (module,) = app.rglob("numbers.js")
    module.write_text(module.read_text() + "// more\n")
    assert bundles.stale(tmp_path) == ["shell.js", "stage.js"]
