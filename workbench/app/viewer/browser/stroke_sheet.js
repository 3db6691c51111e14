// The strokes of a brush as one flat picture, to which each frame adds what is new.
//
// A stroke of thousands of points would take longer to paint than a frame may; so its picture is
// kept, and only its last points are painted on it. It shows the union or the difference that
// Python will compute.

import { newContext } from "./dom.js";

/**
 * @import {Mark} from "./mark.js"
 * @import {Matrix} from "./mark_sheet.js"
 * @import {Ring} from "./messages.js"
 */

/** @typedef {{points: Ring, radius: number, erase: boolean}} Stroke in level-0 pixels */

const OPACITY = 0.35;

export class StrokeSheet {
  context = newContext();

  /** @type {Matrix | null} */
  frame = null;

  /** What the first stroke was painted over, and how far strokes are painted. */
  under = /** @type {Mark | null} */ (null);
  key = "";
  strokes = 0;
  points = 0;

  /**
   * Paint strokes over an area.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Stroke[]} strokes in their order
   * @param {Mark | null} under the area that they change
   * @param {{colour: string, key: string}} look `key` names the first stroke
   */
  show(ctx, frame, strokes, under, { colour, key }) {
    if (!this.continues(ctx, frame, strokes, under, key)) this.begin(ctx, frame, under, { colour, key });
    this.context.strokeStyle = this.context.fillStyle = colour;
    while (this.strokes < strokes.length) {
      this.add(strokes[this.strokes]);
      if (this.strokes === strokes.length - 1) break; // more points may come
      this.strokes += 1;
      this.points = 0;
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.globalAlpha = OPACITY;
    ctx.drawImage(this.context.canvas, 0, 0);
    ctx.globalAlpha = 1;
  }

  /**
   * Whether the picture only lacks the last points.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Stroke[]} strokes
   * @param {Mark | null} under
   * @param {string} key
   */
  continues({ canvas }, frame, strokes, under, key) {
    const { width, height } = this.context.canvas;
    const same = this.frame?.every((number, i) => number === frame[i]) && canvas.width === width && canvas.height === height;
    return same && under === this.under && key === this.key && this.strokes < strokes.length;
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Mark | null} under
   * @param {{colour: string, key: string}} look
   */
  begin({ canvas: { width, height } }, frame, under, { colour, key }) {
    const { context } = this;
    Object.assign(context.canvas, { width, height }); // which empties it
    Object.assign(this, { frame: [...frame], under, key, strokes: 0, points: 0 });
    context.lineCap = context.lineJoin = "round";
    context.setTransform(...frame);
    if (!under) return;
    context.fillStyle = colour;
    const scale = Math.hypot(frame[0], frame[1]) || 1;
    context.fill(under.path(1 / scale), "evenodd");
  }

  /** @param {Stroke} stroke */
  add({ points, radius, erase }) {
    const { context } = this;
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.lineWidth = 2 * radius;
    context.beginPath();
    const from = Math.max(0, this.points - 2);
    context.moveTo(points[from], points[from + 1]);
    context.lineTo(points[from], points[from + 1]); // a point alone is a dot
    for (let i = from + 2; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
    context.stroke();
    this.points = points.length;
  }
}
