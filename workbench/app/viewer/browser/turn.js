// Turning and flipping what is seen: Bokeh draws upright, the browser turns its canvas.
//
// The figure is as large as the upright box around the turned stage, and has the same centre.
// One linear map leads from the figure to the stage. All that is drawn by Bokeh, annotations by
// others included, turns as one picture; what floats over it (scale bar, buttons) stays upright
// and gets positions from the stage.

import { button, icon } from "./icons.js";

const STEP = 15; // degrees, of a key or a notch of the wheel
const WHOLE_TURN = 360;

/**
 * @import {PlotView} from "./bokeh.js"
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/** @typedef {[width: number, height: number]} Size */

/**
 * An angle within one turn, to a hundredth of a degree.
 * @param {number} degrees
 */
export function withinTurn(degrees) {
  const hundredths = Math.round(degrees * 100) % (100 * WHOLE_TURN);
  return ((hundredths + 100 * WHOLE_TURN) % (100 * WHOLE_TURN)) / 100;
}

/**
 * The next multiple of `STEP` degrees, clockwise or against it.
 * @param {number} degrees
 * @param {1 | -1} way
 */
export function stepFrom(degrees, way) {
  const steps = degrees / STEP;
  return withinTurn(STEP * (way > 0 ? Math.floor(steps) + 1 : Math.ceil(steps) - 1));
}

/** By degrees clockwise, after flipping left and right. */
export class Turn {
  angle = 0;
  mirrored = false;

  /**
   * Columns of the map: where the figure's x and y point on the stage.
   * @type {[a: number, b: number, c: number, d: number]}
   */
  linear = [1, 0, 0, 1];

  /** @param {{style: Partial<CSSStyleDeclaration>}} holder the element that has the figure */
  constructor(holder = { style: {} }) {
    this.holder = holder;
    this.set(0, false);
  }

  /**
   * @param {number} angle degrees
   * @param {boolean} mirrored
   */
  set(angle, mirrored) {
    this.angle = withinTurn(angle);
    this.mirrored = mirrored;
    const radians = (this.angle * Math.PI) / 180;
    const [cos, sin] = this.straight
      ? [[1, 0], [0, 1], [-1, 0], [0, -1]][this.angle / 90]
      : [Math.cos(radians), Math.sin(radians)];
    const flip = mirrored ? -1 : 1;
    this.linear = [cos * flip, sin * flip, -sin, cos];
    const [c, s] = [Math.abs(cos), Math.abs(sin)];
    const centred = this.plain ? { left: "0", top: "0", transform: "" } : {
      left: "50cqw", top: "50cqh", transform: `matrix(${this.linear.join(", ")}, 0, 0) translate(-50%, -50%)`,
    };
    Object.assign(this.holder.style, {
      width: `calc(${c} * 100cqw + ${s} * 100cqh)`,
      height: `calc(${s} * 100cqw + ${c} * 100cqh)`,
      ...centred,
    });
  }

  get plain() {
    return this.angle === 0 && !this.mirrored;
  }

  /** Whether by whole quarters, so that edges stay upright. */
  get straight() {
    return this.angle % 90 === 0;
  }

