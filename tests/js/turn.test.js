import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera } from "#browser/camera.js";
import { stepFrom, Turn, withinTurn } from "#browser/turn.js";

const ALL = [0, 15, 30, 45, 90, 133.7, 180, 270, 271, 359.99].flatMap((angle) => [false, true].map((mirrored) => ({ angle, mirrored })));
const STAGE = [800, 500];

function turned({ angle, mirrored = false }) {
  const turn = new Turn({ style: {} });
  turn.set(angle, mirrored);
  return turn;
}

/** Whether numbers are the same but for rounding. */
function near(found, wanted) {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-6, `${found}, not ${wanted}`));
}

/** Twice the signed area of a ring. */
const twice = (ring) => ring.reduce((sum, [x, y], i) => {
  const [nextX, nextY] = ring[(i + 1) % ring.length];
  return sum + x * nextY - nextX * y;
}, 0);

for (const way of ALL) {
  test(`points go to the figure and back, and the figure holds the stage: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const figure = turn.around(STAGE);
    for (const point of [[0, 0], [800, 0], [0, 500], [800, 500], [123, 456]]) {
      const at = turn.toFigure(point, STAGE, figure);
      at.forEach((value, axis) => assert.ok(value > -1e-6 && value < figure[axis] + 1e-6, `${point} is at ${at} of ${figure}`));
      near(turn.toStage(at, figure, STAGE), point);
    }
    // Nor is it larger than needed: each of its edges is touched by a corner.
    const corners = [[0, 0], [800, 0], [800, 500], [0, 500]].map((point) => turn.toFigure(point, STAGE, figure));
    for (const axis of [0, 1]) {
      const along = corners.map((corner) => corner[axis]);
      near([Math.min(...along), Math.max(...along)], [0, figure[axis]]);
    }
  });

  test(`lengths and angles are kept: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const [a, b] = [turn.seen(3, 4), turn.seen(-4, 3)];
    near([Math.hypot(...a), Math.hypot(...b), a[0] * b[0] + a[1] * b[1]], [5, 5, 0]);
    near(turn.onFigure(...a), [3, 4]);
  });

  test(`the right half of the stage is half of its area: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const [width, height] = turn.around(STAGE);
    const ring = turn.rightOf(0.5, STAGE, [10, 20, 2 * width, 2 * height]); // two device pixels each
    near([Math.abs(twice(ring)) / 2], [(4 * STAGE[0] * STAGE[1]) / 2]);
    near(turn.toStage(ring[0].map((value, axis) => (value - [10, 20][axis]) / 2), [width, height], STAGE), [400, 0]);
  });

  test(`a box is shown if one of its points is on the stage: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const figure = turn.around(STAGE);
    let shown = 0;
    for (let x = -600; x <= 600; x += 75) {
      for (let y = -600; y <= 600; y += 75) {
        const inside = [];
        for (let u = -32; u <= 32; u += 4) {
          for (let v = -32; v <= 32; v += 4) {
            const at = turn.toStage([x + u + figure[0] / 2, y + v + figure[1] / 2], figure, STAGE);
            inside.push(at.every((value, axis) => value > 0 && value < STAGE[axis]));
          }
        }
        const says = turn.shows([x, y], [64, 64], STAGE);
        shown += says;
        if (inside.some(Boolean)) assert.ok(says, `${x}, ${y} is seen`);
      }
    }
    assert.ok(shown > 40 && shown < 17 * 17, "and some are not");
  });
}

test("a quarter clockwise puts the upper left corner at the upper right", () => {
  const turn = turned({ angle: 90 });
  assert.deepEqual(turn.toStage([0, 0], [800, 500], [500, 800]), [500, 0]);
  assert.deepEqual(turn.seen(1, 0), [0, 1]);
});

test("thirty degrees clockwise lower what lies to the right", () => {
  const [x, y] = turned({ angle: 30 }).seen(2, 0);
  near([x, y], [Math.sqrt(3), 1]);
});

test("flipped, left is right", () => {
  const turn = turned({ angle: 0, mirrored: true });
  assert.deepEqual(turn.toStage([0, 0], STAGE, STAGE), [800, 0]);
  assert.deepEqual(turn.rightOf(0.75, STAGE, [0, 0, 800, 500]), [[200, 0], [0, 0], [0, 500], [200, 500]]);
});

test("angles beyond a whole turn, and backwards, are the same as within", () => {
  for (const angle of [-270, 90, 450]) assert.equal(turned({ angle }).angle, 90);
  assert.ok(turned({ angle: 360 }).plain);
  assert.equal(withinTurn(-0.001), 0);
  assert.equal(withinTurn(359.999), 0);
});

test("steps go to the next multiple of 15 degrees and around", () => {
  assert.deepEqual([stepFrom(0, 1), stepFrom(345, 1), stepFrom(0, -1), stepFrom(20, 1), stepFrom(20, -1)], [15, 0, 345, 30, 15]);
});

/** A camera over a figure in a stage that is turned. */
async function cameraOn(way, stageSize = () => STAGE) {
  const turn = turned(way);
  const [width, height] = turn.around(STAGE);
  const range = () => ({ start: 0, end: 1, change: {}, setv(values) { Object.assign(this, values); } });
  const properties = { inner_width: { change: {} }, inner_height: { change: {} } };
  const figure = { x_range: range(), y_range: range(), properties, connect() {} };
  const camera = new Camera(figure, { frame: { bbox: { width, height } } }, [40_000, 20_000], () => {}, turn, stageSize);
  await new Promise((later) => queueMicrotask(later));
  return { camera, turn };
}

for (const way of ALL) {
  test(`a box that is fitted is seen whole, and as large as it can be: ${JSON.stringify(way)}`, async () => {
    const { camera, turn } = await cameraOn(way);
    camera.go({ box: [1000, 2000, 4000, 3000] });
    await new Promise((later) => queueMicrotask(later));
    const { x, y, downsample } = camera.place;
    const corners = [[1000, 2000], [4000, 2000], [4000, 3000], [1000, 3000]].map(([cx, cy]) => turn.seen((cx - x) / downsample, (cy - y) / downsample));
    const reach = [0, 1].map((axis) => Math.max(...corners.map((corner) => Math.abs(corner[axis]))) / (STAGE[axis] / 2));
    near([Math.max(...reach)], [1 / 1.04]);
    assert.ok(camera.sees(1000, 2000, 4000, 3000));
  });

  test(`an arrow key moves what is seen along the screen: ${JSON.stringify(way)}`, async () => {
    const { camera, turn } = await cameraOn(way);
    camera.go({ x: 20_000, y: 10_000, downsample: 2 });
    await new Promise((later) => queueMicrotask(later));
    camera.pan(0.25, 0);
    await new Promise((later) => queueMicrotask(later));
    near(turn.seen(camera.place.x - 20_000, camera.place.y - 10_000), [0.25 * STAGE[0] * 2, 0]);
  });
}

test("a turned stage that is not laid out yet is waited for", async () => {
  let size = [0, 0];
  const { camera } = await cameraOn({ angle: 30 }, () => size);
  assert.equal(camera.place, null);
  size = STAGE;
  await new Promise((later) => setTimeout(later, 100));
  assert.ok(Number.isFinite(camera.place.downsample) && camera.place.downsample > 10);
});
