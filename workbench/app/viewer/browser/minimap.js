// The whole slide in a corner: it shows the view, and moves it.

import { contextOf } from "./dom.js";
import { onceAFrame } from "./pacing.js";

const LONGEST_PX = 160;
const KEY_STEP = 0.05; // of the slide

/** @import {Stage} from "./stage.js" */

/** @type {Record<string, [dx: number, dy: number]>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {unknown[]} a
 * @param {unknown[]} b
 */
const areSame = (a, b) => a.length === b.length && a.every((each, i) => each === b[i]);

class Minimap {
  /**
   * What is painted: the tile of each layer that has the whole slide.
   * @type {(ImageBitmap | null | undefined)[] | null}
   */
  images = null;

  /**
   * Version of the tones, and opacity of each.
   * @type {number[]}
   */
  look = [];

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = stage.add("div", "minimap", { role: "group", "aria-label": "The whole slide" });
    this.sheet = this.element.appendChild(document.createElement("section")); // turned as the slide is
    this.canvas = this.sheet.appendChild(document.createElement("canvas"));
    this.frame = this.element.appendChild(document.createElement("div"));
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "button");
    this.frame.setAttribute("aria-label", "What is in view. Drag it, or press arrow keys, to go elsewhere.");
    stage.onMoved(onceAFrame(() => this.follow()));
    stage.onPainted(() => this.paint());
    this.listen();
  }

  /** CSS pixels for each of level 0; fewer where the turned slide would take more room. */
  get scale() {
    return LONGEST_PX / Math.max(...this.stage.turn.around(this.stage.model.size));
  }

  /**
   * Width and height of the slide on it, in CSS pixels.
   * @returns {[width: number, height: number]}
   */
  get side() {
    const [width, height] = this.stage.model.size;
    return [Math.max(1, width * this.scale), Math.max(1, height * this.scale)];
  }

  listen() {
    const go = (/** @type {PointerEvent} */ event) => {
      const { left, top } = this.canvas.getBoundingClientRect(); // the upright box around it
      const [x, y] = this.stage.turn.toFigure([event.clientX - left, event.clientY - top], this.stage.turn.around(this.side), this.side);
      this.go(x / this.scale, y / this.scale);
    };
    this.element.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      go(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) go(event);
    });
    this.frame.addEventListener("keydown", (event) => {
      const way = STEPS[event.key];
      const { place } = this.stage.camera;
      if (!way || !place) return;
      event.preventDefault();
      event.stopPropagation();
      const step = KEY_STEP * Math.max(...this.stage.model.size);
      const [right, down] = this.stage.turn.onFigure(...way);
      this.go(place.x + right * step, place.y + down * step);
    });
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  go(x, y) {
    const { camera } = this.stage;
    const [width, height] = this.stage.model.size;
    if (!camera.place) return;
    camera.go({ ...camera.place, x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) });
  }

  /** Turn with the slide, in the same corner of the stage. */
  orient() {
    const { turn } = this.stage;
    const size = turn.around(this.side);
    for (const { style } of [this.sheet, this.canvas]) [style.width, style.height] = this.side.map((length) => `${length}px`);
    const [left, top] = turn.toStage([0, 0], this.side, size);
    this.sheet.style.transform = turn.plain ? "" : `matrix(${turn.linear.join(", ")}, ${left}, ${top})`;
    [this.element.style.width, this.element.style.height] = size.map((length) => `${length}px`);
    return size;
  }

  /** Draw the stage, upright on the turned slide, as far as the map goes. */
  follow() {
    const { turn, camera: { place, stage } } = this.stage;
    if (!place) return;
    const size = this.orient();
    const middle = turn.toStage([place.x * this.scale, place.y * this.scale], this.side, size);
    const [[left, right], [top, bottom]] = middle.map((at, axis) => {
      const half = (stage[axis] * place.downsample * this.scale) / 2;
      return [at - half, at + half].map((edge) => Math.min(size[axis], Math.max(0, edge)));
    });
    Object.assign(this.frame.style, {
      left: `${left}px`, top: `${top}px`, width: `${Math.max(6, right - left)}px`, height: `${Math.max(6, bottom - top)}px`,
    });
  }

  /** Paint the tile of each layer that shows the whole slide, if one of them has changed. */
  paint() {
    const shown = this.stage.stack.shown;
    const images = shown.map((layer) => layer.at(0, 0, 0)?.image);
    const { stack } = this.stage;
    const look = [stack.toner.version, ...shown.map(({ spec }) => spec.opacity)];
    if (this.images && areSame(this.images, images) && areSame(this.look, look)) return;
    this.images = images;
    this.look = look;
    const [width, height] = this.stage.model.size;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.max(1, Math.round(width * this.scale * ratio));
    this.canvas.height = Math.max(1, Math.round(height * this.scale * ratio));
    const ctx = contextOf(this.canvas);
    ctx.imageSmoothingQuality = "high";
    shown.forEach((layer, i) => {
      const image = images[i];
      if (!image) return;
      const side = (layer.spec.tile_px * layer.resolution(0)) / image.width; // level-0 pixels for each of it
      ctx.globalAlpha = layer.spec.opacity;
      ctx.drawImage(stack.pictureOf(layer, image), 0, 0, width / side, height / side, 0, 0, this.canvas.width, this.canvas.height);
    });
  }
}

/** @param {Stage} stage */
export function minimap(stage) {
  new Minimap(stage);
}
