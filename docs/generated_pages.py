"""Parts of the documentation that are generated from the code.

As a Sphinx extension it adds one directive for each table and, before sources are
read, writes a page for each public name to `docs/api` (not committed).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import textwrap
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click
from sphinx.util.docutils import SphinxDirective

import workbench
from workbench.cli import main
from workbench.export.formats import FORMATS
from workbench.models.card import ModelCard
from workbench.recipe import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from docutils import nodes
    from pydantic.fields import FieldInfo
    from sphinx.application import Sphinx

    from workbench.recipe import Option

PACKAGE = Path(workbench.__file__).parent
API = Path(__file__).parent / "api"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in r] for r in lines)
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def attribute_docs(body: Sequence[ast.stmt]) -> dict[str, str]:
    """Return the docstrings that follow assignments, by the name assigned to."""
    docs = {}
    for statement, following in itertools.pairwise(body):
        target = getattr(statement, "target", None) or (
            statement.targets[0] if isinstance(statement, ast.Assign) else None
        )
        text = getattr(getattr(following, "value", None), "value", None)
        if isinstance(target, ast.Name) and isinstance(text, str):
            docs[target.id] = inspect.cleandoc(text)
    return docs


def class_docs(kind: type) -> dict[str, str]:
    """Return the docstrings of the attributes of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return attribute_docs(tree.body[0].body)


def kind_of(annotation: Any) -> str:
    """Describe a type in the words of JSON."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_of(inner[0])
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(map(kind_of, inner))
    if origin is tuple:
        few = inner[-1] is not Ellipsis
        count = f"{len(inner)}" if few else "any number"
        return f"list of {count} ({kind_of(inner[0])})"
    names = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "`true`, `false`",
        types.NoneType: "`null`",
    }
    return names.get(annotation, "object")


def default_of(field: FieldInfo) -> str:
    """Return the default of a field as JSON; a required field has none."""
    if field.is_required():
        return "required"
    return f"`{json.dumps(field.get_default(call_default_factory=True))}`"


def bounds_of(bounds: tuple[float | None, float | None]) -> str:
    """Write the lowest and the highest value."""
    low, high = bounds
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"from {low:g}" if high is None else f"up to {high:g}"
    return f"{low:g} to {high:g}"


KINDS: Mapping[str, str] = {
    "text": "text",
    "switch": "`true`, `false`",
    "whole": "whole number",
    "number": "number",
    "box": "box or polygons",
}
"""The kinds of options in words; a choice has its choices."""


def values_of(option: Option) -> str:
    """Describe the values that an option of a recipe takes."""
    parts = [f"`{choice}`" for choice in option.choices]
    if kind := KINDS.get(option.kind):
        parts.append(f"{kind} {bounds_of(option.bounds)}".strip())
    return ", ".join(parts)


def recipe_fields() -> str:
    """Return the table of the fields of a recipe."""
    rows = [
        (
            f"`{option.name}`",
            f"`--{option.name.replace('_', '-')}`",
            values_of(option),
            f"`{json.dumps(option.default)}`",
            option.help,
        )
        for option in options()
    ]
    return table(("field", "flag", "values", "default", "meaning"), rows)


def card_fields() -> str:
    """Return the table of the fields of a model card."""
    docs = class_docs(ModelCard)
    rows = [
        (f"`{name}`", kind_of(f.annotation), default_of(f), docs.get(name, ""))
        for name, f in ModelCard.model_fields.items()
    ]
    return table(("field", "values", "default", "meaning"), rows)


def commands(
    group: click.Group = main, path: tuple[str, ...] = ("workbench",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command of the command line with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        group_only = isinstance(command, click.Group)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
            group_only = not command.invoke_without_command
        if command and not group_only:
            yield (*path, name), command


def environment_variables() -> dict[str, str]:
    """Return what each environment variable means that the package reads."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        docs = attribute_docs(body)
        for statement in body:
            target = getattr(statement, "target", None)
            name = getattr(target, "id", "")
            if name.endswith("_VARIABLE"):
                found[ast.literal_eval(statement.value)] = docs.get(name, "")
    for words, command in commands():
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.envvar, str):
                same = f"As `{option.opts[0]}` of `{' '.join(words)}`: {option.help}"
                found[option.envvar] = found.get(option.envvar) or same
    return dict(sorted(found.items()))


def environment_table() -> str:
    """Return the table of the environment variables."""
    rows = [(f"`{n}`", text) for n, text in environment_variables().items()]
    return table(("variable", "meaning"), rows)


def namespaces() -> dict[str, list[str]]:
    """Return the public names of the package and of each of its public namespaces.

    A namespace without a list of names, such as `workbench.errors`, has the public
    classes and functions that it defines.
    """
    found = {"workbench": list(workbench.__all__)}
    for name in workbench.__all__:
        module = getattr(workbench, name)
        if inspect.ismodule(module):
            found[module.__name__] = list(getattr(module, "__all__", _own(module)))
    return found


def _own(module: types.ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    ]


