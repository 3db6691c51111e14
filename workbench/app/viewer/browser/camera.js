// The view: its centre and its downsample.

import { clamp } from "./numbers.js";
import { Turn } from "./turn.js";

const FINEST = 1 / 32; // level-0 pixels for each CSS pixel, at the most over-zoom
const COARSEST = 2; // times the downsample at which the whole slide fits
const AGAIN_MS = 30;
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

  /**
   * Width and height of what is seen of it, in CSS pixels.
   * @type {[width: number, height: number]}
   */
  stage = [0, 0];

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
   * @param {Turn} turn
   * @param {() => [width: number, height: number]} stageSize asked while the figure is turned
   */
  constructor(figure, plot, size, moved, turn = new Turn(), stageSize = () => [0, 0]) {
    this.figure = figure;
    this.plot = plot;
    this.size = size;
    this.moved = moved;
    this.turn = turn;
    this.stageSize = stageSize;
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
    if (resized || this.goal) this.stage = this.turn.straight ? this.turn.around([width, height]) : this.stageSize();
    if (Math.min(...this.stage) < 8) {
      setTimeout(() => this.touched(), AGAIN_MS); // not laid out yet
      return;
    }
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
    const { x = this.size[0] / 2, y = this.size[1] / 2, downsample } = goal;
    if (downsample) return { x, y, downsample };
    const [x0, y0, x1, y1] = goal.box ?? [0, 0, ...this.size];
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, downsample: ROOM * this.fit(x1 - x0, y1 - y0) };
  }

  /**
   * The downsample at which a box of level-0 pixels is seen whole.
   * @param {number} width
   * @param {number} height
   */
  fit(width, height) {
    const [across, down] = this.turn.around([width, height]);
    return Math.max(across / this.stage[0], down / this.stage[1]);
  }

  /**
   * Whether a box of level-0 pixels is seen; of a figure that is not turned, all that is on it.
   * @param {number} x0
   * @param {number} y0
   * @param {number} x1
   * @param {number} y1
   */
  sees(x0, y0, x1, y1) {
    if (this.turn.straight || !this.place) return true;
    const { x, y, downsample } = this.place;
    const [dx, dy, width, height] = [(x0 + x1) / 2 - x, (y0 + y1) / 2 - y, x1 - x0, y1 - y0].map((length) => length / downsample);
    return this.turn.shows([dx, dy], [width, height], this.stage);
  }

  /**
   * A view within the limits. If zooming led to it, the point at the mouse stays.
   * @param {ViewPlace} next
   * @param {ViewPlace | null} from
   * @returns {ViewPlace}
   */
  limited(next, from = null) {
    const downsample = clamp(next.downsample, FINEST, Math.max(COARSEST * this.fit(...this.size), 1));
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
   * @param {number} down shares of the stage
   */
  pan(right, down) {
    if (!this.place) return;
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.turn.onFigure(right * this.stage[0], down * this.stage[1]);
    this.go({ x: x + dx * downsample, y: y + dy * downsample, downsample });
  }

  /**
   * The upright box around what is in view; an empty box before anything is.
   * @returns {Box}
   */
  get box() {
    if (!this.place) return NOWHERE;
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    return { x0: x - dx, y0: y - dy, x1: x + dx, y1: y + dy };
  }
}
