"""How many tiles a device predicts at once."""

from __future__ import annotations

import pytest

from workbench.inference.batch_size import BatchSize, fastest_batch


@pytest.mark.parametrize(
    ("memory", "fastest", "best"),
    [(10_000, 128, 128), (100, 512, 100), (20, 512, 20), (10_000, 1, 32)],
)
def test_batches_grow_as_long_as_they_fit_and_pay(memory, fastest, best):
    def attempt(size):
        return min(size, memory), min(size, fastest) * 10.0

    assert fastest_batch(attempt, 1024) == best


@pytest.mark.parametrize(
    ("requested", "tile_px", "workers", "default", "part"),
    [
        ("auto", 256, 1, 32, 1 << 30),
        ("auto", 256, 2, 32, 8),
        ("auto", 256, 16, 128, 8),
        ("auto", 224, 2, 32, 8),
        ("auto", 8192, 1, 1, 1 << 30),
        ("auto", 8192, 4, 1, 1),
        (5, 256, 1, 5, 5),
        (5, 256, 4, 5, 5),
        (50, 256, 4, 50, 8),
    ],
)
def test_a_batch_follows_from_the_tiles_and_the_workers(
    requested, tile_px, workers, default, part
):
    size = BatchSize(requested, tile_px)
    assert (size.default(workers), size.part(workers)) == (default, part)


def test_what_does_not_fit_is_halved_down_to_one_tile():
    size = BatchSize("auto", 256)
    assert size.halve(20)
    assert size.most == 10
    assert size.halve(32)
    assert size.most == 5
    assert size.halve(32)
    assert size.halve(32)
    assert size.most == 1
    assert not size.halve(32)
    assert size.most == 1


def test_batches_grow_until_they_no_longer_fit():
    size, tried = BatchSize("auto", 256), []

    def attempt(tiles):
        tried.append(tiles)
        if tiles > 100:
            size.halve(tiles)
        return float(tiles)

    assert size.fastest(attempt) == 64
    assert tried == [32, 64, 128]
