"""Converted slides, read back by our reader and by those of others."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from xml.etree import ElementTree as ET

import numpy as np
import openslide
import pytest
import shapely
import tifffile
import tiffslide
import zarr
from click.testing import CliRunner
from PIL import ImageCms

import workbench as wb
from made_slides import tissue_like, write_tiff
from stained_slide import write_stained
from workbench.cli import main
from workbench.cli.exchange.convert import FORMATS
from workbench.errors import OutOfBoundsError, RunError, StoppedError
from workbench.export.slides import convert
from workbench.export.slides.convert import SLIDE_FORMATS, convert_slide
from workbench.stain.single_stain import SingleStain

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (2900, 2300)
"""Odd numbers of tiles and of blocks, both cut by the edge."""


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("convert") / "s.tiff"
    pixels = tissue_like(SIZE[1], SIZE[0])
    opened = wb.open_slide(write_tiff(path, pixels, levels=1, iccprofile=SRGB))
    yield opened
    opened.close()


def invert(pixels):
    return 255 - pixels


def halved(pixels):
    """Return means of 2 x 2 pixels, by another way than the converter's."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    rows, columns = padded.shape[:2]
    parts = padded.reshape(rows // 2, 2, columns // 2, 2, 3).astype(float)
    return parts.mean((1, 3))


OUTPUTS = [("s.ome.tiff", None), ("s.svs", None), ("s.ome.zarr", None)]
OUTPUTS.append(("s.zarr", "ome-zarr-0.5"))


@pytest.mark.parametrize(("name", "to"), OUTPUTS, ids=[n for n, _ in OUTPUTS])
@pytest.mark.slow
def test_our_reader_gets_the_same_slide(slide, tmp_path, name, to):
    path = convert_slide(slide, tmp_path / name, to=to, quality=98)
    loss = 0 if "zarr" in name else 2.0
    wanted = slide.read(slide.box).pixels
    with wb.open_slide(path) as read:
        assert read.size == slide.size
        assert read.mpp == pytest.approx(slide.mpp)
        got = read.read(read.box).pixels.astype(float)
    assert np.abs(got - wanted).mean() <= loss
    levels = levels_of(path)
    assert len(levels) >= 4
    for level in levels:
        assert level.shape == wanted.shape
        assert np.abs(level.astype(float) - wanted)[:-1, :-1].mean() <= loss + 0.6
        wanted = halved(wanted)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def levels_of(path):
    """Return the pixels of all levels, as other libraries read them."""
    if path.is_dir():
        root = zarr.open_group(path, mode="r")
        return [root[n][:].transpose(1, 2, 0) for n in sorted(root.array_keys())]
    with tifffile.TiffFile(path) as file:
        return [level.asarray() for level in file.series[0].levels]


def test_openslide_and_tiffslide_read_all_levels_of_an_svs(slide, tmp_path):
    path = convert_slide(slide, tmp_path / "s.svs", quality=98)
    wanted = slide.read((600, 500, 1100, 900)).pixels.astype(float)
    with openslide.OpenSlide(path) as read:
        facts = read.properties
        assert facts["openslide.vendor"] == "aperio"
        assert float(facts["openslide.mpp-x"]) == pytest.approx(0.5)
        assert float(facts["openslide.objective-power"]) == 20
        assert facts["aperio.Workbench slide"] == "s.tiff"
        assert read.color_profile.tobytes() == SRGB
        assert set(read.associated_images) == {"thumbnail"}
        got = np.asarray(read.read_region((600, 500), 0, (500, 400)).convert("RGB"))
        sizes = read.level_dimensions
    assert np.abs(got - wanted).mean() < 2
    assert sizes[1] == (1450, 1150)
    with tiffslide.TiffSlide(path) as read:
        assert read.level_dimensions == sizes
        assert read.properties["tiffslide.mpp-x"] == pytest.approx(0.5)
        got = np.asarray(read.read_region((600, 500), 0, (500, 400)).convert("RGB"))
    assert np.abs(got - wanted).mean() < 2


def test_an_ome_tiff_says_what_it_is_and_how_it_was_made(slide, tmp_path):
    path = convert_slide(slide, tmp_path / "s.ome.tiff")
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        assert file.is_ome
        assert file.is_bigtiff
        assert [level.shape[:2] for level in series.levels][:2] == [
            (2300, 2900),
            (1150, 1450),
        ]
        page = file.pages.first
        assert page.tags[34675].value == SRGB
        assert np.prod(page.tags["XResolution"].value[:1]) > 0
        root = ET.fromstring(file.ome_metadata)  # noqa: S314 - made here
    names = {"o": root.tag.split("}")[0].strip("{")}
    pixels = root.find("o:Image/o:Pixels", names)
    assert float(pixels.get("PhysicalSizeX")) == pytest.approx(0.5)
    assert root.find("o:Instrument/o:Objective", names).get("NominalMagnification") == (
        "20"
    )
    note = root.find("o:StructuredAnnotations/o:CommentAnnotation/o:Value", names)
    assert json.loads(note.text)["slide_id"] == slide.id


@pytest.mark.parametrize("to", ["ome-zarr", "ome-zarr-0.5"])
def test_a_zarr_has_the_metadata_of_its_version(slide, tmp_path, to):
    path = convert_slide(slide, tmp_path / "s.zarr", to=to)
    root = zarr.open_group(path, mode="r")
    attributes = root.attrs if to == "ome-zarr" else root.attrs["ome"]
    (image,) = attributes["multiscales"]
    assert (image if to == "ome-zarr" else attributes)["version"] == to[-3:].replace(
        "arr", "0.4"
    )
    assert [a["name"] for a in image["axes"]] == ["c", "y", "x"]
    wanted = slide.read(slide.box).pixels
    assert np.array_equal(root["0"][:].transpose(1, 2, 0), wanted)
    scales = [d["coordinateTransformations"][0]["scale"] for d in image["datasets"]]
    assert scales[1] == [1.0, pytest.approx(1.0), pytest.approx(1.0)]
    assert root.attrs["workbench"]["icc_profile"]


def test_colours_are_changed_before_they_are_halved(slide, tmp_path):
    path = convert_slide(slide, tmp_path / "s.ome.zarr", pixel_map=invert)
    root = zarr.open_group(path, mode="r")
    wanted = 255 - slide.read(slide.box).pixels
    assert np.array_equal(root["0"][:].transpose(1, 2, 0), wanted)
    coarse = root["1"][:].transpose(1, 2, 0)
    assert np.abs(coarse - halved(wanted)).max() <= 0.5
    assert root.attrs["workbench"]["colours"] == "invert"
    assert "icc_profile" not in root.attrs["workbench"], "it is of stored colours"


def test_a_box_at_a_coarser_resolution(slide, tmp_path):
    box = (301, 207, 2701, 2107)
    path = convert_slide(slide, tmp_path / "s.ome.zarr", box=box, mpp=0.7)
    with wb.open_slide(path) as read:
        assert read.mpp == pytest.approx(0.7, rel=2.5e-4)
        assert read.size == pytest.approx((2400 / 1.4, 1900 / 1.4), abs=1)
        got = read.read(read.box).pixels.astype(float)
    wanted = slide.read(box, size=got.shape[1::-1]).pixels
    assert np.abs(got - wanted).mean() < 2.5, "blocks begin at whole pixels"
    whole = convert_slide(slide, tmp_path / "b.ome.zarr", box=box)
    with wb.open_slide(whole) as read:
        assert np.array_equal(read.read(read.box).pixels, slide.read(box).pixels)


def test_outside_of_an_area_is_background(slide, tmp_path):
    area = wb.Area.of(shapely.Point(1000, 900).buffer(400))
    path = convert_slide(slide, tmp_path / "s.ome.zarr", area=area)
    with wb.open_slide(path) as read:
        assert read.size == (area.box.width, area.box.height)
        got = read.read(read.box).pixels
    inside = area.mask(area.box, read.size)
    assert np.array_equal(got[inside], slide.read(area.box).pixels[inside])
    assert (got[~inside] == slide.background).all()


@pytest.mark.slow
def test_a_normalized_slide_has_the_colours_of_the_normalizer(tmp_path):
    path = write_stained(tmp_path / "stained.tif", width=1200, height=900)
    with wb.open_slide(path) as slide:
        normalizer = wb.fit_normalizer(slide, "he-violet")
        wanted = normalizer(slide.read(slide.box).pixels)
        out = convert_slide(slide, tmp_path / "n.ome.zarr", pixel_map=normalizer)
        with wb.open_slide(out) as read:
            assert np.array_equal(read.read(read.box).pixels, wanted)
            facts = zarr.open_group(out, mode="r").attrs["workbench"]
    assert facts["colours"] == "macenko"
    assert facts["colours_fingerprint"] == normalizer.fingerprint


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"box": (5000, 0, 6000, 10)}, "not on"),
        ({"mpp": 0.2}, "finer"),
        ({"quality": 0}, "quality"),
        ({"to": "jpeg"}, "no format"),
    ],
)
def test_what_cannot_be_is_refused(slide, tmp_path, options, reason):
    with pytest.raises(OutOfBoundsError, match=reason):
        convert_slide(slide, tmp_path / "s.svs", **options)
    assert not list(tmp_path.iterdir())


