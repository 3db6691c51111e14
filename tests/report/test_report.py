"""Reports of runs and studies are complete, escaped and need nothing else."""

from __future__ import annotations

import re
import shutil

import pytest
from click.testing import CliRunner

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.errors import StudyError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two slides and a broken one, run by two models."""
    folder = tmp_path_factory.mktemp("project")
    lines = ["path,case,group"]
    for number in range(2):
        path = folder / f"{number}.tif"
        pixels = two_coloured(384, seed=number)
        write_tiff(path, pixels, compression="zlib", levels=2)
        lines.append(f"{path.name},<script>c{number}</script>,<b>{number}</b>")
    (folder / "<img src=x>.tif").write_bytes(b"II*\0")
    lines.append("<img src=x>.tif,c9,")
    (folder / "slides.csv").write_text("\n".join(lines))
    study = wb.make_study(folder / "study", folder / "slides.csv")
    options = {"device": "cpu", "tissue_only": False, "workers": 0}
    study.run(model="tissue-classes", normalize="macenko", name="classes", **options)
    study.run(model="nuclei", shard=(0, 3), name="nuclei", **options)
    return study


def read(path):
    text = path.read_text()
    assert "For research use only. Not for diagnosis." in text
    assert "default-src 'none'" in text
    assert "://" not in text
    assert "<script" not in text
    assert set(re.findall(r'src="(.{5})', text)) <= {"data:"}
    return text


@pytest.mark.slow
def test_the_report_of_a_run_says_what_was_found_and_how(study, tmp_path):
    run = study.analysis("classes").open_run("0")
    text = read(wb.write_report(run, tmp_path / "run.html"))
    for heading in ("Slide and result", "Findings", "Stain", "Time", "How it was made"):
        assert f"<h2>{heading}</h2>" in text
    assert run.card.sha256 in text
    assert run.record["slide"]["id"] in text
    assert all(name in text for name in run.heatmap.classes)
    assert text.count("data:image/jpeg") > 5
    assert "Least sure" in text


def test_the_report_of_instances_has_intervals(study, tmp_path):
    analysis = study.analysis("nuclei")
    done = [row.name for row, _ in analysis.runs()]
    text = read(wb.write_report(analysis.open_run(done[0]), tmp_path / "run.html"))
    assert "exact Poisson interval" in text
    assert "Per mm²" in text


def test_a_run_without_its_slide_is_reported_too(study, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(study.analysis("classes").path / "0", folder)
    record = folder / "run.json"
    record.write_text(record.read_text().replace("0.tif", "gone.tif"))
    said = CliRunner().invoke(main, ["report", str(folder)])
    text = read(folder / "report.html")
    assert said.output.strip() == str(folder / "report.html")
    assert "The slide cannot be shown: There is no slide at" in text


def test_the_report_of_a_study_compares_and_lists(study):
    words = ["report", str(study.path), "--name", "classes", "--by", "group"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0, said.output
    text = read(study.path / "reports" / "classes.html")
    assert "&lt;script&gt;c0&lt;/script&gt;" in text
    assert "&lt;b&gt;0&lt;/b&gt; less &lt;b&gt;1&lt;/b&gt;" in text
    assert "cluster bootstrap" in text
    assert "is damaged" in text
    assert text.count('class="thumb"') == 2


def test_what_cannot_be_reported_is_said(study, tmp_path):
    with pytest.raises(StudyError, match=r"does not end in \.html"):
        wb.write_report(study, tmp_path / "report.pdf", analysis="classes")
    with pytest.raises(StudyError, match="has 2 analyses"):
        wb.write_report(study.path, tmp_path / "report.html")
    with pytest.raises(StudyError, match="no column 'age'"):
        wb.write_report(study, tmp_path / "r.html", analysis="classes", by="age")
    with pytest.raises(wb.WorkbenchError, match="There is no run"):
        wb.write_report(tmp_path, tmp_path / "report.html")


@pytest.mark.browser
def test_a_report_prints_without_a_network(study, tmp_path, chromium):
    run = study.analysis("classes").open_run("0")
    file = wb.write_report(run, tmp_path / "run.html")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    tops = "all => all.map(each => Math.round(each.getBoundingClientRect().top))"
    figures = page.eval_on_selector_all(".figures figure", tops)
    assert figures[0] == figures[1]  # side by side on paper
    tiles = page.eval_on_selector_all(".tiles:first-of-type figure", tops)
    assert len(tiles) >= 2
    assert len(set(tiles[:7])) == 1
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    context.close()


def test_flags_of_the_quality_are_listed(study, tmp_path):
    study.quality()
    file = wb.write_report(study, tmp_path / "study.html", analysis="classes")
    assert "unreadable: " in read(file)
