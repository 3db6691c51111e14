"""The command line: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from made_channels import made_values, write_ome
from stained_slide import write_stained
from workbench.annotations import collection
from workbench.cli import attention, main
from workbench.cli.annotations import FOLDER
from workbench.cli.stain import command as stain
from workbench.cli.stain import quantify
from workbench.errors import EXIT_CODES, MissingMppError, SlideError
from workbench.recipe import Recipe, StainMethod, options
from workbench.results.run import open_run
from workbench.stain.deconvolution import STAIN_SETS
from workbench.stain.quantify import THRESHOLDS
from workbench.stain.registry import METHODS
from workbench.training.outcomes import Outcome

MODEL = "stain-concentration"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    return write_stained(folder / "slide.tif", width=1536, height=1280)


@pytest.fixture(scope="module")
def vague_slide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vague")
    return write_stained(folder / "vague.tif", mpp=300, width=1024, height=1024)


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_listing_the_verbs_imports_none_of_them():
    code = (
        "import sys\nfrom workbench.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([n for n in ('torch', 'panel', 'numpy', 'workbench.cli.run')"
        " if n in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "synthesize" in said
    assert said.strip().endswith("[]")


SLOW = [
    *("numpy", "scipy", "numba", "pandas", "zarr", "cv2", "PIL", "shapely"),
    *("tifffile", "pyarrow", "torch", "panel", "bokeh", "holoviews", "tornado"),
]
"""Libraries whose import alone takes longer than the help of a verb may."""

HELP = [
    ["--help"],
    *([verb, "--help"] for verb in sorted(main.verbs)),
    *(["stain", verb, "--help"] for verb in sorted(stain.verbs)),
    *(["annotations", verb, "--help"] for verb in ("export", "import")),
    ["models", "export", "--help"],
]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_imports_nothing_that_is_slow(words):
    code = (
        "import sys\nfrom workbench.cli import main\n"
        f"main({words}, standalone_mode=False)\n"
        f"print([n for n in {SLOW} if n in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip().endswith("[]")


def test_flags_name_what_their_modules_have():
    assert FOLDER == collection.FOLDER
    assert quantify.THRESHOLDS == THRESHOLDS
    assert list(quantify.STAIN_SETS) == list(STAIN_SETS)
    assert list(METHODS) == list(get_args(StainMethod))
    assert get_args(Outcome) == attention.OUTCOMES


@pytest.mark.parametrize("verb", sorted(main.verbs))
def test_each_verb_is_listed_as_it_describes_itself(verb):
    said = call(verb, "--help")
    assert said.exit_code == 0, said.output
    first = main.verbs[verb].split(".")[0].split(",")[0].split(";")[0]
    assert first in " ".join(said.output.split())


@pytest.mark.parametrize("verb", ["info", "models"])
@pytest.mark.slow
def test_looking_needs_neither_torch_nor_panel(verb, slide):
    words = [verb] if verb == "models" else [verb, str(slide)]
    code = (
        f"import sys\nfrom workbench.cli import main\n"
        f"main({words!r}, standalone_mode=False)\n"
        "print([n for n in ('torch', 'panel', 'bokeh') if n in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip().endswith("[]")


def test_info_as_json(slide):
    facts = json.loads(call("info", slide, "--json").stdout)
    assert facts["size"] == [1536, 1280]
    assert facts["mpp"] == pytest.approx(0.5, rel=1e-3)
    assert facts["objective"] == 20


def test_info_lists_channels(tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(2, 99, 99), names=["A", "B"])
    facts = json.loads(call("info", path, "--json").stdout)
    assert (facts["dtype"], facts["focal_planes"]) == ("uint16", 1)
    assert [each["name"] for each in facts["channels"]] == ["A", "B"]
    said = call("info", path).stdout
    assert "1* A, #" in said
    assert "values      uint16" in said


def test_info_asks_for_a_pixel_size_that_cannot_be(vague_slide):
    said = call("info", vague_slide).stdout
    assert "not known" in said
    assert "--mpp" in said
    given = json.loads(call("info", vague_slide, "--mpp", "0.25", "--json").stdout)
    assert given["mpp"] == 0.25


def test_models_lists_what_each_is_for():
    cards = json.loads(call("models", "--json").stdout)
    assert MODEL in {card["name"] for card in cards}
    said = call("models").stdout
    for card in cards:
        assert card["name"] in said
        assert card["intended_use"] in said


def test_every_field_of_a_recipe_is_a_flag():
    said = call("run", "--help").output
    for option in options():
        assert f"--{option.name.replace('_', '-')}" in said


def test_a_flag_out_of_bounds_is_a_usage_error(slide):
    said = call("run", slide, "--min-tissue", "1.5")
    assert said.exit_code == 2
    assert "1.5" in said.stderr
    assert call("run", slide, "--region", "5,5,1").exit_code == 2
    assert call("run", slide, "--region", "5,5,5,9").exit_code == 2


@pytest.mark.slow
def test_run_writes_what_was_asked_and_goes_on(slide, tmp_path):
    words = ["run", slide, "--model", MODEL, "--normalize", "macenko"]
    words += ["--region", "0,0,1024,1024", "--min-tissue", "0.25"]
    words += ["--out", tmp_path / "run", "--no-progress", "--json"]
    said = call(*words)
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["status"] == "finished"
    assert told["tiles_done"] == told["tiles_total"] > 0
    run = open_run(told["path"])
    assert run.recipe == Recipe.of(
        model=MODEL, normalize="macenko", region=(0, 0, 1024, 1024), min_tissue=0.25
    )
    assert np.isfinite(run.heatmap.values).any()
    again = json.loads(call(*words).stdout)
    assert again["record"] == told["record"]


def test_progress_goes_to_standard_error_and_the_folder_to_standard_output(
    slide, tmp_path
):
    said = call("run", slide, "--model", MODEL, "--out", tmp_path / "run")
    assert said.stdout.strip() == str(tmp_path / "run")
    assert said.stderr == ""  # a file is no terminal: a line each minute


def test_export_writes_what_the_suffix_says(slide, tmp_path):
    call("run", slide, "--model", MODEL, "--out", tmp_path / "run")
    out = tmp_path / "made" / "scores.csv"
    said = call("export", tmp_path / "run", out)
    assert said.exit_code == 0, said.output
    assert out.read_text().startswith("minx,miny,width,height,")
    wrong = call("export", tmp_path / "run", tmp_path / "scores.xyz")
    assert wrong.exit_code == 7
    assert ".csv" in wrong.stderr


def test_normalize_writes_an_image_in_the_colours_of_the_reference(slide, tmp_path):
    out = tmp_path / "normal.png"
    words = ["--region", "400,400,1000,900", "--max-px", "300"]
    said = call("normalize", slide, "--out", out, "--method", "reinhard", *words)
    assert said.exit_code == 0, said.output
    with Image.open(out) as image:
        assert image.size == (300, 250)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (["info", "nowhere.svs"], (EXIT_CODES[SlideError], "nowhere.svs")),
        (["run", "{vague}", "--model", MODEL], (EXIT_CODES[MissingMppError], "--mpp")),
        (["run", "{slide}", "--model", "nothing"], (6, "nothing")),
        (["export", "nowhere", "x.csv"], (7, "nowhere")),
    ],
)
def test_errors_are_one_sentence_and_a_status(
    slide, vague_slide, tmp_path, words, ending
):
    status, part = ending
    named = [word.format(slide=slide, vague=vague_slide) for word in words]
    said = subprocess.run(
        [sys.executable, "-m", "workbench.cli", *named],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert said.returncode == status, said.stderr
    assert said.stdout == ""
    assert said.stderr.splitlines()[-1].startswith("workbench: ")
    assert part in said.stderr
    assert "Traceback" not in said.stderr


def test_serve_refuses_a_folder_that_is_not_there(tmp_path):
    said = call("serve", "--slides", tmp_path / "nowhere")
    assert said.exit_code == 2
    assert "nowhere" in said.stderr


def test_the_launcher_starts_a_command_that_exists():
    from workbench.app.jupyter.launcher import server  # noqa: PLC0415 - of Jupyter only

    entry = server()
    said = subprocess.run(
        [*entry["command"][:4], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for flag in ("--address", "--origin"):
        assert flag in said
        assert flag in entry["command"]
    assert Path(entry["launcher_entry"]["icon_path"]).read_text().startswith("<svg")


def test_a_run_that_could_read_nothing_says_so_and_ends_so(slide, tmp_path):
    with tifffile.TiffFile(slide) as file:
        tiles = [
            place
            for page in file.pages
            for place in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
    data = bytearray(Path(slide).read_bytes())
    for start, count in tiles:
        data[start : start + count] = bytes(count)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(data)
    said = call(
        *("run", broken, "--model", MODEL, "--out", tmp_path / "run"),
        *("--no-tissue-only", "--normalize", "none", "--region", "0,0,300,300"),
    )
    assert said.exit_code == 3, said.output
    assert "broken.tif" in said.output
    assert "failed" in said.output
    assert open_run(tmp_path / "run").status == "failed"
