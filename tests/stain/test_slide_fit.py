"""What is known of a slide's stains is measured once for each content."""

from __future__ import annotations

import shutil

import pytest

from stained_slide import write_stained
from workbench.slide.slide import open_slide
from workbench.stain import slide_fit
from workbench.tissue import TissueChoice


@pytest.fixture
def paths(tmp_path):
    first = write_stained(tmp_path / "a.tif", width=640, height=512, seed=71)
    return first, shutil.copy(first, tmp_path / "copy.tif")


def counted(monkeypatch, name):
    """Count the calls of a function of the module."""
    calls = []
    real = getattr(slide_fit, name)

    def count(*args, **named):
        calls.append(args)
        return real(*args, **named)

    monkeypatch.setattr(slide_fit, name, count)
    return calls


def test_a_copy_of_a_slide_is_not_measured_again(paths, monkeypatch):
    samples = counted(monkeypatch, "sample_tissue")
    stainings = counted(monkeypatch, "slide_staining")
    for path in paths:
        slide = open_slide(path)
        slide_fit._fits_of(slide, TissueChoice(), None)
        slide_fit.cached_staining(slide)
    assert len(samples) == len(stainings) == 1
    slide_fit.cached_staining(open_slide(paths[0], mpp=0.7))
    assert len(stainings) == 2


def test_what_failed_is_tried_again(paths):
    slide = open_slide(paths[0], mpp=0.6)

    def no_tissue():
        message = "gone"
        raise OSError(message)

    with pytest.raises(OSError, match="gone"):
        slide_fit._fits_of(slide, TissueChoice(), no_tissue)
    assert slide_fit._fits_of(slide, TissueChoice(), None).sample.histogram is not None
