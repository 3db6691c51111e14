// Where one looks.

import { clamp } from "./numbers.js";

const FINEST = 1 / 32; // level-0 pixels for each CSS pixel, at the most over-zoom
const COARSEST = 2; // times the downsample at which the whole slide fits
const ROOM = 1.04; // a little air around what is fitted

export const WHOLE = { box: null };

/** Where one looks: keeps the figure's ranges square, within limits, and told. */
export class Camera {
  constructor(figure, plot, size, moved) {
    Object.assign(this, { figure, plot, size, moved });
    this.place = null; // {x, y, downsample}: centre, level-0 pixels per CSS pixel
    this.goal = WHOLE;
    this.frame = [0, 0];
    const { x_range, y_range } = figure;
    for (const range of [x_range, y_range]) figure.connect(range.change, () => this.touched());
    for (const name of ["inner_width", "inner_height"]) {
      figure.connect(figure.properties[name].change, () => this.touched());
    }
    this.touched();
  }

  /** Ranges and sizes change one by one; look once they all have. */
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
    // Whether another camera has moved this one, or its place has only been fitted anew.
    this.led = this.goal ? Boolean(this.goal.led) : resized;
    if (this.goal) {
      this.place = this.limited(this.reach(this.goal));
      this.goal = null;
    } else if (!resized) {
      this.place = this.limited(this.read(), this.place);
    }
    this.write();
  }

  /** The place that the ranges show, after a tool has moved them. */
  read() {
    const { x_range: xs, y_range: ys } = this.figure;
    const [width, height] = this.frame;
    const downsample = Math.max(Math.abs(xs.end - xs.start) / width, Math.abs(ys.end - ys.start) / height);
    return { x: (xs.start + xs.end) / 2, y: (ys.start + ys.end) / 2, downsample };
  }

  reach(goal) {
    const [width, height] = this.frame;
    if (goal.downsample) return { x: this.size[0] / 2, y: this.size[1] / 2, ...goal };
    const [x0, y0, x1, y1] = goal.box ?? [0, 0, ...this.size];
    const downsample = ROOM * Math.max((x1 - x0) / width, (y1 - y0) / height);
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, downsample };
  }

  /** Hold a place within the limits; if reached by zooming, keep what is at the mouse. */
  limited(next, from = null) {
    const fit = Math.max(this.size[0] / this.frame[0], this.size[1] / this.frame[1]);
    const downsample = clamp(next.downsample, FINEST, Math.max(COARSEST * fit, 1));
    const span = from ? next.downsample - from.downsample : 0;
    const share = span ? (downsample - from.downsample) / span : 1;
    const between = (axis) => (share === 1 ? next[axis] : from[axis] + share * (next[axis] - from[axis]));
    return { x: clamp(between("x"), 0, this.size[0]), y: clamp(between("y"), 0, this.size[1]), downsample };
  }

  write() {
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    this.busy = true;
    this.set(this.figure.x_range, x - dx, x + dx);
    this.set(this.figure.y_range, y + dy, y - dy);
    this.busy = false;
    this.moved();
  }

  set(range, start, end) {
    const small = Math.abs(end - start) * 1e-9;
    if (Math.abs(range.start - start) > small || Math.abs(range.end - end) > small) range.setv({ start, end });
  }

  go(goal) {
    this.goal = goal;
    this.touched();
  }

  zoom(factor) {
    if (this.place) this.go({ ...this.place, downsample: this.place.downsample * factor });
  }

  pan(right, down) {
    if (!this.place) return;
    const { x, y, downsample } = this.place;
    const [width, height] = this.frame;
    this.go({ x: x + right * width * downsample, y: y + down * height * downsample, downsample });
  }

  get box() {
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    return { x0: x - dx, y0: y - dy, x1: x + dx, y1: y + dy };
  }
}
