"""OME-TIFF as other programs write it: colours stored apart, levels as images."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tifffile

import made_tiffs
import workbench as wb
from workbench.errors import BrokenSlideError, SlideError, UnsupportedSlideError

PICTURE = made_tiffs.place_picture(1100, 700)
RED, GREEN, BLUE = -16776961, 16711935, 65535
"""Pure colours as OME-XML has them: red, green, blue, alpha in a signed number."""


def write_apart(path, *, names=None, colours=None, more=None, picture=PICTURE, **how):
    """Write red, green and blue as three pictures of one sample, with a half each."""
    channel = {"Name": names, "Color": colours, **(more or {})}
    channel = {key: value for key, value in channel.items() if value is not None}
    metadata = {"axes": "CYX", "Channel": channel, "PhysicalSizeX": 0.5}
    options = {"tile": (256, 256), "photometric": "minisblack", **how}
    with tifffile.TiffWriter(path, ome=True) as file:
        planes = np.moveaxis(picture, 2, 0)
        file.write(planes, metadata=metadata, subifds=1, **options)
        half = np.moveaxis(made_tiffs.shrunk(picture, 2), 2, 0)
        file.write(half, subfiletype=1, **options)
    return str(path)


def rewritten(path, change):
    """Change the OME-XML of a file."""
    with tifffile.TiffFile(path) as file:
        text = change(file.ome_metadata)
    tifffile.tiffcomment(path, text.encode())
    return path


@pytest.mark.parametrize(
    "said",
    [
        {"names": ["Red", "Green", "Blue"]},
        {"names": ["R", "G", "B"]},
        {"names": ["red", "green", "blue"], "colours": [-1, -1, -1]},
        {"names": ["Red", "Green", "Blue"], "colours": [RED, GREEN, BLUE]},
        {"colours": [RED, GREEN, BLUE]},
        {"names": ["Channel 0", "C:1", "3"], "colours": [RED, GREEN, BLUE]},
        {
            "names": ["R", "G", "B"],
            "more": {"ContrastMethod": ["Brightfield"] * 3},
        },
    ],
)
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": None}])
def test_colours_stored_apart_are_put_together(said, how, tmp_path):
    with wb.open_slide(write_apart(tmp_path / "a.ome.tif", **said, **how)) as slide:
        assert [level.size for level in slide.levels] == [(1100, 700), (550, 350)]
        assert slide.mpp == 0.5
        np.testing.assert_array_equal(slide.read(slide.box).pixels, PICTURE)
        half = slide.read(slide.box, size=(550, 350)).pixels
        np.testing.assert_array_equal(half, made_tiffs.shrunk(PICTURE, 2))
        assert any("three pictures" in note for note in slide.notes)


def test_colours_stored_apart_in_jpeg(tmp_path):
    path = write_apart(
        tmp_path / "a.ome.tif", names=["R", "G", "B"], **made_tiffs.jpeg()
    )
    with wb.open_slide(path) as slide:
        seen = slide.read(slide.box).pixels.astype(int)
        assert np.abs(seen - PICTURE).mean() < 1
        assert slide.encoded_tile(0, 0, 0) is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "not said to be red"),
        ({"names": ["DAPI", "FITC", "Cy3"]}, "DAPI, FITC, Cy3"),
        ({"names": ["DAPI", "FITC", "Cy3"], "colours": [RED, GREEN, BLUE]}, "DAPI"),
        ({"names": ["Blue", "Green", "Red"]}, "in this order"),
        ({"names": ["Red", "Red", "Red"]}, "in this order"),
        ({"colours": [BLUE, GREEN, RED]}, "in this order"),
        ({"colours": [RED, GREEN, -1]}, "in this order"),
        ({"names": ["R", "G", "B"], "colours": [BLUE, GREEN, RED]}, "in this order"),
        (
            {"names": ["R", "G", "B"], "more": {"EmissionWavelength": [600, 520, 460]}},
            "fluorescence .EmissionWavelength 600",
        ),
        (
            {"colours": [RED, GREEN, BLUE], "more": {"Fluor": ["Cy3", "FITC", "DAPI"]}},
            "fluorescence .Fluor Cy3",
        ),
        (
            {
                "names": ["R", "G", "B"],
                "more": {"ContrastMethod": ["Fluorescence"] * 3},
            },
            "fluorescence .ContrastMethod",
        ),
    ],
)
def test_channels_that_may_be_others_are_refused(said, reason, tmp_path):
    path = write_apart(tmp_path / "a.ome.tif", **said)
    with pytest.raises(UnsupportedSlideError, match=reason) as caught:
        wb.open_slide(path)
    assert "Red, Green and Blue" in caught.value.remedy


def test_two_or_four_channels_are_refused(tmp_path):
    for count in (2, 4):
        planes = np.zeros((count, 300, 300), np.uint8)
        path = tmp_path / f"{count}.ome.tif"
        tifffile.imwrite(path, planes, ome=True, metadata={"axes": "CYX"})
        with pytest.raises(UnsupportedSlideError, match=f"has {count} channels"):
            wb.open_slide(path)


def test_sixteen_bits_apart_are_refused(tmp_path):
    path = tmp_path / "a.ome.tif"
    write_apart(path, names=["R", "G", "B"], picture=PICTURE.astype(np.uint16))
    with pytest.raises(UnsupportedSlideError, match="uint16"):
        wb.open_slide(path)


def test_planes_are_found_as_the_xml_lists_them(tmp_path):
    """Blue first in the file, and of two depths the first is shown."""
    planes = np.moveaxis(PICTURE, 2, 0)
    stored = [planes[2], 255 - planes[2], planes[1], planes[0]]
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.stack(stored), ome=True, metadata={"axes": "CYX"})
    places = {(0, 0): 3, (1, 0): 2, (2, 0): 0, (2, 1): 1}
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" IFD="{n}" PlaneCount="1"/>'
        for (c, z), n in places.items()
    )
    channels = "".join(
        f'<Channel ID="Channel:0:{n}" Name="{name}" SamplesPerPixel="1"/>'
        for n, name in enumerate(["Red", "Green", "Blue"])
    )

    def change(text):
        text = re.sub("<Channel .*</Channel>|<Channel [^>]*/>", "", text)
        text = text.replace('SizeC="4"', 'SizeC="3"').replace('SizeZ="1"', 'SizeZ="2"')
        return re.sub("<TiffData.*/>", channels + data, text)

    with wb.open_slide(rewritten(path, change)) as slide:
        np.testing.assert_array_equal(slide.read(slide.box).pixels, PICTURE)
        assert any("2 focal planes" in note for note in slide.notes)


def in_several_files(path, *, own, elsewhere):
    """Say of some channels that they lie in another file."""
    write_apart(path, names=["R", "G", "B"])

    def change(text):
        parts = "".join(
            f'<TiffData FirstC="{n}" IFD="{0 if n in elsewhere else n}">'
            f"<UUID FileName='{'b' if n in elsewhere else 'a'}.ome.tif'>urn:uuid:"
            f"{'b' if n in elsewhere else 'a'}</UUID></TiffData>"
            for n in range(3)
        )
        text = re.sub(' UUID="[^"]*"', own, text, count=1)
        return re.sub("<TiffData.*(/>|</TiffData>)", parts, text)

    return rewritten(path, change)


def test_channels_in_several_files_are_refused(tmp_path):
    path = in_several_files(
        tmp_path / "a.ome.tif", own=' UUID="urn:uuid:a"', elsewhere={1}
    )
    with pytest.raises(UnsupportedSlideError, match="several files"):
        wb.open_slide(path)


def test_a_file_that_may_be_any_of_several_is_refused(tmp_path):
    path = in_several_files(tmp_path / "a.ome.tif", own="", elsewhere={1})
    with pytest.raises((BrokenSlideError, UnsupportedSlideError), match="which it is"):
        wb.open_slide(path)


def test_channels_that_are_not_alike_are_refused(tmp_path):
    path = tmp_path / "a.ome.tif"
    sizes = [(300, 200), (300, 200), (256, 200)]
    with tifffile.TiffWriter(path) as file:
        for n, (width, height) in enumerate(sizes):
            plane = np.zeros((height, width), np.uint8)
            file.write(plane, description="x" * 3000 if n == 0 else None, metadata=None)
    channels = "".join(
        f'<Channel ID="Channel:0:{n}" Name="{name}"/>' for n, name in enumerate("RGB")
    )
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="a">'
        '<Pixels DimensionOrder="XYCZT" Type="uint8" SizeX="300" SizeY="200" SizeC="3"'
        f' SizeZ="1" SizeT="1">{channels}<TiffData/></Pixels></Image></OME>'
    )
    tifffile.tiffcomment(path, text.encode())
    with pytest.raises(SlideError, match="not stored alike"):
        wb.open_slide(path)
