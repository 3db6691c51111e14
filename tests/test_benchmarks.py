"""The benchmarks run: small, and without looking at the figures."""

from __future__ import annotations

import pytest

import read


def test_reading_is_measured_against_the_decode_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "SIDE", 4096)
    path = tmp_path / "slide.svs"
    read.write_slide(path)
    readers = read.opened(str(path), ["ours", "tiffslide"])
    for work in read.workloads(4):
        boxes = [box for box in work.boxes if max(box.x1, box.y1) <= read.SIDE][:4]
        small = read.Workload(work.name, boxes, work.size, work.goal, once=work.once)
        shares = read.measure(str(path), small, readers, threads=1, rounds=2)
        assert set(shares) == {"ours", "tiffslide"}
        assert all(0 < share < 5 for share in shares.values())


def test_a_missing_peer_is_said_to_be_missing(capsys, monkeypatch):
    def absent(path):
        raise ImportError(name=path)

    monkeypatch.setitem(read.READERS, "cucim", absent)
    assert read.opened("slide.svs", ["cucim"]) == {}
    assert "cucim: not installed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["read.py", "stain.py", "classifier.py"])
def test_every_benchmark_is_told_of(repository, name):
    assert name in (repository / "benchmarks" / "README.md").read_text()
