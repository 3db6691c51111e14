"""Every number on the screen against the same number from Python, in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
import shapely

from app_page import AppPage
from browser import IN_A_PAGE, app_served
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.annotations.summary import summarize
from workbench.area import Area
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.instances.counts import count
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

NAME = "stained.tif"
REGION = shapely.Polygon([(1500, 900), (2300, 980), (2200, 1600), (1560, 1500)])
MIDDLE = (1880, 1250)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a served slide with a run over an annotation, and one over all of it."""
    slides, runs = (tmp_path_factory.mktemp(name) for name in ("slides", "runs"))
    write_stained(slides / NAME)
    with open_slide(slides / NAME) as slide:
        marks = open_annotations(slide, folder=runs / "annotations")
        tumour = Annotation(geometry=REGION, name="Tumour")
        marks.put(tumour, by="ann")
        cpu = {"device": "cpu"}
        classes = run(slide, model="tissue-classes", out=runs / "b-run-0002", **cpu)
        region = Area.of(REGION).coordinates
        nuclei = run(
            slide,
            model="nuclei-watershed",
            region=region,
            out=runs / "a-run-0001",
            **cpu,
        )
        with app_served(slides, runs) as url:
            yield slide, marks, classes, nuclei, url


class Reader(AppPage):
    """The app's page, read as a user reads it."""

    def click(self, x, y):
        self.page.mouse.click(*self.figure.screen(x, y))

    def counts(self, title):
        """Return the text before the table of counts, and its rows."""
        card = self.frame.locator("div:has(> b)").filter(
            has=self.frame.locator("b", has_text=re.compile(f"^In {title}$"))
        )
        card.wait_for()
        rows = card.locator("tr").all()[1:]
        cells = [row.locator("td").all_inner_texts() for row in rows]
        return (
            card.inner_text().split("\n")[0],
            cells,
            [row.get_attribute("title") for row in rows],
        )

    def readout(self):
        return self.frame.locator("button.coordinates").inner_text()


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def check_counts(app, title, place, slide, nuclei):
    """See that a card says what is counted in a place of what the run covered."""
    table = count(nuclei.instances, {title: place}, mpp=slide.mpp)

    def holds():
        head, rows, titles = app.counts(re.escape(title))
        area, whole = table["area_mm2"].iloc[0], table["place_mm2"].iloc[0]
        wanted = f"{area:.3g} mm²"
        if area < 0.999 * whole:
            wanted = f"{area:.3g} of {whole:.3g} mm² computed"
        assert head == f"In {title}, {wanted}"
        for row, cells, interval in zip(
            table.to_dict("records"), rows, titles, strict=True
        ):
            low, high = row["per_mm2_low"], row["per_mm2_high"]
            spread = f"{number(row['per_mm2'])} ± {number((high - low) / 2)}"
            assert cells[:3] == [row["class"], f"{row['count']:,}", spread]
            assert cells[3] == f"{row['share']:.0%}"
            assert interval.startswith(f"{number(low)} to {number(high)} to a mm²")

    app.eventually(holds)
    return table


def test_counts_are_of_what_the_run_covered(watched, place):
    slide, _, _, nuclei, url = place
    at = f"{MIDDLE[0]},{MIDDLE[1]},2.5"
    app = Reader.open(watched, url, slide=NAME, at=at)
    total = nuclei.record["objects"]["count"]
    app.tab("Results")
    app.says(f"{total:,} of {total:,} instances shown")
    outside = nuclei.record["objects"]["outside"]
    assert outside > 0
    app.says(f"{outside:,} more lie outside the region of the run")
    area = Area.of(REGION)

    name = "the region of the run (Tumour)"
    table = check_counts(app, name, area, slide, nuclei)
    assert table["count"].iloc[-1] == total
    app.says(re.compile("^Positivity is not shown: .*it is stained with eosin"))
    assert not app.frame.get_by_text("H-score").count()

    app.click(1506, 905)  # its outline
    check_counts(app, "Tumour", area, slide, nuclei)
    app.page.keyboard.press("Escape")
    check_counts(app, name, area, slide, nuclei)

    app.press("Draw a box")
    app.drag(Box(1300, 800, 1900, 1300))
    app.frame.locator("b", has_text="In drawn box").wait_for()
    drawn = app.frame.evaluate("() => probe.figure().model.select_one('selection')")
    assert drawn is not None
    head, rows, _ = app.counts("drawn box")
    found = re.match(r"In drawn box, ([\d.e-]+) of ([\d.e-]+) mm² computed", head)
    covered, whole = map(float, found.groups())
    near = Area.of(Box(1300, 800, 1900, 1300)).shape.intersection(REGION).area
    assert covered == pytest.approx(near * slide.mpp**2 / 1e6, rel=0.02)
    assert whole == pytest.approx(600 * 500 * slide.mpp**2 / 1e6, rel=0.02)
    density = float(rows[-1][2].split(" ")[0].replace(",", ""))
    assert density == pytest.approx(int(rows[-1][1]) / covered, rel=0.02)
    app.page.keyboard.press("Escape")

    app.press("Measure as if stained with DAB")
    app.says(re.compile("^As if stained with DAB: DAB positive: "))
    app.is_clean()


