"""A page that is closed leaves nothing of its app in the server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from stained_slide import write_stained

pytestmark = pytest.mark.slow  # servers are started

PAGES = 2


def test_a_closed_page_leaves_nothing_of_its_app(tmp_path, repository):
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "a.tif", width=1024, height=768)
    arguments = [tmp_path / "slides", tmp_path / "runs", str(PAGES)]
    done = subprocess.run(
        [
            sys.executable,
            repository / "tests" / "support" / "visited_pages.py",
            *arguments,
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    counted = json.loads(done.stdout)
    assert counted["seen"] > 0, counted
    assert (counted["apps"], counted["documents"]) == (0, 0), counted
