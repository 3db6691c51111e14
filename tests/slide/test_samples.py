"""What the samples of a file mean: its colours, or a refusal that says why."""

from __future__ import annotations

import io
import warnings

import imagecodecs
import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image, ImageCms

import made_slides
import workbench as wb
from workbench.errors import (
    BrokenSlideError,
    ColourProfileError,
    SlideError,
    UnsupportedSlideError,
)
from workbench.slide.readers import plain_image
from workbench.slide.readers.jpeg_header import read_jpeg_header
from workbench.slide.readers.samples import Samples
from workbench.slide.readers.tiff.samples import is_subsampled_jpeg_2000

RGB = made_slides.tissue_like(300, 420, seed=9)
GREY = RGB.mean(2).round().astype(np.uint8)
AS_GREY = np.repeat(GREY[..., None], 3, 2)


def _palette(colours=256):
    image = Image.fromarray(RGB).quantize(colours)
    table = np.zeros((256, 3), np.uint8)
    known = np.array(image.getpalette()).reshape(-1, 3)
    table[: len(known)] = known
    return np.asarray(image), table[:256]


def _overwrite(path, tags):
    """Change tags of each page in place."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            for tag, value in tags.items():
                page.tags[tag].overwrite(value)


def write(path, pixels, *, patch=None, levels=1, **how):
    how = {"tile": (128, 128), "metadata": None, **how}
    if how["tile"] is None:
        how |= {"rowsperstrip": 64}
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            step = slice(None, None, 2**level)
            planes = how.get("planarconfig") == "separate"
            small = pixels[..., step, step] if planes else pixels[step, step]
            writer.write(
                np.ascontiguousarray(small),
                subfiletype=int(level > 0),
                resolution=(20000 / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                **how,
            )
    if patch:
        _overwrite(path, patch)
    return path


def opened(path):
    with wb.open_slide(path) as slide:
        return slide.read(slide.box).pixels


def apart(found, expected):
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected).max()


INDEX, TABLE = _palette()
FOUR_BIT = (GREY >> 4).astype(np.uint8)
CMYK = np.asarray(Image.fromarray(RGB).convert("CMYK"))
YCBCR = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
ALPHA = np.tile(np.linspace(0, 255, 420).round().astype(np.uint8), (300, 1))
FADED = (
    (RGB.astype(int) * ALPHA[..., None] + 255 * (255 - ALPHA[..., None].astype(int)))
    / 255
).round()
TIMES_ALPHA = (RGB.astype(float) * ALPHA[..., None] / 255).round().astype(np.uint8)

SHOWN = {
    "grey": (GREY, {"photometric": "minisblack"}, AS_GREY),
    "white-is-zero": (255 - GREY, {"photometric": "miniswhite"}, AS_GREY),
    "bilevel": (
        GREY > 180,
        {"photometric": "minisblack"},
        np.where(AS_GREY > 180, 255, 0),
    ),
    "bilevel, white is zero": (
        GREY <= 180,
        {"photometric": "miniswhite"},
        np.where(AS_GREY > 180, 255, 0),
    ),
    "palette": (
        INDEX,
        {"photometric": "palette", "colormap": TABLE.T.astype(np.uint16) * 257},
        TABLE[INDEX],
    ),
    "palette in 256ths": (
        INDEX,
        {"photometric": "palette", "colormap": TABLE.T.astype(np.uint16) * 256},
        TABLE[INDEX],
    ),
    "palette of 8 bit": (
        INDEX,
        {"photometric": "palette", "colormap": TABLE.T.astype(np.uint16)},
        TABLE[INDEX],
    ),
    "cmyk": (
        CMYK,
        {"photometric": "separated"},
        np.asarray(Image.fromarray(CMYK, "CMYK").convert("RGB")),
    ),
    "ycbcr": (
        YCBCR,
        {
            "photometric": "rgb",
            "extratags": [(530, 3, 2, (1, 1), True)],
            "patch": {262: 6},
        },
        np.asarray(Image.fromarray(YCBCR, "YCbCr").convert("RGB")),
    ),
    "planes": (
        np.moveaxis(RGB, 2, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
        RGB,
    ),
    "straight alpha": (
        np.dstack([RGB, ALPHA]),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        FADED,
    ),
    "premultiplied alpha": (
        np.dstack([TIMES_ALPHA, ALPHA]),
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        FADED,
    ),
    "planes with alpha": (
        np.moveaxis(np.dstack([RGB, ALPHA]), 2, 0),
        {
            "photometric": "rgb",
            "planarconfig": "separate",
            "extrasamples": ["unassalpha"],
        },
        FADED,
    ),
    "grey with alpha": (
        np.dstack([GREY, ALPHA]),
        {
            "photometric": "minisblack",
            "planarconfig": "contig",
            "extrasamples": ["unassalpha"],
        },
        (AS_GREY * (ALPHA[..., None] / 255) + 255 - ALPHA[..., None]).round(),
    ),
}


@pytest.mark.parametrize("tile", [(128, 128), None], ids=["tiles", "strips"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("name", SHOWN)
def test_colours_are_those_that_the_file_means(name, compression, tile, tmp_path):
    pixels, how, expected = SHOWN[name]
    if pixels.dtype == bool:
        compression = None
    path = write(
        tmp_path / "slide.tif", pixels, tile=tile, compression=compression, **how
    )
    assert apart(opened(path), expected) <= 1


@pytest.mark.parametrize("name", ["white-is-zero", "palette", "cmyk", "straight alpha"])
def test_lower_levels_and_what_lies_between_have_the_same_colours(name, tmp_path):
    pixels, how, expected = SHOWN[name]
    path = write(tmp_path / "slide.tif", pixels, levels=2, compression="zlib", **how)
    half = np.asarray(expected)[::2, ::2]
    with wb.open_slide(path) as slide:
        assert len(slide.levels) == 2
        found = slide.read(wb.Box.at(0, 0, 420, 300), size=(210, 150)).pixels
        assert apart(found, half) <= 1
        between = slide.read(wb.Box.at(0, 0, 420, 300), size=(105, 75)).pixels
    mean = half[:150, :210].reshape(75, 2, 105, 2, 3).mean((1, 3))
    assert apart(between, mean) <= 1


REC_709 = (0.2126, 0.7152, 0.0722)


def test_ycbcr_has_the_coefficients_that_the_file_gives(tmp_path):
    red, _, blue = REC_709
    colours = RGB.astype(float)
    luma = colours @ REC_709
    pair = (
        (colours[..., 2] - luma) / (2 - 2 * blue),
        (colours[..., 0] - luma) / (2 - 2 * red),
    )
    stored = np.stack([16 + luma * 219 / 255, *(128 + p * 224 / 255 for p in pair)], 2)
    fractions = [int(v) for share in REC_709 for v in (share * 10000, 10000)]
    reference = (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
    extra = [
        (530, 3, 2, (1, 1), True),
        (529, 5, 3, tuple(fractions), True),
        (532, 5, 6, reference, True),
    ]
    path = write(
        tmp_path / "slide.tif",
        stored.round().clip(0, 255).astype(np.uint8),
        photometric="rgb",
        compression="zlib",
        extratags=extra,
        patch={262: 6},
    )
    assert apart(opened(path), RGB) <= 3  # of rounding to 219 and 224 steps
    assert np.abs(opened(path).astype(int) - RGB).mean() < 0.7


REFUSED = {
    "16-bit RGB": (RGB.astype(np.uint16) * 257, {"photometric": "rgb"}, "3 x uint16"),
    "16-bit grey": (
        GREY.astype(np.uint16),
        {"photometric": "minisblack"},
        "1 x uint16",
    ),
    "signed": (GREY.astype(np.int8), {"photometric": "minisblack"}, "1 x int8"),
    "float": (
        (RGB / 255).astype(np.float32),
        {"photometric": "rgb"},
        "3 x float32",
    ),
    "16-bit planes": (
        np.moveaxis(RGB.astype(np.uint16), 2, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
        "uint16",
    ),
    "5 channels": (
        np.dstack([RGB, GREY, GREY]),
        {
            "photometric": "rgb",
            "planarconfig": "contig",
            "extrasamples": ["unspecified"] * 2,
        },
        "more channel",
    ),
    "4 channels": (
        np.dstack([RGB, GREY]),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
        "more channel",
    ),
    "3 channels of grey": (
        RGB,
        {"photometric": "minisblack", "planarconfig": "contig"},
        "more channel",
    ),
    "CIELAB": (RGB, {"photometric": "rgb", "patch": {262: 8}}, "CIELAB"),
    "a mask": (GREY, {"photometric": "minisblack", "patch": {262: 4}}, "mask"),
    "an unknown one": (
        GREY,
        {"photometric": "minisblack", "patch": {262: 777}},
        "PhotometricInterpretation 777",
    ),
    "ycbcr with less colour": (
        RGB,
        {"photometric": "rgb", "patch": {262: 6}},
        "subsampled chroma",
    ),
    "turned": (
        RGB,
        {"photometric": "rgb", "extratags": [(274, 3, 1, 6, True)]},
        "Orientation",
    ),
    "other inks": (
        CMYK,
        {"photometric": "separated", "extratags": [(332, 3, 1, 2, True)]},
        "InkSet",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_certain_is_refused_with_the_reason(name, tmp_path):
    pixels, how, reason = REFUSED[name]
    path = write(tmp_path / "slide.tif", pixels, compression="zlib", **how)
    with pytest.raises(UnsupportedSlideError, match=reason) as caught:
        wb.open_slide(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_a_level_of_another_kind_is_refused_too(tmp_path):
    path = tmp_path / "slide.tif"
    how = {"tile": (128, 128), "metadata": None, "photometric": "rgb"}
    with tifffile.TiffWriter(path) as writer:
        writer.write(RGB, **how)
        writer.write(RGB[::2, ::2].astype(np.uint16), subfiletype=1, **how)
    with pytest.raises(SlideError):
        wb.open_slide(path)


def _jpeg_2000(pixels, *, transformed, lossless=True):
    return imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(pixels),
        level=0 if lossless else 60,
        codecformat="j2k",
        mct=transformed,
        reversible=lossless,
    )


def _tiles(pixels, encode, side=128):
    height, width = pixels.shape[:2]
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = np.full((side, side, *pixels.shape[2:]), 255, np.uint8)
            part = pixels[top : top + side, left : left + side]
            tile[: part.shape[0], : part.shape[1]] = part
            yield encode(tile)


def write_encoded(path, pixels, encode, compression, photometric, **how):
    """Write tiles that were encoded elsewhere, with any tag."""
    tifffile.imwrite(
        path,
        _tiles(pixels, encode),
        shape=pixels.shape,
        dtype=np.uint8,
        tile=(128, 128),
        photometric="minisblack" if pixels.ndim == 2 else "rgb",
        compression=compression,
        metadata=None,
        **how,
    )
    _overwrite(path, {262: photometric})
    return path


@pytest.mark.parametrize(
    ("compression", "photometric", "ycbcr", "transformed"),
    [
        (34712, 2, False, True),
        (34712, 2, False, False),
        (34712, 6, True, False),
        (33005, 2, False, False),
        (33005, 2, False, True),
        (33003, 2, True, False),
        (33003, 6, True, False),
        (33003, 6, True, True),
    ],
)
def test_jpeg_2000_is_rgb_or_ycbcr(
    compression, photometric, ycbcr, transformed, tmp_path
):
    pixels = YCBCR if ycbcr else RGB
    path = write_encoded(
        tmp_path / "slide.tif",
        pixels,
        lambda tile: _jpeg_2000(tile, transformed=transformed),
        compression,
        photometric,
    )
    assert apart(opened(path), RGB) <= 3  # as the rounding of YCbCr


def test_jpeg_2000_that_may_be_transformed_twice_is_refused(tmp_path):
    path = write_encoded(
        tmp_path / "slide.tif",
        YCBCR,
        lambda tile: _jpeg_2000(tile, transformed=True),
        34712,
        6,
    )
    with pytest.raises(UnsupportedSlideError, match="transformed again"):
        wb.open_slide(path)


def test_jpeg_2000_with_less_colour_is_left_to_openslide():
    whole = _jpeg_2000(RGB[:64, :64], transformed=False)
    assert not is_subsampled_jpeg_2000(whole)
    header = bytearray(whole)
    second = header.index(b"\xff\x51") + 2 + 38 + 3  # of the components in SIZ
    assert header[second : second + 3] == b"\x07\x01\x01"
    header[second + 1] = 2
    assert is_subsampled_jpeg_2000(bytes(header))


def _jpeg(tile, *, out="YCBCR", sub="444", colour="RGB"):
    return imagecodecs.jpeg_encode(
        np.ascontiguousarray(tile),
        level=95,
        colorspace=colour,
        outcolorspace=out,
        subsampling=sub,
    )


def _without_app(data, *markers):
    """Take application segments out of a JPEG."""
    out, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] not in markers:
            out += data[at : at + length]
        at += length
    return bytes(out + data[at:])


JPEGS = {
    "ycbcr": (_jpeg, 6),
    "ycbcr 4:2:0": (lambda t: _jpeg(t, sub="420"), 6),
    "ycbcr 4:2:2": (lambda t: _jpeg(t, sub="422"), 6),
    "rgb, marked": (lambda t: _jpeg(t, out="RGB"), 2),
    "rgb, not marked": (lambda t: _without_app(_jpeg(t, out="RGB"), 0xE0, 0xEE), 2),
    "ycbcr, not marked": (lambda t: _without_app(_jpeg(t), 0xE0, 0xEE), 6),
    "ycbcr that is called rgb": (_jpeg, 2),
    "rgb that is called ycbcr": (lambda t: _jpeg(t, out="RGB"), 6),
}


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_is_what_it_says_itself_else_what_the_tag_says(name, tmp_path):
    encode, photometric = JPEGS[name]
    path = write_encoded(tmp_path / "slide.tif", RGB, encode, 7, photometric)
    with wb.open_slide(path) as slide:
        found = slide.read(slide.box).pixels
        assert np.abs(found.astype(int) - RGB).mean() < 3
        tile = slide.encoded_tile(0, 1, 1)
        assert tile is not None
        drawn = np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGB"))
        assert apart(drawn, found[128:256, 128:256]) <= 1


def test_grey_jpeg_is_handed_to_browsers_and_inverted_grey_is_not(tmp_path):
    def encode(tile):
        return simplejpeg.encode_jpeg(
            np.ascontiguousarray(tile)[..., None], 95, "GRAY", "Gray"
        )

    for photometric, expected in ((1, AS_GREY), (0, 255 - AS_GREY)):
        path = tmp_path / f"{photometric}.tif"
        write_encoded(path, GREY, encode, 7, photometric)
        with wb.open_slide(path) as slide:
            found = slide.read(slide.box).pixels
            assert np.abs(found.astype(int) - expected).mean() < 2
            tile = slide.encoded_tile(0, 0, 0)
            assert (tile is not None) == (photometric == 1)
            half = slide.read(slide.box, size=(210, 150)).pixels
        small = expected.reshape(150, 2, 210, 2, 3).mean((1, 3))
        assert np.abs(half - small).mean() < 2


def test_cmyk_in_jpeg_is_refused(tmp_path):
    def encode(tile):
        buffer = io.BytesIO()
        Image.fromarray(tile, "CMYK").save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path,
        _tiles(CMYK, encode),
        shape=CMYK.shape,
        dtype=np.uint8,
        tile=(128, 128),
        photometric="separated",
        compression=7,
        metadata=None,
    )
    with pytest.raises(UnsupportedSlideError, match="CMYK"):
        wb.open_slide(path)


def test_a_jpeg_header_tells_what_browsers_draw():
    tile = RGB[:64, :64]
    progressive = io.BytesIO()
    Image.fromarray(tile).save(progressive, "JPEG", progressive=True)
    cmyk = io.BytesIO()
    Image.fromarray(CMYK[:64, :64], "CMYK").save(cmyk, "JPEG")
    lossless = imagecodecs.ljpeg_encode(np.ascontiguousarray(tile[..., 0]))
    drawn = {
        _jpeg(tile): "ycbcr",
        _jpeg(tile, out="RGB"): "rgb",
        progressive.getvalue(): "ycbcr",
    }
    for data, colours in drawn.items():
        header = read_jpeg_header(data)
        assert header.is_drawn_by_browsers
        assert header.colours == colours
    for data in (cmyk.getvalue(), lossless):
        assert not read_jpeg_header(data).is_drawn_by_browsers
    assert read_jpeg_header(_jpeg(tile)[:30]) is None
    assert read_jpeg_header(b"\xff\xd8" + b"\xff" * 40) is None


def test_samples_that_are_too_few_are_not_shown():
    with pytest.raises(ValueError, match="2 samples"):
        Samples("rgb").to_rgb(np.zeros((4, 4, 2), np.uint8), (255, 255, 255))


# DICOM


def write_dicom(shared_data, path, encode, photometric):
    """Write a slide of one level, after the header of a real one."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.encaps import encapsulate  # noqa: PLC0415

    folder = shared_data / "wsi/CMU-1-Small-Region-dicomA"
    found = [pydicom.dcmread(file) for file in sorted(folder.glob("*.dcm"))]
    data = next(each for each in found if "VOLUME" in each.ImageType)
    height, width, _ = RGB.shape
    frames = [each + b"\0" * (len(each) % 2) for each in _tiles(RGB, encode)]
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.Rows = data.Columns = 128
    data.NumberOfFrames = len(frames)
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = width / 2e3, height / 2e3
    data.PhotometricInterpretation = photometric
    data.SOPInstanceUID = data.SeriesInstanceUID = pydicom.uid.generate_uid()
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    data.DimensionOrganizationType = "TILED_FULL"
    for name in (
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "PerFrameFunctionalGroupsSequence",
    ):
        if name in data:
            del data[name]
    data.PixelData = encapsulate(frames)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    path.parent.mkdir()
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("encode", "photometric"),
    [
        (_jpeg, "YBR_FULL_422"),
        (_jpeg, "RGB"),  # wrong, as some converters write it
        (lambda t: _jpeg(t, out="RGB"), "RGB"),
        (lambda t: _without_app(_jpeg(t), 0xE0, 0xEE), "YBR_FULL"),
    ],
)
def test_dicom_frames_are_believed_where_the_header_is_mistaken(
    encode, photometric, shared_data, tmp_path
):
    path = write_dicom(shared_data, tmp_path / "slide" / "a.dcm", encode, photometric)
    found = opened(path)
    assert np.abs(found.astype(int) - RGB).mean() < 3
    with wb.open_slide(path) as slide:  # beyond it there is glass
        assert (slide.read(wb.Box.at(430, 0, 20, 20)).pixels == 255).all()


