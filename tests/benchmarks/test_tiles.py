"""The benchmark of tile servers runs: small, and without looking at the figures."""

from __future__ import annotations

import sys

import pytest

import load
import read
import tiles

pytestmark = pytest.mark.slow  # servers are started


def test_tiles_are_asked_of_real_servers(monkeypatch, tmp_path):
    monkeypatch.setattr(read, "SIDE", 4096)
    slide = tmp_path / "slide.svs"
    read.write_slide(slide)
    with (
        tiles.served("bare", sys.executable, slide) as bare,
        tiles.served("ours", sys.executable, slide) as ours,
    ):
        asked = [(each, each.urls("native", [(3, 5)])[0]) for each in (bare, ours)]
        stored = {load.fetch(server.port, url) for server, url in asked}
        assert len(stored) == 1  # the very bytes
        rows = tiles.compare([bare, ours], side=8, rounds=1)
        names = [row.split(" | ")[2] for row in rows]
        assert names[:2] == ["bare", "ours"]
        assert names[-1] == "ours, normalized"
        panned = tiles.pan(ours, 8, seconds=0.5, viewers=2)
        assert len(panned.latencies) >= 2 * tiles.TILES_A_STEP
        with pytest.raises(load.LoadError, match="404"):
            load.load(ours.port, ["/tiles/nothing/0/0/0"], 1)


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with (
        pytest.raises(load.LoadError, match="large_image did not start"),
        tiles.served("large_image", sys.executable, tmp_path / "slide.svs"),
    ):
        pass


def test_it_is_told_of(repository):
    assert "tiles.py" in (repository / "benchmarks" / "README.md").read_text()
