// The image that was painted last: a pan shifts it, and a new tile repaints only its own area.

const SAME = 1e-9; // relative; scales of one zoom differ by rounding

import { newContext } from "./dom.js";

/** @import {Box, Corners, Point} from "./messages.js" */

/**
 * Where the slide lies in the frame: its corner, and device pixels for each of level 0.
 * @typedef {{left: number, top: number, across: number, down: number}} SlidePlace
 */

/** The painted image of the frame, in device pixels, with a list of its outdated parts. */
export class Painted {
  front = newContext();

  back = newContext();

  /** @type {SlidePlace} */
  place = { left: 0, top: 0, across: 1, down: 1 };

  /**
   * What is to be painted; null: everything.
   * @type {Corners[] | null}
   */
  stale = null;

  /** All of it is to be painted anew. */
  spoil() {
    this.stale = null;
  }

  /**
   * A box of the slide, in level-0 pixels, is to be painted anew.
   * @param {number} x0
   * @param {number} y0
   * @param {number} x1
   * @param {number} y1
   */
  spoilBox(x0, y0, x1, y1) {
    if (!this.stale) return;
    const [left, top] = this.toPicture(x0, y0).map(Math.round);
    const [right, bottom] = this.toPicture(x1, y1).map(Math.round);
    this.stale.push([left, top, right, bottom]);
  }

  /**
   * Move the picture with the slide, in a frame of a size; parts that are still right are kept.
   * @param {SlidePlace} place
   * @param {number} width
   * @param {number} height
   */
  moveTo(place, width, height) {
    const { canvas } = this.front;
    const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) <= SAME * Math.abs(b);
    const kept = canvas.width === width && canvas.height === height &&
      near(place.across, this.place.across) && near(place.down, this.place.down);
    // By whole pixels from where it was painted first: at most half a pixel off, and never more.
    const [dx, dy] = [Math.round(place.left - this.place.left), Math.round(place.top - this.place.top)];
    const away = Math.abs(dx) >= width || Math.abs(dy) >= height;
    if (!this.stale || !kept || away) this.begin(place, width, height);
    else if (dx || dy) this.stale = this.shifted(this.stale, dx, dy);
  }

  /**
   * @param {SlidePlace} place
   * @param {number} width
   * @param {number} height
   */
  begin(place, width, height) {
    for (const { canvas } of [this.front, this.back]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.place = { ...place };
    this.stale = [[0, 0, width, height]];
  }

  /**
   * Shift the picture; return what of it is out of date then.
   * @param {Corners[]} stale
   * @param {number} dx
   * @param {number} dy
   * @returns {Corners[]}
   */
  shifted(stale, dx, dy) {
    const { width, height } = this.front.canvas;
    [this.front, this.back] = [this.back, this.front];
    this.front.globalCompositeOperation = "copy";
    this.front.drawImage(this.back.canvas, dx, dy);
    this.front.globalCompositeOperation = "source-over";
    this.place.left += dx;
    this.place.top += dy;
    /** @type {Corners[]} */
    const next = stale.map(([x0, y0, x1, y1]) => [x0 + dx, y0 + dy, x1 + dx, y1 + dy]);
    if (dx) next.push(dx > 0 ? [0, 0, dx, height] : [width + dx, 0, width, height]);
    if (dy) next.push(dy > 0 ? [0, 0, width, dy] : [0, height + dy, width, height]);
    return next;
  }

  /**
   * Have what is out of date painted.
   * @param {(ctx: CanvasRenderingContext2D, box: Box) => void} paint takes a context, clipped, and its box of the slide
   */
  refresh(paint) {
    const { front } = this;
    for (const [x0, y0, x1, y1] of this.parts()) {
      front.save();
      front.beginPath();
      front.rect(x0, y0, x1 - x0, y1 - y0);
      front.clip();
      front.clearRect(x0, y0, x1 - x0, y1 - y0);
      const [[left, top], [right, bottom]] = [this.toSlide(x0 - 1, y0 - 1), this.toSlide(x1 + 1, y1 + 1)];
      paint(front, { x0: left, y0: top, x1: right, y1: bottom });
      front.restore();
    }
    this.stale = [];
  }

  /**
   * What is out of date within the frame; as one where the parts are as much as the whole.
   * @returns {Corners[]}
   */
  parts() {
    const { width, height } = this.front.canvas;
    if (!this.stale) return [[0, 0, width, height]];
    /** @type {Corners[]} */
    const inside = [];
    for (const [x0, y0, x1, y1] of this.stale) {
      if (x1 > Math.max(0, x0) && y1 > Math.max(0, y0) && x0 < width && y0 < height) {
        inside.push([Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)]);
      }
    }
    const area = inside.reduce((sum, [x0, y0, x1, y1]) => sum + (x1 - x0) * (y1 - y0), 0);
    return area < width * height ? inside : [[0, 0, width, height]];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toPicture(x, y) {
    const { left, top, across, down } = this.place;
    return [left + x * across, top + y * down];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toSlide(x, y) {
    const { left, top, across, down } = this.place;
    return [(x - left) / across, (y - top) / down];
  }
}
