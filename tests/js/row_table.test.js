import assert from "node:assert/strict";
import { test } from "node:test";
import { sorted } from "../../workbench/app/widgets/row_table.js";

const row = (/** @type {string} */ id, /** @type {(string | number | null)[]} */ ...cells) => ({ id, colour: "", cells });
const rows = [row("a", "gland 10", 2), row("b", "", null), row("c", "Gland 9", 30), row("d", "duct", 0.5)];

/**
 * @param {number} column
 * @param {1 | -1} way
 */
const order = (column, way) => sorted(rows, column, way).map(({ id }) => id).join("");

test("numbers are sorted as numbers, and what has none comes last", () => {
  assert.equal(order(1, 1), "dacb");
  assert.equal(order(1, -1), "cadb");
});

test("names are sorted as people count, in any case", () => {
  assert.equal(order(0, 1), "dcab");
  assert.equal(order(0, -1), "acdb");
});
