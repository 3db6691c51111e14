import assert from "node:assert/strict";
import { test } from "node:test";

const SIZE = [40_000, 20_000];

/** A view of a slide on a canvas of 800 x 600 that paints nothing, and what its canvas hears. */
async function opened() {
  const heard = {};
  globalThis.document = { createElement: () => ({ getContext: () => ({}) }) };
  globalThis.ResizeObserver = class {
    observe() {}
  };
  globalThis.requestAnimationFrame = () => 0;
  const { FirstView } = await import("../../workbench/app/server/first_view.js");
  const canvas = {
    clientWidth: 800,
    clientHeight: 600,
    dataset: {},
    getContext: () => ({}),
    setPointerCapture() {},
    addEventListener: (name, hear) => (heard[name] = hear),
  };
  const layer = { id: "first", url: "tiles/k", version: "1", tile_px: 256, max_zoom: 8, visible: true, opacity: 1, smooth: true };
  return { view: new FirstView(canvas, { size: SIZE, layer }), heard };
}

const at = (offsetX, offsetY, pointerId = 1) => ({ offsetX, offsetY, pointerId, button: 0 });

test("the whole slide is in view until it is moved", async () => {
  const { view } = await opened();
  assert.deepEqual(view.view, { x: 20_000, y: 10_000, downsample: 52 });
  assert.equal(view.end(), null);
});

test("the wheel keeps the point under the pointer, within the limits of the viewer", async () => {
  const { view, heard } = await opened();
  const before = view.at(100, 200);
  heard.wheel({ ...at(100, 200), deltaY: -500, preventDefault() {} });
  assert.ok(view.view.downsample < 30);
  for (const [i, number] of view.at(100, 200).entries()) assert.ok(Math.abs(number - before[i]) < 1e-6);
  heard.wheel({ ...at(100, 200), deltaY: 1e5, preventDefault() {} });
  assert.equal(view.view.downsample, 100);
});

test("one pointer drags, two pinch", async () => {
  const { view, heard } = await opened();
  heard.pointermove(at(10, 10)); // none is down
  assert.equal(view.moved, false);
  heard.pointerdown(at(400, 300));
  heard.pointermove(at(300, 300));
  assert.deepEqual(view.view, { x: 25_200, y: 10_000, downsample: 52 });
  heard.pointerdown(at(500, 300, 2));
  heard.pointermove(at(700, 300, 2));
  assert.equal(view.view.downsample, 26);
  heard.pointerup(at(700, 300, 2));
  heard.pointerup(at(300, 300));
  const left = view.end();
  assert.deepEqual(left, view.view);
  heard.pointermove(at(0, 0));
  assert.deepEqual(view.view, left);
});
