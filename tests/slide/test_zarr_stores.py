"""OME-Zarr as it is written and served: containers, plates, stores without lists."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
import zarr
from fsspec.implementations.memory import MemoryFileSystem

import made_slides
import workbench as wb
from workbench.errors import WorkbenchError

PIXELS = made_slides.tissue_like(seed=4)
BOX = wb.Box(100, 50, 400, 300)


class Quiet(http.server.SimpleHTTPRequestHandler):
    status = None

    def log_message(self, *_):
        pass

    def list_directory(self, path):
        if self.status is None:
            return super().list_directory(path)
        return self.send_error(self.status)


class NotFound(Quiet):
    status = 404


class Forbidden(Quiet):
    status = 403

    def do_GET(self):
        if not Path(self.translate_path(self.path)).exists():
            return self.send_error(403)
        return super().do_GET()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module", params=[2, 3])
def path(request, folder):
    return Path(made_slides.ome_zarr(folder, version=request.param))


@pytest.fixture(scope="module", params=[Quiet, NotFound, Forbidden])
def address(request, folder):
    handler = functools.partial(request.param, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def same(door, path):
    with wb.open_slide(door) as slide, wb.open_slide(path) as local:
        np.testing.assert_array_equal(slide.read(BOX).pixels, local.read(BOX).pixels)
        assert (slide.id, slide.mpp, slide.size) == (local.id, local.mpp, local.size)


def in_memory(path, name):
    """Copy a folder into memory; return its path there."""
    memory = fsspec.filesystem("memory")
    for file in path.rglob("*"):
        if file.is_file():
            memory.pipe(f"/{name}/{file.relative_to(path)}", file.read_bytes())
    return f"/{name}"


@pytest.mark.parametrize("end", ["", "/"])
def test_a_server_need_not_list_folders(address, path, end):
    same(f"{address}/{path.name}{end}", path)


@pytest.mark.slow
def test_other_stores_hold_the_same_slide(path, tmp_path):
    in_memory(path, path.name)
    archive = shutil.make_archive(str(tmp_path / "flat"), "zip", path)
    deep = shutil.make_archive(
        str(tmp_path / "deep"), "zip", path.parent, base_dir=path.name
    )
    for door in (
        path.as_uri(),
        f"memory://{path.name}",
        archive,
        deep,
        f"zip://::{archive}",
        f"zip://{path.name}::{deep}",
    ):
        same(door, path)


def test_consolidated_metadata_does_not_matter(path, tmp_path):
    copy = Path(shutil.copytree(path, tmp_path / "a copy of #1.zarr"))
    zarr.consolidate_metadata(str(copy))
    same(copy, path)


def container(path, *, version, names=(None, None), declared=True):
    """Write what bioformats2raw writes: a slide in 1, its label in 0."""
    shutil.rmtree(path, ignore_errors=True)
    root = zarr.open_group(path, mode="w", zarr_format=version)
    inner = Path(made_slides.ome_zarr(Path(path), version=version))
    shutil.move(inner, path / "1")
    small = zarr.open_group(path / "1", mode="a")
    shutil.copytree(path / "1", path / "0")
    small = zarr.open_group(path / "0", mode="a")
    attributes = dict(small.attrs)
    image = attributes.get("ome", attributes)["multiscales"][0]
    image["datasets"] = image["datasets"][1:]
    small.attrs.update(attributes)
    for key, name in zip("01", names, strict=True):
        group = zarr.open_group(path / key, mode="a")
        attributes = dict(group.attrs)
        attributes.get("ome", attributes)["multiscales"][0]["name"] = name
        group.attrs.update(attributes)
    if declared:
        about = {"bioformats2raw.layout": 3}
        root.attrs.update({"ome": about} if version == 3 else about)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("declared", [True, False])
def test_the_slide_of_a_container_is_opened(version, declared, tmp_path):
    path = container(tmp_path / "raw.zarr", version=version, declared=declared)
    same(path, path / "1")
    with wb.open_slide(path) as slide, wb.open_slide(path / "0") as label:
        assert slide.size == (900, 700)
        assert label.id != slide.id


def test_what_is_called_a_macro_is_not_the_slide(tmp_path):
    names = ("slide", "Macro image")
    path = container(tmp_path / "raw.zarr", version=3, names=names)
    same(path, path / "0")


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"plate": {"wells": []}}, "HCS plate"),
        ({"well": {"images": []}}, "well of an HCS plate"),
        ({"labels": ["nuclei"]}, "label images"),
        ({}, "without an OME image"),
        ({"multiscales": []}, "metadata"),
        ({"multiscales": [{"datasets": []}]}, "metadata|no array"),
        ({"multiscales": [{"datasets": [{"path": "absent"}]}]}, "absent"),
        ({"multiscales": [{"axes": "yx", "datasets": 3}]}, "metadata"),
        ({"multiscales": "text"}, "metadata"),
        ({"bioformats2raw.layout": 3}, "without an OME image"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_other_groups_are_refused_by_name(about, says, version, tmp_path):
    group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=version)
    group.attrs.update({"ome": about} if version == 3 else about)
    with pytest.raises(WorkbenchError, match=says):
        wb.open_slide(tmp_path / "x.zarr")


def changed(path, change):
    file = next(path.glob("zarr.json"))
    about = json.loads(file.read_text())
    change(about["attributes"]["ome"]["multiscales"][0], about["attributes"]["ome"])
    file.write_text(json.dumps(about))
    return path


def steps(image, scale):
    image["coordinateTransformations"] = [{"type": "scale", "scale": scale}]


def units(image, *names):
    for axis, unit in zip(image["axes"][1:], names, strict=True):
        axis["unit"] = unit


@pytest.mark.parametrize(
    ("change", "xy"),
    [
        (lambda _, __: None, (0.5, 0.5)),
        (lambda image, _: steps(image, [1, 0.5, 0.5]), (0.25, 0.25)),
        (lambda image, _: steps(image, [1, 2, 1]), (0.5, 1.0)),
        (lambda image, _: units(image, "millimeter", "millimeter"), (500, 500)),
        (lambda image, _: units(image, "nanometer", "micrometer"), (0.5, 0.0005)),
        (lambda image, _: units(image, "µm", "um"), (0.5, 0.5)),
        (lambda image, _: units(image, "inch", "picometer"), (0.5e-6, 12_700)),
        (lambda image, _: units(image, "pixel", "pixel"), None),
        (lambda image, _: steps(image, [1]), None),
        (lambda image, _: steps(image, "nonsense"), None),
    ],
    ids=[*"1234567", "pixel", "short", "text"],
)
def test_the_scale_is_that_of_both_in_the_unit_of_each_axis(change, xy, tmp_path):
    path = changed(Path(made_slides.ome_zarr(tmp_path)), change)
    with wb.open_slide(path, mpp=0.5) as slide:
        seen = slide._stored.declared_mpp_xy
    assert seen == (None if xy is None else pytest.approx(xy))


def test_stains_in_their_own_colours_are_not_rgb(tmp_path):
    shown = [{"color": c, "label": c} for c in ("0000FF", "00FF00", "FF0000")]
    path = changed(
        Path(made_slides.ome_zarr(tmp_path)),
        lambda _, ome: ome.update(omero={"channels": shown}),
    )
    with wb.open_slide(path) as slide:
        assert [each.colour for each in slide.channels] == [
            *("#0000ff", "#00ff00", "#ff0000")
        ]


def test_a_plane_is_chosen_and_said(tmp_path):
    group = zarr.open_group(tmp_path / "z.zarr", mode="w", zarr_format=3)
    array = group.create_array("0", shape=(3, 3, 80, 90), dtype="uint8")
    for plane in range(3):
        array[:, plane] = plane + 1
    axes = [{"name": name} for name in "czyx"]
    image = {"axes": axes, "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    with wb.open_slide(tmp_path / "z.zarr") as slide:
        assert (slide.read(slide.box).pixels == 2).all()
        assert "3 planes along z" in slide._stored.notes[0]


class Counted(MemoryFileSystem):
    """Files in memory; `requests` lists the kind and path of each request."""

    protocol = "counted"
    requests: ClassVar[list[tuple[str, str]]] = []

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("counted://", "memory://"))

    def cat_file(self, path, *part, **more):
        self.requests.append(("content", path))
        return super().cat_file(path, *part, **more)

    def info(self, path, **more):
        self.requests.append(("info", path))
        return super().info(path, **more)


@pytest.fixture
def requests():
    fsspec.register_implementation("counted", Counted, clobber=True)
    Counted.requests.clear()
    return Counted.requests


def test_opening_requests_nothing_twice(path, requests):
    root = in_memory(path, path.name)
    with wb.open_slide(f"counted://{path.name}") as slide:
        opened = list(requests)
        assert 0 < len(opened) == len(set(opened)) <= 20
        assert slide.size == (900, 700)
        assert slide.id
    contents = [name for kind, name in requests if kind == "content"]
    assert len(contents) == len(set(contents))
    assert set(contents) >= set(fsspec.filesystem("memory").find(root))


def test_metadata_is_read_anew_by_each_opening(path, requests):
    about = next(n for n in ("zarr.json", ".zattrs") if (path / n).exists())
    file = f"{in_memory(path, f'anew-{about}.zarr')}/{about}"
    address = f"counted://anew-{about}.zarr"
    with wb.open_slide(address) as slide:
        mpp, first = slide.mpp, slide.id
    memory = fsspec.filesystem("memory")
    text = memory.cat(file).decode().replace('"micrometer"', '"millimeter"')
    memory.pipe(file, text.encode())
    with wb.open_slide(address, mpp=mpp) as slide:
        assert slide.id != first
    assert requests.count(("content", file)) == 2
