import assert from "node:assert/strict";
import { test } from "node:test";
import { thinned } from "#browser/lasso.js";

/** @import {Point} from "#browser/messages.js" */

/**
 * @param {number} count
 * @returns {Point[]}
 */
const line = (count) => Array.from({ length: count }, (_, i) => [i, 2 * i]);

test("a long outline is thinned evenly, a short one stays", () => {
  assert.deepEqual(thinned(line(3)), line(3));
  const kept = thinned(line(4500));
  assert.equal(kept.length, 1500);
  assert.deepEqual(kept[1], [3, 6]);
  assert.deepEqual(thinned(line(4001), 2000).length, 1334);
});
