// What all tools have that draw: corners on the slide, and the press that is on.

import { areaText, lengthText } from "./numbers.js";

/** @import {MarkKind, Point, Ring} from "./messages.js" */

/**
 * Where the pointer is: on the slide and on the screen, with what is needed to paint there.
 * `across`: direction on the slide, of length 1, that runs along the screen; none: that of x.
 * @typedef {{at: Point, px: Point, across?: Point, downsample?: number, alt?: boolean, shift?: boolean}} Position
 */

/**
 * @param {Point} a
 * @param {Point} b
 */
export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/**
 * The area of a ring, in level-0 pixels.
 * @param {Ring} ring
 */
function ringArea(ring) {
  let twice = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    twice += ring[i] * ring[j + 1] - ring[j] * ring[i + 1];
  }
  return Math.abs(twice) / 2;
}

/**
 * @param {MarkKind} kind
 * @param {Ring} ring
 * @param {number | null} mpp
 */
export function sizeText(kind, ring, mpp) {
  if (kind === "line") return lengthText(Math.hypot(ring[2] - ring[0], ring[3] - ring[1]), mpp);
  return kind === "area" ? areaText(ringArea(ring), mpp) : "";
}

/** What all tools have. */
export class DrawingTool {
  /** @type {MarkKind} */
  kind = "area";

  hint = "";

  /**
   * Corners on the slide.
   * @type {Point[]}
   */
  points = [];

  /**
   * The same on the screen, where they were set.
   * @type {Point[]}
   */
  pixels = [];

  /** @type {Position | null} */
  pointer = null;

  held = false;

  /** @param {Position} position */
  add({ at, px }) {
    this.points.push(at);
    this.pixels.push(px);
  }

  get busy() {
    return this.points.length > 0;
  }

  /**
   * The outline as it is now.
   * @returns {Ring}
   */
  get outline() {
    return this.points.flat();
  }

  /** @param {Position} position */
  down(position) {
    this.held = true;
    this.add(position);
  }

  /** @param {Position} position */
  move(position) {
    this.pointer = position;
  }

  /**
   * Whether it is finished.
   * @param {Position} _position
   */
  up(_position) {
    this.held = false;
    return false;
  }

  /** Whether it is finished: a double click, or Enter. */
  end() {
    return false;
  }

  back() {}

  /** Forget the press that is on, as it turned out to be none: two fingers zoom. */
  abort() {
    this.held = false;
    this.points = [];
    this.pixels = [];
  }
}
