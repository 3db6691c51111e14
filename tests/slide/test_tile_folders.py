"""Folders of tiles open as one slide where places are certain, and are refused else."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import made_slides
import made_tiffs
import made_tile_folders
import workbench as wb
from contracts import ReaderContract
from made_tile_folders import write_deepzoom, write_tiles
from workbench.app.catalog.slides import SlideLibrary
from workbench.cli import main
from workbench.errors import (
    AccessError,
    BrokenSlideError,
    SlideChangedError,
    SlideReadError,
    UnsupportedSlideError,
)

PICTURE = made_slides.tissue_like(700, 900, seed=3)
EVEN = made_slides.tissue_like(512, 768, seed=4)
"""A picture of whole tiles: no shape says which number counts across."""


@pytest.mark.parametrize(
    "path", made_tile_folders.ALL, indirect=True, ids=lambda f: f.__name__
)
class TestMadeFolders(ReaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, request, tmp_path_factory):
        return request.param(tmp_path_factory.mktemp("made"))


def shown(folder):
    with wb.open_slide(folder) as slide:
        return slide.read(slide.box).pixels


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("tile_r{r:03d}_c{c:03d}.png", {}),
        ("TCGA-3C-AALI-01Z-00-DX1 [x={x},y={y}].png", {}),  # QuPath's export
        ("Row {r} Col {c}.png", {"base": 1}),
        ("x{c}y{r}.tif", {"compression": "tiff_lzw"}),
        ("{c}_{r}.png", {}),
        ("{y}_{x}.png", {}),
        ("slide_7_({x},{y}).png", {}),
        ("CMU-1_{r}_{c}.bmp", {"base": 1}),
    ],
)
@pytest.mark.parametrize("picture", [PICTURE, EVEN], ids=["ragged", "even"])
def test_names_with_certain_places_open(form, options, picture, tmp_path):
    folder = write_tiles(tmp_path / "slide", picture, form, **options)
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "Thumbs.db").write_bytes(b"\0")
    np.testing.assert_array_equal(shown(folder), picture)


def test_coarser_levels_are_means_and_no_memory_grows(tmp_path):
    folder = write_tiles(tmp_path / "slide", PICTURE, "r{r}_c{c}.png")
    with wb.open_slide(folder) as slide:
        assert [level.size for level in slide.levels] == [(900, 700), (450, 350)]
        half = slide.read(slide.box, size=(450, 350)).pixels
        assert slide.mpp is None
        assert "not state" in slide.mpp_problem
    mean = PICTURE.reshape(350, 2, 450, 2, 3).mean((1, 3))
    assert np.abs(half - mean).max() <= 1


def test_many_halvings_are_the_means_of_all_pixels(tmp_path):
    picture = made_slides.tissue_like(1600, 2300, seed=8)
    folder = write_tiles(tmp_path / "slide", picture, "r{r}_c{c}.jpg", quality=95)
    with wb.open_slide(folder) as slide:
        assert [level.downsample for level in slide.levels] == [1, 2, 4, 8]
        whole = slide.read(slide.box).pixels
        small = slide.read(wb.Box(0, 0, 1600, 1600), size=(200, 200)).pixels
    mean = whole[:1600, :1600].reshape(200, 8, 200, 8, 3).mean((1, 3))
    assert np.abs(small - mean).max() <= 2  # each halving rounds


def test_missing_tiles_are_background_and_counted(tmp_path):
    left_out = {(1, 1), (3, 0)}
    folder = write_tiles(tmp_path / "s", PICTURE, "{c}_{r}.png", left_out=left_out)
    expected = PICTURE.copy()
    expected[256:512, 256:512] = 255
    expected[:256, 768:] = 255
    np.testing.assert_array_equal(shown(folder), expected)
    answer = CliRunner().invoke(main, ["info", str(folder), "--properties"])
    assert "2 of 12 tiles are missing" in answer.output
    assert "tiles.missing2" in answer.output.replace(" ", "")


def test_what_has_no_place_is_left_out_and_named(tmp_path):
    folder = write_tiles(tmp_path / "slide", PICTURE, "r{r}_c{c}.png")
    Image.new("RGB", (50, 50)).save(folder / "overview.png")
    with wb.open_slide(folder) as slide:
        assert any("overview.png" in note for note in slide.notes)
        np.testing.assert_array_equal(slide.read(slide.box).pixels, PICTURE)


FLAT = np.full((512, 768, 3), 240, np.uint8)


@pytest.mark.parametrize(
    ("picture", "form", "options", "said"),
    [
        (FLAT, "{c}_{r}.png", {}, "x and y or row and column"),
        (FLAT, "slide_({x},{y}).png", {}, "x and y or row and column"),
        (EVEN, "plain_{c}{r}.png", {}, "do not say where"),
        (EVEN, "z0_r{r}_c{c}.png", {"more": "z1_r{r}_c{c}.png"}, "more than their"),
        (EVEN, "x{X}_y{Y}.png", {}, r"step by 512 and 512.*256 x 256"),
        (EVEN, "r{r}_c{c}.png", {"odd": "r0_c1.png"}, "different sizes"),
    ],
)
def test_what_is_not_certain_is_refused_with_what_to_do(
    picture, form, options, said, tmp_path
):
    folder = tmp_path / "slide"
    for each in (form, options.get("more")):
        if each is not None:
            scaled = each.replace("{X}", "{x2}").replace("{Y}", "{y2}")
            folder.mkdir(exist_ok=True)
            for column, row, pixels in made_tile_folders.pieces(picture):
                where = {"c": column, "r": row, "x": column * 256, "y": row * 256}
                where |= {"x2": column * 512, "y2": row * 512}
                Image.fromarray(pixels).save(folder / scaled.format(**where))
    if "odd" in options:
        Image.new("RGB", (256, 200)).save(folder / options["odd"])
    with pytest.raises(UnsupportedSlideError, match=said) as caught:
        wb.open_slide(folder)
    assert "workbench tiles" in str(caught.value) or "of its own" in str(caught.value)


def test_the_verb_answers_what_names_leave_open(tmp_path):
    folder = tmp_path / "slide"
    folder.mkdir()
    for column, row, pixels in made_tile_folders.pieces(EVEN):
        Image.fromarray(pixels).save(folder / f"a {row * 512}-{column * 512}.png")
    Image.new("RGB", (9, 9)).save(folder / "label.png")
    names = ["--names", "a {y}-{x}"]
    assert CliRunner().invoke(main, ["info", str(folder)]).exit_code
    answer = CliRunner().invoke(main, ["tiles", str(folder), *names, "--scale", "2"])
    assert answer.output.strip() == str(folder / "tiles.csv")
    np.testing.assert_array_equal(shown(folder), EVEN)
    answer = CliRunner().invoke(main, ["tiles", str(folder), *names])
    assert "--replace" in answer.output
    with pytest.raises(UnsupportedSlideError, match="not whole"):
        wb.slide.place_tiles(folder, "a {y}-{x}", scale=3, replace=True)
    with pytest.raises(UnsupportedSlideError, match="each once"):
        wb.slide.place_tiles(folder, "a {y}-{row}", replace=True)
    with pytest.raises(UnsupportedSlideError, match="no picture in it is named"):
        wb.slide.place_tiles(folder, "b{x}_{y}", replace=True)


def test_overlapping_tiles_by_a_step_or_a_table(tmp_path):
    folder = tmp_path / "slide"
    folder.mkdir()
    for row in range(3):
        for column in range(4):
            piece = PICTURE[
                row * 200 : row * 200 + 256, column * 200 : column * 200 + 256
            ]
            Image.fromarray(piece).save(folder / f"{column:02d}.{row:02d}.png")
    table = wb.slide.place_tiles(folder, "{column}.{row}", step=(200, 200))
    np.testing.assert_array_equal(shown(folder), PICTURE[:656, :856])
    table.unlink()
    lines = [
        f"{c:02d}.{r:02d}.png;{c * 200};{r * 200}" for c in range(4) for r in range(3)
    ]
    (folder / "places.csv").write_text("\ufeffFile;X;Y\r\n" + "\r\n".join(lines))
    np.testing.assert_array_equal(shown(folder), PICTURE[:656, :856])


def test_a_table_names_files_in_folders_and_what_is_missing(tmp_path):
    for column, row, pixels in made_tile_folders.pieces(PICTURE):
        inside = tmp_path / "slide" / f"row {row}"
        inside.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(inside / f"{column}.png")
    lines = ["image,label,x,y,width,height"]
    for column, row, pixels in made_tile_folders.pieces(PICTURE):
        height, width, _ = pixels.shape
        place = f"{column * 256}.0,{row * 256},{width},{height}"
        lines.append(f"row {row}\\{column}.png,3,{place}")
    (tmp_path / "slide" / "tiles.csv").write_text("\n".join(lines))
    np.testing.assert_array_equal(shown(tmp_path / "slide"), PICTURE)
    (tmp_path / "slide" / "row 2" / "3.png").unlink()
    with wb.open_slide(tmp_path / "slide" / "tiles.csv") as slide:
        assert slide.size == (900, 700)
        assert "1 of 12 tiles are missing" in " ".join(slide.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,x,y\n../secret.png,0,0", "not in its folder"),
        ("file,x,y\n/etc/passwd,0,0", "not in its folder"),
        ("file,x,y\na.png,0.5,0", "'0.5', not a whole number"),
        ("file,x,y\na.png,,0", "line 2 is ''"),
        ("file,x,y\na.png,nan,0", "'nan'"),
        ("file,x,y\nb.png,0,0", "none of its files"),
        ("file,x,y\n", "no lines"),
        ("file,x\na.png,0", "no file, x and y"),
        ("file,x,y\na.png,0,0\na.png,0,0", "both lie at"),
        ("file,x,y\na.png,999999999,0", "reach from"),
    ],
)
def test_invalid_tables_are_refused(text, said, tmp_path):
    folder = tmp_path / "slide"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    (folder / "tiles.csv").write_text(text)
    with pytest.raises(UnsupportedSlideError, match=said):
        wb.open_slide(folder)


def test_links_out_of_the_folder_are_refused(tmp_path):
    folder = write_tiles(tmp_path / "slide", EVEN, "r{r}_c{c}.png")
    (folder / "r0_c0.png").rename(tmp_path / "elsewhere.png")
    (folder / "r0_c0.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(UnsupportedSlideError, match="leads out of the folder"):
        wb.open_slide(folder)


def test_deep_zoom_by_its_descriptor_or_folders(tmp_path):
    descriptor = write_deepzoom(tmp_path / "out", PICTURE)
    (tmp_path / "out" / "scan_files" / "10" / "1_1.png").unlink()
    ids = set()
    for path in (descriptor, descriptor.parent, descriptor.parent / "scan_files"):
        with wb.open_slide(path) as slide:
            ids.add(slide.id)
            assert [level.size for level in slide.levels] == [(900, 700), (450, 350)]
            assert "1 of 12 tiles are missing" in " ".join(slide.notes)
            pixels = slide.read(slide.box).pixels
    assert len(ids) == 1
    np.testing.assert_array_equal(pixels[:, :253], PICTURE[:, :253])
    assert (pixels[300:400, 300:400] == 255).all()


def test_damaged_deep_zoom_is_said(tmp_path):
    descriptor = write_deepzoom(tmp_path, EVEN)
    text = descriptor.read_text()
    for changed in (text[:90], text.replace('"768"', '"-1"'), f"<!DOCTYPE a>{text}"):
        descriptor.write_text(changed)
        with pytest.raises(BrokenSlideError, match="Deep Zoom descriptor"):
            wb.open_slide(descriptor)
    descriptor.write_text(text)
    shutil.rmtree(tmp_path / "scan_files")
    with pytest.raises(UnsupportedSlideError, match=r"scan_files/10"):
        wb.open_slide(descriptor)


def test_a_damaged_tile_is_an_error_where_it_lies(tmp_path):
    folder = write_tiles(tmp_path / "slide", EVEN, "r{r}_c{c}.png")
    damaged = folder / "r1_c2.png"
    damaged.write_bytes(damaged.read_bytes()[:900])
    with wb.open_slide(folder) as slide:
        np.testing.assert_array_equal(
            slide.read(wb.Box(0, 0, 512, 256)).pixels, EVEN[:256, :512]
        )
        with pytest.raises(SlideReadError, match=r"r1_c2\.png"):
            slide.read(slide.box)


def test_the_id_is_that_of_pixels_and_places(tmp_path):
    first = write_tiles(tmp_path / "a", EVEN, "r{r}_c{c}.png")
    renamed = write_tiles(tmp_path / "b", EVEN, "x{x} y{y}.png")
    other = write_tiles(tmp_path / "c", EVEN[::-1], "r{r}_c{c}.png")
    fewer = write_tiles(tmp_path / "d", EVEN, "r{r}_c{c}.png", left_out={(1, 0)})
    ids = []
    for folder in (first, renamed, other, fewer):
        with wb.open_slide(folder) as slide:
            ids.append(slide.id)
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    with wb.open_slide(fewer) as slide:
        slide.read(wb.Box(0, 0, 9, 9))
        shutil.copy(first / "r0_c1.png", fewer)
        with pytest.raises(SlideChangedError):
            slide.read(wb.Box(0, 0, 9, 9))


def test_folders_of_tiles_are_listed_once_and_stay_inside(tmp_path):
    write_tiles(tmp_path / "named", EVEN, "r{r}_c{c}.tif")
    write_tiles(tmp_path / "pairs", EVEN, "{c}_{r}.png")
    write_deepzoom(tmp_path / "deep", EVEN)
    made_slides.write_flat(tmp_path / "1_2.tif", EVEN)
    made_slides.write_flat(tmp_path / "1_3.tif", EVEN)
    library = SlideLibrary([tmp_path])
    names = [entry.name for entry in library.entries()]
    assert names == ["1_2.tif", "1_3.tif", "deep/scan.dzi", "named"]
    assert library.open("named").size == (768, 512)
    assert library.open("pairs").size == (768, 512)  # by its name
    with pytest.raises(AccessError):
        library.path("../named")
    own = SlideLibrary([tmp_path / "named"])
    assert [entry.name for entry in own.entries()] == ["named"]
    assert own.open("named").size == (768, 512)


def test_a_folder_of_slides_is_no_slide(tmp_path):
    for name in ("CMU-1.tif", "CMU-2.tif"):
        made_slides.write_flat(tmp_path / name, made_tiffs.place_picture(300, 200))
    with pytest.raises(UnsupportedSlideError, match="open it by its own name"):
        wb.open_slide(tmp_path)