CHILD = """
import os, sys, time
import workbench as wb
from workbench.export.slides import convert
from workbench.system import long_work
convert._CHECKPOINT_S = 0
path, out, after = sys.argv[1:]
long_work._AGAIN_S = 0
def progress(now):
    if now.done > int(after):
        os.kill(os.getpid(), 9)
with wb.open_slide(path) as slide:
    convert.convert_slide(slide, out, progress=progress)
"""


def kill(slide, out, tiles):
    """Convert in a process that is killed after some tiles."""
    command = [sys.executable, "-c", CHILD, slide.path, str(out), str(tiles)]
    ended = subprocess.run(command, check=False, env=os.environ)
    assert ended.returncode == -9


@pytest.mark.kill
@pytest.mark.parametrize("name", ["s.svs", "s.ome.zarr"])
def test_a_killed_conversion_continues_to_the_same_bytes(tmp_path, name):
    path = write_tiff(tmp_path / "s.tiff", tissue_like(9000, 500), levels=1)
    with wb.open_slide(path) as slide:
        whole = convert_slide(slide, tmp_path / "whole" / name)
        out = tmp_path / "killed" / name
        out.parent.mkdir()
        two_strips = 32 if name == "s.svs" else 8
        kill(slide, out, two_strips)
        assert not out.exists()
        done = []
        convert_slide(slide, out, progress=lambda now: done.append(now.done))
    assert done[:2] == [0, two_strips], "what was written is not written again"
    assert [p.name for p in out.parent.iterdir()] == [name]
    assert contents(out) == contents(whole)


