"""Nothing that others write becomes markup: each entry of text, in a real browser.

The same words are given as a name of everything that has one. They hold an image and a
script that would run, a link and a picture in Markdown, and bold letters in both.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
import shapely
import tifffile

import workbench
from app_page import AppPage
from browser import app_served
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.app.panels.bookmarks import Bookmarks
from workbench.app.url_state import Address, InstancesLook, OverlayLook
from workbench.models.catalogue import find_card
from workbench.slide.slide import open_slide

pytestmark = pytest.mark.browser

FILE = (
    "<img src=x class=evil onerror=ran.push(1)>[evil](javascript:ran.push(2))**evil**"
)
"""What a file may be called; a slash it cannot have."""

TEXT = f"{FILE}<script>ran.push(3)</script>![evil](/x.png)</div><b class=evil>evil</b>"
SLIDE = f"good {FILE}.tif"
VAGUE = f"vague {FILE}.tif"
BROKEN = f"broken {FILE}.svs"
MODEL = "evil-model"

_WATCH = """
window.ran = [];
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""

_FOUND = """() => {
  const found = [];
  const walk = (root) => {
    for (const el of root.querySelectorAll("*")) {
      const { tagName, className, href, src, alt } = el;
      const evil = `${className} ${src ?? ""} ${alt ?? ""}`.includes("evil")
        || ["x", "/x.png"].includes(el.getAttribute("src"))
        || String(href ?? "").startsWith("javascript:")
        || (["B", "STRONG"].includes(tagName) && el.textContent === "evil");
      if (evil && tagName !== "IMG" || evil && !String(src).startsWith("data:")) {
        found.push(el.outerHTML.slice(0, 200));
      }
      if (el.shadowRoot) walk(el.shadowRoot);
    }
  };
  walk(document);
  return { found, ran: window.ran, refused: window.refused };
}"""


class HostilePage(AppPage):
    """The app among names that would like to be markup."""

    @classmethod
    def visit(cls, watched, url, query):
        watched.page.add_init_script(_WATCH)
        watched.page.set_viewport_size({"width": 1400, "height": 1000})
        watched.page.goto(f"{url}?{query}")
        return cls(watched)

    def shows_text(self, text):
        """See that a text is there, letter by letter."""
        self.frame.get_by_text(text).first.wait_for(state="attached")

    def is_harmless(self):
        """See that no name has become an element, nor run anything."""
        self.frame.wait_for_timeout(300)
        told = self.frame.evaluate(_FOUND)
        assert told == {"found": [], "ran": [], "refused": []}
        assert self.watched.external == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "slides").mkdir()
    (folder / "runs").mkdir()
    write_stained(folder / "slides" / VAGUE, mpp=300, width=512, height=512)
    write_stained(folder / "plain.tif", width=1280, height=1024)
    tifffile.imwrite(
        folder / "slides" / SLIDE,
        tifffile.imread(folder / "plain.tif", level=0),
        tile=(256, 256),
        photometric="rgb",
        compression="jpeg",
        description=TEXT,
        metadata=None,
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )
    (folder / "slides" / BROKEN).write_bytes(b"II*\0not a slide")
    return folder


@pytest.fixture(scope="module")
def models(folder):
    """Install a model whose card says the words; return the environment with it."""
    package = folder / "package"
    info = package / "evil_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: evil_models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[workbench.models]\n{MODEL} = evil_models:CARD\n"
    )
    (package / "evil_models.py").write_text(
        "from pathlib import Path\nCARD = Path(__file__).with_name('card.json')\n"
    )
    card = find_card("stain-concentration").model_dump(mode="json")
    card |= {"name": MODEL, "classes": [f"{TEXT} {n}"[:200] for n in "ab"]}
    card |= {"intended_use": TEXT, "licence": TEXT, "source": TEXT, "unit": TEXT}
    (package / "card.json").write_text(json.dumps(card))
    return {"PYTHONPATH": str(package)}


