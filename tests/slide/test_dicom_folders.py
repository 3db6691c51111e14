"""DICOM slides as folders are found in the wild."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest

import workbench as wb
from workbench.app.catalog.slides import SlideLibrary
from workbench.cli import main
from workbench.errors import (
    BrokenSlideError,
    SeveralSlidesError,
    UnsupportedSlideError,
    WorkbenchError,
)

APPLE = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(4096)


@pytest.fixture(scope="module")
def slide(shared_data):
    return shared_data / "wsi" / "CMU-1-Small-Region-dicomA"


@pytest.fixture(scope="module")
def known(slide):
    with wb.open_slide(slide) as opened:
        return opened.size, opened.id


def put(slide, folder, rename=lambda name, _: name):
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(sorted(slide.glob("*.dcm"))):
        target = folder / rename(file.name, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return folder


def index(path):
    """Write the head of a DICOMDIR."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data = pydicom.dataset.FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    data.FileSetID = "DISC"
    data.save_as(path)


NAMES = {
    "as they are": lambda name, _: name,
    "capitals": lambda name, _: name.upper().replace(".DCM", "") + ".DCM",
    "no ending": lambda _, number: f"IM{number:04}",
    "a UID": lambda name, _: name.removesuffix(".dcm"),
    "another ending": lambda _, number: f"{number}.ima",
    "deeper": lambda name, _: f"study/series 1/{name}",
    "a folder each": lambda name, number: f"{number}/{name}",
}


@pytest.mark.parametrize("naming", NAMES)
def test_it_is_one_slide_by_every_door(naming, slide, known, tmp_path):
    folder = put(slide, tmp_path / "patient", NAMES[naming])
    files = [file for file in folder.rglob("*") if file.is_file()]
    alias = tmp_path / "alias"
    alias.symlink_to(folder)
    for door in (folder, alias, folder.as_uri(), *files, *{f.parent for f in files}):
        if naming == "a folder each" and door in {f.parent for f in files}:
            continue  # holds one level of several
        with wb.open_slide(door) as opened:
            assert (opened.size, opened.id) == known, door
    library = SlideLibrary([tmp_path])
    names = [entry.name for entry in library.entries()]
    assert len(names) == 1
    assert library.open(names[0]).id == known[1]


def test_what_lies_beside_it_is_not_in_the_way(slide, known, shared_data, tmp_path):
    folder = put(slide, tmp_path / "export")
    for file in sorted(folder.iterdir()):
        (folder / f"._{file.name}").write_bytes(APPLE)
        shutil.copy(file, folder / f"copy of {file.name}")
    (folder / "0-empty.dcm").write_bytes(b"")
    (folder / "0-notes.dcm").write_text("no DICOM" * 50)
    (folder / "0-cut.txt").write_bytes(bytes(128) + b"DICM" + b"\xff" * 40)
    index(folder / "DICOMDIR")
    (folder / "report.pdf").write_bytes(b"%PDF")
    shutil.copy(shared_data / "wsi/seg_image_sm_dots.dcm", folder / "0-seg.dcm")
    for door in (folder, folder / "DICOMDIR", *slide.glob("*.dcm")):
        with wb.open_slide(door) as opened:
            assert (opened.size, opened.id) == known
    library = SlideLibrary([tmp_path])
    assert [entry.name for entry in library.entries()] == ["export"]


def test_several_slides_are_offered_each(slide, known, shared_data, tmp_path, capsys):
    folder = put(slide, tmp_path / "day")
    shutil.copy(shared_data / "wsi/sm_image.dcm", folder / "0.dcm")
    with pytest.raises(SeveralSlidesError, match="2 slides") as caught:
        wb.open_slide(folder)
    ids = set()
    for choice in caught.value.choices:
        assert choice in str(caught.value)
        with wb.open_slide(choice) as opened:
            ids.add(opened.id)
    assert len(ids) == 2
    assert known[1] in ids
    library = SlideLibrary([tmp_path])
    assert {library.open(entry.name).id for entry in library.entries()} == ids
    main(["info", str(folder)], standalone_mode=False)
    said = capsys.readouterr().out
    assert all(choice in said for choice in caught.value.choices)


