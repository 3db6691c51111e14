// The view: its centre and its downsample.

import { clamp } from "./numbers.js";

const FINEST = 1 / 32; // level-0 pixels for each CSS pixel, at the most over-zoom
const COARSEST = 2; // times the downsample at which the whole slide fits
const ROOM = 1.04; // margin around what is fitted, as a factor

/**
 * @import {Figure, PlotView, Range} from "./bokeh.js"
 * @import {Box, Goal, ViewPlace} from "./messages.js"
 */

/** @type {Goal} */
export const WHOLE = { box: null };
const NOWHERE = { x0: 0, y0: 0, x1: 0, y1: 0 };

/** Keeps the ranges of the figure square and within limits, and reports each move. */
export class Camera {
  /** @type {ViewPlace | null} */
  place = null;

  /** @type {Goal | null} */
  goal = WHOLE;

  /** Width and height of the figure, in CSS pixels. */
  frame = [0, 0];

  /** Whether the ranges are to be read. */
  queued = false;

  /** Whether this camera is changing the ranges. */
  busy = false;

  closed = false;

  /** Whether another camera has moved this one, or its place has only been fitted anew. */
  led = false;

  /**
   * @param {Figure} figure
   * @param {PlotView} plot
   * @param {[width: number, height: number]} size of the slide
   * @param {() => void} moved called after each move
   */
  constructor(figure, plot, size, moved) {
    this.figure = figure;
    this.plot = plot;
    this.size = size;
    this.moved = moved;
    const { x_range, y_range } = figure;
    for (const range of [x_range, y_range]) figure.connect(range.change, () => this.touched());
    for (const name of ["inner_width", "inner_height"]) {
      figure.connect(figure.properties[name].change, () => this.touched());
    }
    this.touched();
  }

  /** Read the ranges and sizes once all of them have changed. */
  touched() {
    if (this.queued || this.busy || this.closed) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      this.settle();
    });
  }

  settle() {
    const { width, height } = this.plot.frame?.bbox ?? { width: 0, height: 0 };
    if (this.closed || width < 8 || height < 8) return;
    const resized = width !== this.frame[0] || height !== this.frame[1];
    this.frame = [width, height];
    this.led = this.goal ? Boolean(this.goal.led) : resized;
    if (this.goal) this.place = this.limited(this.reach(this.goal));
    else if (!resized || !this.place) this.place = this.limited(this.read(), this.place);
    this.goal = null;
    this.write(this.place);
  }

  /** The view that the ranges show, after a tool has changed them. */
  read() {
    const { x_range: xs, y_range: ys } = this.figure;
    const [width, height] = this.frame;
    const downsample = Math.max(Math.abs(xs.end - xs.start) / width, Math.abs(ys.end - ys.start) / height);
    return { x: (xs.start + xs.end) / 2, y: (ys.start + ys.end) / 2, downsample };
  }

  /**
   * @param {Goal} goal
   * @returns {ViewPlace}
   */
  reach(goal) {
    const [width, height] = this.frame;
    const { x = this.size[0] / 2, y = this.size[1] / 2, downsample } = goal;
    if (downsample) return { x, y, downsample };
    const [x0, y0, x1, y1] = goal.box ?? [0, 0, ...this.size];
    const fit = Math.max((x1 - x0) / width, (y1 - y0) / height);
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, downsample: ROOM * fit };
  }

  /**
   * A view within the limits. If zooming led to it, the point at the mouse stays.
   * @param {ViewPlace} next
   * @param {ViewPlace | null} from
   * @returns {ViewPlace}
   */
  limited(next, from = null) {
    const fit = Math.max(this.size[0] / this.frame[0], this.size[1] / this.frame[1]);
    const downsample = clamp(next.downsample, FINEST, Math.max(COARSEST * fit, 1));
    let { x, y } = next;
    if (from && next.downsample !== from.downsample && next.downsample !== downsample) {
      const share = (downsample - from.downsample) / (next.downsample - from.downsample);
      x = from.x + share * (x - from.x);
      y = from.y + share * (y - from.y);
    }
    return { x: clamp(x, 0, this.size[0]), y: clamp(y, 0, this.size[1]), downsample };
  }

  /** @param {ViewPlace} place */
  write({ x, y, downsample }) {
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    this.busy = true;
    this.set(this.figure.x_range, x - dx, x + dx);
    this.set(this.figure.y_range, y + dy, y - dy);
    this.busy = false;
    this.moved();
  }

  /**
   * @param {Range} range
   * @param {number} start
   * @param {number} end
   */
  set(range, start, end) {
    const small = Math.abs(end - start) * 1e-9;
    if (Math.abs(range.start - start) > small || Math.abs(range.end - end) > small) range.setv({ start, end });
  }

  /** @param {Goal} goal */
  go(goal) {
    this.goal = goal;
    this.touched();
  }

  /** @param {number} factor */
  zoom(factor) {
    if (this.place) this.go({ ...this.place, downsample: this.place.downsample * factor });
  }

  /**
   * @param {number} right
   * @param {number} down shares of the view
   */
  pan(right, down) {
    if (!this.place) return;
    const { x, y, downsample } = this.place;
    const [width, height] = this.frame;
    this.go({ x: x + right * width * downsample, y: y + down * height * downsample, downsample });
  }

  /**
   * What is in view; an empty box before anything is.
   * @returns {Box}
   */
  get box() {
    if (!this.place) return NOWHERE;
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    return { x0: x - dx, y0: y - dy, x1: x + dx, y1: y + dy };
  }
}
