"""compose.yaml as compose reads it: variables replaced, anchors resolved."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "compose.yaml"


def compose(**given):
    """Return compose.yaml with its variables replaced.

    Raises
    ------
    KeyError
        If a variable that is needed (`:?`) is not given.
    """
    given = {"WORKBENCH_BASIC_AUTH": "secret", **given}

    def value(match):
        name, kind, other = match.groups()
        if name not in given and kind == ":?":
            raise KeyError(name)
        return given.get(name, other or "")

    text = re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, FILE.read_text())
    return yaml.safe_load(text)
