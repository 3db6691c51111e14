// Choosing many instances: Shift+click adds or removes one, Shift+drag and the lasso take a region.

const SVG = "http://www.w3.org/2000/svg";
const STILL_PX = 4; // a click may move so far
const STEP_PX = 3; // between points of the outline
const MOST_POINTS = 2000;

/**
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * At most `most` of some points, at equal steps.
 * @param {Point[]} points
 * @param {number} most
 */
export function thinned(points, most = MOST_POINTS) {
  const step = Math.ceil(points.length / most);
  return points.filter((_, number) => number % step === 0);
}

/** The region that is being drawn; its points are client coordinates. */
class Lasso {
  /** @type {Point[]} */
  points = [];

  held = false;

  /** Whether what is in the region is added to the selection. */
  adds = false;

  number = 0;

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.sheet = stage.element.appendChild(document.createElementNS(SVG, "svg"));
    this.sheet.setAttribute("class", "measure lasso");
    this.sheet.setAttribute("aria-hidden", "true");
    this.line = this.sheet.appendChild(document.createElementNS(SVG, "path"));
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.down(event), true);
    element.addEventListener("pointermove", (event) => this.move(event), true);
    element.addEventListener("pointerup", (event) => this.up(event), true);
    element.addEventListener("pointercancel", () => this.cancel(), true);
  }

  get hasInstances() {
    return this.stage.stack.shown.some(({ spec }) => spec.instances);
  }

  /**
   * Whether a press belongs to the lasso: of its tool, or with Shift while nothing else is in use.
   * @param {PointerEvent} event
   */
  isOurs(event) {
    const { active } = this.stage.switch;
    const wanted = active === "lasso" || (active === "pan" && event.shiftKey && this.hasInstances);
    return wanted && event.isPrimary && event.button === 0 && event.composedPath().includes(this.stage.plot.el);
  }

  /**
   * Keep an event from annotations and the figure.
   * @param {PointerEvent} event
   */
  take(event) {
    event.stopImmediatePropagation();
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.isOurs(event)) return;
    this.take(event);
    this.stage.element.focus({ preventScroll: true });
    if (event.target instanceof Element) event.target.setPointerCapture(event.pointerId);
    this.held = true;
    this.adds = event.shiftKey;
    this.points = [[event.clientX, event.clientY]];
    this.show();
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.held) return;
    this.take(event);
    if (this.isNear(event, STEP_PX)) return;
    this.points.push([event.clientX, event.clientY]);
    this.show();
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (!this.held) return;
    this.take(event);
    const isClick = this.points.every(([x, y]) => Math.hypot(x - this.points[0][0], y - this.points[0][1]) < STILL_PX);
    const outline = isClick ? this.points.slice(0, 1) : thinned(this.points);
    // A click with the tool, without Shift, selects as ever: one instance.
    this.tell(outline, this.adds);
    this.cancel();
    if (this.stage.switch.active === "lasso") this.stage.switch.use("pan");
  }

  /**
   * Whether the pointer is near to the last point.
   * @param {PointerEvent} event
   * @param {number} distance
   */
  isNear({ clientX, clientY }, distance) {
    const [x, y] = this.points[this.points.length - 1];
    return Math.hypot(clientX - x, clientY - y) < distance;
  }

  /**
   * Tell Python what was chosen.
   * @param {Point[]} outline
   * @param {boolean} add
   */
  tell(outline, add) {
    const points = outline.flatMap(([x, y]) => this.stage.toSlide(x, y)).map((at) => Math.round(at * 10) / 10);
    this.stage.model.instances_picked = { points, add, number: ++this.number };
  }

  cancel() {
    this.held = false;
    this.points = [];
    this.show();
  }

  show() {
    const { left, top } = this.stage.bounds;
    const path = this.points.map(([x, y], i) => `${i ? "L" : "M"}${(x - left).toFixed(1)} ${(y - top).toFixed(1)}`).join("");
    this.line.setAttribute("d", this.points.length > 1 ? `${path}Z` : "");
  }
}

const NONE = "No instances are shown";

/** @param {Stage} stage */
export function lasso(stage) {
  const { model } = stage;
  const drawn = new Lasso(stage);
  const look = { label: "Select instances in a region (S)", picture: /** @type {const} */ ("lasso") };
  const button = stage.switch.add("lasso", { ...look, keys: ["s"], mouse: "Shift+drag", reason: () => (drawn.hasInstances ? "" : NONE) }, (on) => {
    stage.element.dataset.lasso = String(on);
    if (!on) drawn.cancel();
  });
  const group = "Measure and select";
  stage.actions.add(
    { label: "Add an instance to the selection, or take it out", group, mouse: "Shift+click" },
    { label: "Put the lasso down", group, keys: ["Escape"], act: () => stage.switch.use("pan"), reason: () => (stage.switch.active === "lasso" ? "" : "It is not in use"), unlisted: true },
    { label: "Deselect instances", group, keys: ["Escape"], act: () => drawn.tell([], false), reason: () => (model.instances_chosen ? "" : "No instance is selected") },
  );
  const offer = () => {
    button.hidden = !drawn.hasInstances;
    if (button.hidden && stage.switch.active === "lasso") stage.switch.use("pan");
  };
  stage.watch("layers", offer);
  stage.onPainted(offer); // hidden and shown again by a key
}
