import assert from "node:assert/strict";
import { test } from "node:test";
import { Pencil } from "#browser/pencil.js";

/** A pencil with a tool in hand, and what it has drawn. */
function pencilWith(name) {
  const drawn = [];
  const pencil = new Pencil(() => {}, (kind, parts) => drawn.push({ kind, parts }));
  pencil.take(name);
  return { pencil, drawn };
}

const at = (x, y) => ({ at: [x, y], px: [x / 4, y / 4] }); // four level-0 pixels for each of the screen

function drag(pencil, from, ...way) {
  pencil.down(at(...from));
  for (const point of way) pencil.move(at(...point));
  pencil.up(at(...way.at(-1)));
}

test("a click sets a point", () => {
  const { pencil, drawn } = pencilWith("point");
  drag(pencil, [8, 9], [8, 9]);
  assert.deepEqual(drawn, [{ kind: "point", parts: [[[8, 9]]] }]);
});

test("a drag draws a closed box", () => {
  const { pencil, drawn } = pencilWith("box");
  drag(pencil, [0, 0], [40, 20], [80, 60]);
  assert.deepEqual(drawn, [{ kind: "area", parts: [[[0, 0, 80, 0, 80, 60, 0, 60, 0, 0]]] }]);
});

test("a click is no box and no line", () => {
  for (const name of ["box", "line"]) {
    const { pencil, drawn } = pencilWith(name);
    drag(pencil, [0, 0], [12, 12]);
    assert.deepEqual(drawn, []);
  }
});

test("a drag draws a line", () => {
  const { pencil, drawn } = pencilWith("line");
  drag(pencil, [0, 0], [80, 60]);
  assert.deepEqual(drawn, [{ kind: "line", parts: [[[0, 0, 80, 60]]] }]);
});

test("free drawing keeps the points that are far enough apart on the screen", () => {
  const { pencil, drawn } = pencilWith("freehand");
  drag(pencil, [0, 0], [4, 0], [40, 0], [42, 1], [40, 40], [0, 40]);
  assert.deepEqual(drawn, [{ kind: "area", parts: [[[0, 0, 40, 0, 40, 40, 0, 40, 0, 0]]] }]);
});

test("a polygon is closed by a click on its first corner", () => {
  const { pencil, drawn } = pencilWith("polygon");
  for (const corner of [[0, 0], [400, 0], [400, 400], [8, 8]]) drag(pencil, corner, corner);
  assert.deepEqual(drawn, [{ kind: "area", parts: [[[0, 0, 400, 0, 400, 400, 0, 0]]] }]);
});

test("a polygon ends with Enter; Backspace takes a corner back; a double click sets one", () => {
  const { pencil, drawn } = pencilWith("polygon");
  for (const corner of [[0, 0], [400, 0], [900, 900]]) drag(pencil, corner, corner);
  pencil.back();
  pencil.end();
  assert.deepEqual(drawn, [], "two corners are no polygon");
  for (const corner of [[400, 400], [0, 400], [1, 401]]) drag(pencil, corner, corner);
  pencil.end();
  assert.deepEqual(drawn, [{ kind: "area", parts: [[[0, 0, 400, 0, 400, 400, 0, 400, 0, 0]]] }]);
});

test("an outline that has been begun can be dropped", () => {
  const { pencil, drawn } = pencilWith("polygon");
  assert.ok(!pencil.cancel());
  pencil.down(at(0, 0));
  assert.ok(pencil.cancel());
  assert.ok(!pencil.tool.busy);
  assert.deepEqual(drawn, []);
});

test("a box that is drawn on a turned slide has its edges along the screen", () => {
  const { pencil, drawn } = pencilWith("box");
  const across = [Math.cos(-Math.PI / 6), Math.sin(-Math.PI / 6)];
  const onSlide = (right, down) => [right * across[0] - down * across[1], right * across[1] + down * across[0]];
  const place = (right, down) => ({ at: onSlide(right, down), px: [right, down], across });
  pencil.tool.down(place(10, 20));
  pencil.tool.move(place(210, 120));
  const found = pencil.tool.outline;
  const wanted = [onSlide(10, 20), onSlide(210, 20), onSlide(210, 120), onSlide(10, 120)].flat();
  found.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-9, `${found}, not ${wanted}`));
  assert.equal(drawn.length, 0);
});