def summary_of(value: object, name: str = "", space: str = "") -> str:
    """Return the first paragraph of the docstring of a public name, as one line."""
    if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        doc = inspect.getdoc(value) or ""
    else:
        folder = PACKAGE.joinpath(*space.split(".")[1:])
        bodies = (ast.parse(file.read_text()).body for file in folder.rglob("*.py"))
        doc = next(filter(None, (attribute_docs(b).get(name) for b in bodies)), "")
    return " ".join(doc.split("\n\n", 1)[0].split())


def modules_of(folder: Path) -> str:
    """Return the table of the modules of a folder and of those below it."""
    rows = []
    for file in sorted(folder.rglob("*.py")):
        module = file.relative_to(PACKAGE.parent).with_suffix("")
        doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        first = " ".join(doc.split("\n\n", 1)[0].split())
        if file.name != "__init__.py":
            rows.append((f"`{'.'.join(module.parts)}`", first))
    return table(("module", "what it holds"), rows)


def all_modules() -> str:
    """Return the tables of the modules of each folder."""
    folders = sorted({file.parent for file in PACKAGE.glob("*/__init__.py")})
    parts = (f"**`{folder.name}/`**\n\n{modules_of(folder)}" for folder in folders)
    return "\n\n".join(parts)


def _page(name: str, full: str, value: object) -> str:
    """Return the page of one public name."""
    if inspect.isclass(value) and hasattr(value, "model_fields"):
        body = f".. autoclass:: {full}(**fields)\n   :members:"
    elif inspect.isclass(value):
        body = f".. autoclass:: {full}\n   :members:\n   :undoc-members:"
    elif inspect.isroutine(value):
        body = f".. autofunction:: {full}"
    elif inspect.ismodule(value):
        body = f".. automodule:: {full}"
    else:
        body = f".. autodata:: {full}"
    return f"# `{name}`\n\n```{{eval-rst}}\n{body}\n```\n"


def write_api(folder: Path = API) -> None:
    """Write a page for each public object, and one for each namespace with its names.

    An object with several names has one page, under the first.

    Parameters
    ----------
    folder : Path
        Other files in it are removed.
    """
    pages: dict[int, str] = {}
    texts: dict[str, str] = {}
    for space, names in namespaces().items():
        module = importlib.import_module(space)
        rows, own = [], []
        for name in names:
            value = getattr(module, name)
            if inspect.ismodule(value):
                link = f"[`{name}`]({value.__name__}.md)"
            else:
                if id(value) not in pages:
                    full = f"{space}.{name}"
                    page = pages[id(value)] = full.replace("workbench.", "name-", 1)
                    text = _page(name, full, value)
                    texts[f"{page}.md"] = text
                    own.append(page)
                link = f"[`{name}`]({pages[id(value)]}.md)"
            rows.append((link, summary_of(value, name, space)))
        toc = "\n".join(["```{toctree}", ":hidden:", "", *own, "```"])
        head = f"# `{space}`\n\n{inspect.getdoc(module) or ''}\n\n"
        texts[f"{space}.md"] = f"{head}{table(('name', 'what it is'), rows)}\n\n{toc}\n"
    _replace(folder, texts)


def _replace(folder: Path, texts: Mapping[str, str]) -> None:
    """Let a folder hold these files alone; those that are equal stay untouched."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def export_formats() -> str:
    """Return a row for each format that runs are exported to."""
    rows = []
    for each in FORMATS:
        suffixes = ", ".join(f"`{suffix}`" for suffix in each.suffixes) or "folder"
        holds = "; ".join(f"*{kind}*: {what}" for kind, what in each.holds.items())
        read_by = f"`{each.read_by}`" if each.read_by else ""
        rows.append(
            (f"`{each.name}`", suffixes, holds, each.receiver, each.tested, read_by)
        )
    head = ("`--to`", "files", "what it holds", "for", "tested with", "read back by")
    return table(head, rows)


def feature_formats() -> str:
    """Return a row for each layout of feature files that is read."""
    rows = []
    for path in sorted((PACKAGE / "features" / "formats").glob("*.py")):
        module = importlib.import_module(f"workbench.features.formats.{path.stem}")
        if name := getattr(module, "FORMAT", None):
            first = (module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
            rows.append((name, first.partition(": ")[2] or first))
    return table(("format", "what is read"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "card-fields": card_fields,
    "export-formats": export_formats,
    "feature-formats": feature_formats,
    "environment-variables": environment_table,
    "modules": all_modules,
    "recipe-fields": recipe_fields,
}
"""The directives, each with what writes its Markdown."""


def _directive(markdown: Callable[[], str]) -> type[SphinxDirective]:
    class Generated(SphinxDirective):
        """A table that is generated from the code."""

        def run(self) -> list[nodes.Node]:
            """Return the parsed table."""
            return self.parse_text_to_nodes(markdown())

    return Generated


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives, and write the pages of public names first."""
    for name, markdown in TABLES.items():
        app.add_directive(name, _directive(markdown))
    app.connect("builder-inited", lambda _: write_api())
    return {"parallel_read_safe": True}
