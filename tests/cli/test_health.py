"""`workbench health` says what a machine can do, and fails where it cannot."""

from __future__ import annotations

import json

from click.testing import CliRunner

from workbench.cli import health, main


def call(*words):
    return CliRunner().invoke(main, ["health", *words])


def test_a_healthy_machine_computes_and_decodes():
    said = call("--json")
    assert said.exit_code == 0, said.output
    facts = json.loads(said.stdout)
    assert facts["healthy"]
    assert facts["devices"][0]["right"]
    assert facts["devices"][0]["gflops"] > 0
    assert facts["jpeg_tiles_per_s"] > 0
    assert not facts["codecs"]["simplejpeg"].startswith("missing")


def test_what_is_missing_is_a_problem(monkeypatch):
    cpu = [{"name": "cpu", "gflops": 1.0, "right": False}]
    monkeypatch.setattr(health, "_devices", lambda: cpu)
    monkeypatch.setattr(health, "_CODECS", ("no_such_codec", "simplejpeg"))
    said = call("--gpu")
    assert said.exit_code == 1
    assert "Problem: cpu computes a wrong matrix product." in said.output
    assert "Problem: no_such_codec is missing" in said.output
    assert "Problem: There is no GPU" in said.output
