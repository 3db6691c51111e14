"""A slide's id follows from all that distinguishes it, whatever it is called."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import made_slides
import workbench as wb
from workbench.slide.byte_ranges import LocalPart
from workbench.slide.identity import content_id
from workbench.slide.identity.content_id import Content, id_of
from workbench.slide.identity.file_content import content_of as file_content
from workbench.slide.identity.source import SlideSource
from workbench.slide.location import locate

quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LOSSLESS = {
    "strips": {},
    "tiles": {"tile": (256, 256)},
    "deflate": {"tile": (256, 256), "compression": "adobe_deflate"},
}


def known(path):
    with wb.open_slide(path) as slide:
        return slide.id


def write(path, pixels, **options):
    options = {"photometric": "rgb", "metadata": None, **options}
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize("kind", LOSSLESS)
@quick
@given(data=st.data())
def test_one_pixel_makes_another_slide(kind, data, tmp_path):
    pixels = np.full((600, 700, 3), 243, np.uint8)
    one = write(tmp_path / "one.tif", pixels, **LOSSLESS[kind])
    y, x = data.draw(st.integers(0, 599)), data.draw(st.integers(0, 699))
    pixels[y, x, data.draw(st.integers(0, 2))] ^= 1
    other = write(tmp_path / "other.tif", pixels, **LOSSLESS[kind])
    assert known(one) != known(other)


@pytest.fixture(scope="module", params=made_slides.ALL[:9], ids=lambda f: f.__name__)
def made(request, tmp_path_factory):
    return Path(request.param(tmp_path_factory.mktemp("made")))


@pytest.mark.slow
@quick
@given(share=st.floats(0, 1, exclude_max=True))
def test_one_byte_anywhere_makes_another_slide(made, share, tmp_path):
    data = bytearray(made.read_bytes())
    data[int(share * len(data))] ^= 1
    path = tmp_path / made.name
    path.write_bytes(data)
    try:
        after = SlideSource(str(path)).id
    except wb.WorkbenchError:  # its first bytes say what it is
        return
    assert after != SlideSource(str(made)).id


def test_one_slide_has_one_id_by_every_door(tmp_path, monkeypatch):
    (tmp_path / "a folder #1").mkdir()
    path = Path(made_slides.deflate(tmp_path / "a folder #1"))
    copy = Path(shutil.copy(path, tmp_path / "copy.svs"))
    link = tmp_path / "link.tif"
    link.symlink_to(path)
    hard = tmp_path / "hard.tif"
    os.link(copy, hard)
    monkeypatch.chdir(tmp_path)
    doors = [
        path,
        copy,
        link,
        hard,
        "copy.svs",
        "./a folder #1/../copy.svs",
        path.as_uri(),
        f"file://{path}",
        f"local://{copy}",
    ]
    assert len({known(door) for door in doors}) == 1
    moved = Path(shutil.move(tmp_path / "a folder #1", tmp_path / "moved"))
    assert known(moved / path.name) == known(copy)
    os.utime(copy, (1, 1))
    assert known(copy) == known(link.resolve().parents[1] / "moved" / path.name)


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
@quick
@given(data=st.data())
def test_one_byte_of_a_chunk_makes_another_slide(version, data, tmp_path):
    shutil.rmtree(tmp_path / f"image-v{version}.zarr", ignore_errors=True)
    path = Path(made_slides.ome_zarr(tmp_path, version=version))
    before = known(path)
    chunks = [f for f in path.rglob("*") if f.is_file() and f.name[0] not in ".z"]
    chunk = data.draw(st.sampled_from(sorted(chunks)))
    content = bytearray(chunk.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1
    chunk.write_bytes(content)
    assert SlideSource(str(path)).id != before


def test_a_missing_chunk_makes_another_slide(tmp_path):
    path = Path(made_slides.ome_zarr(tmp_path))
    before = known(path)
    next(f for f in path.rglob("*") if f.is_file() and "/c/" in str(f)).unlink()
    assert known(path) != before


class TestLarge:
    """Files that are too large to be read whole."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        for name in ("WHOLE_BYTES", "WHOLE_PLAIN_BYTES"):
            monkeypatch.setattr(
                f"workbench.slide.identity.file_content.{name}", 1 << 20
            )

    def test_a_sample_of_it_is_read(self, tmp_path):
        file = tmp_path / "large"
        file.write_bytes(bytes(40 << 20))
        read = []

        class Counting(LocalPart):
            def read(self, ranges):
                read.extend(length for _, length in ranges)
                return super().read(ranges)

        id_of(Content((Counting(file),), whole=1 << 20))
        assert sum(read) <= content_id.MANY * 8192 + (1 << 17)
        assert len(read) == content_id.MANY + 2

    def test_every_field_of_tissue_is_noticed(self, tmp_path):
        """Cores of a size, each on white glass at another place."""
        rng = np.random.default_rng(0)
        field = rng.integers(90, 230, (300, 300, 3), np.uint8)
        ids = set()
        for number in range(6):
            pixels = np.full((3000, 3000, 3), 243, np.uint8)
            x, y = rng.integers(0, 2700, 2)
            pixels[y : y + 300, x : x + 300] = field
            ids.add(known(write(tmp_path / f"{number}.tif", pixels, tile=(256, 256))))
        assert len(ids) == 6

    @pytest.mark.slow
    def test_the_length_of_any_tile_is_noticed(self, tmp_path):
        pixels = made_slides.tissue_like(3000, 3000)
        options = {"tile": (256, 256), "compression": "adobe_deflate"}
        one = write(tmp_path / "one.tif", pixels, **options)
        content = file_content(locate(str(one)))
        assert content.samples == content_id.FEW
        assert content.compressed
        pixels[1500:1510, 1500:1510] = 0
        assert known(one) != known(write(tmp_path / "two.tif", pixels, **options))

    @pytest.mark.slow
    def test_samples_are_spread_over_all_files(self, tmp_path):
        parts = []
        for number in range(30):
            file = tmp_path / str(number)
            file.write_bytes(bytes([number]) * (200_000 + 1000 * number))
            parts.append(LocalPart(file))
        before = id_of(Content(tuple(parts), whole=1 << 20))
        for number in range(30):
            file = tmp_path / str(number)
            kept = file.read_bytes()
            file.write_bytes(bytes([99]) * len(kept))
            assert id_of(Content(tuple(parts), whole=1 << 20)) != before
            file.write_bytes(kept)
        assert id_of(Content(tuple(parts), whole=1 << 20)) == before


