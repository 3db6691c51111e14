"""The bundled classifier, on a made slide of a seed and a scanner it never saw."""

from __future__ import annotations

import pytest

import workbench as wb
from classifier import curves
from workbench.models.catalogue import find_card
from workbench.synthetic import CLASSES, load_truth, write_slide

pytestmark = pytest.mark.slow  # a large slide is made

SEED, SCANNER = 300, "zephyr"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "unseen.tif"
    write_slide(path, size=(3072, 3072), seed=SEED, scanner=SCANNER)
    with wb.open_slide(path) as slide:
        yield slide


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_it_tells_tumour_after_normalization(slide, tmp_path, method):
    run = wb.run(slide, model="tissue-classes", normalize=method, out=tmp_path / "run")
    tumour, mean, tiles = curves([run], [load_truth(slide.path)])
    assert tiles > 50
    assert tumour >= 0.97
    assert mean >= 0.97


def test_its_card_says_what_it_is():
    card = find_card("tissue-classes")
    assert card.classes == CLASSES
    assert "Not for diagnosis" in card.intended_use
    assert "made" in card.intended_use
    assert card.sha256
    assert card.licence == "Apache-2.0"
