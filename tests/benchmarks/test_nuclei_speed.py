"""The benchmark of finding objects runs: small, and without looking at the figures."""

from __future__ import annotations

import pytest

import nuclei_speed
from labelled_slides import blobs, reading_model, slide_of

pytestmark = pytest.mark.slow  # benchmarks run


def test_the_engine_is_timed_beside_its_network(monkeypatch):
    monkeypatch.setattr(nuclei_speed, "find_model", lambda _: reading_model())
    labels = blobs((200, 150), 40, (4, 8))
    found = nuclei_speed.share(slide_of(labels), "reading", 1, device="cpu")
    assert found["objects"] == labels.max()
    assert found["share"] > 0
    assert found["network"] > 0


def test_each_step_of_a_crowded_tile_is_timed():
    labels, _ = nuclei_speed.crowded()
    assert labels.max() == nuclei_speed.NUCLEI
    for step in nuclei_speed.steps().values():
        assert nuclei_speed.milliseconds(step, rounds=1) > 0
