import assert from "node:assert/strict";
import { test } from "node:test";
import { Mark } from "#browser/mark.js";

const SQUARE = [0, 0, 10, 0, 10, 10, 0, 10, 0, 0];
const HOLE = [4, 4, 6, 4, 6, 6, 4, 6, 4, 4];
const area = (...rings) => new Mark({ id: "a", kind: "area", parts: [rings] });
const line = (...points) => new Mark({ id: "l", kind: "line", parts: [[points]] });
const point = (x, y) => new Mark({ id: "p", kind: "point", parts: [[[x, y]]] });

test("its box holds all of its parts", () => {
  const mark = new Mark({ id: "m", kind: "area", parts: [[SQUARE], [[20, -5, 30, -5, 30, 2, 20, -5]]] });
  assert.deepEqual(mark.box, { x0: 0, y0: -5, x1: 30, y1: 10 });
  assert.equal(mark.points, 9);
  assert.equal(mark.size, 450);
  assert.ok(mark.isIn({ x0: 31, y0: 0, x1: 40, y1: 1 }, 1));
  assert.ok(!mark.isIn({ x0: 31.1, y0: 0, x1: 40, y1: 1 }, 1));
});

test("an area holds what lies within it, its holes excepted", () => {
  const mark = area(SQUARE, HOLE);
  assert.ok(mark.contains(2, 2));
  assert.ok(!mark.contains(5, 5));
  assert.ok(!mark.contains(11, 5));
  assert.equal(mark.outlineDistance(5, 5), 1);
  assert.equal(mark.outlineDistance(13, 14), 5);
});

test("a click means what it touches on the screen, at any zoom", () => {
  assert.ok(line(0, 0, 100, 0).isAt(50, 6, 1));
  assert.ok(!line(0, 0, 100, 0).isAt(50, 8, 1));
  assert.ok(line(0, 0, 100, 0).isAt(50, 80, 16));
  assert.ok(point(5, 5).isAt(5, 11, 1));
  assert.ok(!point(5, 5).isAt(5, 11, 0.5));
  assert.ok(area(SQUARE).isAt(5, 5, 0.1), "inside");
  assert.ok(!area(SQUARE, HOLE).isAt(5, 5, 0.1), "in the hole");
});

test("an upright box is known as one", () => {
  assert.ok(area(SQUARE).isBox);
  assert.ok(!area(SQUARE, HOLE).isBox);
  assert.ok(!area([0, 0, 10, 1, 10, 10, 0, 10, 0, 0]).isBox);
  assert.ok(!line(0, 0, 1, 1).isBox);
});

test("what is moved is another mark of the same look", () => {
  const mark = new Mark({ id: "m", kind: "area", parts: [[SQUARE, HOLE]], colour: "#123456", label: "tumor", locked: true });
  const moved = mark.moved(3, -2);
  assert.deepEqual(moved.box, { x0: 3, y0: -2, x1: 13, y1: 8 });
  assert.deepEqual(mark.box, { x0: 0, y0: 0, x1: 10, y1: 10 });
  const look = ({ id, kind, colour, label, locked }) => ({ id, kind, colour, label, locked });
  assert.deepEqual(look(moved), look(mark));
});
