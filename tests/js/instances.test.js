import assert from "node:assert/strict";
import { test } from "node:test";
import { InstanceTileLayer, outlineWidely } from "#browser/instance_layer.js";

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
  outlineWidely(pixels, cells, Uint32Array.of(0, BORDER, 0), HALO);
  const row = (y) => [...pixels.slice(7 * y, 7 * y + 7)];
  assert.deepEqual(row(0), [HALO, HALO, HALO, HALO, HALO, HALO, NOTHING]);
  assert.deepEqual(row(1), [BORDER, BORDER, BORDER, BORDER, BORDER, HALO, OTHER]);
  assert.deepEqual(row(3), [BORDER, BORDER, OTHER, BORDER, BORDER, HALO, OTHER]);
});

test("neighbours that are both selected have no halo between them", () => {
  const cells = cellsOf(["AB", "AB"]);
  const pixels = new Uint32Array(4);
  outlineWidely(pixels, cells, Uint32Array.of(0, BORDER, BORDER), HALO);
  assert.deepEqual([...pixels], [BORDER, BORDER, BORDER, BORDER]);
});

test("thin outlines, wide ones, and filled instances; a selected one is always wide and never filled", () => {
  const layer = new InstanceTileLayer({}, () => {});
  const [RED, YELLOW, CLEAR] = [0xff0000ff, 0xff00ffff, 0x00000000];
  layer.palette = Uint32Array.of(0, 0, CLEAR, RED, CLEAR, YELLOW); // nothing, a class, selected
  const [ids, table] = [Uint32Array.of(0, 1, 2), Uint8Array.of(1, 2, 0)]; // the third is hidden
  const drawn = (form) => {
    layer.form = form;
    const { colours, wide } = layer.coloursOf(ids, table);
    return { colours: [...colours.slice(2)], wide: [...wide.slice(1)] };
  };
  const hidden = [0, 0];
  assert.deepEqual(drawn("thin"), { colours: [CLEAR, RED, CLEAR, YELLOW, ...hidden], wide: [0, YELLOW, 0] });
  assert.deepEqual(drawn("wide"), { colours: [CLEAR, RED, CLEAR, YELLOW, ...hidden], wide: [RED, YELLOW, 0] });
  assert.deepEqual(drawn("filled"), { colours: [0x580000ff, RED, CLEAR, YELLOW, ...hidden], wide: [0, YELLOW, 0] });
});