def test_a_stopped_conversion_says_so_and_is_continued(tmp_path, slide):
    out, cancel, heard = tmp_path / "s.ome.zarr", threading.Event(), []

    def stop(progress):
        heard.append(progress.sentence)
        if progress.done:
            cancel.set()

    with pytest.raises(StoppedError, match=r"^Stopped at .* of .* tiles\. Run again"):
        convert_slide(slide, out, progress=stop, cancel=cancel)
    assert not out.exists()
    assert re.match(r"[\d,]+ of [\d,]+ tiles", heard[-2])
    assert convert_slide(slide, out) == out
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def contents(path):
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {f.relative_to(path): f.read_bytes() for f in files if f.is_file()}


def test_another_conversion_does_not_continue_a_killed_one(slide, tmp_path):
    out = tmp_path / "s.ome.zarr"
    part = tmp_path / ".part-s.ome.zarr"
    part.mkdir()
    (part / "rest").touch()
    convert._save_state(
        tmp_path / ".part-s.ome.zarr.state.npz", {"rows": np.zeros(1)}, 1, "another"
    )
    convert_slide(slide, out)
    assert not (out / "rest").exists()
    with wb.open_slide(out) as read:
        assert np.array_equal(read.read(read.box).pixels, slide.read(slide.box).pixels)


def test_two_processes_do_not_write_one_file(slide, tmp_path):
    lock = convert.filelock.FileLock(tmp_path / ".part-s.svs.lock")
    with lock, pytest.raises(RunError, match="Another process"):
        convert_slide(slide, tmp_path / "s.svs")


def test_the_command_line_converts_and_names_its_formats(slide, tmp_path):
    assert set(FORMATS) == {*SLIDE_FORMATS, "dicom"}
    area = {"type": "Polygon", "coordinates": [[[0, 0], [900, 0], [0, 800], [0, 0]]]}
    (tmp_path / "a.geojson").write_text(json.dumps(area))
    out = tmp_path / "new" / "s.ome.tiff"
    words = ["convert", slide.path, str(out), "--region", str(tmp_path / "a.geojson")]
    said = CliRunner().invoke(main, [*words, "--stain", "hematoxylin", "--at", "1"])
    assert said.exit_code == 0, said.output
    assert said.output.strip() == str(out)
    with wb.open_slide(out) as read:
        assert read.size == (450, 400)
    wrong = CliRunner().invoke(
        main, [*words, "--stain", "eosin", "--normalize", "macenko"]
    )
    assert wrong.exit_code == 2
    refused = CliRunner().invoke(main, [*words, "--to", "dicom"])
    assert refused.exit_code == 2


def test_one_stain_alone_has_the_colours_of_its_amounts():
    stain = SingleStain.of("eosin")
    pixels = tissue_like(60, 80)
    index = stain.stains.index("eosin")
    amounts = np.clip(stain.stains.amount(pixels, index), 0, 2.5)
    wanted = stain.stains.colours(index, amounts).astype(int)
    assert np.abs(stain(pixels).astype(int) - wanted).max() <= 1
    assert stain.fingerprint != SingleStain.of("hematoxylin").fingerprint
    with pytest.raises(wb.errors.StainError, match="no colour"):
        SingleStain(stain.stains, "residual")
    with pytest.raises(wb.errors.StainError, match="no published"):
        SingleStain.of("pas")
