// Paints annotations on a canvas that measures in level-0 pixels.

/**
 * @import {Mark} from "./mark.js"
 * @import {Matrix} from "./mark_sheet.js"
 * @import {Parts} from "./messages.js"
 */

const DOT_PX = 2; // what is smaller on screen is a dot

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Mark} mark
 * @param {number} downsample
 * @param {{width?: number, fill?: number, colour?: string}} look widths in CSS pixels
 */
export function paintMark(ctx, mark, downsample, { width = 2, fill = 0.08, colour = mark.colour } = {}) {
  const { x0, y0, x1, y1 } = mark.box;
  ctx.strokeStyle = ctx.fillStyle = colour;
  if (mark.kind === "point") {
    paintPoints(ctx, mark, downsample, width);
  } else if (Math.max(x1 - x0, y1 - y0) < DOT_PX * downsample) {
    ctx.fillRect(x0 - downsample, y0 - downsample, 2 * downsample, 2 * downsample);
  } else {
    const path = mark.path(downsample);
    ctx.lineWidth = width * downsample;
    ctx.globalAlpha = fill;
    if (mark.kind === "area") ctx.fill(path, "evenodd");
    ctx.globalAlpha = 1;
    ctx.stroke(path);
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {{parts: Parts}} mark
 * @param {number} downsample
 * @param {number} width
 */
export function paintPoints(ctx, mark, downsample, width) {
  for (const [x, y] of mark.parts.flat()) {
    ctx.beginPath();
    ctx.arc(x, y, 4 * downsample, 0, 2 * Math.PI);
    ctx.fill();
    ctx.lineWidth = (width - 0.5) * downsample;
    ctx.strokeStyle = "#fff";
    ctx.stroke();
  }
}

/**
 * Beside its corner, upright however the slide is turned.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Mark} mark
 * @param {Matrix} frame
 */
export function paintLabel(ctx, mark, frame) {
  const ratio = window.devicePixelRatio;
  const { x, y } = new DOMMatrix(frame).transformPoint({ x: mark.box.x0, y: mark.box.y0 });
  ctx.save();
  ctx.setTransform(ratio, 0, 0, ratio, x, y);
  ctx.font = "500 12px/1 system-ui, sans-serif";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = 3;
  ctx.strokeStyle = "rgb(255 255 255 / 85%)";
  ctx.fillStyle = mark.colour;
  const left = mark.kind === "point" ? 8 : 1;
  ctx.strokeText(mark.label, left, -4);
  ctx.fillText(mark.label, left, -4);
  ctx.restore();
}