@pytest.mark.slow
def test_what_is_not_compressed_is_read_whole_for_longer(tmp_path):
    pixels = np.full((5100, 5000, 3), 243, np.uint8)
    one = write(tmp_path / "one.tif", pixels)
    pixels[2345, 1234, 1] ^= 1
    assert known(one) != known(write(tmp_path / "two.tif", pixels))


@pytest.mark.parametrize("big", [False, True])
def test_damaged_directories_do_not_hang(tmp_path, big):
    head = b"II+\0\x08\0\0\0" if big else b"II*\0"
    loop = struct.pack("<Q" if big else "<I", len(head) + (8 if big else 4))
    path = tmp_path / "loop.tif"
    for tail in (b"", b"\xff" * 5000, b"\1\0" * 5000, loop + b"\1\0" * 200):
        path.write_bytes(head + loop + tail)
        content = file_content(locate(str(path)))
        assert id_of(content).startswith(content_id.ALGORITHM)


def test_a_mirax_slide_is_its_folder_too(tmp_path):
    shown = tmp_path / "one.mrxs"
    shown.write_bytes(b"\xff\xd8\xff" + bytes(100))
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "Slidedat.ini").write_text("[GENERAL]")
    (folder / "Data0000.dat").write_bytes(b"1" * 100)
    before = id_of(file_content(locate(str(shown))))
    assert locate(str(folder)).path == str(shown)
    (folder / "Data0000.dat").write_bytes(b"2" * 100)
    assert id_of(file_content(locate(str(shown)))) != before


@pytest.mark.parametrize("where", ["pipe", "null"])
def test_what_is_no_file_is_refused_without_being_read(where, tmp_path):
    path = Path(os.devnull)
    if where == "pipe":
        path = tmp_path / "pipe.tif"
        os.mkfifo(path)
    with pytest.raises(wb.WorkbenchError, match="neither a file nor a folder"):
        wb.open_slide(path)


@pytest.mark.parametrize(
    "url",
    [
        "nothing://x/y.tif",
        "http://127.0.0.1:9/x.tif",
        "http://127.0.0.1:9/x.zarr",
        "memory://absent.tif",
        "memory://absent.zarr",
        "zip://a.zarr::/nothing.zip",
        "file:///nothing/at/all.tif",
        "s3://bucket/x.zarr",
        "\0",
        "a" * 5000,
        "",
    ],
)
def test_an_address_that_leads_nowhere_is_an_error_of_ours(url):
    with pytest.raises(wb.WorkbenchError):
        wb.open_slide(url)


PLAIN_PX = (20_000, 17_900)
"""Height and width of an uncompressed picture of 1 GiB."""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return an uncompressed TIFF, too large to be hashed completely; it is sparse."""
    path = tmp_path_factory.mktemp("large") / "large.tif"
    options = {"shape": (*PLAIN_PX, 3), "photometric": "rgb", "metadata": None}
    tifffile.imwrite(path, dtype=np.uint8, **options)
    size = path.stat().st_size
    assert size > 4 * content_id.WHOLE_PLAIN_BYTES - (8 << 20)
    assert path.stat().st_blocks * 512 < size / 100
    return path


def plain_id(path):
    return id_of(file_content(locate(str(path))))


@pytest.mark.slow
@quick
@given(share=st.floats(0, 1), value=st.integers(1, 255))
def test_what_fills_two_parts_of_a_large_plain_file_is_noticed(large, share, value):
    before, size = plain_id(large), large.stat().st_size
    length = 2 * -(-size // content_id.MANY)
    start = int(share * (size - length - 4096)) + 4096
    with large.open("r+b") as file:
        file.seek(start)
        kept = file.read(length)
        file.seek(start)
        file.write(bytes([value]) * length)
        file.flush()
        after = plain_id(large)
        file.seek(start)
        file.write(kept)
    assert after != before
    assert plain_id(large) == before


def test_of_a_large_plain_file_as_much_is_read_as_is_documented(large, monkeypatch):
    """And a smaller difference is missed where no sample lies: docs/formats.md."""
    read = []
    original = LocalPart.read

    def noted(part, ranges):
        read.extend(ranges)
        return original(part, ranges)

    monkeypatch.setattr(LocalPart, "read", noted)
    before = plain_id(large)
    samples = sorted((start, length) for start, length in read if length == 8192)
    assert len(samples) == content_id.MANY
    assert 16 << 20 <= sum(length for _, length in read) < 17 << 20
    (start, length), (following, _) = samples[1000], samples[1001]
    middle = (start + length + following) // 2
    with large.open("r+b") as file:
        file.seek(middle)
        file.write(b"\x01")
    assert plain_id(large) == before
