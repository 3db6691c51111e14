"""What Python sends is what the browser's modules are tested with."""

from __future__ import annotations

import base64
import json

import pytest

import wire
from tile_frames import Frame, frames_in


@pytest.mark.parametrize("name", wire.FILES)
def test_what_is_sent_is_what_the_browser_is_tested_with(name):
    kept = (wire.FOLDER / name).read_text()
    assert kept == wire.written(name), "python tests/support/wire.py, then npm test"


def test_frames_of_a_group_are_read_as_they_were_written():
    told = json.loads((wire.FOLDER / "tile_group.json").read_text())
    assert frames_in(base64.b64decode(told["body"])) == [
        Frame(
            each["number"], each["status"], each["type"], base64.b64decode(each["data"])
        )
        for each in told["frames"]
    ]