def test_a_click_means_the_innermost_thing_and_delete_says_what_it_was(watched, place):
    _, marks, _, nuclei, url = place
    store = nuclei.instances
    rows = store.rows(np.arange(len(store)))
    centres = shapely.points(rows["x"], rows["y"])
    row = rows.iloc[int(shapely.distance(centres, REGION.exterior).argmax())]
    x, y = float(row["x"]), float(row["y"])
    app = Reader.open(watched, url, slide=NAME, at=f"{x},{y},0.6")
    app.tab("Results")
    app.says("instances shown")
    app.click(x, y)
    app.says("Delete removes the selected instance.")
    app.page.keyboard.press("Delete")
    app.says(re.compile(rf"^Instance {row.name} \(.*\) deleted\."))
    total = nuclei.record["objects"]["count"]
    app.says(f"{total - 1:,} of {total - 1:,} instances shown")
    marks.refresh()
    assert [each.name for each in marks] == ["Tumour"]
    # Undone from the sidebar, and once more from the toast of the annotation.
    app.frame.get_by_role("switch", name="Table and plot").focus()
    app.page.keyboard.press("Control+z")
    app.says(f"{total:,} of {total:,} instances shown")
    app.says(f"Undone: Instance {row.name}")
    app.page.keyboard.press("Escape")
    x0, y0, _, _ = REGION.bounds
    app.wheel(x, y, -8)
    app.figure.settle()
    app.click(1506, 905)
    app.says("Drag a corner")
    app.page.keyboard.press("Delete")
    app.says("Annotation 'Tumour' deleted.")
    app.says("its own copy: no annotation is like it now")
    app.press("Undo")
    app.says(re.compile("Undone: Annotation 'Tumour' deleted"))
    app.says("the region of the run (Tumour)")
    marks.refresh()
    assert [each.name for each in marks] == ["Tumour"]
    assert (x0, y0) == marks.get(next(iter(marks)).id).geometry.bounds[:2]
    app.is_clean()


def test_the_readout_names_what_is_shown(watched, place):
    slide, _, classes, _, url = place
    app = Reader.open(watched, url, slide=NAME, at=f"{MIDDLE[0]},{MIDDLE[1]},3")
    app.tab("Results")
    app.choose("Saved runs", re.compile("^tissue-classes"))
    app.press("Show")
    x, y = MIDDLE
    values = classes.heatmap.at(x, y)
    most = max(values, key=values.get)

    def says(text):
        app.page.mouse.move(*app.figure.screen(x + 3, y))
        app.page.mouse.move(*app.figure.screen(x, y))
        app.eventually(lambda: _ends(app.readout(), text))

    says(f"Most likely class {most}")
    app.frame.get_by_text(most, exact=True).first.wait_for()  # in the legend
    shown = "most likely class"
    for name in classes.card.classes[:2]:
        field = app.frame.get_by_role("combobox").filter(has_text=shown)
        field.last.click()
        app.frame.get_by_role("menuitem", name=name, exact=True).click()
        says(f"{name} {values[name]:.4g}")
        shown = name
    app.tab("Annotate")
    app.click(1506, 905)
    table = summarize(classes.heatmap, [_tumour()], threshold=0.1, mpp=slide.mpp)
    wanted = table.set_index("class").loc[name]
    app.says(
        re.compile(rf"{name}: mean {wanted['mean']:.3g}, {wanted['above']:.0%} of")
    )
    app.page.wait_for_url(re.compile(name))
    app.page.reload()
    app.figure.settle()
    says(f"{name} {values[name]:.4g}")
    app.is_clean()


def _tumour():
    return Annotation(geometry=REGION, name="Tumour")


def _ends(text, wanted):
    assert text.endswith(wanted), text