@pytest.fixture(scope="module")
def saved(folder):
    """Leave what other users have written: runs, annotations, bookmarks."""
    runs = folder / "runs"
    with open_slide(folder / "slides" / SLIDE) as slide:
        run = workbench.run(
            slide, model="stain-concentration", out=runs / f"r {FILE}"[:90]
        )
        record = json.loads((run.path / "run.json").read_text())
        text = json.dumps(record)
        for name in find_card("stain-concentration").classes:
            text = text.replace(json.dumps(name), json.dumps(f"{TEXT} {name}"))
        record = json.loads(text)
        record["model"]["name"] = TEXT
        (run.path / "run.json").write_text(json.dumps(record))
        annotations = open_annotations(slide, folder=runs / "annotations")
        square = shapely.box(300, 300, 700, 700)
        annotations.put(
            Annotation(geometry=square, name=TEXT, classification=TEXT, id="one"),
            by=TEXT,
        )
        Bookmarks(runs / "bookmarks").save(slide, TEXT[:80], f"slide={quote(SLIDE)}")
        return run.path.name


@pytest.fixture(scope="module")
def url(folder, models, saved):
    assert (folder / "runs" / saved).is_dir()
    with app_served(folder / "slides", folder / "runs", env=models) as url:
        yield url


@pytest.fixture
def page(watched, url):
    return lambda query: HostilePage.visit(watched, url, query)


def test_the_policy_refuses_what_would_slip_through(page):
    """Else the other tests would only see that nothing has been tried."""
    app = page(f"slide={quote(SLIDE)}")
    app.figure.settle()
    app.frame.evaluate(
        """(text) => {
          const made = document.createElement("div");
          document.body.append(made);
          made.innerHTML = text;
          const script = document.createElement("script");
          script.textContent = "ran.push(4)";
          made.append(script);
          made.querySelector("a, img").click();
        }""",
        TEXT,
    )
    app.frame.wait_for_timeout(500)
    told = app.frame.evaluate(_FOUND)
    assert told["found"], "the look for elements sees none"
    assert told["ran"] == []
    assert any(each.startswith("script-src") for each in told["refused"])


# They give the text to one of three notices; the others lead to the same ones.
OTHER_ADDRESSES = [
    f"slide={quote('../' + TEXT)}",
    f"slide={quote('/' + TEXT)}",
    f"slide={quote(SLIDE)}&beside={quote('../' + TEXT)}",
]


@pytest.mark.parametrize(
    "query",
    [
        f"slide={quote(TEXT)}",
        f"slide={quote(SLIDE)}&beside={quote(TEXT)}",
        f"slide={quote(BROKEN)}",
        *(pytest.param(query, marks=pytest.mark.thorough) for query in OTHER_ADDRESSES),
    ],
)
def test_what_an_address_names_is_text(page, query):
    app = page(query)
    app.shows_text("onerror=ran.push(1)>[evil](javascript:ran.push(2))**evil**")
    app.frame.get_by_role("alert").filter(has_text="<img src=x").first.wait_for()
    app.is_harmless()


def test_every_entry_of_an_address_is_text(page, saved):
    looks = {
        "overlays": (
            OverlayLook(
                run=TEXT, channel=TEXT, colours=TEXT, opacity=0.5, threshold=0.1
            ),
            OverlayLook(
                run=saved, channel=TEXT, colours=TEXT, opacity=0.5, threshold=0.1
            ),
        ),
        "objects": InstancesLook(run=TEXT, by=TEXT, colours=TEXT, hidden=(TEXT,)),
    }
    address = Address(
        slide=SLIDE,
        normalize=TEXT,
        reference=TEXT,
        look=TEXT,
        model=TEXT,
        divider=TEXT,
        beside=(TEXT,),
        **looks,
    )
    app = page(f"{address.query}&{quote(TEXT)}={quote(TEXT)}")
    app.figure.settle()
    app.is_harmless()


def test_names_and_properties_of_slides_are_text(page):
    app = page(f"slide={quote(SLIDE)}")
    app.figure.settle()
    for name in (SLIDE, VAGUE, BROKEN):
        app.frame.get_by_role("option", name=name).first.wait_for()
    app.press("Properties and label")
    app.shows_text(TEXT)
    app.is_harmless()
    app.frame.get_by_role("dialog").get_by_role("button").first.click()
    app.frame.get_by_role("option", name=VAGUE).first.click()
    app.says("The pixel size is not known")
    app.is_harmless()
    app.frame.get_by_role("option", name=BROKEN).first.click()
    app.frame.get_by_role("alert").filter(has_text="<img src=x").first.wait_for()
    app.is_harmless()


