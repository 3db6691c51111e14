"""Every path to a pixel gives the same picture, however it is stored."""

from __future__ import annotations

import pytest

import pixels
from workbench.errors import SlideError

BOUNDS = {
    "boxes": (0, 0),
    "stored tile": (1, 0.05),
    "cut": (0.51, 0.3),
    "between": (0.51, 0.3),
    "reduced": (6, 0.8),
    "over-zoom": (0.51, 0.3),
    "device": (1, 0.05),
    "OpenSlide": (1, 0.1),
}
"""The largest and the mean difference in grey levels, whatever the encoding."""

LOSS = {
    "JPEG 4:2:0": (28, 1),
    "JPEG 4:2:2": (28, 1),
    "JPEG 4:4:4": (12, 1),
    "JPEG RGB": (12, 1),
    "JPEG grey": (12, 1),
    "JPEG strips": (28, 1),
    "JPEG image": (28, 1),
    "JPEG 2000 YCbCr": (4, 1.5),
}
"""What the encodings themselves lose; all others lose nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pixels")


@pytest.mark.slow
@pytest.mark.parametrize("path", BOUNDS)
@pytest.mark.parametrize("form", pixels.FORMATS)
def test_a_path_shows_what_is_stored(form, path, folder):
    found = pixels.crossing(form, path, folder)
    if found is None:
        assert path in {"stored tile", "device", "OpenSlide"}
        tiled = form.startswith("JPEG ") and form.split()[1] in {
            "4:2:0",
            "4:2:2",
            "4:4:4",
            "RGB",
            "grey",
        }
        assert path == "OpenSlide" or not tiled
        return
    largest, mean = BOUNDS[path]
    assert found[0] <= largest
    assert found[1] <= mean


@pytest.mark.parametrize("form", pixels.FORMATS)
@pytest.mark.slow
def test_what_was_put_in_comes_out(form, folder):
    largest, mean = LOSS.get(form, (0, 0))
    off = pixels.crossing(form, "direct", folder)
    assert off[0] <= largest
    assert off[1] <= mean
    shown = pixels.crossing(form, "shown tile", folder)
    assert shown[1] < 2.5  # encoded as JPEG on the way to the browser
    if form != "palette":  # its level 1 has colours of the palette only
        lower = pixels.crossing(form, "level 1", folder)
        assert lower[0] <= 1 + largest * 1.5
        assert lower[1] <= 0.4 + mean


def test_what_cannot_be_read_is_no_empty_cell(folder):
    with pytest.raises(SlideError):
        pixels.PATHS["direct"](folder / "missing.tif", pixels.RGB)
