import assert from "node:assert/strict";
import { test } from "node:test";
import { TileLayer } from "#browser/tile_layer.js";

const SIZE = [3000, 2000];
const SPEC = {
  id: "a", url: "tiles/key", version: "v 1", tile_px: 256, max_zoom: 4, opacity: 1, visible: true,
  smooth: true, swiped: false, overlay: false, instances: null, drawn_to_zoom: 4,
};
const layerOf = (changes = {}) => new TileLayer({ ...SPEC, ...changes }, () => {});
const image = () => ({ closed: false, close() { this.closed = true; } });

test("a layer is shown if it is visible and not transparent", () => {
  assert.ok(layerOf().shown);
  assert.ok(!layerOf({ visible: false }).shown);
  assert.ok(!layerOf({ opacity: 0 }).shown);
});

test("addresses name version, zoom and tiles", () => {
  assert.equal(layerOf().url(3, 2, 1), "tiles/key/3/2/1?v=v%201");
  assert.equal(layerOf().groupUrl(3, [[3, 2, 1], [3, 0, 5]]), "tiles/key/3?v=v%201&tiles=2.1,0.5");
});

test("the zoom for a resolution is sharp enough and no sharper", () => {
  const layer = layerOf();
  for (const resolution of [0.01, 0.5, 1, 1.2, 1.3, 2, 5, 16, 300]) {
    const z = layer.zoomFor(resolution);
    assert.ok(z >= 0 && z <= 4);
    if (z < 4) assert.ok(layer.resolution(z) <= 1.28 * resolution, `${resolution}: ${z}`);
    if (z > 0) assert.ok(layer.resolution(z - 1) > 1.27 * resolution, `${resolution}: ${z}`);
  }
});

test("a layer is drawn up to its last zoom, if it is shown", () => {
  const painted = (changes) => [0, 1, 2, 3, 4].filter((z) => {
    const layer = layerOf(changes);
    assert.equal(layer.zoomFor(layer.resolution(z)), z);
    return layer.isDrawn(layer.resolution(z));
  });
  assert.deepEqual(painted({ drawn_to_zoom: 4 }), [0, 1, 2, 3, 4]);
  assert.deepEqual(painted({ drawn_to_zoom: 1 }), [0, 1], "outlines are drawn near by");
  assert.deepEqual(painted({ drawn_to_zoom: -1 }), [], "at no zoom");
  assert.deepEqual(painted({ drawn_to_zoom: 4, visible: false }), []);
  assert.deepEqual(painted({ drawn_to_zoom: 4, opacity: 0 }), []);
  const layer = layerOf({ drawn_to_zoom: 1 });
  assert.ok(layer.isDrawn(layer.resolution(1) / 1.25), "tiles are enlarged a little");
  assert.ok(!layer.isDrawn(layer.resolution(1) / 1.3));
});

test("tiles that touch a box cover it, within the slide, nearest first", () => {
  const layer = layerOf();
  const box = { x0: 300, y0: -500, x1: 1300, y1: 700 };
  const found = [...layer.touching(4, box, SIZE)];
  assert.deepEqual(new Set(found.map(([, x, y]) => `${x} ${y}`)).size, 15);
  for (const [z, x, y] of found) {
    const [x0, y0, x1, y1] = layer.boxOf(z, x, y);
    assert.ok(x0 < box.x1 && x1 > box.x0 && y0 < box.y1 && y1 > 0);
  }
  const away = ([, x, y]) => Math.hypot(x + 0.5 - 800 / 256, y + 0.5 - 100 / 256);
  const ways = found.map(away);
  assert.deepEqual(ways, [...ways].sort((a, b) => a - b));
  assert.equal([...layer.touching(4, { x0: 4000, y0: 0, x1: 5000, y1: 100 }, SIZE)].length, 0, "beyond the slide");
  assert.equal([...layer.touching(4, box, SIZE, 1)].length, 28, "with a border");
  assert.deepEqual([...layer.touching(0, box, SIZE)], [[0, 0, 0]]);
});

test("a tile is to come until it is there in the version that holds", () => {
  const layer = layerOf();
  assert.ok(layer.lacks(2, 0, 0));
  layer.entry(2, 0, 0).version = "v 1";
  assert.ok(!layer.lacks(2, 0, 0));
  layer.describe({ ...SPEC, version: "v 2" });
  assert.ok(layer.lacks(2, 0, 0));
});

test("a tile that was refused is not asked for, until it is forgiven", () => {
  const layer = layerOf();
  layer.entry(2, 0, 0).refused = "v 1";
  assert.ok(layer.isRefused(2, 0, 0) && !layer.lacks(2, 0, 0));
  layer.forgive();
  assert.ok(!layer.isRefused(2, 0, 0) && layer.lacks(2, 0, 0));
});

test("a tile that has failed is due once its time has come", () => {
  const layer = layerOf();
  assert.ok(layer.isDue(2, 0, 0, 0));
  layer.entry(2, 0, 0).retryAt = 100;
  assert.ok(!layer.isDue(2, 0, 0, 99));
  assert.ok(layer.isDue(2, 0, 0, 100));
});

test("a tile that is missing is drawn from finer ones that cover it, else from a coarser one", () => {
  const layer = layerOf();
  const have = (z, x, y) => { layer.entry(z, x, y).image = image(); };
  assert.deepEqual(layer.pieces(2, 1, 0, SIZE), []);
  have(0, 0, 0);
  assert.deepEqual(layer.pieces(2, 1, 0, SIZE), [[2, 1, 0, 0, 0, 0]]);
  for (const [x, y] of [[2, 0], [3, 0], [2, 1]]) have(3, x, y);
  assert.deepEqual(layer.pieces(2, 1, 0, SIZE), [[2, 1, 0, 0, 0, 0]], "three quarters are not all");
  have(3, 3, 1);
  assert.deepEqual(layer.pieces(2, 1, 0, SIZE).map(([, , , ...from]) => from), [[3, 2, 0], [3, 3, 0], [3, 2, 1], [3, 3, 1]]);
  have(2, 1, 0);
  assert.deepEqual(layer.pieces(2, 1, 0, SIZE), [[2, 1, 0, 2, 1, 0]]);
});

test("tiles are let go of when their grid changes, not with a new version", () => {
  const layer = layerOf();
  const kept = image();
  layer.entry(2, 0, 0).image = kept;
  layer.describe({ ...SPEC, version: "v 2" });
  assert.ok(!kept.closed);
  layer.describe({ ...SPEC, tile_px: 512 });
  assert.ok(kept.closed);
  assert.equal(layer.tiles.size, 0);
});
