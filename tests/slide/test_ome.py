"""OME-TIFF as other programs write it: colours stored apart, levels as images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

import made_tiffs
import workbench as wb
from workbench.errors import SlideError, UnsupportedSlideError

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
        assert any("three images" in note for note in slide.notes)


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
        ({}, "not marked as red"),
        ({"names": ["Blue", "Green", "Red"]}, "in this order"),
        ({"names": ["Red", "Red", "Red"]}, "in this order"),
        ({"colours": [RED, GREEN, -1]}, "in this order"),
        ({"names": ["R", "G", "B"], "colours": [BLUE, GREEN, RED]}, "in this order"),
    ],
)
def test_channels_that_may_be_others_are_refused(said, reason, tmp_path):
    path = write_apart(tmp_path / "a.ome.tif", **said)
    with pytest.raises(UnsupportedSlideError, match=reason) as caught:
        wb.open_slide(path)
    assert "Red, Green and Blue" in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"names": ["DAPI", "FITC", "Cy3"]}, ["DAPI", "FITC", "Cy3"]),
        (
            {"names": ["DAPI", "FITC", "Cy3"], "colours": [RED, GREEN, BLUE]},
            ["DAPI", "FITC", "Cy3"],
        ),
        ({"colours": [BLUE, GREEN, RED]}, ["Channel 1", "Channel 2", "Channel 3"]),
        (
            {"names": ["R", "G", "B"], "more": {"EmissionWavelength": [600, 520, 460]}},
            ["R", "G", "B"],
        ),
        (
            {"colours": [RED, GREEN, BLUE], "more": {"Fluor": ["Cy3", "FITC", "DAPI"]}},
            ["Cy3", "FITC", "DAPI"],
        ),
        (
            {
                "names": ["R", "G", "B"],
                "more": {"ContrastMethod": ["Fluorescence"] * 3},
            },
            ["R", "G", "B"],
        ),
    ],
)
def test_three_channels_that_are_not_rgb_are_channels(said, names, tmp_path):
    with wb.open_slide(write_apart(tmp_path / "a.ome.tif", **said)) as slide:
        assert [each.name for each in slide.channels] == names
        values = slide.read_channels(slide.box).values
        np.testing.assert_array_equal(values, np.moveaxis(PICTURE, 2, 0))


def test_two_or_four_channels_are_channels(tmp_path):
    for count in (2, 4):
        planes = np.zeros((count, 300, 300), np.uint8)
        path = tmp_path / f"{count}.ome.tif"
        tifffile.imwrite(path, planes, ome=True, metadata={"axes": "CYX"})
        with wb.open_slide(path) as slide:
            assert len(slide.channels) == count


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
    with pytest.raises(UnsupportedSlideError, match="does not identify") as caught:
        wb.open_slide(path)
    assert "into one OME-TIFF" in caught.value.remedy


def test_a_file_whose_xml_is_elsewhere_says_where(tmp_path):
    path = write_apart(tmp_path / "a.ome.tif", names=["R", "G", "B"])
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
        ' UUID="urn:uuid:a"><BinaryOnly MetadataFile="set.companion.ome"'
        ' UUID="urn:uuid:b"/></OME>'
    )
    with pytest.raises(UnsupportedSlideError, match=r"set\.companion\.ome") as caught:
        wb.open_slide(rewritten(path, lambda _: text))
    assert "into one OME-TIFF" in caught.value.remedy


def test_of_several_files_each_shows_and_is_known_by_its_own(tmp_path):
    """What lies in the others is neither shown nor part of the id."""
    paths, other = [], tmp_path / "c.ome.tif"
    for n, name in enumerate("ab"):
        path = write_series(tmp_path / f"{name}.ome.tif", [PICTURE, 255 - PICTURE])
        places = "".join(
            f'<Image ID="Image:{k}" Name="{own}"><Pixels ID="Pixels:{k}"'
            ' DimensionOrder="XYCZT" Type="uint8" SizeX="1100" SizeY="700" SizeC="3"'
            ' SizeZ="1" SizeT="1"><Channel ID="Channel:0" SamplesPerPixel="3"/>'
            f'<TiffData IFD="{n}"><UUID FileName="{own}.ome.tif">urn:uuid:{own}</UUID>'
            "</TiffData></Pixels></Image>"
            for k, own in enumerate("ab")
        )
        text = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
            f' UUID="urn:uuid:{name}">{places}</OME>'
        )
        paths.append(rewritten(path, lambda _, text=text: text))
    for path, name, picture in zip(paths, "ab", (PICTURE, 255 - PICTURE), strict=True):
        with wb.open_slide(path) as slide:
            assert [image.name for image in slide.images] == [name]
            np.testing.assert_array_equal(slide.read(slide.box).pixels, picture)
    with wb.open_slide(paths[0]) as slide:
        known = slide.id
        write_series(other, [255 - PICTURE])
        other.replace(paths[1])
        np.testing.assert_array_equal(slide.read(slide.box).pixels, PICTURE)
    with wb.open_slide(paths[0]) as slide:
        assert slide.id == known


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
    with pytest.raises(SlideError, match="not stored in the same way"):
        wb.open_slide(path)


TISSUE = np.random.default_rng(3).normal(0, 25, PICTURE.shape) + PICTURE
TISSUE = TISSUE.clip(0, 255).astype(np.uint8)


def decimated(picture, by):
    """Return every so many pixels, as Bio-Formats shrinks."""
    height, width = (side // by for side in picture.shape[:2])
    return picture[: height * by : by, : width * by : by]


def write_series(path, pictures, *, mpps=(), names=(), **how):
    """Write images one after another, as levels were before Bio-Formats 6."""
    how = {"photometric": "rgb", "tile": (256, 256), **how}
    with tifffile.TiffWriter(path, ome=True) as file:
        for n, picture in enumerate(pictures):
            said = {"PhysicalSizeX": mpps[n], "PhysicalSizeY": mpps[n]} if mpps else {}
            name = {"Name": names[n]} if names else {}
            file.write(picture, metadata={"axes": "YXS", **said, **name}, **how)
    return str(path)


@pytest.mark.parametrize("shrink", [made_tiffs.shrunk, decimated])
@pytest.mark.parametrize("mpps", [(), (0.25, 0.5, 1.0, 4.0)])
@pytest.mark.parametrize("how", [{}, made_tiffs.jpeg(80), {"tile": None}])
def test_levels_that_are_images_of_their_own_are_one_pyramid(
    shrink, mpps, how, tmp_path
):
    levels = [TISSUE, *(shrink(TISSUE, by) for by in (2, 4, 16))]
    path = write_series(tmp_path / "a.ome.tif", levels, mpps=mpps, **how)
    with wb.open_slide(path) as slide:
        sizes = [(1100, 700), (550, 350), (275, 175), (68, 43)]
        assert [level.size for level in slide.levels] == sizes
        assert len(slide.images) == 1
        assert slide.mpp == (0.25 if mpps else None)
        assert any("separate images" in note for note in slide.notes)
        if not how:
            half = slide.read(slide.box, size=(550, 350)).pixels
            np.testing.assert_array_equal(half, levels[1])


def test_pyramids_and_overviews_beside_each_other(tmp_path):
    other = np.ascontiguousarray(255 - TISSUE[:, ::-1])
    pictures = [TISSUE, made_tiffs.shrunk(TISSUE, 2), other, PICTURE[:200, :300]]
    pictures.insert(3, made_tiffs.shrunk(other, 2))
    names = ["a #1", "a #2", "b #1", "b #2", "macro"]
    path = write_series(tmp_path / "a.ome.tif", pictures, names=names)
    with wb.open_slide(path) as slide:
        told = [(image.name, image.size) for image in slide.images]
        assert told == [
            ("a #1", (1100, 700)),
            ("b #1", (1100, 700)),
            ("macro", (300, 200)),
        ]
        np.testing.assert_array_equal(slide.associated["macro"], PICTURE[:200, :300])
    with wb.open_slide(path, image="b #1") as slide:
        np.testing.assert_array_equal(slide.read(slide.box).pixels, other)
        assert len(slide.levels) == 2


@pytest.mark.parametrize(
    ("second", "mpps", "names"),
    [
        (255 - made_tiffs.shrunk(TISSUE, 2), (), ()),
        (np.ascontiguousarray(made_tiffs.shrunk(TISSUE, 2)[:, ::-1]), (), ()),
        (np.full((350, 550, 3), 255, np.uint8), (), ()),
        (made_tiffs.shrunk(TISSUE, 2), (0.25, 0.25), ()),
        (made_tiffs.shrunk(TISSUE, 2), (), ("a", "label")),
        (made_tiffs.shrunk(TISSUE, 2)[:, :540], (), ()),
        (made_tiffs.shrunk(TISSUE, 3), (), ()),
        (TISSUE, (), ()),
    ],
)
def test_images_that_may_be_others_stay_apart(second, mpps, names, tmp_path):
    pictures = [TISSUE, second]
    path = write_series(tmp_path / "a.ome.tif", pictures, mpps=mpps, names=names)
    with wb.open_slide(path) as slide:
        assert len(slide.levels) == 1
        assert len(slide.images) == 2


def test_pictures_of_two_things_are_told_apart(tmp_path):
    """Small tissue on white glass at two places, of which each is half the size."""
    one = np.full((1024, 1024, 3), 255, np.uint8)
    two = one.copy()
    one[100:300, 100:300] = TISSUE[:200, :200]
    two[700:900, 600:800] = TISSUE[:200, :200]
    pictures = [one, made_tiffs.shrunk(two, 2)]
    with wb.open_slide(write_series(tmp_path / "a.ome.tif", pictures)) as slide:
        assert len(slide.images) == 2
    pictures = [one, made_tiffs.shrunk(one, 2)]
    with wb.open_slide(write_series(tmp_path / "b.ome.tif", pictures)) as slide:
        assert len(slide.images) == 1


def test_a_damaged_level_costs_no_slide(tmp_path):
    path = write_series(
        tmp_path / "a.ome.tif",
        [TISSUE, made_tiffs.shrunk(TISSUE, 2)],
        compression="zlib",
    )
    with tifffile.TiffFile(path) as file:
        page = file.pages[1]
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    with Path(path).open("r+b") as file:
        for offset, count in places:
            file.seek(offset)
            file.write(bytes(count))
    with wb.open_slide(path) as slide:
        assert len(slide.levels) == 1
        assert len(slide.images) == 2
        np.testing.assert_array_equal(slide.read(slide.box).pixels, TISSUE)
