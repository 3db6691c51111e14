"""What is asked for together, what is let go of, and what comes of the answers."""

from __future__ import annotations

import pytest

from browser import tiles_in
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


@pytest.fixture
def run(watched, repository):
    """Return what runs a script with the loader's source in a page of its own."""
    source = bundle(repository / "workbench/app/browser/loader.js")
    watched.page.goto("data:text/html,<title>loader</title>")
    return lambda script, *more: watched.page.evaluate(script, [source, *more])


def test_a_tile_that_changes_faster_than_it_comes_is_not_put_off(run):
    told = run(_LOAD, 250, 100)
    assert len(told["came"]) >= 2, "of each version asked for, sooner or later"
    # Only what is looked at no longer is let go of; and one is asked for at a time.
    assert len(told["aborted"]) <= 1
    assert all(url.startswith("t/0/0/0") for url in told["aborted"])
    assert len(told["asked"]) <= len(told["came"]) + 2


_GROUPS = """async ([source, cuts, statuses]) => {
  const { Loader } = await import("data:text/javascript," + encodeURIComponent(source));
  const asked = [], done = {}, entries = {};
  const placesOf = (url) => {
    const [, z, rest] = url.match(/t\\/(\\d+)(?:\\/(\\d+\\/\\d+))?/);
    const pairs = rest ? [rest.replace("/", ".")] : url.split("tiles=")[1].split(",");
    return pairs.map((pair) => [z, ...pair.split(".")].join("/"));
  };
  const frame = (number, status, text) => {
    const encoder = new TextEncoder();
    const [type, data] = ["image/png", text].map((each) => encoder.encode(each));
    const whole = new Uint8Array(12 + type.length + data.length);
    const view = new DataView(whole.buffer);
    view.setUint16(0, number);
    view.setUint16(2, status);
    view.setUint32(4, type.length);
    view.setUint32(8, data.length);
    whole.set(type, 12);
    whole.set(data, 12 + type.length);
    return whole;
  };
  // Last first, and in pieces of a few bytes: as a network may bring them.
  const streamed = (url) => {
    const frames = placesOf(url)
      .map((place, number) => frame(number, statuses[place]?.shift() ?? 200, place))
      .reverse();
    const bytes = new Uint8Array(frames.flatMap((each) => [...each]));
    const kept = cuts.lost ? bytes.subarray(0, bytes.length - cuts.lost) : bytes;
    return new ReadableStream({
      async start(to) {
        for (let at = 0; at < kept.length; at += cuts.size) {
          to.enqueue(kept.slice(at, at + cuts.size));
        }
        to.close();
      },
    });
  };
  window.fetch = async (url) => {
    asked.push(url);
    const [place] = placesOf(url);
    return url.includes("tiles=") ? new Response(streamed(url)) : new Response(place);
  };
  const layer = {
    version: () => "1",
    entry: (...place) => (entries[place.join("/")] ??= { failures: 0, retryAt: 0 }),
    decode: async (blob) => ({ text: await blob.text(), image: { close() {} } }),
    groupUrl(z, places) {
      return `t/${z}?v=1&tiles=${places.map(([, x, y]) => `${x}.${y}`)}`;
    },
  };
  const places = [];
  for (let y = 0; y < 4; y++) for (let x = 0; x < 5; x++) places.push([5, x, y]);
  places.push([3, 1, 1]);
  const wanted = () => places
    .filter((place) => {
      const { version, refused, retryAt } = layer.entry(...place);
      return !version && !refused && retryAt <= performance.now();
    })
    .map((place) => ({ url: `t/${place.join("/")}?v=1`, layer, place }));
  const loader = new Loader((from, place) => {
    if (place) done[place.join("/")] = (done[place.join("/")] ?? 0) + 1;
    loader.want(wanted());
  });
  loader.want(wanted());
  const settled = () => loader.idle && places.every((place) => {
    const { version, refused } = layer.entry(...place);
    return version || refused;
  });
  while (!settled()) await new Promise((later) => setTimeout(later, 20));
  return { asked, done, entries };
}"""


def asked_in(told):
    """Return all places that were asked for."""
    urls = [f"/tiles/{url}" for url in told["asked"]]
    return [tuple(place) for _, *place in tiles_in(urls)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_tiles_of_a_group_come_to_their_places_however_the_answer_is_cut(run, size):
    told = run(_GROUPS, {"size": size}, {})
    assert len(told["entries"]) == 21
    for place, tile in told["entries"].items():
        assert tile["text"] == place
        assert tile["version"] == "1"
    assert set(told["done"].values()) == {1}
    # One layer and zoom in each; the one alone as the browser may have it.
    assert "t/3/1/1?v=1" in told["asked"]
    assert len(told["asked"]) < 6
    assert len(asked_in(told)) == len(set(asked_in(told))) == 21


def test_of_a_group_only_what_failed_is_asked_for_again(run):
    busy, missing = "5/2/1", "5/3/3"
    told = run(_GROUPS, {"size": 500}, {busy: [503, 429], missing: [404]})
    assert told["entries"][missing]["refused"] == "1"
    assert "text" not in told["entries"][missing]
    assert told["entries"][busy]["text"] == busy
    asked = asked_in(told)
    # A tile alone is asked for as such, and here is answered at once.
    assert asked.count((5, 2, 1)) == 2
    assert len(asked) == 22, "nothing else twice"


def test_an_answer_that_is_cut_off_leaves_what_has_come(run):
    told = run(_GROUPS, {"size": 500, "lost": 5}, {})
    tiles = told["entries"].values()
    refused = [tile for tile in tiles if tile.get("refused")]
    assert 1 <= len(refused) <= 5, "the last of each group"
    for place, tile in told["entries"].items():
        assert tile.get("refused") or tile["text"] == place


_LEAVE = """async ([source]) => {
  const { Loader } = await import("data:text/javascript," + encodeURIComponent(source));
  const asked = [], aborted = [];
  window.fetch = (url, { signal }) => new Promise((_, refuse) => {
    asked.push(url);
    signal.addEventListener("abort", () => {
      aborted.push(url);
      refuse(new DOMException("aborted", "AbortError"));
    });
  });
  const layer = {
    version: () => "1",
    entry: () => ({}),
    groupUrl(z, places) {
      return `t/${z}?v=1&tiles=${places.map(([, x, y]) => `${x}.${y}`)}`;
    },
  };
  const requests = (z, count) => Array.from({ length: count }, (_, x) => (
    { url: `t/${z}/${x}/0?v=1`, layer, place: [z, x, 0] }
  ));
  const pause = () => new Promise((later) => setTimeout(later, 20));
  const loader = new Loader(() => {});
  loader.want(requests(5, 99));
  await pause();
  const first = [...asked];
  loader.want(requests(5, 1)); // of the first group, one is still in view
  await pause();
  const kept = first.filter((url) => !aborted.includes(url));
  loader.want(requests(2, 4)); // elsewhere
  await pause();
  const last = asked.filter((url) => !aborted.includes(url));
  loader.forget(layer);
  await pause();
  const [gone, all] = [aborted.length, asked.length];
  return { first, kept, last, aborted: gone, asked: all, idle: loader.idle };
}"""


def test_a_group_is_let_go_of_when_none_of_it_is_in_view(run):
    told = run(_LEAVE)
    assert len(told["first"]) >= 2, "most wanted first, not all at once"
    assert sum(url.count(".") for url in told["first"]) < 99
    assert told["kept"] == told["first"][:1]
    assert [url.split("?")[0] for url in told["last"]] == ["t/2"]
    assert told["aborted"] == told["asked"]
    assert told["idle"]
