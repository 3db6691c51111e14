"""The quality of a study: flags, columns of its table, and runs that leave out."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import defects
import workbench as wb
from workbench.cli import main
from workbench.errors import RecipeError
from workbench.study import slide_quality


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of good slides, one out of focus, a copy and a broken one."""
    folder = tmp_path_factory.mktemp("quality")
    slides = folder / "slides"
    slides.mkdir()
    for seed in range(4):
        wb.synthetic.write_slide(slides / f"{seed}.tif", size=(1024, 1024), seed=seed)
    with wb.open_slide(slides / "3.tif") as slide:
        pixels = slide.read(slide.box).pixels.copy()
    defects.blur(pixels, (0, 0, 1024, 1024), 2)
    defects.as_slide(pixels, slides / "soft.tif")
    shutil.copy(slides / "1.tif", slides / "copy.tif")
    (slides / "broken.tif").write_bytes(b"II*\0")
    for path in slides.glob("*.truth"):
        shutil.rmtree(path)
    return wb.make_study(folder / "study", slides)


@pytest.mark.slow
def test_flags_are_columns_of_the_table(study, monkeypatch):
    said = CliRunner().invoke(main, ["study", "quality", str(study.path)])
    assert said.exit_code == 0, said.output
    assert "soft: blur; duplicate" in said.output  # of 3, before it went out of focus
    assert "broken: unreadable: " in said.output
    monkeypatch.setattr(slide_quality, "measure_quality", None)  # each is measured once
    table = study.quality().set_index("slide")
    assert table.loc["copy", "qc_like"] == "1"
    assert "duplicate" in table.loc["1", "qc_flags"]
    assert table.loc["soft", "qc_blur"] > 0.9 > table.loc["3", "qc_blur"]
    assert table["qc_hematoxylin"].notna().sum() >= 5
    assert np.isnan(table.loc["broken", "qc_blur"])


@pytest.mark.slow
def test_a_run_leaves_artefacts_out(study):
    study.quality()
    options = {"device": "cpu", "workers": 0, "normalize": None}
    whole = study.run(name="whole", **options)
    part = study.run(name="part", leave_out="blur;fold", **options)
    assert whole.states()["soft"].status == "finished"
    assert part.states()["soft"].status == "refused"
    assert "No tissue" in part.states()["soft"].reason
    assert part.open_run("0").tiles_done == whole.open_run("0").tiles_done
    table = study.table("whole")
    assert set(table["slide"]) == {*"0123", "copy", "soft", "broken"}
    assert {"status", "qc_flags", "qc_blur", "qc_nucleus_um"} <= set(table.columns)
    with pytest.raises(RecipeError, match="'dust' is none of blur, fold, pen, air"):
        wb.Recipe(leave_out="dust")


def test_a_stain_outlier_is_flagged_among_others():
    usual = {"measures": {"hashes": []}, "strength": [1.0, 0.8], "stain": []}
    known = {str(number): usual for number in range(4)}
    known["pale"] = {**usual, "strength": [0.4, 0.8]}
    found = slide_quality._stain_outliers(known)
    assert list(found) == ["pale"]
    assert "hematoxylin reaches 0.40" in found["pale"]
