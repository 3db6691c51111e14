"""Serial sections side by side in the app: registered, they show the same tissue."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

import workbench as wb
from browser import IN_A_PAGE, app_served, open_tab
from deformed_slides import write_deformed
from made_slides import tissue_like, write_tiff

pytestmark = IN_A_PAGE

VIEWS = """() => {
  const found = [];
  const walk = (view) => {
    if (view.model.type === "Figure") found.push(view);
    for (const child of view.children?.() ?? []) walk(child);
  };
  for (const view of Bokeh.index) walk(view);
  return [...new Set(found)];
}"""
READ = f"""() => {{
  const views = ({VIEWS})();
  return views.filter((_, n) => probe.stage(n)).map((view, n) => {{
    const {{ x_range, y_range, inner_width }} = view.model;
    const holder = probe.stage(n).querySelector(".holder");
    const {{ a, b, c, d }} = new DOMMatrix(getComputedStyle(holder).transform);
    return {{
      centre: [(x_range.start + x_range.end) / 2, (y_range.start + y_range.end) / 2],
      downsample: (x_range.end - x_range.start) / inner_width,
      linear: [a, b, c, d],
    }};
  }});
}}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sections")
    write_deformed(folder, bend_um=120, kept=0.7, angle=24)
    write_tiff(folder / "other.tif", tissue_like(900, 1100), mpp=2.0, levels=2)
    return folder


class Sections:
    """The app's page with two slides side by side."""

    def __init__(self, watched, address):
        self.page = watched.page
        self.watched = watched
        self.page.set_viewport_size({"width": 1366, "height": 768})
        self.page.goto(f"{address}?slide=fixed.tif")
        watched.settle()
        open_tab(self.page, "Views")

    def show(self, name):
        self.page.get_by_label("Slide beside this one").first.click()
        self.page.get_by_text(name, exact=True).last.click()
        self.page.get_by_role("button", name="Show beside").click()
        self.page.get_by_label(f"Close {name}").wait_for()
        self.watched.frames(3)

    def look(self, number, x, y, half):
        self.page.evaluate(
            f"""([n, x, y, half]) => {{
              const {{ x_range, y_range }} = ({VIEWS})()[n].model;
              x_range.setv({{ start: x - half, end: x + half }});
              y_range.setv({{ start: y + half, end: y - half }});
            }}""",
            [number, x, y, half],
        )

    def views(self):
        return self.page.evaluate(READ)

    def corresponds(self, registration):
        """Wait until the views show the same tissue: centre, scale and turn."""

        def check():
            views = self.views()
            assert len(views) == 2
            main, other = views
            expected = registration.to_moving([main["centre"]])[0]
            assert np.abs(expected - other["centre"]).max() < 2, (main, other)
            # The same step on both screens leads to the same tissue.
            steps = []
            for view in (main, other):
                a, b, c, d = view["linear"]
                onto = np.array([[a, c], [b, d]])
                steps.append(np.linalg.inv(onto) @ [80, 30] * view["downsample"])
            linear = registration.transform.affine[:, :2]
            # A screen neither stretches nor shears, as the affine map does.
            off = np.linalg.norm(linear @ steps[0] - steps[1])
            assert off < 0.08 * np.linalg.norm(steps[1]), (main, other)

        self.watched.eventually(check)


def test_registered_sections_move_together_in_tissue(watched, folder, tmp_path):
    with app_served(folder, tmp_path) as url:
        app = Sections(watched, url)
        app.show("moving.tif")
        app.page.get_by_role("button", name="Align by tissue").click()
        app.page.get_by_text("moving.tif shows the same tissue").wait_for()
        saved = list((tmp_path / "registrations").glob("*.h5"))
        assert len(saved) == 1
        registration = wb.open_registration(saved[0])
        app.corresponds(registration)
        assert abs(app.views()[1]["linear"][1]) > 0.3  # turned back by the map
        app.look(0, 640, 480, 220)
        app.corresponds(registration)
        app.look(1, 700, 520, 150)  # either of them leads
        app.corresponds(registration)
        app.page.get_by_label("Move together").click()
        app.page.wait_for_url(lambda address: "alone=" in address)
        before = app.views()[1]
        app.look(0, 500, 400, 300)
        watched.frames(3)
        assert app.views()[1] == before
        app.page.get_by_label("Move together").click()
        app.page.wait_for_url(lambda address: "alone=" not in address)
        app.look(0, 600, 470, 250)
        app.corresponds(registration)
        app.show("other.tif")
        app.page.get_by_role("button", name="Align by tissue").click()
        app.page.get_by_text("could not be aligned").wait_for()
        expect(app.page.get_by_text("cannot be registered")).to_be_visible()

        # Shown again, they are aligned at once by what was saved.
        again = Sections(watched, url)
        again.show("moving.tif")
        again.page.get_by_text("moving.tif shows the same tissue").wait_for()
        again.look(0, 640, 480, 220)
        again.corresponds(registration)
        assert watched.errors == []
