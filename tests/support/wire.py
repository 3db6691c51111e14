"""What Python sends to the browser's modules, as files that both sides test.

`python tests/support/wire.py` writes them to `tests/js/wire`. Python's tests compare
them with what the package makes now, those of Node.js read them with the browser's
modules: a format that changes on one side alone fails on the other.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import shapely
from panel.custom import JSComponent

from workbench.annotations.annotation import Annotation
from workbench.app.panels.drawing.wire import mark_of
from workbench.app.viewer.layer_handle import InstancesSpec, LayerSpec
from workbench.app.viewer.stage import TileStage
from workbench.layers import instances
from workbench.layers.instances import InstanceColourTable, InstanceNumberLayer
from workbench.layers.layer import Legend, Pyramid
from workbench.slide.readers.base import EncodedTile
from workbench.tileserver.batch_handler import frame

FOLDER = Path(__file__).parents[1] / "js" / "wire"

_FRAMES = [
    (2, 200, "image/png", b"third tile"),
    (0, 404, "", b""),
    (1, 200, "image/jpeg", bytes(range(256))),
    (15, 429, "", b""),
    (65535, 200, "application/octet-stream", b"\x00"),
]


class _Numbers(InstanceNumberLayer):
    """Object numbers of cells that are given."""

    def __init__(self, ids, cells):
        self.pyramid = Pyramid((cells.shape[0],) * 2, cells.shape[0])
        self._given = np.asarray(ids), cells

    def cells(self, *_):
        return self._given


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tile_group() -> dict:
    """Return the answer with several tiles, and what is in it."""
    frames = [
        frame(number, status, EncodedTile(data, kind) if kind else None)
        for number, status, kind, data in _FRAMES
    ]
    return {
        "frames": [
            {"number": number, "status": status, "type": kind, "data": _text(data)}
            for number, status, kind, data in _FRAMES
        ],
        "body": _text(b"".join(frames)),
    }


def _number_tile(ids: range, side: int) -> dict:
    cells = np.arange(side * side, dtype=np.uint32).reshape(side, side)
    cells %= 2 * len(ids) + 2
    tile = _Numbers(ids, cells).tile(0, 0, 0)
    # Inflated: how well zlib compresses differs between its versions.
    return {
        "ids": list(ids),
        "cells": cells.ravel().tolist(),
        "inflated": _text(zlib.decompress(tile.data)),
    }


def instance_tiles() -> dict:
    """Return instance number tiles of narrow and wide cells, and a colour table."""
    with patch.object(instances, "_WIDE", 3):  # as if there were tens of thousands
        wide = _number_tile(range(3, 9), 4)
    table = InstanceColourTable(np.array([0, 1, 2, 1, 0], np.uint8)).tile(0, 0, 0)
    return {
        "narrow": _number_tile(range(7, 12), 4),
        "wide": wide,
        "empty": _number_tile(range(0), 2),
        "colours": [0, 1, 2, 1, 0],
        "colours_inflated": _text(zlib.decompress(table.data)),
    }


def _layers() -> list[dict]:
    shown = LayerSpec(
        "1", "tiles/key", "v1", 256, 4, 4, 0.5, visible=True, smooth=False
    )
    colours = "tiles/colours/0/0/0"
    spec = InstancesSpec("tiles/instances", "v2", 3, colours, (1, 2, 3, 255))
    classes = Legend("cells", entries=(("tumour", "#ff0000"), ("stroma", "#00ff00")))
    ramp = ((0.0, "#000000"), (1200.0, "#ffffff"))
    values = Legend("density", "/mm²", ramp=ramp)
    near = replace(shown, instances=spec, overlay=True, legend=classes)
    return [
        asdict(replace(shown, legend=values, drawn_to_zoom=2, readable=True)),
        asdict(near),
    ]


def _marks() -> list[dict]:
    kinds = [
        shapely.Point(1, 2),
        shapely.LineString([(0, 0), (3, 4)]),
        shapely.box(0, 0, 9, 9).difference(shapely.box(2, 2, 5, 5)),
        shapely.MultiPoint([(1, 2), (3, 4)]),
    ]
    return [
        mark_of(Annotation(geometry=each, name="one", id=str(number)))
        for number, each in enumerate(kinds)
    ]


def stage() -> dict:
    """Return the properties of the viewer in the browser, and what they hold."""
    inherited = set(JSComponent.param)
    own = {
        name: each.default
        for name, each in TileStage.param.objects("existing").items()
        if name not in inherited
    }
    initial = {**own, "size": [3000, 2000]}
    return {"initial": initial, "layers": _layers(), "marks": _marks()}


_IMPORTED = "LayerSpec, MarkSpec, StageProperties"
_TYPES = {"initial": "StageProperties", "layers": "LayerSpec[]", "marks": "MarkSpec[]"}

FILES = {
    "tile_group.json": tile_group,
    "instance_tiles.json": instance_tiles,
    "stage.js": stage,
}


def written(name: str) -> str:
    """Return the text of a file, as the package makes it now."""
    told = FILES[name]()
    if name.endswith(".json"):
        return json.dumps(told, separators=(",", ":")) + "\n"
    head = [
        "// Written by tests/support/wire.py; `tsc` compares it with `messages.d.ts`.",
        "",
        f'/** @import {{{_IMPORTED}}} from "#browser/messages.js" */',
    ]
    for key, value in told.items():
        text = json.dumps(value, indent=2)
        head += ["", f"/** @type {{{_TYPES[key]}}} */", f"export const {key} = {text};"]
    return "\n".join(head) + "\n"


if __name__ == "__main__":
    for each in FILES:
        (FOLDER / each).write_text(written(each))
