"""Public names: listed once, imported when used, renamed with a warning."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import workbench
from workbench.instances import metrics
from workbench.system import public_names
from workbench.system.public_names import (
    MEMBERS,
    MOVED,
    PARAMETERS,
    RENAMED,
    former_parameters,
)

ROOT = Path(workbench.__file__).parent
NAMESPACES = sorted(path.parent for path in ROOT.rglob("__init__.pyi"))


def package_of(folder):
    return ".".join(("workbench", *folder.relative_to(ROOT).parts))


@pytest.mark.parametrize("folder", NAMESPACES, ids=package_of)
def test_a_namespace_lists_its_public_names_alone(folder):
    package = importlib.import_module(package_of(folder))
    for _, module, _ in pkgutil.iter_modules([str(folder)]):  # which become attributes
        importlib.import_module(f"{package.__name__}.{module}")
    assert dir(package) == sorted(package.__all__)
    stub = ast.parse((folder / "__init__.pyi").read_text())
    imported = {
        name.asname or name.name
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert set(package.__all__) == imported


@pytest.mark.parametrize("folder", NAMESPACES, ids=package_of)
def test_every_public_name_is_there_and_documented(folder):
    package = importlib.import_module(package_of(folder))
    for name in package.__all__:
        value = getattr(package, name)
        assert not name.startswith("_")
        if callable(value) or isinstance(value, types.ModuleType):
            assert value.__doc__, f"{package.__name__}.{name} has no docstring"


def test_namespaces_are_the_folders_of_the_package():
    listed = {
        name
        for name in workbench.__all__
        if isinstance(getattr(workbench, name), types.ModuleType)
    }
    folders = {folder.name for folder in NAMESPACES if folder != ROOT}
    assert listed == folders | {"errors"}


def test_namespaces_are_reached_without_an_import_of_their_own():
    code = (
        "import sys, workbench as wb\n"
        "assert 'workbench.annotations' not in sys.modules\n"
        "print(wb.annotations.__name__, wb.tiling.Grid.__name__)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == ["workbench.annotations", "Grid"]


@pytest.mark.parametrize("former", sorted(RENAMED))
def test_a_former_name_works_and_warns(former):
    package, _, name = former.rpartition(".")
    module = importlib.import_module(package)
    with pytest.warns(DeprecationWarning, match=f"is now {package}") as warned:
        value = getattr(module, name)
    assert value is getattr(module, RENAMED[former])
    assert name not in dir(module)
    assert warned[0].filename == __file__


@pytest.fixture
def no_trace():
    """Take former modules away again: some have the name of a public function."""
    yield
    for name in {former.rpartition(".")[0] for former in MOVED} & set(sys.modules):
        parent, _, child = name.rpartition(".")
        module, package = sys.modules.pop(name), sys.modules.get(parent)
        if package is not None and vars(package).get(child) is module:
            delattr(package, child)


@pytest.mark.usefixtures("no_trace")
@pytest.mark.parametrize("former", sorted(MOVED))
def test_a_name_of_a_former_module_works_and_warns(former):
    module, _, name = former.rpartition(".")
    with pytest.warns(DeprecationWarning, match="is now workbench") as warned:
        value = getattr(importlib.import_module(module), name)
    place, _, present = MOVED[former].rpartition(".")
    assert value is getattr(importlib.import_module(place), present)
    assert warned[0].filename == __file__
    with pytest.raises(ImportError):
        importlib.import_module(f"{module}.none")
    with pytest.raises(AttributeError, match="none"):
        importlib.import_module(module).none  # noqa: B018 - it must raise


@pytest.mark.usefixtures("no_trace")
def test_a_former_module_in_place_of_a_public_function_is_called_as_the_function():
    importlib.import_module("workbench.instances.agreement")
    ids = np.zeros((4, 4), np.int32)
    with pytest.warns(DeprecationWarning, match=r"is now .*metrics\.agreement"):
        value = workbench.instances.agreement(ids, ids)
    assert value == metrics.agreement(ids, ids)


@pytest.mark.parametrize("former", sorted(MEMBERS))
def test_a_former_attribute_returns_the_present_one_and_warns(former, monkeypatch):
    owner, _, name = former.rpartition(".")
    module, _, kind = owner.rpartition(".")
    cls = getattr(importlib.import_module(module), kind)
    value = object()
    monkeypatch.setattr(cls, MEMBERS[former], value)
    with pytest.warns(DeprecationWarning, match=f"is now {MEMBERS[former]}") as warned:
        assert getattr(object.__new__(cls), name) is value
    assert warned[0].filename == __file__


@pytest.mark.parametrize("former", sorted(PARAMETERS))
def test_functions_of_former_parameters_have_the_present_ones(former):
    place, _, name = former.rpartition(".")
    module, _, function = place.rpartition(".")
    present = inspect.signature(getattr(importlib.import_module(module), function))
    assert PARAMETERS[former] in present.parameters
    assert name not in present.parameters


def test_a_former_parameter_is_passed_under_its_present_name(monkeypatch):
    def count(*, max_tiles=3):
        return max_tiles

    monkeypatch.setitem(PARAMETERS, f"{__name__}.count.most", "max_tiles")
    counted = former_parameters(count)
    assert counted() == 3
    assert counted(max_tiles=4) == 4
    with pytest.warns(
        DeprecationWarning, match=r"is now count\(max_tiles=\)"
    ) as warned:
        assert counted(most=5) == 5
    assert warned[0].filename == __file__
    with pytest.raises(TypeError, match="most"):
        counted(most=5, max_tiles=4)


def test_former_names_are_written_in_one_table(repository):
    assert public_names.RENAMED is RENAMED
    for path in (repository / "workbench").rglob("*.py"):
        text = path.read_text()
        assert path.name == "public_names.py" or "DeprecationWarning" not in text
