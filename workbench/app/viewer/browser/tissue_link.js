// The place of one slide in the tissue of another, by a registration that Python has computed.

/**
 * @import {Point, PointGrid, TissueLinkSpec, ViewPlace} from "./messages.js"
 */

/**
 * Columns of a linear map: where x and y lead.
 * @typedef {[a: number, b: number, c: number, d: number]} Linear
 */

/** @typedef {{angle: number, mirrored: boolean}} Turned */

/**
 * @param {Linear} after
 * @param {Linear} before
 * @returns {Linear}
 */
function product([a, b, c, d], [p, q, r, s]) {
  return [a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s];
}

/**
 * @param {Linear} map
 * @returns {Linear}
 */
function inverse([a, b, c, d]) {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area];
}

/**
 * The linear map from a slide to the screen that shows it turned, at one pixel for each.
 * @param {Turned} turned
 * @returns {Linear}
 */
function linearOf({ angle, mirrored }) {
  const radians = (angle * Math.PI) / 180;
  const [cos, sin, flip] = [Math.cos(radians), Math.sin(radians), mirrored ? -1 : 1];
  return [cos * flip, sin * flip, -sin, cos];
}

/**
 * Where a grid of points leads: between its nodes linearly, beyond them as at its edge.
 * @param {PointGrid} grid
 * @param {Point} point
 * @returns {Point}
 */
export function interpolate({ step, columns, points }, [x, y]) {
  const rows = points.length / 2 / columns;
  const [column, row] = [x / step[0], y / step[1]];
  const left = Math.min(columns - 2, Math.max(0, Math.floor(column)));
  const top = Math.min(rows - 2, Math.max(0, Math.floor(row)));
  const [right, down] = [column - left, row - top];
  const at = (/** @type {number} */ axis) => {
    const node = (/** @type {number} */ c, /** @type {number} */ r) => points[2 * (r * columns + c) + axis];
    const above = node(left, top) * (1 - right) + node(left + 1, top) * right;
    const below = node(left, top + 1) * (1 - right) + node(left + 1, top + 1) * right;
    return above * (1 - down) + below * down;
  };
  return [at(0), at(1)];
}

/** A slide whose places in the tissue of the main slide are known; by default that slide. */
export class TissueLink {
  /** @param {TissueLinkSpec | null} spec null: the main slide itself */
  constructor(spec = null) {
    this.spec = spec;
    /** @type {Linear} */
    this.linear = spec ? spec.linear : [1, 0, 0, 1];
  }

  /**
   * @param {Point} point of this slide
   * @returns {Point} the same tissue in the main slide
   */
  toMain(point) {
    return this.spec ? interpolate(this.spec.forth, point) : point;
  }

  /**
   * @param {Point} point of the main slide
   * @returns {Point} the same tissue in this slide
   */
  fromMain(point) {
    return this.spec ? interpolate(this.spec.back, point) : point;
  }
}

/**
 * The view of a slide that shows the tissue of another view, as large and as turned.
 * @param {ViewPlace} place
 * @param {Turned} turned
 * @param {TissueLink} from
 * @param {TissueLink} to
 * @returns {{place: ViewPlace, turned: Turned}}
 */
export function sameTissue({ x, y, downsample }, turned, from, to) {
  const [x1, y1] = to.fromMain(from.toMain([x, y]));
  const seen = product(linearOf(turned), product(inverse(from.linear), to.linear));
  const [a, b, c, d] = seen;
  const area = a * d - b * c;
  const scale = Math.sqrt(Math.abs(area));
  const flip = area < 0 ? -1 : 1;
  const angle = (Math.atan2(flip * b - c, flip * a + d) * 180) / Math.PI;
  return {
    place: { x: x1, y: y1, downsample: downsample / scale },
    turned: { angle, mirrored: area < 0 },
  };
}