def test_dicom_rgb_that_is_called_ycbcr_is_refused(shared_data, tmp_path):
    path = write_dicom(
        shared_data,
        tmp_path / "slide" / "a.dcm",
        lambda t: _jpeg(t, out="RGB"),
        "YBR_FULL_422",
    )
    with pytest.raises(UnsupportedSlideError, match="declares YCbCr"):
        wb.open_slide(path)


# Plain images


def save(path, image, **how):
    image.save(path, **how)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_images_are_turned_as_exif_says(orientation, suffix, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    how = {"lossless": True} if suffix == "webp" else {"quality": 95}
    path = save(tmp_path / f"image.{suffix}", Image.fromarray(RGB), exif=exif, **how)
    turned = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.swapaxes(0, 1),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(RGB),
    }[orientation]
    found = opened(path)
    assert found.shape == turned.shape
    assert np.abs(found.astype(int) - turned).mean() < 3


def test_damaged_exif_says_nothing(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(RGB), exif=b"Exif\0\0II*\0\xff" * 3)
    assert np.abs(opened(path).astype(int) - RGB).mean() < 6


PLAIN = {
    "la.png": (Image.fromarray(np.dstack([GREY, ALPHA]), "LA"), None),
    "rgba.png": (Image.fromarray(np.dstack([RGB, ALPHA]), "RGBA"), FADED),
    "rgba.webp": (Image.fromarray(np.dstack([RGB, ALPHA]), "RGBA"), None),
    "palette.png": (Image.fromarray(RGB).quantize(200), None),
    "palette.gif": (Image.fromarray(RGB).quantize(200), None),
    "bits.png": (Image.fromarray(RGB).convert("1"), None),
    "grey.jpg": (Image.fromarray(GREY), None),
    "cmyk.jpg": (Image.fromarray(RGB).convert("CMYK"), None),
    "rgb.bmp": (Image.fromarray(RGB), RGB),
    "rgb.jp2": (Image.fromarray(RGB), RGB),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_images_are_as_pillow_shows_them(name, tmp_path):
    image, expected = PLAIN[name]
    path = save(tmp_path / name, image)
    with Image.open(path) as stored:
        rgba = stored.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        judged = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    found = opened(path)
    assert apart(found, judged) <= 1
    if expected is not None:
        assert apart(found, expected) <= 1


def test_a_palette_may_be_transparent(tmp_path):
    image = Image.fromarray(RGB).quantize(64)
    path = save(tmp_path / "p.png", image, transparency=bytes(range(0, 256, 4)))
    with Image.open(path) as stored:
        rgba = np.asarray(stored.convert("RGBA")).astype(float)
    share = rgba[..., 3:] / 255
    assert apart(opened(path), (rgba[..., :3] * share + 255 * (1 - share)).round()) <= 1


def test_16_bit_grey_is_scaled_unless_its_white_is_not_known(tmp_path):
    path = save(tmp_path / "16.png", Image.fromarray(GREY.astype(np.uint16) * 257))
    assert apart(opened(path), AS_GREY) == 0
    path = save(tmp_path / "12.png", Image.fromarray(GREY.astype(np.uint16) * 16))
    with pytest.raises(UnsupportedSlideError, match="which value is white"):
        wb.open_slide(path)
    path = save(tmp_path / "0.png", Image.fromarray(np.zeros((60, 60), np.uint16)))
    assert not opened(path).any()


def test_of_several_pictures_the_first_is_shown(tmp_path):
    first = Image.fromarray(RGB)
    path = tmp_path / "several.gif"
    first.save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    with wb.open_slide(path) as slide:
        assert slide.properties["image.frames"] == "2"
        assert np.abs(slide.read(slide.box).pixels.astype(int) - RGB).mean() < 20


def test_images_beyond_the_limit_of_pillow_open(tmp_path, monkeypatch):
    """Ours is the limit, and that of the process is left alone."""
    path = save(tmp_path / "image.png", Image.fromarray(RGB))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert apart(opened(path), RGB) == 0
    assert Image.MAX_IMAGE_PIXELS == 1000
    monkeypatch.setattr(plain_image, "MAX_IMAGE_PIXELS", RGB[..., 0].size - 1)
    with pytest.raises(UnsupportedSlideError, match="too large"):
        wb.open_slide(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "jp2"])