def test_the_label_alone_is_no_slide(slide, tmp_path):
    for file in slide.glob("*.dcm"):
        if "LABEL" in pydicom.dcmread(file, stop_before_pixels=True).ImageType:
            shutil.copy(file, tmp_path / "label.dcm")
    with pytest.raises(UnsupportedSlideError, match="label"):
        wb.open_slide(tmp_path / "label.dcm")
    assert SlideLibrary([tmp_path]).entries() == []


def test_a_slide_whose_label_is_another_series_is_one_slide(slide, tmp_path):
    folder = put(slide, tmp_path / "slide")
    for file in folder.glob("*.dcm"):
        data = pydicom.dcmread(file)
        if "VOLUME" not in data.ImageType:
            data.SeriesInstanceUID = f"{data.SeriesInstanceUID[:-2]}99"
            data.save_as(file)
    with wb.open_slide(folder) as opened:
        assert opened.size == (2220, 2967)


def test_the_same_uids_and_other_pixels_are_another_slide(slide, known, tmp_path):
    folder = put(slide, tmp_path / "slide")
    file = max(folder.glob("*.dcm"), key=lambda each: each.stat().st_size)
    data = bytearray(file.read_bytes())
    data[-40_000] ^= 1
    file.write_bytes(data)
    with wb.open_slide(folder) as opened:
        assert opened.id != known[1]
    shutil.copy(slide / file.name, folder / "twin.dcm")
    with pytest.raises(BrokenSlideError, match="SOP Instance UID"):
        wb.open_slide(folder)


@pytest.mark.parametrize(
    "content",
    [
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + b"\xff" * 3000,
        bytes(128) + b"DICM" + bytes(range(256)) * 40,
        bytes(128) + b"DICM1.2.840.10008.1.2.1.99" + bytes(500),
    ],
)
def test_damaged_dicom_is_said_so(content, tmp_path):
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"damaged\.dcm"):
        wb.open_slide(path)
    with pytest.raises(WorkbenchError):
        wb.open_slide(tmp_path)
    assert [entry.name for entry in SlideLibrary([tmp_path]).entries()] == [
        "damaged.dcm"
    ]


def test_a_folder_without_slides_says_what_it_holds(shared_data, tmp_path):
    with pytest.raises(UnsupportedSlideError, match="no DICOM and no OME-Zarr"):
        wb.open_slide(tmp_path)
    shutil.copy(shared_data / "wsi/seg_image_sm_dots.dcm", tmp_path / "a")
    with pytest.raises(UnsupportedSlideError, match="only Segmentation"):
        wb.open_slide(tmp_path)


def test_a_folder_of_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.slide.readers.dicom.files._MOST_FILES", 10)
    for number in range(11):
        (tmp_path / str(number)).touch()
    with pytest.raises(UnsupportedSlideError, match="more than 10 files"):
        wb.open_slide(tmp_path)


def test_a_level_that_is_added_is_noticed(slide, tmp_path):
    folder = put(slide, tmp_path / "slide")
    label = next(
        file
        for file in folder.glob("*.dcm")
        if "LABEL" in pydicom.dcmread(file, stop_before_pixels=True).ImageType
    )
    kept = label.read_bytes()
    label.unlink()
    library = SlideLibrary([tmp_path])
    before = library.open("slide").id
    label.write_bytes(kept)
    after = library.open("slide")
    assert after.id != before
    (folder / "notes.txt").touch()
    assert library.open("slide") is after


def test_only_heads_are_read_to_list(slide, tmp_path, monkeypatch):
    folder = put(slide, tmp_path / "slide")
    monkeypatch.setattr(Path, "read_bytes", lambda *_: pytest.fail("read whole"))
    assert [entry.name for entry in SlideLibrary([tmp_path]).entries()] == [folder.name]