def test_what_others_have_written_of_a_slide_is_text(page):
    app = page(f"slide={quote(SLIDE)}")
    app.figure.settle()
    app.tab("Annotate")
    app.frame.get_by_label("1 annotation").first.wait_for()
    app.page.mouse.click(*app.figure.screen(300, 500))
    app.frame.get_by_text(f"By {TEXT}").first.wait_for()
    app.is_harmless()
    app.frame.get_by_role("combobox", name="1 annotation").first.click()
    app.frame.get_by_role("menuitem").first.wait_for()
    app.is_harmless()
    app.page.keyboard.press("Escape")
    app.tab("Results")
    app.press("Show")
    app.frame.get_by_role("button", name="Remove", exact=True).first.wait_for()
    app.figure.settle()
    app.shows_text(TEXT)
    app.page.mouse.move(*app.figure.screen(500, 500))
    app.is_harmless()
    app.tab("Views")
    app.shows_text(TEXT[:80])
    app.is_harmless()


def test_what_a_models_card_says_is_text(page):
    app = page(f"slide={quote(SLIDE)}&model={MODEL}")
    app.figure.settle()
    app.tab("Run")
    app.shows_text(TEXT)
    app.frame.get_by_role("combobox", name="Class to show").first.click()
    app.frame.get_by_role("menuitem").first.wait_for()
    app.is_harmless()


def test_what_is_uploaded_is_text(page, tmp_path):
    app = page(f"slide={quote(SLIDE)}")
    app.figure.settle()
    app.tab("Annotate")
    app.frame.get_by_label("1 annotation").first.wait_for()
    bad = tmp_path / f"bad {FILE}.geojson"
    bad.write_text("nothing of the kind")
    app.page.locator("input[type=file]").nth(-1).set_input_files(bad)
    app.frame.get_by_role("alert").filter(has_text="<img src=x").first.wait_for()
    app.is_harmless()
    feature = {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(shapely.box(10, 10, 90, 90)),
        "properties": {
            "name": TEXT,
            "classification": {"name": TEXT},
            "description": TEXT,
            "metadata": {TEXT: TEXT},
        },
    }
    good = tmp_path / f"good {FILE}.geojson"
    good.write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature] * 2})
    )
    app.page.locator("input[type=file]").nth(-1).set_input_files(good)
    app.frame.get_by_label("annotations").first.wait_for()
    app.frame.wait_for_timeout(1500)
    app.is_harmless()
    app.tab("Stain")
    app.press("macenko")
    app.frame.get_by_role("radio", name="he-rose").wait_for()
    wrong = tmp_path / f"picture {FILE}.json"
    wrong.write_text(json.dumps({"name": TEXT, TEXT: TEXT}))
    app.page.locator("input[type=file]").first.set_input_files(wrong)
    app.frame.wait_for_timeout(2000)
    app.is_harmless()


def test_what_one_calls_oneself_and_things_is_text(page):
    app = page(f"slide={quote(SLIDE)}")
    app.figure.settle()
    app.tab("Annotate")
    app.frame.get_by_label(re.compile(r"^\d+ annotations")).first.wait_for()
    app.fill("Your name", TEXT)
    app.page.mouse.click(*app.figure.screen(300, 500))
    app.frame.get_by_text(f"By {TEXT}").first.wait_for()
    for label in ("Name", "Class"):
        field = app.frame.get_by_label(label, exact=True).first
        field.fill(f"{label} {TEXT}")
        field.press("Enter")
    app.frame.wait_for_timeout(1500)
    app.is_harmless()


# --- without a browser: what a notebook is shown


def test_what_a_notebook_shows_is_escaped(folder, saved):
    from workbench.results.run import open_run  # noqa: PLC0415
    from workbench.stain.references import REFERENCES  # noqa: PLC0415

    with open_slide(folder / "slides" / SLIDE) as slide:
        shown = [slide._repr_mimebundle_()["text/html"]]
    shown.append(open_run(folder / "runs" / saved)._repr_html_())
    reference = REFERENCES["he-rose"].model_copy(
        update={"name": TEXT, "provenance": TEXT}
    )
    shown.append(reference._repr_html_())
    shown.append(workbench.advise([folder / "slides" / SLIDE])._repr_html_())
    for page in shown:
        assert "&lt;img src=x class=evil" in page
        assert "<img src=x" not in page
        assert "<script>ran" not in page
