// The one place that replaces methods of Bokeh: it paints tiles in Bokeh's own stack.
//
// Bokeh's TileRenderer holds the place in the figure's stack of renderers; the
// painting of this one renderer (and of no other on the page) is replaced here.
// Tools, ranges, glyphs and annotations stay Bokeh's.

import { onceAFrame } from "./pacing.js";

/**
 * @import {PlotView, TileRendererView} from "./bokeh.js"
 * @import {Camera} from "./camera.js"
 * @import {TileStack} from "./tile_stack.js"
 */

/**
 * Take over the painting of one TileRenderer; say so if Bokeh has changed.
 * @param {TileRendererView} renderer
 * @param {Camera} camera
 * @param {TileStack} stack
 */
export function adopt(renderer, camera, stack) {
  for (const name of /** @type {const} */ (["_paint", "has_finished", "request_paint"])) {
    if (typeof renderer[name] !== "function") {
      console.error(`workbench: Bokeh ${window.Bokeh?.version} has no TileRenderer.${name}; slides cannot be drawn`);
      return false;
    }
  }
  renderer.has_finished = () => true;
  renderer._paint = (ctx) => {
    if (!camera.place) return;
    const { frame } = renderer.plot_view;
    const { left, top, width, height } = frame.bbox;
    const { a: ratio, e, f } = ctx.getTransform();
    // Bokeh's own clearing begins half a pixel late; what is painted there would stay.
    const clip = [left * ratio + e, top * ratio + f, width * ratio, height * ratio].map(Math.ceil);
    const [x, y] = [frame.x_scale, frame.y_scale].map((scale) => scale.compute(0));
    const [right, bottom] = [frame.x_scale, frame.y_scale].map((scale, axis) => scale.compute(stack.size[axis]));
    const place = {
      left: x * ratio + e - clip[0],
      top: y * ratio + f - clip[1],
      across: ((right - x) * ratio) / stack.size[0],
      down: ((bottom - y) * ratio) / stack.size[1],
    };
    stack.paint(ctx, camera.box, clip, place);
  };
  stack.changed = () => renderer.request_paint();
  paintEveryFrame(renderer.plot_view);
  measureOnceLaidOut(renderer.plot_view);
  return true;
}

const LAYING_OUT = ["_measure_layout", "_compute_layout", "_after_layout"];
const REPLACED = Symbol.for("workbench.layout");

/**
 * Let no plot of the page be measured before it has a layout, which is an error in Bokeh: a plot
 * in a tab or a dialog that opens is measured as soon as that is resized.
 * @param {PlotView} plot any of them; its class is changed, once
 */
function measureOnceLaidOut(plot) {
  let kind = Object.getPrototypeOf(plot);
  while (kind && !Object.hasOwn(kind, LAYING_OUT[0])) kind = Object.getPrototypeOf(kind);
  if (!kind || REPLACED in kind) return;
  kind[REPLACED] = true;
  for (const name of LAYING_OUT) {
    const step = kind[name];
    kind[name] = /** @this {PlotView} */ function () {
      if (this.layout) step.call(this);
    };
  }
}

/**
 * Let a figure be painted in each frame that is shown. Bokeh waits for 1000 / 60 ms by the clock
 * before it asks for a frame, which every second frame or so is a moment too late.
 * @param {PlotView} plot
 */
function paintEveryFrame(plot) {
  /** @type {Promise<void> | null} */
  let done = null;
  let finish = () => {};
  const paint = onceAFrame(() => {
    const told = finish;
    done = null; // what is asked for while it paints is for the next frame
    try {
      if (!plot.is_destroyed) plot.repaint();
    } finally {
      told();
    }
  });
  plot.throttled_paint = () => {
    done ??= new Promise((resolve) => (finish = resolve));
    paint();
    return done;
  };
}

/**
 * Wait until a figure's view has built the view of one of its renderers.
 * @param {PlotView} plot
 * @param {object} renderer
 */
export async function rendererView(plot, renderer) {
  for (;;) {
    const found = plot.views?.find_one(renderer) ?? plot.renderer_views?.get(renderer);
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
