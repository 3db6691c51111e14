import assert from "node:assert/strict";
import { test } from "node:test";
import { Handles } from "#browser/handles.js";
import { Mark } from "#browser/mark.js";

const EVERYWHERE = { x0: -1e9, y0: -1e9, x1: 1e9, y1: 1e9 };
const BOX = [[[0, 0, 100, 0, 100, 100, 0, 100, 0, 0]]];
const TRIANGLE = [[[0, 0, 100, 0, 50, 100, 0, 0]]];
const markOf = (parts, more = {}) => new Mark({ id: "m", kind: "area", parts, ...more });

test("each corner of a closed ring has one handle", () => {
  assert.equal(new Handles(markOf(BOX)).corners(EVERYWHERE, 1).length, 4);
  assert.equal(new Handles(markOf(BOX)).corners({ x0: -1, y0: -1, x1: 101, y1: 1 }, 1).length, 2, "in view");
  assert.equal(new Handles(markOf(BOX, { locked: true })).corners(EVERYWHERE, 1), null);
});

test("outlines whose corners lie too close together have no handles", () => {
  const ring = Array.from({ length: 61 }, (_, i) => [100 * Math.cos(i / 9.55), 100 * Math.sin(i / 9.55)]).flat();
  assert.equal(new Handles(markOf([[ring]])).corners(EVERYWHERE, 4), null);
  assert.equal(new Handles(markOf([[ring]])).corners(EVERYWHERE, 0.5).length, 60);
});

test("a press takes hold of a corner, a middle, the outline, or nothing", () => {
  const handles = new Handles(markOf(TRIANGLE));
  assert.equal(handles.find(3, 3, EVERYWHERE, 1).what, "corner");
  assert.equal(handles.find(50, 2, EVERYWHERE, 1).what, "middle");
  assert.equal(handles.find(25, 2, EVERYWHERE, 1).what, "whole");
  assert.equal(handles.find(50, 50, EVERYWHERE, 1), null);
});

function dragged(mark, from, to) {
  const handles = new Handles(mark);
  handles.begin(handles.find(...from, EVERYWHERE, 1), ...from);
  handles.drag(...to);
  assert.ok(handles.end());
  return handles.mark;
}

test("a box stays a box, and the corner across stays", () => {
  const mark = dragged(markOf(BOX), [100, 100], [150, 130]);
  assert.ok(mark.isBox);
  assert.deepEqual(mark.box, { x0: 0, y0: 0, x1: 150, y1: 130 });
});

test("the first corner of a ring moves with its last", () => {
  assert.deepEqual(dragged(markOf(TRIANGLE), [0, 0], [-10, -20]).parts, [[[-10, -20, 100, 0, 50, 100, -10, -20]]]);
});

test("a middle becomes a corner", () => {
  assert.deepEqual(dragged(markOf(TRIANGLE), [50, 0], [50, -30]).parts, [[[0, 0, 50, -30, 100, 0, 50, 100, 0, 0]]]);
});

test("the outline moves the whole mark", () => {
  assert.deepEqual(dragged(markOf(TRIANGLE), [25, 0], [30, 7]).box, { x0: 5, y0: 7, x1: 105, y1: 107 });
});

test("a press without a drag changes nothing", () => {
  const handles = new Handles(markOf(BOX));
  handles.begin(handles.find(0, 0, EVERYWHERE, 1), 0, 0);
  assert.ok(!handles.end());
});

test("a corner is taken out unless too few would be left", () => {
  const four = markOf([[[0, 0, 100, 10, 90, 100, 0, 100, 0, 0]]]);
  const handles = new Handles(four);
  const [first] = handles.corners(EVERYWHERE, 1);
  assert.deepEqual(handles.without(first).parts, [[[100, 10, 90, 100, 0, 100, 100, 10]]]);
  const three = new Handles(markOf(TRIANGLE));
  assert.equal(three.without(three.corners(EVERYWHERE, 1)[0]), null);
});
