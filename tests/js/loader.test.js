// What is asked for together, what is let go of, and what comes of the answers.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Loader } from "#browser/loader.js";

const realFetch = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = realFetch;
});

const pause = (ms = 0) => new Promise((later) => setTimeout(later, ms));

async function until(holds) {
  while (!holds()) await pause(1);
}

/** Requests that are answered when the test says so. */
function fakeFetch() {
  const asked = [];
  globalThis.fetch = (url, { signal }) =>
    new Promise((answer, refuse) => {
      const request = { url, answer, refuse, aborted: false };
      asked.push(request);
      signal.addEventListener("abort", () => {
        request.aborted = true;
        refuse(new DOMException("aborted", "AbortError"));
      });
    });
  return asked;
}

function fakeLayer(version = () => "1") {
  const entries = {};
  return {
    entries,
    version,
    entry: (...place) => (entries[place.join("/")] ??= { failures: 0, retryAt: 0 }),
    decode: async (blob) => ({ text: await blob.text(), image: { close() {} } }),
    groupUrl: (z, places) => `t/${z}?v=${version()}&tiles=${places.map(([, x, y]) => `${x}.${y}`)}`,
  };
}

const requestOf = (layer, ...place) => ({ url: `t/${place.join("/")}?v=${layer.version()}`, layer, place });
const row = (layer, z, count) => Array.from({ length: count }, (_, x) => requestOf(layer, z, x, 0));

/** Places "z/x/y" that a URL asks for. */
function placesOf(url) {
  const [, z, x, y] = url.match(/^t\/(\d+)(?:\/(\d+)\/(\d+))?/);
  if (x) return [`${z}/${x}/${y}`];
  return url.split("tiles=")[1].split(",").map((pair) => `${z}/${pair.replace(".", "/")}`);
}

test("a tile that changes faster than it comes is not put off", async () => {
  let now = 0;
  const asked = fakeFetch();
  const layer = fakeLayer(() => String(now));
  const loader = new Loader(() => {});
  const want = () => loader.want([requestOf(layer, 0, 0, 0)]);
  for (; now < 5; now++) want();
  assert.deepEqual(asked.map(({ url }) => url), ["t/0/0/0?v=0"], "one at a time");
  asked[0].answer(new Response("first"));
  await until(() => loader.idle);
  assert.equal(layer.entry(0, 0, 0).version, "0", "the older version, for it is newer than none");
  want();
  assert.deepEqual(asked.map(({ url }) => url), ["t/0/0/0?v=0", "t/0/0/0?v=5"]);
  assert.ok(asked.every(({ aborted }) => !aborted));
});

test("a group is let go of when none of it is in view", async () => {
  const asked = fakeFetch();
  const layer = fakeLayer();
  const loader = new Loader(() => {});
  loader.want(row(layer, 5, 99));
  await pause();
  const first = [...asked];
  assert.ok(first.length >= 2, "most wanted first, not all at once");
  const tiles = first.flatMap(({ url }) => placesOf(url));
  assert.ok(tiles.length < 99);
  assert.deepEqual(tiles, row(layer, 5, tiles.length).map(({ place }) => place.join("/")));
  loader.want(row(layer, 5, 1)); // of the first group, one is still in view
  await pause();
  assert.deepEqual(first.map(({ aborted }) => aborted), first.map((_, i) => i > 0));
  loader.want(row(layer, 2, 4)); // elsewhere
  await pause();
  const open = asked.filter(({ aborted }) => !aborted);
  assert.deepEqual(open.map(({ url }) => url.split("?")[0]), ["t/2"]);
  loader.forget(layer);
  await until(() => loader.idle);
  assert.ok(asked.every(({ aborted }) => aborted));
});

test("fewer tiles are asked for together where they come slowly, more where they do not", () => {
  const loader = new Loader(() => {});
  loader.learn(16, 0, 5, 1600); // 100 ms for each of them
  assert.equal(loader.most, 2);
  for (let i = 0; i < 20; i++) loader.learn(loader.most, 0, 5, 20);
  assert.equal(loader.most, 16);
  const far = new Loader(() => {});
  far.learn(16, 0, 2000, 2100);
  assert.equal(far.most, 16, "an answer may take as long as its way");
});

