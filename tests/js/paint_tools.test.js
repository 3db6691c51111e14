import assert from "node:assert/strict";
import { test } from "node:test";
import { BrushSize, BrushTool, EraserTool, PromptTool, WandTool } from "#browser/paint_tools.js";
import { Pencil } from "#browser/pencil.js";
import { Proposals } from "#browser/proposals.js";

const at = (x, y, more = {}) => ({ at: [4 * x, 4 * y], px: [x, y], downsample: 4, ...more });

/** A pencil with a tool in hand, and the strokes that it has painted. */
function pencilWith(name) {
  const strokes = [];
  const pencil = new Pencil(() => {}, () => assert.fail("no annotation"), (stroke) => strokes.push(stroke));
  pencil.take(name);
  return { pencil, strokes };
}

function drag(pencil, ...way) {
  pencil.down(way[0]);
  for (const place of way.slice(1)) pencil.move(place);
  pencil.up(way.at(-1));
}

test("a stroke is the way of the brush on the slide, and its radius there", () => {
  const { pencil, strokes } = pencilWith("brush");
  drag(pencil, at(0, 0), at(1, 0), at(10, 0), at(10, 30));
  assert.equal(strokes.length, 1);
  assert.deepEqual(strokes[0].points, [[0, 0], [40, 0], [40, 120]], "without places that are too near");
  assert.equal(strokes[0].radius, 80);
  assert.ok(!strokes[0].erases);
});

test("a press alone is a dot, and the tool stays in hand for the next stroke", () => {
  const { pencil, strokes } = pencilWith("brush");
  drag(pencil, at(5, 5));
  drag(pencil, at(50, 50));
  assert.deepEqual(strokes.map(({ points }) => points), [[[20, 20]], [[200, 200]]]);
  assert.ok(pencil.tool instanceof BrushTool);
});

test("with Alt the brush takes away, for one stroke; the eraser does always", () => {
  const { pencil, strokes } = pencilWith("brush");
  drag(pencil, at(0, 0, { alt: true }));
  drag(pencil, at(0, 0));
  pencil.take("eraser");
  assert.ok(pencil.tool instanceof EraserTool);
  drag(pencil, at(0, 0));
  assert.deepEqual(strokes.map(({ erases }) => erases), [true, false, true]);
});

test("a press that turns out to be two fingers paints nothing", () => {
  const { pencil, strokes } = pencilWith("brush");
  pencil.down(at(0, 0));
  pencil.move(at(30, 0));
  pencil.abort();
  pencil.up(at(60, 0));
  assert.deepEqual(strokes, []);
});

test("two fingers leave the corners of a polygon that were set before", () => {
  const { pencil } = pencilWith("polygon");
  for (const place of [at(0, 0), at(50, 0)]) drag(pencil, place);
  pencil.down(at(80, 80));
  pencil.abort();
  assert.equal(pencil.tool.points.length, 2);
});

test("the size of the brush grows and shrinks between its limits, and is kept", () => {
  const size = new BrushSize();
  size.change(1);
  assert.equal(size.px, 25);
  size.change(-100);
  assert.equal(size.px, 3);
  size.change(1000);
  assert.equal(size.px, 250);
  const { pencil } = pencilWith("brush");
  pencil.brush.change(1);
  pencil.take("");
  pencil.take("eraser");
  assert.equal(pencil.tool.size.px, 25);
});

test("a drag of the wand to the right tolerates more; its end accepts", () => {
  const wand = new WandTool();
  wand.down(at(100, 100));
  const before = wand.tolerance;
  wand.move(at(150, 100));
  assert.ok(wand.tolerance > before);
  wand.move(at(0, 300));
  assert.equal(wand.tolerance, 1);
  wand.up(at(120, 100));
  assert.ok(wand.accepts);
  assert.deepEqual(wand.clicks, [400, 400]);
});

test("clicks say where the object is, with Alt where it is not, and are taken back", () => {
  const { pencil } = pencilWith("prompt");
  for (const place of [at(10, 10), at(40, 40, { alt: true }), at(41, 41)]) drag(pencil, place);
  const { tool } = pencil;
  assert.ok(tool instanceof PromptTool);
  assert.deepEqual(tool.labels, [1, 0], "the second click of a double click is none");
  pencil.back();
  assert.deepEqual([tool.clicks, tool.labels], [[40, 40], [1]]);
  pencil.end();
  assert.ok(tool.accepts);
});

test("an area that was proposed before the user accepts it is kept once", () => {
  const kept = [];
  const heard = {};
  const { pencil } = pencilWith("prompt");
  const model = { on: (name, hear) => { heard[name] = hear; }, annotation_proposed: {} };
  const canvas = { pencil, downsample: 4, changed: () => {}, painter: { paintedParts: (parts) => kept.push(parts) } };
  const proposals = new Proposals({ model }, canvas);
  drag(pencil, at(10, 10));
  proposals.ask();
  const { number, tool, points, labels } = model.annotation_wanted;
  assert.deepEqual([tool, points, labels], ["prompt", [40, 40], [1]]);
  const parts = [[[0, 0, 9, 0, 9, 9, 0, 0]]];
  model.annotation_proposed = { number, parts };
  heard.annotation_proposed();
  assert.deepEqual([proposals.parts, kept], [parts, []], "shown, not kept");
  pencil.end();
  proposals.ask();
  assert.deepEqual([kept, proposals.parts], [[parts], []]);
  assert.equal(pencil.tool.busy, false, "the next object may be clicked");
  proposals.ask();
  assert.equal(kept.length, 1);
});
