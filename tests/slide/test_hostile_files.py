"""TIFFs that claim too much or contradict themselves: a typed error, in bounded memory.

Each is opened and read in a process of its own that may take so much memory and time.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import made_slides
import made_tiffs
import workbench as wb
from workbench.errors import SlideError, WorkbenchError

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs fork and limits of memory"
)

MEMORY = 700 << 20
SECONDS = 20
PICTURE = made_slides.tissue_like(600, 700)
WIDTH, HEIGHT, COMPRESSION, SAMPLES, ROWS = 256, 257, 259, 277, 278
TILE_WIDTH, TILE_HEIGHT, OFFSETS, COUNTS = 322, 323, 324, 325


def outcome(path):
    """Open and read a file elsewhere: "fine", "typed", or what went wrong."""
    child = os.fork()
    if not child:
        os._exit(_try(str(path)))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}"
    return {0: "fine", 1: "typed"}.get(os.WEXITSTATUS(status), "untyped")


def _try(path):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    try:
        with wb.open_slide(path) as slide:
            slide.thumbnail(64)
            slide.read(wb.Box(0, 0, 300, 300))
            for name in slide.associated:
                slide.associated[name]
            slide.encoded_tile(0, 0, 0)
    except WorkbenchError:
        return 1
    except BaseException:  # noqa: BLE001 - this is what is looked for
        return 2
    return 0


def patched(path, tag, value, *, kind=None, count=None, page=0):
    """Change the number of a tag, in place and inline."""
    with tifffile.TiffFile(path) as file:
        found = file.pages[page].tags[tag]
        place, order = found.offset, file.byteorder
    data = bytearray(Path(path).read_bytes())
    old_kind, old_count = struct.unpack_from(order + "HI", data, place + 2)
    struct.pack_into(
        order + "HI", data, place + 2, kind or old_kind, count or old_count
    )
    struct.pack_into(order + "I", data, place + 8, value)
    Path(path).write_bytes(data)
    return path


def tiled(folder, **options):
    options = options or {"compression": "zlib"}
    return made_tiffs.write_pyramid(folder / "a.tif", PICTURE, shrinks=(1,), **options)


LONG = 4
CLAIMS = {
    "wide tiles": (TILE_WIDTH, 1 << 24),
    "high tiles": (TILE_HEIGHT, 1 << 31),
    "tiles of 2^20": (TILE_WIDTH, 1 << 20),
    "tiles of 32,768": (TILE_WIDTH, 1 << 15),
    "no tile at all": (TILE_WIDTH, 0),
    "a wide picture": (WIDTH, (1 << 32) - 1),
    "a high picture": (HEIGHT, 1 << 30),
    "no picture": (WIDTH, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zlib", "jpeg", None, "webp", "lzw"])
@pytest.mark.parametrize("what", CLAIMS)
def test_sizes_that_cannot_be(what, kind, tmp_path):
    tag, value = CLAIMS[what]
    path = patched(tiled(tmp_path, compression=kind), tag, value, kind=LONG)
    assert outcome(path) == "typed"


@pytest.mark.parametrize("tag", [OFFSETS, COUNTS])
@pytest.mark.parametrize("value", [(1 << 32) - 1, 1 << 31, 1 << 28])
@pytest.mark.parametrize("kind", ["zlib", "jpeg", None])
def test_bytes_that_are_not_there(kind, value, tag, tmp_path):
    path = made_tiffs.write_pyramid(
        tmp_path / "a.tif", PICTURE[:256, :256], shrinks=(1,), compression=kind
    )
    assert outcome(patched(path, tag, value)) == "typed"


@pytest.mark.parametrize("value", [0, 5, 4096, 65535])
def test_samples_that_cannot_be(value, tmp_path):
    assert outcome(patched(tiled(tmp_path), SAMPLES, value)) == "typed"


@pytest.mark.parametrize("tag", [WIDTH, COMPRESSION, 262, OFFSETS, COUNTS, 258])
def test_a_tag_of_a_thousand_million_values(tag, tmp_path):
    path = tiled(tmp_path)
    assert outcome(patched(path, tag, 8, count=1 << 30)) == "typed"


def test_one_strip_of_a_large_picture(tmp_path):
    small = np.zeros((64, 64, 3), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, small, compression="zlib", photometric="rgb", metadata=None)
    for tag in (WIDTH, HEIGHT, ROWS):
        patched(path, tag, 60000, kind=LONG)
    assert outcome(path) == "typed"


def circle(data, order):
    """Let the last directory name the first as the next."""
    at = first = struct.unpack_from(order + "I", data, 4)[0]
    while at:
        count = struct.unpack_from(order + "H", data, at)[0]
        place = at + 2 + 12 * count
        at = struct.unpack_from(order + "I", data, place)[0]
    struct.pack_into(order + "I", data, place, first)


def test_directories_in_a_circle(tmp_path):
    path = Path(made_tiffs.write_pyramid(tmp_path / "a.tif", PICTURE))
    data = bytearray(path.read_bytes())
    circle(data, "<")
    path.write_bytes(data)
    assert outcome(path) == "typed"
    with pytest.raises(SlideError, match="circle"):
        wb.open_slide(path)


def test_a_hundred_thousand_directories(tmp_path):
    """Each of 18 bytes: a file of 2 MB that asks for as many pages."""
    data = bytearray(b"II*\0\x08\0\0\0")
    for number in range(100_000):
        following = 8 + 18 * (number + 1)
        data += struct.pack("<HHHIII", 1, WIDTH, LONG, 1, 64, following)
    data[-4:] = bytes(4)
    (tmp_path / "a.tif").write_bytes(data)
    assert outcome(tmp_path / "a.tif") == "typed"


def one_tile(path, stored, compression):
    """Write a TIFF of 256 x 256 pixels whose only tile is given."""
    tifffile.imwrite(
        path,
        iter([b"x" * 8]),
        shape=(256, 256, 3),
        dtype=np.uint8,
        tile=(256, 256),
        photometric="rgb",
        compression="zlib",
        metadata=None,
    )
    data = bytearray(path.read_bytes())
    place = len(data)
    path.write_bytes(data + stored)
    patched(path, OFFSETS, place)
    patched(path, COUNTS, len(stored))
    patched(path, COMPRESSION, compression)
    return path


def large_picture(form, side, **options):
    picture = Image.new("RGB", (side, side), (200, 180, 190))
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


BOMBS = {
    "jpeg": (7, lambda: large_picture("JPEG", 16000, quality=5)),
    "webp": (50001, lambda: large_picture("WEBP", 6000, method=0)),
    "jpeg 2000": (
        34712,
        lambda: (
            b"\xff\x4f\xff\x51"
            + struct.pack(
                ">HHIIIIIIIIH", 47, 0, 1 << 20, 1 << 20, 0, 0, 1 << 20, 1 << 20, 0, 0, 3
            )
            + b"\x07\x01\x01" * 3
            + b"\xff\xd9"
        ),
    ),
    "deflate": (8, lambda: zlib.compress(bytes(1 << 30), 9)),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BOMBS)
def test_tiles_that_are_larger_than_the_file_says(what, tmp_path):
    compression, make = BOMBS[what]
    path = one_tile(tmp_path / "a.tif", make(), compression)
    assert outcome(path) in {"typed", "fine"}  # Deflate stops at the end of the tile
    if what != "deflate":
        with (
            wb.open_slide(path) as slide,
            pytest.raises(SlideError, match="Reading level 0"),
        ):
            slide.read(slide.box)


BAD_XML = {
    "entities": '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">]><OME>&a;</OME>',
    "cut": '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image>',
    "deep": "<OME>" + "<Image>" * 50_000,
    "huge": '<OME><Image><Pixels SizeX="9999999999" SizeZ="999999999" SizeT="99999999"'
    ' SizeC="99999"/></Image></OME>',
    "far": '<OME><Image><Pixels SizeX="9" SizeY="9"><TiffData IFD="99999999"/></Pixels>'
    "</Image></OME>",
}


@pytest.mark.parametrize("what", BAD_XML)
def test_xml_that_cannot_be(what, tmp_path):
    text = BAD_XML[what] + "<!-- www.openmicroscopy.org/Schemas/OME -->"
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        PICTURE,
        photometric="rgb",
        description=text,
        metadata=None,
        ome=False,
    )
    assert outcome(tmp_path / "a.ome.tif") in {"typed", "fine"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_bytes_changed_anywhere(seed, tmp_path):
    """Directories above all: that is where claims are."""
    rng = np.random.default_rng(seed)
    kinds = [made_tiffs.jpeg(), {"compression": "zlib"}, {"compression": "lzw"}]
    path = Path(
        made_tiffs.write_pyramid(tmp_path / "a.tif", PICTURE, **kinds[seed % 3])
    )
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        places = [tag.offset for page in file.pages for tag in page.tags]
    seen = set()
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.choice(places)) + int(rng.integers(0, 12))
            data[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)]))
        path.write_bytes(data[: int(rng.choice([len(data), rng.integers(len(data))]))])
        seen.add(outcome(path))
    assert seen <= {"fine", "typed"}, seen
