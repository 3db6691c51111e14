// A view of one slide, and the view of another that shows the same tissue.

import assert from "node:assert/strict";
import { test } from "node:test";

import { interpolate, sameTissue, TissueLink } from "../../workbench/app/viewer/browser/tissue_link.js";
import { Turn } from "../../workbench/app/viewer/browser/turn.js";

/**
 * A grid that samples a map over a slide of 1000 x 800.
 * @param {(point: [number, number]) => [number, number]} map
 */
function gridOf(map) {
  const [columns, rows] = [5, 3];
  /** @type {[number, number]} */
  const step = [1000 / (columns - 1), 800 / (rows - 1)];
  const points = [];
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) points.push(...map([c * step[0], r * step[1]]));
  return { step, columns, points };
}

const RADIANS = (30 * Math.PI) / 180;
const [COS, SIN] = [Math.cos(RADIANS), Math.sin(RADIANS)];

/**
 * By thirty degrees clockwise, twice as large, mirrored first or not, and moved.
 * @param {boolean} mirrored
 */
function linked(mirrored) {
  const flip = mirrored ? -1 : 1;
  const forth = (/** @type {[number, number]} */ [x, y]) => /** @type {[number, number]} */ ([
    2 * (flip * COS * x - SIN * y) + 70,
    2 * (flip * SIN * x + COS * y) - 20,
  ]);
  const back = (/** @type {[number, number]} */ [x, y]) => {
    const [u, v] = [(x - 70) / 2, (y + 20) / 2];
    return /** @type {[number, number]} */ ([flip * (COS * u + SIN * v), -SIN * u + COS * v]);
  };
  const link = new TissueLink({
    linear: [2 * flip * COS, 2 * flip * SIN, -2 * SIN, 2 * COS],
    forth: gridOf(forth),
    back: gridOf(back),
  });
  return { link, forth };
}

const near = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 1e-6, `${a}, not ${b}`);

test("a grid gives a linear map back, also beyond its edge", () => {
  const grid = gridOf(([x, y]) => [3 * x - y + 5, 0.5 * y + x]);
  for (const [x, y] of /** @type {[number, number][]} */ ([[0, 0], [317, 655], [1000, 800], [-90, 1200]])) {
    const [u, v] = interpolate(grid, [x, y]);
    near(u, 3 * x - y + 5);
    near(v, 0.5 * y + x);
  }
});

for (const mirrored of [false, true]) {
  for (const own of [{ angle: 0, mirrored: false }, { angle: 250, mirrored: true }]) {
    test(`tissue is at the same place of the screen${mirrored ? ", mirrored" : ""}, turned by ${own.angle}`, () => {
      const { link, forth } = linked(mirrored);
      const main = new TissueLink();
      const place = { x: 420, y: 310, downsample: 3 };
      const { place: next, turned } = sameTissue(place, own, link, main);
      /** The place on the screen, from its middle. */
      const seen = (/** @type {{angle: number, mirrored: boolean}} */ how, /** @type {typeof place} */ view, /** @type {[number, number]} */ [x, y]) => {
        const turn = new Turn();
        turn.linear = [1, 0, 0, 1];
        const radians = (how.angle * Math.PI) / 180;
        const flip = how.mirrored ? -1 : 1;
        turn.linear = [Math.cos(radians) * flip, Math.sin(radians) * flip, -Math.sin(radians), Math.cos(radians)];
        return turn.seen((x - view.x) / view.downsample, (y - view.y) / view.downsample);
      };
      for (const point of /** @type {[number, number][]} */ ([[420, 310], [500, 310], [420, 250], [333, 444]])) {
        const [a, b] = seen(own, place, point);
        const [c, d] = seen(turned, next, forth(point));
        near(a, c);
        near(b, d);
      }
      const again = sameTissue(next, turned, main, link);
      near(again.place.x, place.x);
      near(again.place.downsample, place.downsample);
      assert.equal(again.turned.mirrored, own.mirrored);
      near((again.turned.angle + 720) % 360, own.angle);
    });
  }
}