def test_cut_images_are_broken(suffix, tmp_path):
    whole = save(tmp_path / f"whole.{suffix}", Image.fromarray(RGB)).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for share in (0.02, 0.3, 0.7):
        cut.write_bytes(whole[: max(20, int(len(whole) * share))])
        with pytest.raises((BrokenSlideError, UnsupportedSlideError)):
            wb.open_slide(cut)


# Colour profiles


def _profile(space):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


GOOD = _profile("sRGB")
BAD = {
    "cut short": GOOD[:200],
    "zeros": bytes(512),
    "text": b"not a profile" * 40,
    "one byte": b"\0",
    "for grey": GOOD[:16] + b"GRAY" + GOOD[20:],
    "for CMYK": GOOD[:16] + b"CMYK" + GOOD[20:],
    "another space": _profile("LAB"),
    "changed within": GOOD[:140] + bytes(len(GOOD) - 140),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["tif", "png"])
def test_a_damaged_profile_costs_its_use_not_the_slide(kind, name, tmp_path):
    path = tmp_path / f"slide.{kind}"
    if kind == "tif":
        how = {"photometric": "rgb", "compression": "zlib", "iccprofile": BAD[name]}
        write(path, RGB, **how)
    else:
        Image.fromarray(RGB).save(path, icc_profile=BAD[name])
    assert apart(opened(path), RGB) == 0
    with pytest.raises(ColourProfileError, match="colour profile") as caught:
        wb.open_slide(path, icc=True)
    assert "without" in caught.value.remedy


