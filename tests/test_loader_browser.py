"""Tiles that change faster than they arrive are seen all the same."""

from __future__ import annotations

import pytest

from workbench.app.modules import bundle

pytestmark = pytest.mark.browser

_LOAD = """async ([source, waits, every]) => {
  const { Loader } = await import("data:text/javascript," + encodeURIComponent(source));
  const asked = [], aborted = [];
  window.fetch = (url, { signal }) => new Promise((answer, refuse) => {
    asked.push(url);
    const timer = setTimeout(() => answer(new Response("a tile")), waits);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      aborted.push(url);
      refuse(new DOMException("aborted", "AbortError"));
    });
  });
  let now = 0;
  const came = [];
  const layer = {
    version: () => now,
    entry: () => ({}),
    decode: async () => ({ image: { close() {} } }),
  };
  const place = [0, 0, 0];
  const want = () => loader.want([{ url: `t/0/0/0?v=${now}`, layer, place }]);
  const loader = new Loader((from) => from && (came.push(now), want()));
  for (; now < 12; now++) {
    want();
    await new Promise((later) => setTimeout(later, every));
  }
  loader.want([{ url: "t/1/0/0?v=1", layer, place: [1, 0, 0] }]);
  return { asked, aborted, came };
}"""


def test_a_tile_that_changes_faster_than_it_comes_is_not_put_off(watched, repository):
    source = bundle(repository / "workbench/app/browser/loader.js")
    watched.page.goto("data:text/html,<title>loader</title>")
    told = watched.page.evaluate(_LOAD, [source, 250, 100])
    assert len(told["came"]) >= 2, "of each version asked for, sooner or later"
    # Only what is looked at no longer is let go of; and one is asked for at a time.
    assert len(told["aborted"]) <= 1
    assert all(url.startswith("t/0/0/0") for url in told["aborted"])
    assert len(told["asked"]) <= len(told["came"]) + 2
