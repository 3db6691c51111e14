"""A lead assigns slides in the gallery, a reader reads, and the lead sees it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import workbench as wb
from browser import IN_A_PAGE, Watched, study_served
from made_slides import write_tiff
from studies import two_coloured

pytestmark = IN_A_PAGE

NAMES = [f"S{number}" for number in range(6)]
FORM = {
    "title": "Grading",
    "properties": {"grade": {"title": "Grade", "enum": ["none", "low", "high"]}},
    "required": ["grade"],
}
USERS = {
    "annabel": "annabel",
    "roberta": "roberta",
    "lea": {"password": "lea", "role": "lead"},
    "gil": {"password": "gil", "role": "guest"},
}
AXE = """async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    resultTypes: ["violations"],
  });
  return found.violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => [id, nodes.map((node) => node.failureSummary)]);
}"""


@pytest.fixture
def study(tmp_path):
    """A study of six rows of one slide, three of them benign, and a form."""
    file = tmp_path / "slides" / "slide.tif"
    file.parent.mkdir()
    write_tiff(file, two_coloured(256), compression="zlib", levels=2)
    made = wb.make_study(tmp_path / "study", pd.DataFrame({"path": [str(file)]}))
    table = made.slides.iloc[[0] * len(NAMES)].assign(
        slide=NAMES, diagnosis=["benign", "tumour"] * 3
    )
    table.to_parquet(made.path / "slides.parquet", index=False)
    (made.path / "forms").mkdir()
    (made.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    (tmp_path / "users.json").write_text(json.dumps(USERS))
    return made


def logged_in(context, user, url):
    page = context.new_page()
    page.goto(url)
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(user)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("grid", name="Slides").wait_for()
    return page


def progress(page, reader):
    """Return the row of a reader in the table of progress, as texts."""
    row = page.locator("#progress tr", has=page.get_by_role("cell", name=reader))
    return row.locator("td").all_inner_texts()


def assign_what_is_filtered(page):
    """Assign the benign slides, a third of them twice; return what is previewed."""
    page.get_by_label("benign").check()
    page.get_by_text("3 of 6 slides").wait_for()
    page.get_by_role("button", name="Readers…").click()
    page.get_by_text("No slides are assigned to readers yet.").wait_for()
    page.get_by_role("button", name="Assign slides…").click()
    dialog = page.locator("#assign")
    dialog.get_by_label("annabel").check()
    assert dialog.get_by_label("gil").count() == 0
    dialog.get_by_label("Others").fill("roberta")
    dialog.get_by_label("Each slide is read by").select_option("share")
    dialog.get_by_label("Read twice, %").fill("34")
    dialog.get_by_label("Name", exact=True).fill("first")
    assert dialog.locator("#assign-slides").input_value() == "shown"
    text = page.locator("#assign-preview").inner_text()
    assert text == "3 slides, 1 of them read twice; 2 slides for each of 2 readers."


def test_a_lead_assigns_a_reader_reads_and_the_lead_sees_progress(
    chromium, study, tmp_path, repository
):
    options = ("--basic-auth", str(tmp_path / "users.json"))
    size = {"width": 1366, "height": 768}
    with (
        study_served(study.path, tmp_path / "log", *options) as (url, _),
        chromium.new_context(viewport=size) as at_lead,
        chromium.new_context(viewport=size) as at_reader,
    ):
        lead = logged_in(at_lead, "lea", url)
        watched = Watched(lead)
        lead.evaluate((repository / "node_modules/axe-core/axe.min.js").read_text())
        lead.locator(".card").first.wait_for()
        assign_what_is_filtered(lead)
        assert lead.evaluate(AXE) == []
        lead.get_by_role("button", name="Assign", exact=True).click()
        lead.get_by_role("cell", name="annabel").wait_for()
        assert progress(lead, "annabel")[3:8] == ["0", "0", "0", "2", "2"]
        assert lead.evaluate(AXE) == []

        reader = logged_in(at_reader, "annabel", url)
        reader.get_by_text("2 slides", exact=True).wait_for()
        assert reader.get_by_role("button", name="Readers…").count() == 0
        reader.get_by_role("button", name="Read next").click()
        reader.locator("#form .answer").first.wait_for()
        reader.locator("#form [data-number='0'] input").first.focus()
        reader.keyboard.press("2")
        reader.keyboard.press("d")
        lead.locator("#progress td", has_text="1").first.wait_for()
        assert progress(lead, "annabel")[3:8] == ["1", "0", "0", "1", "2"]

        lead.locator("#agreement").get_by_role("button", name="Close").click()
        lead.get_by_role("button", name="Clear all filters").click()
        cards = lead.locator(".card:visible")
        cards.nth(1).click(modifiers=["Control"])
        cards.nth(3).click(modifiers=["Shift"])
        lead.get_by_role("button", name="3 selected").wait_for()
        lead.get_by_role("grid", name="Slides").focus()
        lead.keyboard.press("x")
        lead.get_by_role("button", name="2 selected").wait_for()
        lead.get_by_role("button", name="Readers…").click()
        lead.get_by_role("button", name="Assign slides…").click()
        assert lead.locator("#assign-slides").input_value() == "selected"
        lead.get_by_role("button", name="Assign", exact=True).click()
        lead.get_by_role("cell", name="reading 1").wait_for()
        made = study.readings().worklist("reading 1")
        assert list(made.assigned) == ["S1", "S2"]
        assert watched.errors == []