function frame(number, status, text) {
  const [type, data] = ["image/png", text].map((each) => new TextEncoder().encode(each));
  const whole = new Uint8Array(12 + type.length + data.length);
  const view = new DataView(whole.buffer);
  view.setUint16(0, number);
  view.setUint16(2, status);
  view.setUint32(4, type.length);
  view.setUint32(8, data.length);
  whole.set(type, 12);
  whole.set(data, 12 + type.length);
  return whole;
}

/** The answer to a group: last tile first, in pieces of `size` bytes, without the `lost` last ones. */
function groupAnswer(url, { size, lost = 0 }, statuses) {
  const frames = placesOf(url)
    .map((place, number) => frame(number, statuses[place]?.shift() ?? 200, place))
    .reverse();
  const bytes = Buffer.concat(frames);
  const kept = bytes.subarray(0, bytes.length - lost);
  return new ReadableStream({
    start(to) {
      for (let at = 0; at < kept.length; at += size) to.enqueue(new Uint8Array(kept.subarray(at, at + size)));
      to.close();
    },
  });
}

/** Load 20 tiles of one zoom and one of another until each has come or is refused. */
async function loaded(cuts, statuses = {}) {
  const asked = [];
  const layer = fakeLayer();
  const done = {};
  globalThis.fetch = async (url) => {
    asked.push(url);
    const [place] = placesOf(url);
    return new Response(url.includes("tiles=") ? groupAnswer(url, cuts, statuses) : place);
  };
  const places = [[3, 1, 1]];
  for (let y = 0; y < 4; y++) for (let x = 0; x < 5; x++) places.push([5, x, y]);
  const settled = (place) => layer.entry(...place).version || layer.entry(...place).refused;
  const due = (place) => !settled(place) && layer.entry(...place).retryAt <= performance.now();
  const wanted = () => places.filter(due).map((place) => requestOf(layer, ...place));
  const loader = new Loader((_, place) => {
    if (place) done[place.join("/")] = (done[place.join("/")] ?? 0) + 1;
    loader.want(wanted());
  });
  loader.want(wanted());
  await until(() => loader.idle && places.every(settled));
  return { asked, done, entries: layer.entries };
}

for (const size of [1, 7, 1000]) {
  test(`tiles of a group come to their places from pieces of ${size} bytes`, async () => {
    const { asked, done, entries } = await loaded({ size });
    assert.equal(Object.keys(entries).length, 21);
    for (const [place, tile] of Object.entries(entries)) {
      assert.equal(tile.text, place);
      assert.equal(tile.version, "1");
      assert.equal(done[place], 1);
    }
    assert.ok(asked.includes("t/3/1/1?v=1"), "the one alone as the browser may have it");
    assert.ok(asked.length < 6, "one layer and zoom in each");
    const all = asked.flatMap(placesOf);
    assert.equal(all.length, 21);
    assert.equal(new Set(all).size, 21);
  });
}

test("of a group only what has failed is asked for again", async () => {
  const [busy, missing] = ["5/2/1", "5/3/3"];
  const { asked, entries } = await loaded({ size: 500 }, { [busy]: [503, 429], [missing]: [404] });
  assert.equal(entries[missing].refused, "1");
  assert.ok(!("text" in entries[missing]));
  assert.equal(entries[busy].text, busy);
  const all = asked.flatMap(placesOf);
  // A tile alone is asked for as such, and here is answered at once.
  assert.equal(all.filter((place) => place === busy).length, 2);
  assert.equal(all.length, 22, "nothing else twice");
});

test("an answer that is cut off leaves what has come", async () => {
  const { entries } = await loaded({ size: 500, lost: 5 });
  const refused = Object.values(entries).filter((tile) => tile.refused);
  assert.ok(refused.length >= 1 && refused.length <= 5, "the last of each group");
  for (const [place, tile] of Object.entries(entries)) assert.ok(tile.refused || tile.text === place);
});
