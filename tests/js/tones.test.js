import assert from "node:assert/strict";
import { test } from "node:test";
import { valueAt } from "#browser/tone_controls.js";
import { applyTable, isPlain, PLAIN, tableOf } from "#browser/tones.js";

test("plain tones change nothing", () => {
  assert.ok(isPlain(PLAIN));
  assert.deepEqual([...tableOf(PLAIN)], Array.from({ length: 256 }, (_, value) => value));
});

test("brightness adds, contrast spreads around the middle, gamma lifts the middle", () => {
  assert.equal(tableOf({ ...PLAIN, brightness: 0.2 })[100], 151);
  const steep = tableOf({ ...PLAIN, contrast: 2 });
  assert.deepEqual([steep[0], steep[100], steep[128], steep[255]], [0, 73, 129, 255]);
  const lifted = tableOf({ ...PLAIN, gamma: 2 });
  assert.deepEqual([lifted[0], lifted[64], lifted[255]], [0, 128, 255]);
});

test("values stay within 0 and 255, in their order", () => {
  for (const tones of [{ brightness: 0.5, contrast: 4, gamma: 4 }, { brightness: -0.5, contrast: 0.25, gamma: 0.25 }]) {
    const table = [...tableOf(tones)];
    assert.deepEqual(table, [...table].sort((a, b) => a - b));
  }
});

test("a table changes colours, not opacity", () => {
  const pixels = Uint8ClampedArray.of(10, 20, 30, 40, 50, 60, 70, 0);
  applyTable(pixels, Uint8ClampedArray.from({ length: 256 }, (_, value) => 255 - value));
  assert.deepEqual([...pixels], [245, 235, 225, 40, 205, 195, 185, 0]);
});

test("factors are set by their logarithm", () => {
  assert.deepEqual([-2, 0, 1].map((at) => valueAt(at, true)), [0.25, 1, 2]);
  assert.equal(valueAt(-0.25, false), -0.25);
});
