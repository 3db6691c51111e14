"""Take the screenshots of docs/viewer.md: each feature, on several screens.

    python scripts/viewer_shots.py

writes docs/images/viewer-*.png; `scripts/screenshots.py` takes those of the README.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import sync_playwright

from browser import chromium_path
from screenshots import IMAGES, MEASUREMENT, REAL, ROOT, run_model, save, served, shown
from workbench.cli.demo_slides import SLIDES, make_slides

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

LAPTOP: Final = {"width": 1366, "height": 768}
DESKTOP: Final = {"width": 1920, "height": 1080}
TABLET: Final = {"width": 1024, "height": 768}
PATIENCE_MS: Final = 120_000


def main() -> None:
    """Take them all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    slides = ROOT / "demo" / SLIDES
    make_slides(slides, said=print)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for slide in [*slides.glob("*.tiff"), *([REAL] if REAL.exists() else [])]:
            shutil.copy(slide, folder)
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        for url in served(Path(folder)):
            take(browser, url)
        browser.close()


def take(browser: Browser, url: str) -> None:
    """Run a model once, then show its answer on each screen."""
    page = browser.new_context(viewport=LAPTOP).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}?slide={shown()}&model={MEASUREMENT}")
    run_model(page)
    address = page.url
    page.close()
    shot(browser, address, "laptop", LAPTOP, act=point)
    shot(browser, address, "laptop-dark", LAPTOP, dark=True, act=point)
    shot(browser, address, "desktop", DESKTOP, act=turn)
    shot(browser, address, "desktop-dark", DESKTOP, dark=True, act=look_closer)
    shot(browser, address, "tablet", TABLET, touch=True, act=measure)
    shot(browser, address, "tablet-dark", TABLET, dark=True, touch=True)


def shot(
    browser: Browser,
    address: str,
    name: str,
    size: dict[str, int],
    *,
    dark: bool = False,
    touch: bool = False,
    act: Callable[[Page], Any] = lambda _: None,
) -> None:
    """Save one screen, after something was done on it."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport=size, color_scheme=scheme, has_touch=touch)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator(".stage").first.wait_for()
    page.locator(".stage[data-state=ready]").first.wait_for()
    page.wait_for_timeout(5000)
    act(page)
    page.wait_for_timeout(1500)
    save(page, f"viewer-{name}.png")
    context.close()


def point(page: Page) -> None:
    """Point at a place, so that its values are said."""
    page.mouse.move(*middle(page))


def turn(page: Page) -> None:
    """Turn and flip the slide."""
    page.locator(".stage").first.focus()
    page.keyboard.press("r")
    page.keyboard.press("f")
    point(page)


def look_closer(page: Page) -> None:
    """Look at cells."""
    page.get_by_role("button", name="20x", exact=True).click()
    point(page)


def measure(page: Page) -> None:
    """Measure a distance."""
    page.get_by_role("button", name="5x", exact=True).click()
    x, y = middle(page)
    page.get_by_role("button", name="Measure a distance").click()
    page.mouse.click(x - 150, y - 60)
    page.mouse.click(x + 120, y + 70)


def middle(page: Page) -> tuple[float, float]:
    """Return the middle of the slide's view, on the page."""
    box = page.locator(".stage").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


if __name__ == "__main__":
    main()
