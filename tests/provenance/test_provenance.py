"""What made a file: the same value comes back from every format."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zlib
from contextlib import closing

import h5py
import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from PIL import Image

import workbench as wb
from fakes import FakeSlide, fake_model
from labelled_slides import blobs, reading_model, slide_of
from workbench.cli import main
from workbench.errors import ProvenanceError
from workbench.export.formats import FORMATS
from workbench.inference import engine, plan
from workbench.provenance import KEY, attach, keep_inside, provenance_of
from workbench.provenance.runs import shared_name

MODELS = {
    "scores": fake_model,
    "instances": reading_model,
    "vectors": lambda: fake_model(task="embedding", classes=("norm",), dimensions=2),
}
BESIDE = (".csv", ".histomicsui.json")
"""Suffixes of formats without a place for it."""

TASKS = {"scores": "scores", "instances": "instances", "vectors": "embedding"}
EXPORTED = [
    (kind, each.name, suffix)
    for kind, task in TASKS.items()
    for each in FORMATS
    if not each.reads_slide and each.accepts(task)
    for suffix in each.suffixes or ("",)
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    slides = {
        "scores": FakeSlide((300, 200)),
        "instances": slide_of(blobs((300, 200), 30, (4, 8))),
        "vectors": FakeSlide((300, 200)),
    }
    made = {}
    for kind, model in MODELS.items():
        with pytest.MonkeyPatch.context() as patched:
            network = model()
            patched.setattr(plan, "find_model", lambda *_, m=network, **__: m)
            made[kind] = engine.run(
                slides[kind],
                out=folder / kind,
                tissue_only=False,
                device="cpu",
                weights=str(folder / "private" / "weights.pt"),
            )
    return made


@pytest.mark.parametrize(("kind", "name", "suffix"), EXPORTED)
def test_every_export_says_what_made_it(runs, tmp_path, kind, name, suffix):
    run = runs[kind]
    path = wb.export_run(run, tmp_path / f"out{suffix}", to=name)
    made, of_run = wb.read_provenance(path), provenance_of(run)
    assert made.kind == "export"
    assert made.slide == {n: v for n, v in run.record["slide"].items() if n != "path"}
    assert made.model == run.record["model"]
    assert made.sessions == of_run.sessions
    assert made.sessions[0]["packages"]["torch"]
    assert made.run["batch_size"] == run.record["batch_size"]
    (parent,) = made.parents
    assert parent == {"kind": "run", "name": kind, "digest": of_run.digest}
    beside = [each.name for each in tmp_path.iterdir() if each != path]
    outside = suffix in BESIDE
    assert beside == ([f"out{suffix}.provenance.json"] if outside else [])


def test_no_folder_of_the_machine_leaves_it(runs, tmp_path):
    path = wb.export_run(runs["scores"], tmp_path / "out.geojson")
    assert str(runs["scores"].path.parent) not in path.read_text()
    assert wb.read_provenance(path).recipe["weights"] == "weights.pt"


@pytest.mark.parametrize(
    ("place", "shared"),
    [
        ("nuclei", "nuclei"),
        ("owner/name", "owner/name"),
        ("/home/a/model.pt", "model.pt"),
        ("/data/s.svs@1,2,3,4", "s.svs@1,2,3,4"),
        (r"C:\Users\a\model.pt", "model.pt"),
        ("~/model.pt", "model.pt"),
        ("https://me:secret@host/a.svs?sig=1", "https://host/a.svs"),
    ],
)
def test_places_are_shared_without_folders_and_secrets(place, shared):
    assert shared_name(place) == shared


def test_a_run_that_moved_has_the_same_digest(runs):
    made = provenance_of(runs["scores"])
    again = wb.Provenance.of_text(made.text, "text")
    assert again.digest == made.digest
    assert again.record == made.record


def test_what_is_under_an_unfinished_or_old_record_is_read(tmp_path):
    (tmp_path / "old").mkdir()
    made = wb.Provenance.new("export")
    attach(tmp_path / "old", made)
    assert wb.read_provenance(tmp_path / "old") == made


def empty(path):
    """Write a small file of a kind that takes the provenance afterwards."""
    if path.suffix == ".h5":
        h5py.File(path, "w").close()
    elif path.suffix == ".zarr":
        zarr.open_group(path, mode="w", zarr_format=3)
    elif path.suffix == ".zarr2":
        zarr.open_group(path, mode="w", zarr_format=2)
    elif path.suffix == ".db":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE metadata (key TEXT, value TEXT)")
    elif path.suffix == ".png":
        Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".zarr2", ".db", ".png"])
def test_finished_files_take_a_long_provenance(tmp_path, suffix):
    path = tmp_path / f"file{suffix}"
    empty(path)
    region = [[i, i, i + 1, i + 1] for i in range(6_000)]
    made = wb.Provenance.new("export", recipe={"region": region, "name": "tumör"})
    assert len(made.text) > 1 << 16  # more than an attribute of HDF5 itself may hold
    assert keep_inside(path, made)
    assert wb.read_provenance(path) == made
    assert keep_inside(path, wb.Provenance.new("report"))
    assert wb.read_provenance(path).kind == "export"
    if suffix == ".png":
        assert np.asarray(Image.open(path)).tobytes() == bytes(range(256))
        assert json.loads(Image.open(path).text[KEY]) == made.block
    if suffix == ".zarr":
        assert zarr.open_group(path, mode="r").attrs[KEY] == made.block
    if suffix == ".zarr2":
        assert zarr.open_group(path, zarr_format=2).attrs[KEY] == made.block


def test_a_sidecar_is_of_one_file_alone(tmp_path):
    path = tmp_path / "areas.csv"
    path.write_text("a\n1\n")
    made = wb.Provenance.new("export")
    attach(path, made)
    assert wb.read_provenance(path) == made
    path.write_text("a\n2\n")
    with pytest.raises(ProvenanceError, match=r"'.*areas.csv' is not known: it was ch"):
        wb.read_provenance(path)


class Counting(io.StringIO):
    read_characters = 0

    def read(self, size=-1):
        text = super().read(size)
        self.read_characters += len(text)
        return text


def test_of_a_large_collection_only_the_head_is_read():
    from workbench.provenance.json_head import head_members  # noqa: PLC0415

    long = json.dumps({"type": "F", KEY: {"n": "x" * 200_000}, "features": [1]})
    file = Counting(long[:-2] + ",1" * 2_000_000 + "]}")
    assert set(head_members(file)) == {"type", KEY}
    assert file.read_characters < 500_000
    assert head_members(io.StringIO('{"a":12')) == {"a": 12}
    assert head_members(io.StringIO("[1]")) == {}
    assert head_members(io.StringIO("")) == {}
    with pytest.raises(ValueError, match=r"."):
        head_members(io.StringIO('{"a": {"b": 1'))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "does not say"),
        (b"hello", "does not say"),
        (b'{"type": "FeatureCollection", "features": []}', "does not say"),
        (b'{"workbench": {"other": 1}}', "does not say"),
        (b'{"workbench": "text"}', "does not say"),
        (b'{"workbench": {"provenance": 1}}', "damaged: it is not an object"),
        (b'{"workbench": {"provenance": {"format": 2}}}', "format 2, not 1"),
        (b'{"workbench": {"provenance": {"format": 1}}}', "has no 'kind'"),
        (
            b'{"workbench": {"provenance": {"format": 1, "kind": "a", "slide": []}}}',
            "its 'slide' is a list",
        ),
        (
            b'{"workbench":{"provenance":{"format":1,"kind":"a","parents":[1]}}}',
            "its 'parents' is no list of objects",
        ),
        (b'{"workbench": {"prov', "cannot be read"),
        (b"PAR1 and no more", "cannot be read"),
        (b"\x89HDF\r\n\x1a\n", "cannot be read"),
        (b"SQLite format 3\0 and no more", "cannot be read"),
        (b"II*\0", "does not say|cannot be read"),
        (gzip.compress(b'{"workbench": {"prov', mtime=0), "cannot be read"),
        (b"\x1f\x8b", "cannot be read"),
        (b"<!doctype html><p>", "does not say"),
        (b'<!doctype html><meta name="workbench-provenance" content="{">', "damaged"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffiTXt", "does not say"),
    ],
)
def test_files_that_say_nothing_or_nonsense_are_refused(tmp_path, content, problem):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ProvenanceError, match=problem):
        wb.read_provenance(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ProvenanceError, match="no such file"):
        wb.read_provenance(tmp_path / "nothing.geojson")


def test_a_compressed_chunk_of_png_is_read(tmp_path):
    path = tmp_path / "a.png"
    empty(path)
    made = wb.Provenance.new("figure")
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    info = PngInfo()
    info.add_itxt(KEY, made.text, zip=True)
    Image.open(path).save(path, pnginfo=info)
    assert zlib.compress(made.text.encode())[:1] in path.read_bytes()
    assert wb.read_provenance(path) == made


def test_features_name_the_run_that_they_came_from(runs, tmp_path):
    features = wb.open_features(runs["vectors"].path)
    for suffix in (".parquet", ".h5", ".zarr"):
        path = wb.export_features(features, tmp_path / f"f{suffix}")
        made = wb.read_provenance(path)
        assert made.kind == "features"
        assert made.parents[0]["digest"] == provenance_of(runs["vectors"]).digest
        again = wb.open_features(path)
        other = wb.export_features(again, tmp_path / f"g{suffix}")
        assert wb.read_provenance(other).parents[0]["digest"] == made.digest


def test_features_of_other_tools_say_what_is_known(tmp_path):
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file["features"] = np.ones((2, 3), np.float32)
        file["coords"] = np.array([[0, 0], [256, 0]])
        file["coords"].attrs.update({"patch_size": 256, "patch_size_level0": 256})
    features = wb.open_features(tmp_path / "theirs.h5")
    path = wb.export_features(features, tmp_path / "ours.parquet")
    assert wb.read_provenance(path).parents[0]["name"] == "theirs.h5"


def test_the_verb_prints_it(runs, tmp_path):
    path = wb.export_run(runs["scores"], tmp_path / "out.ome.tiff")
    said = CliRunner().invoke(main, ["provenance", str(path)])
    assert said.exit_code == 0, said.output
    for part in (
        "fake.tiff",
        runs["scores"].record["slide"]["id"],
        "torch",
        "made from",
    ):
        assert part in said.output
    said = CliRunner().invoke(main, ["provenance", str(path), "--json"])
    assert json.loads(said.output) == wb.read_provenance(path).record
    other = tmp_path / "other.txt"
    other.write_text("hello")
    said = CliRunner().invoke(main, ["provenance", str(other)])
    assert said.exit_code == 13
    assert "does not say what made it" in said.output
