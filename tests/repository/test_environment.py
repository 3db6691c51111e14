"""The ways of installing agree with each other and with the Makefile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def constraints(repository):
    lines = (repository / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and line[0] != "#"]


def own_requirements(project):
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    every = [Requirement(text) for group in groups for text in group]
    return [need for need in every if need.name != project["name"]]


def test_every_requirement_has_a_known_good_version(project, constraints):
    for need in own_requirements(project):
        name = canonicalize_name(need.name)
        pins = [c for c in constraints if canonicalize_name(c.name) == name]
        assert pins, f"{need.name} is not in constraints.txt"
        for pin in pins:
            (version,) = pin.specifier
            assert version.operator == "=="
            assert version.version in need.specifier, f"{pin} against {need}"


def test_constraints_name_exact_versions_and_no_addresses(constraints):
    for pin in constraints:
        assert pin.url is None
        assert [s.operator for s in pin.specifier] == ["=="]


def test_this_environment_is_the_known_good_one(constraints):
    # Looked up where pip installs: setuptools puts its vendored copies of other
    # packages on sys.path once something imports it.
    installed = {
        canonicalize_name(found.name): found.version
        for found in distributions(path=[sysconfig.get_path("purelib")])
    }
    wrong = []
    for pin in constraints:
        if pin.marker and not pin.marker.evaluate():
            continue
        have = installed.get(canonicalize_name(pin.name))
        (wanted,) = pin.specifier
        if have and have.split("+")[0] != wanted.version.split("+")[0]:
            wrong.append(f"{pin} but {have}")
    # A developer may try newer versions; what the Makefile installs is exact.
    if wrong and sys.prefix.endswith(".venv"):
        pytest.fail("; ".join(wrong))


def test_conda_environment_names_nothing_of_its_own(repository, project):
    environment = yaml.safe_load((repository / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == [f"python{project['requires-python']}", "pip"]
    assert pip["pip"] == ["--constraint constraints.txt", "--editable .[all]"]
    assert environment["name"] == project["name"]


def test_container_installs_what_the_project_says(repository, project):
    text = (repository / "Dockerfile").read_text()
    installs = re.findall(r"pip install [^\n]+", text)
    assert len(installs) == 1
    assert "--constraint constraints.txt '.[all]'" in installs[0]
    assert "all" in project["optional-dependencies"]
    base = re.search(r"ARG BASE=python:(\d+\.\d+)", text).group(1)
    assert f">={base}" == project["requires-python"]
    copied = re.search(r"COPY [^\n]*? (pyproject[^\n]+) \./", text).group(1).split()
    for name in [*copied, "workbench"]:
        assert (repository / name).exists(), name


def test_container_starts_a_command_that_exists(repository):
    text = (repository / "Dockerfile").read_text()
    command = re.findall(
        r'"([^"]+)"', re.search(r"^CMD (.+)$", text, re.MULTILINE).group(1)
    )
    said = subprocess.run(
        [sys.executable, "-m", "workbench.cli", command[1], "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for flag in (word for word in command if word.startswith("--")):
        assert flag in said


def test_continuous_integration_runs_the_readmes_test_command(repository):
    run = (repository / ".ci" / "run").read_text()
    assert run.strip().splitlines()[-1] == "make test"
    assert "make test" in (repository / "README.md").read_text()
    assert "make demo" in (repository / "README.md").read_text()


def test_every_make_target_of_the_readme_exists(repository):
    makefile = (repository / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", (repository / "README.md").read_text()))
    assert named <= targets
    assert {"demo", "test", "check", "bench", "lab", "serve"} <= targets


def test_quick_tests_leave_out_only_marks_that_tests_have(repository):
    makefile = (repository / "Makefile").read_text()
    left_out = re.search(r"^QUICK := not \((.+)\)$", makefile, re.MULTILINE).group(1)
    settings = tomllib.loads((repository / "pyproject.toml").read_text())
    markers = [line.split(":")[0] for line in settings["tool"]["pytest"]["markers"]]
    assert set(left_out.split(" or ")) <= set(markers)
    used = "".join(path.read_text() for path in (repository / "tests").rglob("*.py"))
    for mark in left_out.split(" or "):
        assert f"pytest.mark.{mark}" in used, mark


def test_locked_javascript_tools_name_no_registry(repository):
    lock = json.loads((repository / "package-lock.json").read_text())
    locked = {name: each for name, each in lock["packages"].items() if name}
    assert len(locked) > 50
    for name, each in locked.items():
        assert "resolved" not in each, name
        assert each["integrity"].startswith("sha512-"), name
