"""Labels of saved runs: the fingerprint of a generated folder, none of another."""

from __future__ import annotations

import numpy as np
import pytest

from fakes import fake_card
from stained_slide import write_stained
from workbench.app.catalog.runs import RunLibrary
from workbench.results.run_writer import RunWriter
from workbench.slide.slide import open_slide


@pytest.fixture
def slide(tmp_path):
    with open_slide(write_stained(tmp_path / "s.tif", width=512, height=512)) as opened:
        yield opened


def write_run(path, slide):
    facts = {
        "slide": {
            "id": slide.id,
            "name": slide.name,
            "size": list(slide.size),
            "mpp": 0.5,
            "bounds": [0, 0, *slide.size],
        },
        "recipe": {"model": "m"},
        "model": fake_card().model_dump(mode="json"),
        "grid": {
            "slide_size": list(slide.size),
            "downsample": 1.0,
            "tile_px": 256,
            "margin_px": 0,
        },
    }
    with RunWriter(path) as recorder:
        recorder.create(facts, np.arange(1), {})
        recorder.close("cancelled", {})


def test_labels_have_what_tells_runs_apart_and_no_more(tmp_path, slide):
    runs = tmp_path / "runs"
    library = RunLibrary(runs)
    for name in ("s-fake-0123456789", "nuclei"):
        write_run(runs / name, slide)
    own, generated = sorted((run.line for run in library.saved(slide)), key=len)
    assert generated == f"{own} (0123456789)"
    assert "(" not in own
    write_run(runs / "again", slide)
    lines = [run.line for run in library.saved(slide)]
    assert sorted(lines) == sorted([generated, f"{own} (nuclei)", f"{own} (again)"])
