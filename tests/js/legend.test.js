import assert from "node:assert/strict";
import { test } from "node:test";
import { endsOf, gradientOf, legendsOf } from "#browser/legend.js";
import { layers } from "./wire/stage.js";

test("legends as Python sends them, that of the topmost layer first, each once", () => {
  const [values, classes] = layers.map(({ legend }) => legend);
  assert.deepEqual(legendsOf([...layers, { ...layers[0], legend: null }, layers[1]]), [classes, values]);
  assert.deepEqual(classes.entries.map(([name]) => name), ["tumour", "stroma"]);
});

test("a legend that explains nothing is left out", () => {
  assert.deepEqual(legendsOf([{ ...layers[0], legend: { title: "empty", unit: "", ramp: [], entries: [] } }]), []);
});

test("a bar has the values of its ends, with the unit, and its colours at their values", () => {
  const { legend } = layers[0];
  assert.deepEqual(endsOf(legend), ["0", "1,200 /mm²"]);
  assert.equal(gradientOf(legend), "linear-gradient(to right, #000000 0%, #ffffff 100%)");
  const uneven = { ...legend, ramp: [[1, "#000000"], [2, "#888888"], [5, "#ffffff"]] };
  assert.match(gradientOf(uneven), /#888888 25%/);
  assert.doesNotMatch(gradientOf({ ...legend, ramp: [[1, "#000000"]] }), /NaN/);
});
