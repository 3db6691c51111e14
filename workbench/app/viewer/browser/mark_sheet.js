// All annotations as one picture, somewhat larger than the view.
//
// Thousands of outlines take longer to paint than a frame of a pan may. So where there are
// many, the last picture is moved and scaled during a pan or zoom, and painted anew after it.

import { newContext } from "./dom.js";

/** @import {Box} from "./messages.js" */

const MARGIN = 0.25; // of the view, on every side
const MANY = 4000; // points; with more, a picture is not painted during a pan
const REST_MS = 120;

/** @typedef {[a: number, b: number, c: number, d: number, e: number, f: number]} Matrix from the slide to pixels */

export class MarkSheet {
  context = newContext();

  /**
   * Where the slide lies on the picture; null: it is out of date.
   * @type {Matrix | null}
   */
  frame = null;

  /** Canvas pixels beyond the view, on each side. */
  margin = [0, 0];

  /** Width and height of the view that it was painted for, in canvas pixels. */
  size = [0, 0];

  /** How many are on it. */
  points = 0;

  /** Whether the view has rested for `REST_MS`. */
  resting = false;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {(ctx: CanvasRenderingContext2D, frame: Matrix, box: Box) => number} paint returns how many points it has painted
   * @param {() => void} changed called when it is to be shown again
   */
  constructor(paint, changed) {
    this.paint = paint;
    this.changed = changed;
  }

  /** Have the picture painted anew. */
  outdate() {
    this.frame = null;
  }

  /**
   * Draw the picture on a canvas that shows `box` of the slide, as `frame` maps it.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Box} box
   */
  show(ctx, frame, box) {
    const { width, height } = ctx.canvas;
    clearTimeout(this.timer);
    let painted = this.frame;
    if (!painted || !this.isFresh(painted, frame, width, height)) {
      const passing = this.points > MANY && !this.resting;
      if (!painted || !passing) painted = this.render(frame, box, width, height);
      else this.timer = setTimeout(() => this.rest(), REST_MS);
    }
    this.resting = false;
    ctx.setTransform(new DOMMatrix(frame).multiply(new DOMMatrix(painted).inverse()));
    ctx.drawImage(this.context.canvas, 0, 0);
  }

  rest() {
    this.resting = true;
    this.changed();
  }

  /**
   * Whether the picture, painted in one frame, is right for a view in another one.
   * @param {Matrix} painted
   * @param {Matrix} frame
   * @param {number} width
   * @param {number} height
   */
  isFresh(painted, frame, width, height) {
    if (frame.slice(0, 4).some((slope, i) => Math.abs(slope - painted[i]) > 1e-9)) return false;
    if (width > this.size[0] || height > this.size[1]) return false;
    return this.margin.every((margin, axis) => Math.abs(frame[4 + axis] + margin - painted[4 + axis]) <= margin);
  }

  /**
   * @param {Matrix} frame
   * @param {Box} box
   * @param {number} width
   * @param {number} height
   */
  render(frame, { x0, y0, x1, y1 }, width, height) {
    const [dx, dy] = [MARGIN * (x1 - x0), MARGIN * (y1 - y0)];
    const [left, top] = [Math.round(MARGIN * width), Math.round(MARGIN * height)];
    const [a, b, c, d, e, f] = frame;
    const { context } = this;
    Object.assign(context.canvas, { width: width + 2 * left, height: height + 2 * top });
    /** @type {Matrix} */
    const painted = [a, b, c, d, e + left, f + top];
    this.frame = painted;
    this.margin = [left, top];
    this.size = [width, height];
    context.lineJoin = "round";
    this.points = this.paint(context, painted, { x0: x0 - dx, y0: y0 - dy, x1: x1 + dx, y1: y1 + dy });
    return painted;
  }
}
