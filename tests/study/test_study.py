"""Making studies, their tables, and slides that moved."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

import workbench as wb
from made_slides import write_flat, write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.errors import StudyError


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """A folder of four slides, one of them broken and one without a pixel size."""
    folder = tmp_path_factory.mktemp("slides")
    for number in range(2):
        pixels = two_coloured(256, seed=number)
        write_tiff(folder / f"{number}.tif", pixels, compression="zlib", levels=2)
    write_flat(folder / "no-mpp.tif", two_coloured(256, seed=2), compression="zlib")
    (folder / "broken.tif").write_bytes(b"II*\0 of nothing")
    return folder


@pytest.fixture
def project(slides, tmp_path):
    shutil.copytree(slides, tmp_path / "slides")
    return tmp_path


def table(study):
    return study.slides.set_index("slide")


def test_a_folder_is_a_study_with_a_row_per_slide(project):
    study = wb.make_study(project / "study", project / "slides")
    found = table(study)
    assert list(found.index) == ["0", "1", "broken", "no-mpp"]
    assert found.loc["0", "path"] == "../slides/0.tif"
    assert found.loc["0", "slide_mpp"] == 0.5
    assert "is damaged" in found.loc["broken", "problem"]
    assert pd.isna(found.loc["no-mpp", "slide_mpp"])
    assert len(wb.open_study(study.path)) == 4
    with study.open_slide("1") as slide:
        assert slide.id == found.loc["1", "id"]


def test_moved_slides_are_found_by_their_content(project):
    study = wb.make_study(project / "study", project / "slides")
    ids = table(study)["id"]
    (project / "slides").rename(project / "elsewhere")
    (project / "elsewhere" / "0.tif").rename(project / "elsewhere" / "renamed.tif")
    moved = table(wb.make_study(study.path, project / "elsewhere"))
    assert moved["id"].to_dict() == ids.to_dict()
    assert moved.loc["0", "path"] == "../elsewhere/renamed.tif"


def test_a_moved_project_needs_nothing(project):
    wb.make_study(project / "all" / "study", project / "slides")
    wb.make_study(project / "study", project / "slides")
    shutil.copytree(project, project.parent / "copy")
    shutil.rmtree(project / "slides")
    with wb.open_study(project.parent / "copy" / "study").open_slide("0") as slide:
        assert slide.mpp == 0.5


def test_the_table_is_edited_as_csv(project):
    wb.make_study(project / "study", project / "slides")
    csv = project / "edited.csv"
    call("slides", project / "study", "--to", csv)
    edited = pd.read_csv(csv, dtype=str, keep_default_na=False)
    edited["case"] = ["007", "007", "8", "9"]
    edited["age"] = ["61", "", "58", "44"]
    edited.loc[edited["slide"] == "no-mpp", "mpp"] = "0.25"
    edited.to_csv(csv, index=False, sep=";")
    assert "no-mpp" not in call("make", csv, "--out", project / "study").output
    found = table(wb.open_study(project / "study"))
    assert found["case"].tolist() == ["007", "007", "8", "9"]
    assert found["age"].sum() == 163
    assert found.loc["no-mpp", "slide_mpp"] == 0.25
    assert wb.open_study(project / "study").rows[0].case == "007"


def test_two_files_of_one_content_are_said(project):
    shutil.copy(project / "slides" / "0.tif", project / "slides" / "again.tif")
    said = call("make", project / "slides", "--out", project / "study")
    assert "0, again have the same content." in said.output
    assert "1 slide without a pixel size" in said.output


def test_names_differ_also_where_case_is_ignored(project):
    (project / "more").mkdir()
    (project / "slides" / "1.tif").rename(project / "more" / "0.tif")
    paths = [project / "slides" / "0.tif", project / "more" / "0.tif"]
    study = wb.make_study(project / "study", paths)
    assert study.slides["slide"].tolist() == ["0", "more-0"]


def test_lists_of_trident_and_clam(project):
    trident = project / "list.csv"
    trident.write_text("wsi,mpp\nno-mpp.tif,0.5\n0.tif,\n")
    study = wb.make_study(project / "a", trident, within=project / "slides")
    assert table(study)["slide_mpp"].tolist() == [0.5, 0.5]
    clam = project / "slides" / "dataset.csv"
    clam.write_text("case_id,slide_id,label\np1,0,tumour\np1,1,normal\n")
    study = wb.make_study(project / "b", clam)
    assert table(study)["problem"].tolist() == ["", ""]
    assert table(study)[["case", "label"]].to_numpy().tolist() == [
        ["p1", "tumour"],
        ["p1", "normal"],
    ]


def test_projects_of_qupath(project):
    uri = (project / "slides" / "0.tif").as_uri().replace("file://", "file:")
    images = [
        {
            "imageName": "0.tif - Series 0",
            "serverBuilder": {"builder": {"uri": uri}, "rotation": "ROTATE_90"},
            "metadata": {"grade": "2"},
        }
    ]
    file = project / "project.qpproj"
    file.write_text(json.dumps({"version": "0.6.0", "images": images}))
    found = table(wb.make_study(project / "study", file))
    assert found.loc["0.tif_-_Series_0", "grade"] == "2"
    assert found["problem"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("slides\na.tif\n", "no column has the path of a slide"),
        ("path\n", "it has 0 rows"),
        ("path,case\na.tif,1\n,2\n", "row 2 has no 'path'"),
        ("path\na.tif\na.tif\n", "two rows name"),
        ("path,path\na.tif,b.tif\n", "two columns 'path'"),
        ("path,case\na.tif\n", "row 1 has 1 cells, the first line 2"),
        ("path,mpp\na.tif,500\n", "row 1: '500' cannot be the pixel size"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(text, reason, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(StudyError, match="cannot be used as a table of slides") as said:
        wb.make_study(tmp_path / "study", tmp_path / "t.csv")
    assert reason in said.value.message
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [("t.csv", b"path\n\xff\xfe.tif"), ("t.parquet", b"PAR1"), ("t.qpproj", b"[1]")],
)
def test_damaged_tables_are_refused(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(StudyError, match="cannot be used as a table"):
        wb.make_study(tmp_path / "study", tmp_path / name)


def test_folders_that_are_no_study_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StudyError, match="There is no study"):
        wb.open_study(tmp_path)
    with pytest.raises(StudyError, match="holds other files"):
        wb.make_study(tmp_path, [tmp_path / "a.tif"])
    with pytest.raises(StudyError, match="There are no slides"):
        wb.make_study(tmp_path / "study", tmp_path / "empty")
    (tmp_path / "study.json").write_text('{"format": 9, "name": "new"}')
    with pytest.raises(StudyError, match="format 9, not 1"):
        wb.open_study(tmp_path)


def call(*words):
    said = CliRunner().invoke(main, ["study", *map(str, words)])
    assert said.exit_code == 0, said.output
    return said
