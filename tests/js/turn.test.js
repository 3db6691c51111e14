import assert from "node:assert/strict";
import { test } from "node:test";
import { Turn } from "#browser/turn.js";

const ALL = [0, 1, 2, 3].flatMap((quarters) => [false, true].map((mirrored) => ({ quarters, mirrored })));

function turned({ quarters, mirrored }) {
  const turn = new Turn({ style: {} });
  turn.set(quarters, mirrored);
  return turn;
}

for (const way of ALL) {
  test(`points go to the stage and back: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const [width, height] = [800, 500];
    const stage = turn.odd ? [height, width] : [width, height];
    for (const point of [[0, 0], [800, 0], [0, 500], [123, 456]]) {
      const seen = turn.toStage(...point, width, height);
      assert.ok(seen.every((value, axis) => value >= 0 && value <= stage[axis]), `${point} is seen at ${seen}`);
      assert.deepEqual(turn.toFigure(...seen, ...stage), point);
    }
  });

  test(`a way keeps its length and comes back: ${JSON.stringify(way)}`, () => {
    const turn = turned(way);
    const seen = turn.seen(3, 4);
    assert.equal(Math.hypot(...seen), 5);
    assert.deepEqual(turn.onFigure(...seen), [3, 4]);
  });

  test(`the right half of the stage is half of the figure: ${JSON.stringify(way)}`, () => {
    const [left, top, width, height] = turned(way).rightOf(0.5, [10, 20, 800, 500]);
    assert.equal(width * height, (800 * 500) / 2);
    assert.ok(left >= 10 && top >= 20 && left + width <= 810 && top + height <= 520);
  });
}

test("a quarter clockwise puts the upper left corner at the upper right", () => {
  const turn = turned({ quarters: 1, mirrored: false });
  assert.deepEqual(turn.toStage(0, 0, 800, 500), [500, 0]);
  assert.deepEqual(turn.seen(1, 0), [0, 1].map((value) => value + 0));
});

test("flipped, left is right", () => {
  assert.deepEqual(turned({ quarters: 0, mirrored: true }).toStage(0, 0, 800, 500), [800, 0]);
  assert.deepEqual(turned({ quarters: 0, mirrored: true }).rightOf(0.75, [0, 0, 800, 500]), [0, 0, 200, 500]);
});

test("quarters beyond a whole turn, and backwards, are the same as within", () => {
  for (const quarters of [-3, 1, 5]) assert.equal(turned({ quarters, mirrored: false }).quarters, 1);
  assert.ok(turned({ quarters: 4, mirrored: false }).plain);
});
