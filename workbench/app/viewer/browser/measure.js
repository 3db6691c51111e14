// Measuring distances and areas on the slide; they are not saved.

import { lengthText, areaText } from "./numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR_START_PX = 10; // so near the first corner, a click closes the outline

/**
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

class Measure {
  /** @type {Point[]} */
  points = [];

  /** @type {"distance" | "area" | ""} */
  kind = "";

  drawing = false;

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.sheet = stage.element.appendChild(document.createElementNS(SVG, "svg"));
    this.sheet.setAttribute("class", "measure");
    this.sheet.setAttribute("aria-hidden", "true");
    this.line = this.sheet.appendChild(document.createElementNS(SVG, "path"));
    this.said = stage.add("div", "measured", { role: "status" });
    stage.onMoved(() => {
      if (this.points.length) this.show();
    });
    const group = "Measure and select";
    const reason = () => (this.kind ? "" : "Nothing is being measured");
    stage.actions.add(
      { label: "End measuring", group, keys: ["Escape"], act: () => this.cancel(), reason, unlisted: true },
      { label: "Close the measured area", group, keys: ["Enter"], mouse: "Double click", act: () => this.finish(), reason, unlisted: true },
    );
    this.listen();
  }

  listen() {
    const at = (/** @type {PointerEvent} */ event) => this.stage.toSlide(event.clientX, event.clientY);
    this.sheet.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.sheet.setPointerCapture(event.pointerId);
      this.press(at(event));
    });
    this.sheet.addEventListener("pointermove", (event) => this.drawing && this.drag(at(event)));
    this.sheet.addEventListener("pointerup", (event) => this.release(at(event)));
    this.sheet.addEventListener("dblclick", () => this.finish());
    // Zooming goes on while measuring.
    this.sheet.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.stage.plot.canvas_view.events_el.dispatchEvent(new WheelEvent("wheel", event));
    });
  }

  /**
   * @param {"distance" | "area"} kind
   * @param {boolean} on
   */
  use(kind, on) {
    if (!on && this.kind !== kind) return;
    this.kind = on ? kind : "";
    this.sheet.classList.toggle("active", on);
    this.clear();
  }

  /** @param {Point} point */
  press(point) {
    if (!this.drawing) this.points = [point, point];
    else if (this.kind === "area" && this.isClosing(point)) {
      this.finish();
      return;
    } else if (this.kind === "area") this.points.push(point);
    this.drawing = true;
    this.show();
  }

  /** @param {Point} point */
  drag(point) {
    this.points[this.points.length - 1] = point;
    this.show();
  }

  /**
   * A distance ends where the button is let go, or at the next click.
   * @param {Point} point
   */
  release(point) {
    if (!this.drawing || this.kind !== "distance" || this.screenLength(this.points[0], point) < NEAR_START_PX) return;
    this.drag(point);
    this.drawing = false;
  }

  /** @param {Point} point */
  isClosing(point) {
    return this.points.length > 3 && this.screenLength(this.points[0], point) < NEAR_START_PX;
  }

  finish() {
    if (!this.drawing || this.kind !== "area") return;
    // The last point follows the pointer and is no corner; a double click sets one corner.
    if (this.points.length > 3) this.points.pop();
    const [before, last] = this.points.slice(-2);
    if (this.points.length > 3 && this.screenLength(before, last) < 2) this.points.pop();
    this.drawing = false;
    this.show();
  }

  cancel() {
    if (this.points.length) this.clear();
    else if (this.kind) this.stage.switch.use("pan");
  }

  clear() {
    this.points = [];
    this.drawing = false;
    this.show();
  }

  /**
   * @param {Point} from
   * @param {Point} to
   */
  screenLength([x0, y0], [x1, y1]) {
    return Math.hypot(x1 - x0, y1 - y0) / (this.stage.camera.place?.downsample ?? 1);
  }

  get text() {
    const { mpp } = this.stage.model;
    if (this.points.length < 2) return "";
    if (this.kind === "distance") {
      const [[x0, y0], [x1, y1]] = this.points;
      return lengthText(Math.hypot(x1 - x0, y1 - y0), mpp);
    }
    if (this.points.length < 3) return "";
    let twice = 0;
    this.points.forEach(([x, y], i) => {
      const [nextX, nextY] = this.points[(i + 1) % this.points.length];
      twice += x * nextY - nextX * y;
    });
    return areaText(Math.abs(twice) / 2, mpp);
  }

  show() {
    const places = this.points.map(([x, y]) => this.stage.toStage(x, y));
    const path = places.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    this.line.setAttribute("d", path && path + (this.kind === "area" && !this.drawing ? "Z" : ""));
    this.line.classList.toggle("filled", this.kind === "area");
    this.said.textContent = this.text;
    const last = places.at(-1);
    if (!last) return;
    const [x, y] = last;
    this.said.style.left = `${x}px`;
    this.said.style.top = `${y}px`;
  }
}

/** @param {Stage} stage */
export function measure(stage) {
  const ruler = new Measure(stage);
  stage.switch.add("distance", { label: "Measure a distance", picture: "distance" }, (on) => ruler.use("distance", on));
  stage.switch.add("area", { label: "Measure an area", picture: "area" }, (on) => ruler.use("area", on));
  stage.measureFrom = (x, y) => {
    stage.switch.use("distance");
    ruler.press([x, y]);
  };
  stage.watch("mpp", () => ruler.show());
}
