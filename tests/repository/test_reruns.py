"""Tests have one try; those that are marked have more, within a limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reruns import MOST, TRIES

pytestmark = pytest.mark.slow  # sessions of pytest are started

HERE = Path(__file__).parents[1] / "support"

UNSTEADY = """
import pathlib, pytest

@pytest.mark.parametrize("number", range({number}))
{mark}
def test_passes_at_its_last_try(number):
    tries = pathlib.Path(f"tries-{{number}}")
    with tries.open("a") as file:
        file.write(".")
    assert len(tries.read_text()) > {fails}
"""


@pytest.fixture
def session(tmp_path):
    """Return what runs unsteady tests in a session, and gives its end and its words."""

    def session(number, mark, *flags, fails=TRIES):
        text = UNSTEADY.format(number=number, mark=mark, fails=fails)
        (tmp_path / "test_unsteady.py").write_text(text)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-p", "reruns", *flags]
        done = subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(HERE), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr

    return session


MARK = "@pytest.mark.tried_again(reason='it is unsteady by design')"


@pytest.mark.parametrize("flags", [["-n0"], ["-n2"]])
def test_as_many_as_may_be_tried_again_pass(session, flags):
    code, said = session(MOST, MARK, *flags)
    assert (code, f"{MOST * TRIES} rerun" in said) == (0, True), said


@pytest.mark.parametrize("flags", [["-n0"], ["-n2"]])
def test_one_more_than_may_be_tried_again_fails_the_session(session, flags):
    code, said = session(MOST + 1, MARK, *flags)
    assert f"{MOST + 1} passed" in said
    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert "too many tests needed another try" in said


def test_a_test_without_the_mark_has_one_try(session):
    code, said = session(1, "", "-n0", fails=1)
    assert (code, "1 failed" in said, "1 rerun" in said) == (1, True, False), said


def test_the_mark_needs_a_reason(session):
    code, said = session(1, "@pytest.mark.tried_again", "-n0")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "'tried_again' needs a reason" in said
