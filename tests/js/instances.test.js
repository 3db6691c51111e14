import assert from "node:assert/strict";
import { test } from "node:test";
import { outlineChosen } from "#browser/instance_layer.js";

const [NOTHING, OTHER, BORDER, HALO] = [0, 7, 1, 9];

/** What a cell of a drawing holds: "." nothing, "a" inside and "A" border of 1, "b" and "B" of 2. */
const CELLS = { ".": 0, a: 2, A: 3, b: 4, B: 5 };
const cellsOf = (rows) => Uint16Array.from(rows.join(""), (cell) => CELLS[cell]);

test("a selected instance has an outline of two pixels and a halo; others stay", () => {
  const rows = [
    ".......",
    "AAAAABB",
    "AaaaABb",
    "AaaaABb",
    "AaaaABb",
    "AAAAABB",
    ".......",
  ];
  const cells = cellsOf(rows);
  const pixels = Uint32Array.from(cells, (cell) => (cell ? OTHER : NOTHING));
  outlineChosen(pixels, cells, Uint8Array.of(0, 1, 0), BORDER, HALO);
  const row = (y) => [...pixels.slice(7 * y, 7 * y + 7)];
  assert.deepEqual(row(0), [HALO, HALO, HALO, HALO, HALO, HALO, NOTHING]);
  assert.deepEqual(row(1), [BORDER, BORDER, BORDER, BORDER, BORDER, HALO, OTHER]);
  assert.deepEqual(row(3), [BORDER, BORDER, OTHER, BORDER, BORDER, HALO, OTHER]);
});

test("neighbours that are both selected have no halo between them", () => {
  const cells = cellsOf(["AB", "AB"]);
  const pixels = new Uint32Array(4);
  outlineChosen(pixels, cells, Uint8Array.of(0, 1, 1), BORDER, HALO);
  assert.deepEqual([...pixels], [BORDER, BORDER, BORDER, BORDER]);
});
