// The slide in its tiles before the app has loaded: seen whole, moved by drag, wheel, pinch and double click.

import { clamp } from "../viewer/browser/numbers.js";
import { TileStack } from "../viewer/browser/tile_stack.js";

const ROOM = 1.04; // margin around the whole slide, as the viewer's camera has it
const FINEST = 1 / 32; // limits of the viewer's camera
const COARSEST = 2;
const WHEEL = 0.0015; // zoom for each pixel of the wheel, as an exponent of e

/** @import {LayerSpec, ViewPlace} from "../viewer/browser/messages.js" */

/**
 * What the server says of the slide.
 * @typedef {{size: [width: number, height: number], layer: LayerSpec}} FirstSlide
 */

/** Paints a slide on a canvas, and moves it, until the viewer takes over. */
export class FirstView {
  /** @type {ViewPlace | null} */
  place = null;

  /** Whether the user has moved the slide. */
  moved = false;

  /**
   * Pointers that are down, by their id.
   * @type {Map<number, {x: number, y: number}>}
   */
  pointers = new Map();

  waiting = false;

  ended = new AbortController();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {FirstSlide} slide
   */
  constructor(canvas, { size, layer }) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.size = size;
    this.stack = new TileStack(canvas, size);
    this.stack.changed = () => this.repaint();
    this.stack.prefetch = () => {}; // the server is about to make the session
    const { signal } = this.ended;
    canvas.addEventListener("wheel", (event) => this.turned(event), { signal, passive: false });
    canvas.addEventListener("pointerdown", (event) => this.pressed(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.dragged(event), { signal });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.pointers.delete(/** @type {PointerEvent} */ (event).pointerId), { signal });
    }
    canvas.addEventListener("dblclick", (event) => this.zoom(0.5, event.offsetX, event.offsetY), { signal });
    new ResizeObserver(() => this.repaint()).observe(canvas);
    this.stack.update([layer]);
  }

  /** Width and height, in CSS pixels. */
  get stage() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  /** The downsample at which the whole slide is seen. */
  get fit() {
    return Math.max(this.size[0] / this.stage[0], this.size[1] / this.stage[1]);
  }

  /** The view: the whole slide until it was moved. */
  get view() {
    const [x, y] = this.size.map((side) => side / 2);
    return this.moved && this.place ? this.place : { x, y, downsample: ROOM * this.fit };
  }

  /** Paint in the next frame. */
  repaint() {
    if (this.waiting || this.ended.signal.aborted) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    const { canvas, context, view: { x, y, downsample } } = this;
    const [width, height] = this.stage.map((side) => Math.round(side * devicePixelRatio));
    if (this.ended.signal.aborted || width < 8 || height < 8) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const scale = devicePixelRatio / downsample; // device pixels for each of level 0
    const [left, top] = [width / 2 - x * scale, height / 2 - y * scale];
    const box = { x0: -left / scale, y0: -top / scale, x1: (width - left) / scale, y1: (height - top) / scale };
    canvas.dataset.at = [x, y, downsample].join(",");
    context.clearRect(0, 0, width, height);
    this.stack.paint(context, box, [0, 0, width, height], { left, top, across: scale, down: scale });
  }

  /**
   * Move so that a point of the slide lies at a point of the stage.
   * @param {number} downsample
   * @param {[x: number, y: number]} point level-0 pixels
   * @param {[x: number, y: number]} at CSS pixels
   */
  put(downsample, [x, y], at) {
    const [width, height] = this.stage;
    const within = clamp(downsample, FINEST, Math.max(COARSEST * this.fit, 1));
    this.place = {
      x: clamp(x + (width / 2 - at[0]) * within, 0, this.size[0]),
      y: clamp(y + (height / 2 - at[1]) * within, 0, this.size[1]),
      downsample: within,
    };
    this.moved = true;
    this.repaint();
  }

  /**
   * The point of the slide at a point of the stage.
   * @param {number} left
   * @param {number} top
   * @returns {[x: number, y: number]}
   */
  at(left, top) {
    const { x, y, downsample } = this.view;
    const [width, height] = this.stage;
    return [x + (left - width / 2) * downsample, y + (top - height / 2) * downsample];
  }

  /**
   * @param {number} factor of the downsample
   * @param {number} left
   * @param {number} top the point that stays
   */
  zoom(factor, left, top) {
    this.put(this.view.downsample * factor, this.at(left, top), [left, top]);
  }

  /** @param {WheelEvent} event */
  turned(event) {
    event.preventDefault();
    this.zoom(Math.exp(WHEEL * event.deltaY), event.offsetX, event.offsetY);
  }

  /** @param {PointerEvent} event */
  pressed(event) {
    if (event.button) return;
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  dragged(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.offsetX, y: event.offsetY };
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    // One finger drags; two keep the points of the slide under both.
    const factor = other ? distance(before, other) / Math.max(1, distance(now, other)) : 1;
    const [from, to] = other ? [middle(before, other), middle(now, other)] : [before, now];
    this.pointers.set(event.pointerId, now);
    this.put(this.view.downsample * factor, this.at(from.x, from.y), [to.x, to.y]);
  }

  /**
   * Let the viewer move on; what is painted stays.
   * @returns {ViewPlace | null} the view, if the user has moved the slide
   */
  end() {
    this.ended.abort();
    this.stack.close();
    return this.moved ? this.place : null;
  }
}

/** @typedef {{x: number, y: number}} Place */

/**
 * @param {Place} a
 * @param {Place} b
 */
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/**
 * @param {Place} a
 * @param {Place} b
 */
const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
