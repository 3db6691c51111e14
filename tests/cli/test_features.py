"""`workbench features`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import workbench as wb
from feature_files import tiles, write_clam, write_stamp, write_trident
from vision_language import clip_text, write_tokenizer, write_weights
from workbench.cli import main


@pytest.fixture
def run():
    def call(*words):
        return CliRunner().invoke(main, ["features", *map(str, words)])

    return call


def test_info_says_what_a_file_holds(tmp_path, run):
    corners, vectors = tiles(dtype=np.float16)
    corners[0], corners[1] = (0, 10), (2000, 1500)
    vectors[2] = np.nan
    path = write_trident(tmp_path / "slide.h5", corners, vectors)
    said = run("info", path)
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert "Format: TRIDENT" in lines
    assert "Vectors: float16 (12 x 7)" in lines
    assert "Encoder: uni_v2" in lines
    assert "Tile size: 512 level-0 px" in lines
    assert (
        f"Extent: x 0 to 2512, y {corners[:, 1].min()} to {corners[:, 1].max() + 512}"
        in lines
    )
    assert "Notes: 1 vectors hold numbers that are not finite." in lines
    found = json.loads(run("info", path, "--json").output)
    assert found["Attributes"]["patch_size_level0"] == 512


def test_info_says_what_is_missing(tmp_path, run):
    path = write_clam(tmp_path / "slide.h5", *tiles(40))
    said = run("info", path)
    assert said.exit_code == 10
    assert "--tile-size-level0 512" in said.output
    assert run("info", path, "--tile-size-level0", 512).exit_code == 0
    path = write_stamp(tmp_path / "b.h5", *tiles(), unit="um", tile_size=256.0)
    assert "--slide SLIDE" in run("info", path).output


@pytest.mark.parametrize(
    ("words", "name"),
    [(["--to", "trident"], "b.h5"), (["--to", "parquet"], "b.parquet"), ([], "b.zarr")],
)
def test_convert_writes_other_layouts(tmp_path, run, words, name):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "a.h5", corners, vectors)
    out = tmp_path / "out" / (name if not words else "b")
    said = run("convert", path, out, *words)
    assert said.exit_code == 0, said.output
    assert said.output.strip() == str(tmp_path / "out" / name)
    again = wb.open_features(tmp_path / "out" / name)
    assert np.asarray(again.vectors[:]).tobytes() == vectors.tobytes()
    assert run("convert", path, tmp_path / "b.csv", "--to", "trident").exit_code == 2
    assert run("convert", path, tmp_path / "b.csv").exit_code == 10


def test_bias_prints_a_row_for_each_encoder(tmp_path, run):
    lines = ["features,scanner"]
    for number, scanner in enumerate("AABB"):
        for encoder, shift in (("uni_v2", 0), ("conch", 5)):
            corners, vectors = tiles(40, seed=number)
            vectors += shift * (scanner == "B")
            name = f"{number}-{encoder}.h5"
            write_trident(tmp_path / name, corners, vectors, encoder=encoder)
            lines.append(f"{name},{scanner}")
    table = tmp_path / "study.csv"
    table.write_text("\n".join(lines))
    said = run("bias", table, "--by", "scanner")
    assert said.exit_code == 0, said.output
    assert "conch, not normalized: 100 % (95 % interval 100 to 100)" in said.output
    found = json.loads(run("bias", table, "--by", "scanner", "--json").output)
    assert [row["encoder"] for row in found] == ["uni_v2", "conch"]
    assert found[0]["accuracy"] < 0.8
    refused = run("bias", table, "--by", "site")
    assert refused.exit_code == 2
    assert "row 1 of" in refused.output
    assert "has no 'site'" in refused.output


def test_text_scores_tiles_by_prompts(tmp_path, run):
    folder = tmp_path / "plip"
    folder.mkdir()
    write_weights(folder / "model.safetensors", clip_text())
    write_tokenizer(folder / "tokenizer.json")
    encoder = wb.models.load_text_encoder(folder)
    vectors = encoder.encode(["the tumour", "stroma"])
    corners, _ = tiles(2)
    path = write_trident(tmp_path / "a.h5", corners, vectors)
    words = ["text", path, "--model", folder, "--prompt", "stroma"]
    said = run(*words, "--prompt", "tumour=the tumour", "--prompt", "tumour=tumour")
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0] == "x0,y0,x1,y1,stroma,tumour"
    values = np.array([line.split(",")[4:] for line in lines[1:3]], float)
    np.testing.assert_allclose(values.sum(axis=1), 1)
    assert values.argmax(axis=1).tolist() == [1, 0]
    said = run(*words, "--out", tmp_path / "b.parquet")
    assert said.exit_code == 0, said.output
    alone = wb.open_features(tmp_path / "b.parquet")
    assert (alone.dimensions, alone.scores.names) == (0, ("stroma",))
    assert alone.scores.values[1, 0] == pytest.approx(1, abs=1e-6)
    other = write_trident(tmp_path / "c.h5", *tiles())
    said = run("text", other, "--model", folder, "--prompt", "stroma")
    assert "same vision-language model" in said.output


def test_like_prints_the_tiles_of_other_slides(tmp_path, run):
    paths = []
    for name in "ab":
        corners, vectors = tiles(40, seed=ord(name))
        vectors[3] = 9
        paths.append(write_trident(tmp_path / f"{name}.h5", corners, vectors))
    said = run("index", tmp_path / "index", *paths)
    assert said.exit_code == 0, said.output
    assert "80 tiles of 2 slides" in said.output
    x, y = tiles(40, seed=ord("a"))[0][3] + 256
    words = ["like", tmp_path / "index", "a", x, y, "--count", 3]
    assert run(*words).output.splitlines()[1].startswith("a,3,")
    found = json.loads(run(*words, "--others", "--json").output)
    assert [found[0]["slide"], found[0]["row"], len(found)] == ["b", 3, 3]
    assert run("like", tmp_path / "index", "c", 0, 0).exit_code != 0
