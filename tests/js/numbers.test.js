import assert from "node:assert/strict";
import { test } from "node:test";
import { areaText, clamp, lengthText, roundLength } from "#browser/numbers.js";

test("a number is held between its limits", () => {
  assert.deepEqual([-1, 0.5, 3].map((value) => clamp(value, 0, 1)), [0, 0.5, 1]);
});

test("a round length is the longest of 1, 2 or 5 times a power of ten", () => {
  for (let longest = 0.013; longest < 1e7; longest *= 1.37) {
    const length = roundLength(longest);
    const digit = length / 10 ** Math.floor(Math.log10(length * 1.0000001));
    assert.ok([1, 2, 5].some((nice) => Math.abs(digit - nice) < 1e-6), `${longest}: ${length}`);
    assert.ok(length <= longest * 1.0001 && 2.5 * length >= longest * 0.9999, `${longest}: ${length}`);
  }
  assert.deepEqual([1, 2, 5, 10, 200].map(roundLength), [1, 2, 5, 10, 200]);
});

test("lengths are in pixels, µm or mm", () => {
  assert.equal(lengthText(1234.4, null), "1234 px");
  assert.equal(lengthText(1.2345, null), "1.23 px");
  assert.equal(lengthText(1000, 0.25), "250 µm");
  assert.equal(lengthText(3999, 0.25), "1000 µm");
  assert.equal(lengthText(5000, 0.25), "1.25 mm");
});

test("areas are in px², µm² or mm²", () => {
  assert.equal(areaText(99.94, null), "99.9 px²");
  assert.equal(areaText(1000, 0.5), "250 µm²");
  assert.equal(areaText(4e6, 0.5), "1 mm²");
});
