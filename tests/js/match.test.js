import assert from "node:assert/strict";
import { test } from "node:test";
import { matches } from "#browser/match.js";

const entry = (label, group = "View", reason = "") => ({ id: label, label, group, keys: "", reason });
const ALL = [
  entry("Fit the whole slide"),
  entry("Magnification 2.5x"),
  entry("Magnification 20x"),
  entry("Normalize with macenko", "Stain"),
  entry("Open slide CMU-1.svs", "Slides"),
  entry("Cancel the run", "Run", "No run is active"),
  entry("Run nuclei", "Run"),
];
const found = (query, most = 80) => matches(query, ALL, most).map(({ label }) => label);

test("without words all are listed, in their order, those that cannot be used last", () => {
  assert.deepEqual(found("  "), [...ALL.filter(({ reason }) => !reason), ...ALL.filter(({ reason }) => reason)].map(({ label }) => label));
  assert.equal(found("", 3).length, 3);
});

test("each word must fit, at the beginning of a word first", () => {
  assert.deepEqual(found("20"), ["Magnification 20x"]);
  assert.deepEqual(found("whole FIT"), ["Fit the whole slide"]);
  assert.deepEqual(found("whole nuclei"), []);
  assert.equal(found("slide")[0], "Fit the whole slide");
  assert.deepEqual(found("run"), ["Run nuclei", "Cancel the run"]);
});

test("letters may be left out, not their order; headings count too", () => {
  assert.deepEqual(found("mcnk"), ["Normalize with macenko"]);
  assert.deepEqual(found("kncm"), []);
  assert.deepEqual(found("stain"), ["Normalize with macenko"]);
  assert.deepEqual(found("cmu svs"), ["Open slide CMU-1.svs"]);
});

test("accents and case make no difference", () => {
  assert.deepEqual(matches("MÉTHODE", [entry("methode")], 9).length, 1);
});
