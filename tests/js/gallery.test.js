import assert from "node:assert/strict";
import { test } from "node:test";
import { sentence } from "#gallery/assigning.js";
import { Lines } from "#gallery/lines.js";
import { Selection } from "#gallery/selected_slides.js";
import { SlideTable, naturalKey, numberText } from "#gallery/table.js";

const NAMES = ["S10", "S2", "s1", "S3"];
const TABLE = new SlideTable({
  stamp: "1",
  names: NAMES,
  layers: [],
  columns: [
    { name: "case", kind: "slide", levels: ["A", "B"], codes: [1, 0, 1, 0] },
    { name: "diagnosis", kind: "label", levels: ["", "benign", "tumour"], codes: [2, 1, 0, 2] },
    { name: "share", kind: "result", numbers: [0.5, null, 0.25, 12_345.6] },
  ],
});

/** What is shown: the names, and with groups also theirs. */
function shown(question) {
  const asked = { words: "", filters: new Map(), sort: "", descending: false, group: "", ...question };
  const { rows, groups } = TABLE.ask(asked);
  return { names: [...rows].map((row) => NAMES[row]), groups: groups.map(({ name, start, count }) => [name, start, count]) };
}

test("texts sort as people do, numbers by value, and what is missing comes last in both directions", () => {
  assert.deepEqual(shown({ sort: "slide" }).names, ["s1", "S2", "S3", "S10"]);
  assert.deepEqual(shown({ sort: "share" }).names, ["s1", "S10", "S3", "S2"]);
  assert.deepEqual(shown({ sort: "share", descending: true }).names, ["S3", "S10", "s1", "S2"]);
  assert.deepEqual(shown({ sort: "diagnosis", descending: true }).names, ["S10", "S3", "S2", "s1"]);
  assert.ok(naturalKey("T2N0") < naturalKey("T10N0"));
});

test("every word must be somewhere in the texts of a slide, and every filter must pass", () => {
  assert.deepEqual(shown({ words: "TUM b" }).names, ["S10"]);
  assert.deepEqual(shown({ filters: new Map([["diagnosis", { texts: new Set(["", "benign"]) }]]) }).names, ["S2", "s1"]);
  assert.deepEqual(shown({ filters: new Map([["share", { low: 0.3 }]]) }).names, ["S10", "S3"]);
  assert.deepEqual(shown({ filters: new Map([["share", { low: 0.3, high: 1 }], ["case", { texts: new Set(["A"]) }]]) }).names, []);
  assert.deepEqual(shown({ filters: new Map([["gone", { low: 1 }]]) }).names, NAMES);
});

test("groups come in the order of their first slides, and keep the order within", () => {
  const { names, groups } = shown({ sort: "share", group: "case" });
  assert.deepEqual(names, ["s1", "S10", "S3", "S2"]);
  assert.deepEqual(groups, [["B", 0, 2], ["A", 2, 2]]);
  assert.deepEqual(shown({ group: "diagnosis" }).groups.at(-1)[0], "–");
});

test("numbers are short, and whole numbers are whole", () => {
  assert.deepEqual([0, 7, 0.123456, 12_345.6, 0.00012345, -3.25].map(numberText), ["0", "7", "0.123", "12,346", "0.00012", "-3.25"]);
});

test("50,000 rows are sorted, searched and grouped by the same rules", () => {
  const names = Array.from({ length: 50_000 }, (_, n) => `S${(n * 7919) % 50_000}`);
  const big = new SlideTable({ stamp: "", names, layers: [], columns: [{ name: "case", kind: "slide", texts: names.map((_, n) => `P${n >> 1}`) }] });
  const { rows } = big.ask({ words: "", filters: new Map(), sort: "slide", descending: true, group: "" });
  assert.deepEqual([...rows.subarray(0, 2)].map((row) => names[row]), ["S49999", "S49998"]);
  const { groups } = big.ask({ words: "", filters: new Map(), sort: "", descending: false, group: "case" });
  assert.equal(groups.length, 25_000);
});

test("lines tell where they are, which slides they have, and which line a height or a slide is on", () => {
  const lines = new Lines([{ name: "A", start: 0, count: 5 }, { name: "B", start: 5, count: 2 }], 3, 100, 30);
  assert.equal(lines.count, 5);
  assert.equal(lines.height, 360);
  const found = [0, 1, 2, 3, 4].map((n) => lines.line(n)).map(({ isHead, top, start, end }) => [isHead, top, start, end]);
  assert.deepEqual(found, [[true, 0, 0, 0], [false, 30, 0, 3], [false, 130, 3, 5], [true, 230, 5, 5], [false, 260, 5, 7]]);
  assert.deepEqual([-5, 0, 29, 30, 129, 229, 230, 261, 9999].map((y) => lines.at(y)), [0, 0, 0, 1, 1, 2, 3, 4, 4]);
  assert.deepEqual([0, 2, 3, 4, 5, 6].map((place) => lines.of(place)), [1, 1, 2, 2, 4, 4]);
  const plain = new Lines([{ name: "", start: 0, count: 4 }], 1, 44, 0);
  assert.deepEqual([plain.count, plain.height, plain.at(44), plain.of(3)], [4, 176, 1, 3]);
  assert.deepEqual([new Lines([], 3, 100, 0).count, new Lines([], 3, 100, 0).at(10)], [0, 0]);
});

test("slides are selected one by one, in a row, and stay selected by their names", () => {
  let changes = 0;
  const selection = new Selection(() => (changes += 1));
  selection.pick("b", false, ["a", "b", "c", "d"]);
  selection.pick("d", true, ["a", "b", "c", "d"]);
  assert.deepEqual([...selection.names].sort(), ["b", "c", "d"]);
  selection.pick("c", false, ["a", "b", "c", "d"]);
  selection.pick("a", true, ["d", "a"]); // the last one is not shown: only this one
  assert.deepEqual([...selection.names].sort(), ["a", "b", "d"]);
  selection.keep((name) => name !== "d");
  assert.deepEqual([...selection.names].sort(), ["a", "b"]);
  selection.clear();
  assert.equal(selection.names.size, 0);
  assert.equal(changes, 5);
});

test("what is assigned is said in words", () => {
  assert.equal(sentence(10, 2, 0), "10 slides; 10 slides for each of 2 readers.");
  assert.equal(sentence(25, 2, 1), "25 slides; 12 or 13 slides for each of 2 readers.");
  assert.equal(sentence(10, 2, 1.2), "10 slides, 2 of them read twice; 6 slides for each of 2 readers.");
  assert.equal(sentence(1, 1, 1), "1 slide; 1 slide for the reader.");
  assert.equal(sentence(10, 0, 1), "Choose who reads.");
});