def test_without_a_profile_it_is_said_that_there_is_none(tmp_path):
    path = write(tmp_path / "slide.tif", RGB, photometric="rgb")
    with (
        pytest.warns(UserWarning, match="no colour profile"),
        wb.open_slide(path, icc=True) as slide,
    ):
        assert apart(slide.read(slide.box).pixels, RGB) == 0


def test_a_profile_is_applied_on_every_path(tmp_path):
    """A profile with red and blue swapped cannot be overlooked."""
    swapped = bytearray(GOOD)
    count = int.from_bytes(GOOD[128:132], "big")
    entries = {}
    for number in range(count):
        at = 132 + 12 * number
        entries[bytes(GOOD[at : at + 4])] = at
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    swapped[red + 4 : red + 12] = GOOD[blue + 4 : blue + 12]
    swapped[blue + 4 : blue + 12] = GOOD[red + 4 : red + 12]
    how = {
        "photometric": "ycbcr",
        "compression": "jpeg",
        "subsampling": (1, 1),
        "compressionargs": {"level": 95},
    }
    path = write(
        tmp_path / "slide.tif", RGB, levels=2, iccprofile=bytes(swapped), **how
    )
    boxes = [
        (wb.Box.at(0, 0, 400, 280), (400, 280)),
        (wb.Box.at(0, 0, 400, 280), (200, 140)),
        (wb.Box.at(1, 1, 401, 281), (200, 140)),
        (wb.Box.at(0, 0, 400, 280), (100, 70)),
        (wb.Box.at(10, 20, 100, 70), (400, 280)),
    ]
    with wb.open_slide(path) as plain, wb.open_slide(path, icc=True) as managed:
        for box, size in boxes:
            before = plain.read(box, size=size).pixels.astype(int)
            after = managed.read(box, size=size).pixels.astype(int)
            assert np.abs(before[..., ::-1] - after).mean() < 2
            assert np.abs(before - after).mean() > 5
        assert managed.encoded_tile(0, 0, 0) is None
        assert managed.read_encoded([boxes[0][0]], boxes[0][1]) is None
