"""The folders of slides and runs that the environment names: one reading for all."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from workbench.app.catalog import environment
from workbench.app.catalog.site import Site
from workbench.app.jupyter import launcher
from workbench.cli import main


@pytest.mark.parametrize(
    ("named", "slides"),
    [
        (None, ["home"]),
        ("", ["home"]),
        (os.pathsep, ["home"]),
        ("a", ["a"]),
        (os.pathsep.join(["a", "", "b"]), ["a", "b"]),
    ],
)
def test_app_command_and_launcher_read_the_same(tmp_path, monkeypatch, named, slides):
    monkeypatch.chdir(tmp_path)
    for each in ("a", "b", "home"):
        (tmp_path / each).mkdir()
    monkeypatch.delenv(environment.SLIDES_VARIABLE, raising=False)
    monkeypatch.delenv(environment.RUNS_VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(environment.SLIDES_VARIABLE, named)
        monkeypatch.setenv(environment.RUNS_VARIABLE, named and "there")
    assert environment.slides_from_environment("home") == slides
    monkeypatch.setattr(launcher, "_jupyter_folder", lambda: "home")
    started = launcher.server()["environment"]
    assert started[environment.SLIDES_VARIABLE].split(os.pathsep) == slides
    runs = "there" if named else "home/runs"
    assert started[environment.RUNS_VARIABLE] == runs
    served = []
    monkeypatch.setattr(
        Site, "of", classmethod(lambda _, *args, **__: served.append(args))
    )
    monkeypatch.setattr("workbench.app.server.serve.serve", lambda *_, **__: None)
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 0, done.output
    wanted = ["."] if slides == ["home"] else slides
    assert [(list(folders), str(where)) for folders, where in served] == [
        (wanted, "there" if named else "runs")
    ]
