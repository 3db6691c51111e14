// Turning and flipping what is seen: Bokeh draws upright, the browser turns its canvas.
//
// A turn maps the figure's square of unit side to the stage's. All that is drawn by
// Bokeh, annotations by others included, turns as one picture; what floats over it
// (scale bar, buttons) stays upright and gets positions from the stage.

import { button } from "./icons.js";

/**
 * @import {PlotView} from "./bokeh.js"
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/** By quarters clockwise, after flipping left and right. */
export class Turn {
  quarters = 0;
  mirrored = false;
  odd = false;

  /** @type {[a: number, b: number, c: number, d: number]} */
  linear = [1, 0, 0, 1];

  /** @param {{style: CSSStyleDeclaration}} holder the element that has the figure */
  constructor(holder) {
    this.holder = holder;
    this.set(0, false);
  }

  /**
   * @param {number} quarters
   * @param {boolean} mirrored
   */
  set(quarters, mirrored) {
    this.quarters = ((quarters % 4) + 4) % 4;
    this.mirrored = mirrored;
    // Columns of a rotation: where the figure's x and y point on the stage.
    const [cos, sin] = [[1, 0], [0, 1], [-1, 0], [0, -1]][this.quarters];
    const flip = mirrored ? -1 : 1;
    this.linear = [cos * flip, sin * flip, -sin, cos];
    this.odd = this.quarters % 2 === 1;
    const [a, b, c, d] = this.linear;
    // Back into the square.
    const shift = (/** @type {number} */ p, /** @type {number} */ q) => (Math.min(0, p) + Math.min(0, q) < 0 ? 1 : 0);
    const [e, f] = [100 * shift(a, c), 100 * shift(b, d)];
    Object.assign(this.holder.style, {
      width: this.odd ? "100cqh" : "100cqw",
      height: this.odd ? "100cqw" : "100cqh",
      transform: this.plain ? "" : `translate(${e}cqw, ${f}cqh) matrix(${a}, ${b}, ${c}, ${d}, 0, 0)`,
    });
  }

  get plain() {
    return this.quarters === 0 && !this.mirrored;
  }

  /**
   * A vector on the figure, as it is on the stage.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  seen(x, y) {
    const [a, b, c, d] = this.linear;
    return [a * x + c * y, b * x + d * y];
  }

  /**
   * A vector on the stage, as it is on the figure.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  onFigure(x, y) {
    const [a, b, c, d] = this.linear; // its inverse is its transpose
    return [a * x + b * y, c * x + d * y];
  }

  /**
   * A point of a figure of that size, on a stage of the size that goes with it.
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @returns {Point}
   */
  toStage(x, y, width, height) {
    const [stageWidth, stageHeight] = this.odd ? [height, width] : [width, height];
    const [right, down] = this.seen(x - width / 2, y - height / 2);
    return [right + stageWidth / 2, down + stageHeight / 2];
  }

  /**
   * A point of a stage, on the figure of the size that goes with it.
   * @param {number} x
   * @param {number} y
   * @param {number} stageWidth
   * @param {number} stageHeight
   * @returns {Point}
   */
  toFigure(x, y, stageWidth, stageHeight) {
    const [width, height] = this.odd ? [stageHeight, stageWidth] : [stageWidth, stageHeight];
    const [right, down] = this.onFigure(x - stageWidth / 2, y - stageHeight / 2);
    return [right + width / 2, down + height / 2];
  }

  /**
   * The part of the figure's [left, top, width, height] that lies right of a share of the stage.
   * @param {number} share
   * @param {number[]} frame
   * @returns {number[]}
   */
  rightOf(share, [left, top, width, height]) {
    const corners = [this.toFigure(share, 0, 1, 1), this.toFigure(1, 1, 1, 1)];
    const [x0, x1] = corners.map(([x]) => Math.round(x * width)).sort((a, b) => a - b);
    const [y0, y1] = corners.map(([, y]) => Math.round(y * height)).sort((a, b) => a - b);
    return [left + x0, top + y0, x1 - x0, y1 - y0];
  }
}

/**
 * Give Bokeh the measures of the upright figure, and pointers in its coordinates.
 * @param {Stage} stage
 */
function straighten(stage) {
  const { plot, turn, element } = stage;
  const { canvas_view: canvas } = plot;
  const bus = canvas.ui_event_bus;
  for (const each of [plot.el, canvas.el, canvas.events_el]) {
    each.getBoundingClientRect = () => {
      const { left, top } = element.getBoundingClientRect();
      return new DOMRect(left, top, each.offsetWidth, each.offsetHeight);
    };
  }
  for (const hearer of [bus, bus.ui_gestures]) {
    hearer._get_sxy = (/** @type {{clientX: number, clientY: number}} */ { clientX, clientY }) => {
      const [sx, sy] = stage.toFigure(clientX, clientY);
      return { sx, sy };
    };
  }
  bus.ui_gestures._movement = ({ init, last }) => {
    const [dx, dy] = turn.onFigure(last.x - init.x, last.y - init.y);
    return { dx, dy };
  };
}

/**
 * Let a finger that rests before it moves pan and pinch all the same: Bokeh takes it for a long
 * press from then on, which only tools for editing glyphs have a use for.
 * @param {Stage} stage
 */
function letFingersRest({ figure, plot }) {
  const gestures = plot.canvas_view.ui_event_bus.ui_gestures;
  const pressed = gestures._pointer_timeout.bind(gestures);
  gestures._pointer_timeout = () => {
    const { press, tap } = figure.toolbar.gestures;
    if ((press.active ?? tap.active)?.event_types.includes("press")) pressed();
  };
}

/**
 * Let the figure take its new size at once: some versions of Panel lay out the figures
 * within only when what holds them has changed its own size, and turning does not.
 * @param {PlotView} plot
 */
function layOut(plot) {
  if (!plot.layout) return; // not built yet: it will be, in the size it then has
  plot.measure_layout();
  plot.update_bbox();
  plot._compute_layout();
  plot.after_layout();
}

/** @param {Stage} stage */
export function turning(stage) {
  const { model, turn } = stage;
  straighten(stage);
  letFingersRest(stage);
  const quarter = () => {
    model.turn = (model.turn + 1) % 4;
  };
  const flip = () => {
    // Left and right are those of the screen: flipping what is turned turns it back.
    model.turn = (4 - model.turn) % 4;
    model.mirrored = !model.mirrored;
  };
  button(stage.tools, { picture: "turn", label: "Turn by 90° (R)", act: quarter });
  const flipped = button(stage.tools, { picture: "flip", label: "Flip (F)", act: flip });
  stage.actions.add({ label: "Turn by 90°", group: "View", keys: ["r"], act: quarter });
  stage.actions.add({ label: "Flip", group: "View", keys: ["f"], act: flip });
  const show = () => {
    turn.set(model.turn, model.mirrored);
    layOut(stage.plot);
    flipped.setAttribute("aria-pressed", String(model.mirrored));
    if (!stage.camera.place) return;
    stage.stack.changed();
    for (const hear of stage.moved) hear();
  };
  stage.watch("turn", show);
  stage.watch("mirrored", show);
}
