"""Label and macro of a Philips TIFF, which lie in its XML."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import tifffile
from PIL import Image

import made_tiffs
import workbench as wb
from workbench.slide import limits

PICTURE = made_tiffs.place_picture(600, 400)
LABEL = made_tiffs.place_picture(120, 90, period=64)
MACRO = 255 - made_tiffs.place_picture(200, 80, period=64)


def encoded(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode()


def beside(kind, data):
    return (
        '<DataObject ObjectType="DPScannedImage">'
        f'<Attribute Name="PIM_DP_IMAGE_TYPE" PMSVR="IString">{kind}</Attribute>'
        f'<Attribute Name="PIM_DP_IMAGE_DATA" PMSVR="IString">{data}</Attribute>'
        "</DataObject>"
    )


def write(path, *objects, end="</DataObject>", further=()):
    """Write a Philips TIFF with objects in its XML."""
    text = (
        '<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">'
        '<Attribute Name="PIM_DP_SCANNED_IMAGES" PMSVR="IDataObjectArray"><Array>'
        '<DataObject ObjectType="DPScannedImage"><Attribute Name="PIM_DP_IMAGE_TYPE">'
        'WSI</Attribute><Attribute Name="DICOM_PIXEL_SPACING" PMSVR="IDoubleArray">'
        '"0.00025" "0.00025"</Attribute></DataObject>'
        f"{''.join(objects)}</Array></Attribute>{end}"
    )
    how = {"metadata": None, "photometric": "rgb", "software": "Philips DP v1.0"}
    with tifffile.TiffWriter(path) as file:
        file.write(PICTURE, description=text, tile=(256, 256), **how)
        for name, picture in further:
            file.write(picture, description=name, **how)
    return str(path)


def test_label_and_macro_are_associated_images(tmp_path):
    objects = [
        beside("MACROIMAGE", encoded(MACRO)),
        beside("LABELIMAGE", encoded(LABEL)),
    ]
    with wb.open_slide(write(tmp_path / "a.tiff", *objects)) as slide:
        assert sorted(slide.associated) == ["label", "macro"]
        for name, picture in (("label", LABEL), ("macro", MACRO)):
            seen = slide.associated[name]
            assert seen.shape == picture.shape
            assert np.abs(seen.astype(int) - picture).mean() < 2
        assert slide.mpp == 0.25
        assert len(slide.images) == 1


def test_lines_in_the_data_do_not_matter(tmp_path):
    data = encoded(LABEL)
    lines = "\n".join(data[n : n + 76] for n in range(0, len(data), 76))
    path = write(tmp_path / "a.tiff", beside("LABELIMAGE", f"\n{lines}\n"))
    with wb.open_slide(path) as slide:
        assert slide.associated["label"].shape == LABEL.shape


def test_a_picture_of_its_own_comes_first(tmp_path):
    objects = [beside("LABELIMAGE", encoded(LABEL))]
    path = write(tmp_path / "a.tiff", *objects, further=[("Label", PICTURE[:50, :40])])
    with wb.open_slide(path) as slide:
        assert list(slide.associated) == ["label"]
        np.testing.assert_array_equal(slide.associated["label"], PICTURE[:50, :40])


@pytest.mark.parametrize(
    "data", ["", "no base 64 !", "AAAA", encoded(LABEL)[:40], "=" * 9]
)
def test_what_is_damaged_costs_no_slide(data, tmp_path):
    path = write(tmp_path / "a.tiff", beside("LABELIMAGE", data))
    with wb.open_slide(path) as slide:
        assert list(slide.associated) == []
        np.testing.assert_array_equal(slide.read(slide.box).pixels, PICTURE)


def test_a_broken_xml_costs_no_slide(tmp_path):
    path = write(tmp_path / "a.tiff", beside("LABELIMAGE", encoded(LABEL)), end="")
    with wb.open_slide(path) as slide:
        assert list(slide.associated) == []


def test_one_that_is_too_large_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ASSOCIATED_PX", 120 * 90 - 1)
    objects = [beside("LABELIMAGE", encoded(LABEL))]
    with wb.open_slide(write(tmp_path / "a.tiff", *objects)) as slide:
        assert list(slide.associated) == []
