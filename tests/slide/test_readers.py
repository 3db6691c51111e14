"""Every reader keeps the contract, on slides of every kind."""

from __future__ import annotations

import pytest

import made_slides
from contracts import ReaderContract

REAL = [
    "wsi/CMU-1-Small-Region.svs",
    "wsi/CMU-1-Small-Region.jpeg.tiff",
    "wsi/CMU-1-Small-Region.webp.tiff",
    "wsi/CMU-1-Small-Region-dicomA",
    "wsi/HE_TMA_core_0.5mpp.ome.tif",
    "wsi/camelyon_overview_29mpp.dcm",
    "wsi/sm_image.dcm",
    "wsi/yb10kx5k.zstd.tiff",
    "mosaic_cc0_nuclei/dsb_mosaic.tif",
    "tiles/histoprep_slide.jpeg",
]
"""Real files that open, one for each way of storing a slide."""


@pytest.mark.parametrize(
    "path", made_slides.ALL, indirect=True, ids=lambda f: f.__name__
)
class TestMadeSlides(ReaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, request, tmp_path_factory):
        return request.param(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("path", REAL, indirect=True)
class TestRealSlides(ReaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, request, shared_data):
        return str(shared_data / request.param)
