"""A disk that is really full, a file that really goes: what is done is kept."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from fakes import FakeSlide, MeanColour, fake_card, write_jpeg_slide
from workbench.errors import RunError, RunFolderError, SlideReadError
from workbench.inference import engine
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.results.run import open_run
from workbench.slide.slide import open_slide
from workbench.tiling import damaged_tiles

WHOLE = Recipe(tissue_only=False, batch_size=16, device="cpu")
DIMENSIONS = 512
JOURNAL_KB = 352
"""All the vectors of the slide's 176 tiles."""


class Widened(nn.Module):
    """Answers with many numbers, so that a disk is soon full; counts its tiles."""

    def __init__(self):
        super().__init__()
        self.tiles = 0

    def forward(self, rgb):
        self.tiles += len(rgb)
        return rgb.mean((1, 2, 3))[:, None] + torch.arange(float(DIMENSIONS))


@pytest.fixture
def use(monkeypatch):
    def use(network, **card):
        model = TileModel(fake_card(**card), network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )
        return network

    return use


def embedding(use):
    return use(Widened(), task="embedding", classes=("length",), dimensions=DIMENSIONS)


class MountedDisk:
    """A file system of its own, in memory."""

    def __init__(self, path):
        self.path = path

    def mount(self, *options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", self.path]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def resize(self, size):
        assert self.mount(f"size={size}", "remount")


class LimitedDisk:
    """A file system whose files may have so many bytes: no root is needed."""

    def __init__(self, path):
        self.path = path

    def resize(self, size):
        import resource  # noqa: PLC0415 - Windows has none

        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or hard, hard))


@pytest.fixture
def disk(request, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    path = tmp_path / "disk"
    path.mkdir()
    if request.param == "limited":
        limited = LimitedDisk(path)
        yield limited
        limited.resize(0)
        return
    mounted = MountedDisk(path)
    if os.getuid() or not mounted.mount("size=1m"):
        pytest.skip("only root may mount a file system")
    yield mounted
    subprocess.run(["umount", "--lazy", path], check=True)


FULL = [("mounted", 192), ("limited", 192), ("mounted", 384)]
"""Disks and the kB they hold: half of the journal; or no vectors beside it."""


@pytest.mark.parametrize(("disk", "room"), FULL, indirect=["disk"])
def test_a_full_disk_keeps_what_is_done_and_the_run_goes_on(use, disk, tmp_path, room):
    embedding(use)
    slide = FakeSlide()
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    network = embedding(use)
    disk.resize(room << 10)
    with pytest.raises(RunFolderError, match=r"No space left|File too large"):
        engine.run(slide, WHOLE, out=disk.path / "run")
    left = open_run(disk.path / "run")
    assert left.status in ("failed", "interrupted")  # its record may find no room
    kept = left.embeddings
    assert len(kept) == left.tiles_done
    assert 16 <= len(kept) <= (160 if room < JOURNAL_KB else 176)
    rows = np.searchsorted(whole.embeddings.tiles, kept.tiles)
    assert np.array_equal(kept.vectors, whole.embeddings.vectors[rows])
    network.tiles = 0
    disk.resize(16 << 20)
    done = engine.run(slide, WHOLE, out=disk.path / "run")
    assert done.status == "finished"
    assert network.tiles == 176 - len(kept), "nothing that was kept is computed again"
    assert np.array_equal(done.embeddings.vectors, whole.embeddings.vectors)


@pytest.fixture
def tiff(tmp_path):
    return write_jpeg_slide(tmp_path / "slide.tiff")


def after(tiles, happens):
    """Return a listener that lets something happen once so many tiles are done."""
    waiting = [happens]

    def listen(progress):
        if progress.done >= tiles and waiting:
            waiting.pop()()

    return listen


def test_a_file_that_is_cut_off_under_way_fails_the_run_which_then_goes_on(
    use, tiff, tmp_path, monkeypatch
):
    monkeypatch.setattr(damaged_tiles, "_GONE_AFTER", 20)
    use(MeanColour())
    content = tiff.read_bytes()
    with open_slide(tiff) as slide:
        whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    with open_slide(tiff) as slide:
        lost = after(64, lambda: os.truncate(tiff, 100))
        with pytest.raises(SlideReadError, match=r"slide\.tiff"):
            engine.run(slide, WHOLE, out=tmp_path / "run", progress=lost)
    failed = open_run(tmp_path / "run")
    assert failed.status == "failed"
    assert failed.tiles_done >= 64
    values, expected = failed.heatmap.values, whole.heatmap.values
    there = ~np.isnan(values)
    assert np.count_nonzero(there[0]) >= 64
    assert np.array_equal(values[there], expected[there])
    tiff.write_bytes(content)
    with open_slide(tiff) as slide:
        done = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert (done.status, done.tiles_failed) == ("finished", 0)
    assert np.array_equal(done.heatmap.values, expected)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_file_that_is_deleted_under_way_is_read_to_the_end(use, tiff, tmp_path):
    use(MeanColour())
    with open_slide(tiff) as slide:
        deleted = after(64, tiff.unlink)
        run = engine.run(slide, WHOLE, out=tmp_path / "run", progress=deleted)
    assert not tiff.exists()
    assert (run.status, run.tiles_failed) == ("finished", 0)


@pytest.mark.usefixtures("undivided")
def test_memory_that_is_exhausted_under_way_keeps_what_is_done(use, tmp_path):
    class Shrinking(MeanColour):
        """Another program takes the device's memory after some batches."""

        room = (16, 16, 16, 4, 4, 4, 4)

        def forward(self, rgb):
            room = (*self.room, *[0] * 99)[len(self.batches)]
            if len(rgb) > room:
                message = "CUDA out of memory."
                raise torch.OutOfMemoryError(message)
            return super().forward(rgb)

    use(MeanColour())
    slide = FakeSlide()
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole").heatmap.values
    use(Shrinking())
    with pytest.raises(RunError, match="does not hold"):
        engine.run(slide, WHOLE, out=tmp_path / "run")
    failed = open_run(tmp_path / "run")
    assert (failed.status, failed.tiles_done) == ("failed", 4 * 16)
    rest = use(MeanColour())
    done = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert done.status == "finished"
    assert sum(rest.batches) == 176 - 4 * 16
    np.testing.assert_allclose(done.heatmap.values, whole, rtol=1e-6)
