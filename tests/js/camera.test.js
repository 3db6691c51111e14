import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera, WHOLE } from "#browser/camera.js";

const SIZE = [40_000, 20_000];
const [WIDTH, HEIGHT] = [800, 600];

function rangeOf() {
  const range = { start: 0, end: 1, change: {} };
  range.setv = (values) => Object.assign(range, values);
  return range;
}

/** A camera over a figure whose size and ranges the test sets, and its moves. */
function cameraOn(bbox = { width: WIDTH, height: HEIGHT }) {
  const properties = { inner_width: { change: {} }, inner_height: { change: {} } };
  const figure = { x_range: rangeOf(), y_range: rangeOf(), properties, connect() {} };
  const plot = { frame: { bbox } };
  const told = { moves: 0 };
  const camera = new Camera(figure, plot, SIZE, () => (told.moves += 1));
  return { camera, figure, plot, told };
}

const settled = () => new Promise((later) => queueMicrotask(later));

test("at first the whole slide is in view, and pixels are square", async () => {
  const { camera, figure, told } = cameraOn();
  assert.deepEqual(camera.box, { x0: 0, y0: 0, x1: 0, y1: 0 }, "before there is a view");
  await settled();
  const { x0, y0, x1, y1 } = camera.box;
  assert.ok(x0 <= 0 && y0 <= 0 && x1 >= SIZE[0] && y1 >= SIZE[1]);
  assert.equal((x1 - x0) / WIDTH, (y1 - y0) / HEIGHT);
  assert.deepEqual([figure.x_range.start, figure.x_range.end], [x0, x1]);
  assert.deepEqual([figure.y_range.start, figure.y_range.end], [y1, y0], "y down");
  assert.equal(told.moves, 1);
});

test("a goal is a box or a place, held within the slide and the zooms", async () => {
  const { camera } = cameraOn();
  camera.go({ box: [1000, 1000, 1800, 1600] });
  await settled();
  assert.deepEqual(camera.place, { x: 1400, y: 1300, downsample: 1.04 });
  camera.go({ x: -500, y: 30_000, downsample: 1e-9 });
  await settled();
  assert.deepEqual(camera.place, { x: 0, y: 20_000, downsample: 1 / 32 });
  camera.go({ downsample: 1e9 });
  await settled();
  assert.deepEqual(camera.place, { x: 20_000, y: 10_000, downsample: 100 });
});

test("goals of one moment are one move", async () => {
  const { camera, told } = cameraOn();
  await settled();
  camera.go({ box: [0, 0, 10, 10] });
  camera.go({ x: 5000, y: 5000, downsample: 2 });
  await settled();
  assert.equal(told.moves, 2);
  assert.equal(camera.place.x, 5000);
});

test("a zoom of the figure beyond the limit keeps the point at the mouse", async () => {
  const { camera, figure } = cameraOn();
  camera.go({ x: 5000, y: 5000, downsample: 1 / 16 });
  await settled();
  // The wheel zooms by four around a point; by two is all that is allowed.
  const around = 5010;
  const { x0, x1, y0, y1 } = camera.box;
  figure.x_range.setv({ start: around + (x0 - around) / 4, end: around + (x1 - around) / 4 });
  figure.y_range.setv({ start: around + (y1 - around) / 4, end: around + (y0 - around) / 4 });
  camera.touched();
  await settled();
  assert.equal(camera.place.downsample, 1 / 32);
  assert.ok(Math.abs(camera.place.x - (around + (5000 - around) / 2)) < 1e-6);
});

test("another size of the figure keeps the view, and is no move of the user", async () => {
  const { camera, plot } = cameraOn();
  camera.go({ x: 5000, y: 6000, downsample: 2 });
  await settled();
  assert.ok(!camera.led);
  plot.frame.bbox = { width: 400, height: 500 };
  camera.touched();
  await settled();
  assert.deepEqual(camera.place, { x: 5000, y: 6000, downsample: 2 });
  assert.ok(camera.led);
  camera.go(WHOLE);
  await settled();
  assert.ok(!camera.led);
});

test("keys pan by shares of the view and zoom around its centre", async () => {
  const { camera } = cameraOn();
  camera.go({ x: 5000, y: 5000, downsample: 2 });
  await settled();
  camera.pan(0.25, -0.5);
  await settled();
  assert.deepEqual(camera.place, { x: 5400, y: 4400, downsample: 2 });
  camera.zoom(0.5);
  await settled();
  assert.deepEqual(camera.place, { x: 5400, y: 4400, downsample: 1 });
});

test("a figure without a size, or a camera that is closed, moves nothing", async () => {
  const small = cameraOn({ width: 4, height: 600 });
  await settled();
  assert.equal(small.told.moves, 0);
  const { camera, told } = cameraOn();
  camera.closed = true;
  await settled();
  assert.equal(told.moves, 0);
});
