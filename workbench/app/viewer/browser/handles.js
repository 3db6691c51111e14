// Handles that change an outline: its corners, the middles of its sides, or all of it.

const GRIP_PX = 8; // how near to a handle a press must be
const ROOM_PX = 9; // between corners on average; nearer ones get no handles
const MOST = 400; // handles that are drawn at once

/**
 * @import {Mark} from "./mark.js"
 * @import {Box, Parts} from "./messages.js"
 */

/** @typedef {[part: number, ring: number, index: number, x: number, y: number]} Corner */

/**
 * What a press takes hold of.
 * @typedef {{what: "corner" | "middle", place: Corner} | {what: "whole"}} Grip
 */

/**
 * @param {Parts} parts
 * @returns {Parts}
 */
const copied = (parts) => parts.map((rings) => rings.map((points) => [...points]));

/**
 * A box with one corner elsewhere: it stays a box, and the corner across stays where it is.
 * @param {Mark} from
 * @param {Corner} corner
 * @param {number} x
 * @param {number} y
 */
function boxed(from, corner, x, y) {
  const { x0, y0, x1, y1 } = from.box;
  const [ax, ay] = [corner[3] === x0 ? x1 : x0, corner[4] === y0 ? y1 : y0];
  return from.shaped([[[ax, ay, x, ay, x, y, ax, y, ax, ay]]]);
}

/**
 * A mark with a corner elsewhere, or with another one after it.
 * @param {Mark} from
 * @param {Corner} corner
 * @param {number} x
 * @param {number} y
 * @param {boolean} insert
 */
function bent(from, [part, ring, i], x, y, insert) {
  const parts = copied(from.parts);
  const points = parts[part][ring];
  if (insert) points.splice(i + 2, 0, x, y);
  else {
    points.splice(i, 2, x, y);
    // The last point of a closed ring is its first.
    if (from.kind === "area" && i === 0) points.splice(-2, 2, x, y);
  }
  return from.shaped(parts);
}

/** Handles of one annotation; positions on the slide, distances on screen. */
export class Handles {
  /**
   * What is being dragged: from where, and the mark as it was.
   * @type {{grip: Grip, x: number, y: number, from: Mark} | null}
   */
  held = null;

  /** @param {Mark} mark */
  constructor(mark) {
    this.mark = mark;
  }

  /**
   * Corners [part, ring, index, x, y] in a box; null: they lie too close together.
   * @param {Box} box
   * @param {number} downsample
   * @returns {Corner[] | null}
   */
  corners(box, downsample) {
    if (this.mark.locked) return null;
    /** @type {Corner[]} */
    const found = [];
    let length = 0;
    this.mark.parts.forEach((rings, part) =>
      rings.forEach((points, ring) => {
        const closed = this.mark.kind === "area" ? 2 : 0;
        for (let i = 0; i < points.length - closed; i += 2) {
          const [x, y] = [points[i], points[i + 1]];
          if (x < box.x0 || x > box.x1 || y < box.y0 || y > box.y1) continue;
          found.push([part, ring, i, x, y]);
          if (i + 3 < points.length) length += Math.hypot(points[i + 2] - x, points[i + 3] - y);
        }
      }),
    );
    const crowded = found.length > 4 && length / found.length < ROOM_PX * downsample;
    return crowded || found.length > MOST ? null : found;
  }

  /**
   * Middles of sides, each with the corner after which it lies.
   * @param {Corner[]} corners
   * @returns {Corner[]}
   */
  middles(corners) {
    if (this.mark.kind === "point" || this.mark.isBox) return [];
    return corners
      .filter(([part, ring, i]) => i + 3 < this.mark.parts[part][ring].length)
      .map(([part, ring, i, x, y]) => {
        const points = this.mark.parts[part][ring];
        return [part, ring, i, (x + points[i + 2]) / 2, (y + points[i + 3]) / 2];
      });
  }

  /**
   * What a press there takes hold of: null, or {what, ...}.
   * @param {number} x
   * @param {number} y
   * @param {Box} box
   * @param {number} downsample
   * @returns {Grip | null}
   */
  find(x, y, box, downsample) {
    if (this.mark.locked) return null;
    const reach = GRIP_PX * downsample;
    const near = (/** @type {Corner} */ each) => Math.hypot(each[3] - x, each[4] - y) <= reach;
    const corners = this.corners(box, downsample) ?? [];
    const corner = corners.find(near);
    if (corner) return { what: "corner", place: corner };
    const middle = this.middles(corners).find(near);
    if (middle) return { what: "middle", place: middle };
    const line = this.mark.outlineDistance(x, y) <= 0.75 * reach;
    return line ? { what: "whole" } : null;
  }

  /**
   * @param {Grip} grip
   * @param {number} x
   * @param {number} y
   */
  begin(grip, x, y) {
    this.held = { grip, x, y, from: this.mark };
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  drag(x, y) {
    if (!this.held) return;
    const { grip, from } = this.held;
    if (grip.what === "whole") this.mark = from.moved(x - this.held.x, y - this.held.y);
    else if (grip.what === "corner" && from.isBox) this.mark = boxed(from, grip.place, x, y);
    else this.mark = bent(from, grip.place, x, y, grip.what === "middle");
  }


  /**
   * The mark without a corner; null where too few would be left.
   * @param {Corner} corner
   */
  without([part, ring, i]) {
    const { mark } = this;
    const points = mark.parts[part][ring];
    if (mark.isBox || points.length <= (mark.kind === "area" ? 8 : 4)) return null;
    const parts = copied(mark.parts);
    const kept = parts[part][ring];
    kept.splice(i, 2);
    if (mark.kind === "area" && i === 0) kept.splice(-2, 2, kept[0], kept[1]);
    return mark.shaped(parts);
  }

  /** End a drag; whether something has changed. */
  end() {
    const changed = this.held !== null && this.mark !== this.held.from;
    this.held = null;
    return changed;
  }
}
