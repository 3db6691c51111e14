"""Which models fit a slide: by its stain and its magnification."""

from __future__ import annotations

import pytest

from fakes import FakeSlide, fake_card
from workbench.models.catalogue import known_cards
from workbench.models.suitability import misfit
from workbench.stain.detection import Staining

PINK = Staining(brown=0.0, pink=0.4, stained_px=10_000)
BROWN = Staining(brown=0.3, pink=0.0, stained_px=10_000)
NOTHING = Staining(brown=0.0, pink=0.0, stained_px=10)


@pytest.mark.parametrize("staining", [None, PINK, NOTHING])
def test_a_model_for_one_stain_fits_a_slide_of_that_or_of_an_unclear_stain(staining):
    card = fake_card(stains=("H&E",))
    assert misfit(card, FakeSlide(mpp=1.0), staining) == ""


def test_a_model_for_another_stain_does_not_fit():
    card = fake_card(stains=("H&E",))
    why = misfit(card, FakeSlide(mpp=1.0), BROWN)
    assert why == "it is for H&E, the slide is H-DAB"


def test_a_model_for_any_stain_fits_each():
    for staining in (PINK, BROWN):
        assert misfit(fake_card(), FakeSlide(mpp=1.0), staining) == ""


@pytest.mark.parametrize(("mpp", "fits"), [(0.25, True), (2.4, True), (2.6, False)])
def test_a_slide_is_enlarged_by_two_and_a_half_at_most(mpp, fits):
    why = misfit(fake_card(mpp=1.0), FakeSlide(mpp=mpp))
    assert (why == "") is fits
    if not fits:
        assert why == "it needs 1 µm per pixel, the slide has 2.6"


def test_a_slide_without_a_pixel_size_is_not_judged_by_it():
    assert misfit(fake_card(mpp=0.25), FakeSlide(mpp=None)) == ""


def test_every_bundled_model_says_which_stains_it_is_for():
    for card in known_cards():
        assert "H&E" in card.stains, card.name