  /**
   * The size of the upright box around a box that is turned, forwards or back.
   * @param {Size} size
   * @returns {Size}
   */
  around([width, height]) {
    const [a, b, c, d] = this.linear.map(Math.abs);
    return [a * width + c * height, b * width + d * height];
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
   * A point of a figure, on a stage with the same centre.
   * @param {Point} point
   * @param {Size} figure
   * @param {Size} stage
   * @returns {Point}
   */
  toStage([x, y], figure, stage) {
    const [right, down] = this.seen(x - figure[0] / 2, y - figure[1] / 2);
    return [right + stage[0] / 2, down + stage[1] / 2];
  }

  /**
   * A point of a stage, on a figure with the same centre.
   * @param {Point} point
   * @param {Size} stage
   * @param {Size} figure
   * @returns {Point}
   */
  toFigure([x, y], stage, figure) {
    const [right, down] = this.onFigure(x - stage[0] / 2, y - stage[1] / 2);
    return [right + figure[0] / 2, down + figure[1] / 2];
  }

  /**
   * Whether a box is seen on the stage, at least in part.
   * @param {Point} middle of the box, from the middle of the figure, in CSS pixels
   * @param {Size} size of the box
   * @param {Size} stage
   */
  shows(middle, size, stage) {
    const reach = this.around(size);
    return this.seen(...middle).every((away, axis) => Math.abs(away) < (stage[axis] + reach[axis]) / 2);
  }

  /**
   * The corners of what lies right of a share of the stage, on a frame for its figure.
   * @param {number} share
   * @param {Size} stage in CSS pixels
   * @param {number[]} frame left, top, width and height, in device pixels
   * @returns {Point[]}
   */
  rightOf(share, stage, [left, top, width, height]) {
    const figure = this.around(stage);
    const [right, bottom] = stage;
    return /** @type {Point[]} */ ([[share * right, 0], [right, 0], [right, bottom], [share * right, bottom]]).map((corner) => {
      const [x, y] = this.toFigure(corner, stage, figure);
      const at = [left + (x / figure[0]) * width, top + (y / figure[1]) * height];
      return /** @type {Point} */ (this.straight ? at.map(Math.round) : at);
    });
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

/**
 * Turn by the wheel with Shift, unless a tool takes it.
 * @param {Stage} stage
 * @param {(way: 1 | -1) => void} step
 */
function turnByWheel({ element, plot }, step) {
  element.addEventListener("wheel", (event) => {
    const { defaultPrevented, shiftKey, ctrlKey } = event;
    if (defaultPrevented || !shiftKey || ctrlKey || !event.composedPath().includes(plot.el)) return;
    event.preventDefault();
    event.stopPropagation(); // the figure below would zoom
    const by = event.deltaY + event.deltaX; // some browsers turn the wheel sideways with Shift
    if (by) step(by > 0 ? 1 : -1);
  }, { capture: true, passive: false });
}

/**
 * The button that shows the angle, and turns back to upright.
 * @param {Stage} stage
 * @param {() => void} act
 */
function compass(stage, act) {
  const made = button(stage.tools, { picture: "north", label: "Turn upright (N)", act });
  const text = made.appendChild(document.createElement("span"));
  const arrow = icon("north");
  made.querySelector("svg")?.replaceWith(arrow);
  made.className = "compass";
  return (/** @type {Turn} */ { angle, mirrored }) => {
    const said = `${Number(angle.toFixed(1))}°`;
    made.hidden = angle === 0;
    text.textContent = said;
    // The slide's upper edge; a flipped slide turns the same way.
    arrow.style.transform = `rotate(${angle}deg)`;
    made.title = `Turned by ${said}${mirrored ? ", flipped" : ""}: turn upright (N)`;
    made.setAttribute("aria-label", `Turned by ${said}: turn upright`);
  };
}

/** @param {Stage} stage */
export function turning(stage) {
  const { model, turn, actions, tools } = stage;
  straighten(stage);
  letFingersRest(stage);
  const to = (/** @type {number} */ angle) => {
    model.angle = withinTurn(angle);
  };
  const quarter = () => to(model.angle + 90);
  const step = (/** @type {1 | -1} */ way) => to(stepFrom(model.angle, way));
  const flip = () => {
    // Left and right are those of the screen: flipping what is turned turns it back.
    to(-model.angle);
    model.mirrored = !model.mirrored;
  };
  button(tools, { picture: "turn", label: "Turn by 90° (R); by 15°: Shift+wheel, comma and full stop", act: quarter });
  const flipped = button(tools, { picture: "flip", label: "Flip (F)", act: flip });
  const tell = compass(stage, () => to(0));
  const upright = () => (model.angle ? "" : "It is upright");
  const group = "View";
  actions.add(
    { label: "Turn by 90°", group, keys: ["r"], act: quarter },
    { label: "Turn by 15°", group, keys: ["."], mouse: "Shift+wheel", act: () => step(1) },
    { label: "Turn back by 15°", group, keys: [","], mouse: "Shift+wheel", act: () => step(-1) },
    { label: "Turn upright", group, keys: ["n"], act: () => to(0), reason: upright },
    { label: "Flip", group, keys: ["f"], act: flip },
  );
  turnByWheel(stage, step);
  const show = () => {
    turn.set(model.angle, model.mirrored);
    layOut(stage.plot);
    flipped.setAttribute("aria-pressed", String(model.mirrored));
    tell(turn);
    if (!stage.camera.place) return;
    stage.stack.changed();
    for (const hear of stage.moved) hear();
  };
  stage.watch("angle", show);
  stage.watch("mirrored", show);
}
