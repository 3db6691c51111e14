"""Accessibility of the page: axe-core finds nothing serious, in light and dark."""

from __future__ import annotations

import pytest

import workbench
from app_page import AppPage
from browser import IN_A_PAGE, app_served
from stained_slide import write_stained
from workbench.app.session import SECTIONS
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

NAME = "stained.tif"
_SERIOUS = ("serious", "critical")

_RUN = """async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    resultTypes: ["violations"],
  });
  return found.violations.map(({ id, impact, nodes }) => [
    id, impact, nodes.map(({ target, failureSummary }) => [target, failureSummary]),
  ]);
}"""


@pytest.fixture(scope="module")
def axe(repository):
    """Return the script of axe-core, which `make check` installs."""
    path = repository / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.fail("no axe-core: run `make node_modules/.stamp`")
    return path.read_text()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accessible")
    (folder / "slides").mkdir()
    write_stained(folder / "slides" / NAME, width=1280, height=1024)
    with open_slide(folder / "slides" / NAME) as slide:
        for model in ("nuclei-watershed", "tissue-classes"):
            workbench.run(slide, model=model, out=folder / "runs" / model)
    with app_served(folder / "slides", folder / "runs") as address:
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_of_the_page_has_a_serious_fault(watched, url, axe, scheme):
    watched.page.emulate_media(color_scheme=scheme)
    app = AppPage.open(watched, url, slide=NAME, normalize="macenko")
    watched.page.locator(f".stage[data-theme={scheme}]").wait_for()
    watched.page.evaluate(axe)

    def has_none():
        found = watched.page.evaluate(_RUN)
        assert [each for each in found if each[1] in _SERIOUS] == []

    for section in SECTIONS:
        app.tab(section)
        app.eventually(has_none)  # colours change by degrees as a tab opens
    app.is_clean()
