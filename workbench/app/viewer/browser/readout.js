// The scale bar, and the line with the pointer's coordinates and the values there.

import { roundLength } from "./numbers.js";
import { onceAFrame } from "./pacing.js";

/**
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

const LONGEST_PX = 140;
const STILL_MS = 60; // time without a move of the pointer before a request to Python

/**
 * The scale bar.
 * @param {Stage} stage
 */
export function scaleBar(stage) {
  const bar = stage.add("div", "scale-bar");
  let shown = "";
  const show = () => {
    if (!stage.camera.place) return;
    const { mpp } = stage.model;
    const unit = stage.camera.place.downsample * (mpp ?? 1);
    if (shown === `${unit} ${mpp}`) return; // a pan changes nothing
    shown = `${unit} ${mpp}`;
    const length = roundLength(LONGEST_PX * unit);
    bar.style.width = `${length / unit}px`;
    if (!mpp) bar.textContent = `${length} px`;
    else bar.textContent = length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
  };
  stage.onMoved(show);
  stage.watch("mpp", show);
}

/**
 * Two numbers of "12000, 8000 px" or "3 mm 2.5 mm", in level-0 pixels; null: not a place.
 * @param {string} text
 * @param {number | null} mpp
 */
export function placeOf(text, mpp) {
  const found = text.replaceAll(",", " ").match(/-?\d+(\.\d+)?/g);
  if (found?.length !== 2) return null;
  const unit = /mm/.test(text) ? 1000 : /[µμu]m/.test(text) ? 1 : null;
  if (unit && !mpp) return null;
  return found.map((number) => (unit && mpp ? (Number(number) * unit) / mpp : Number(number)));
}

/**
 * Request the values of layers at the pointer from Python: the browser has only their colours.
 * @param {Stage} stage
 * @param {() => Point | null} pointer
 * @param {() => void} show
 */
function readings(stage, pointer, show) {
  const { model, stack } = stage;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = ""; // ids of the layers that were asked last
  let number = model.readings.number ?? 0;
  let since = number + 1; // answers before are of another place or of other layers
  /** Ids of the layers that have values and are painted at the pointer. */
  const painted = () => {
    const at = pointer();
    const there = at ? stack.shown.filter((layer) => layer.spec.readable && layer.isDrawn(stack.view.resolution)) : [];
    return there
      .filter(({ spec }) => !(at && spec.swiped && stack.uncovers(at[0])))
      .map(({ spec }) => spec.id);
  };
  const ask = () => {
    const at = pointer();
    const layers = painted();
    if (stage.closed || !at || !layers.length) return;
    const [x, y] = stage.toSlide(...at);
    number += 1;
    model.pointed = { x, y, number, layers };
  };
  const later = () => {
    clearTimeout(timer);
    const layers = painted().join();
    // Answers of other layers, those to come included, hold no longer.
    if (layers !== asked) since = number + 1;
    asked = layers;
    if (layers) timer = setTimeout(ask, STILL_MS);
    show();
  };
  stage.onMoved(later);
  stage.watch("layers", later);
  stage.onPainted(() => {
    if (painted().join() !== asked) later();
  });
  stage.watch("readings", show);
  stage.onClose(() => clearTimeout(timer));
  const texts = () => {
    const { number: answered = 0, texts: told = [] } = model.readings;
    return answered >= since ? told : [];
  };
  return { later, texts };
}

/**
 * The line of coordinates and values; pressed, it becomes a field for a place to go to.
 * @param {Stage} stage
 */
export function coordinates(stage) {
  const { model, camera } = stage;
  const place = stage.add("form", "place");
  const text = place.appendChild(document.createElement("button"));
  const field = place.appendChild(document.createElement("input"));
  Object.assign(text, { type: "button", className: "coordinates", title: "Go to a place" });
  Object.assign(field, { hidden: true, spellcheck: false, autocomplete: "off" });
  field.setAttribute("aria-label", "Place to go to: x and y, in px or µm");
  /** @type {Point | null} */
  let pointer = null; // client coordinates

  const show = onceAFrame(() => {
    if (!camera.place) return;
    const { mpp } = model;
    const unit = camera.place.downsample * (mpp ?? 1);
    const [x, y] = pointer ? stage.toSlide(...pointer) : [camera.place.x, camera.place.y];
    const micrometres = mpp ? `  ·  ${Math.round(x * mpp)}, ${Math.round(y * mpp)} µm` : "";
    const scale = mpp ? `${unit.toPrecision(3)} µm/px` : `1:${unit.toPrecision(3)}`;
    const said = pointer ? read.texts().map((each) => `  ·  ${each}`).join("") : "";
    text.textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}${micrometres}  ·  ${scale}${said}`;
  });
  const ask = (/** @type {boolean} */ open) => {
    field.hidden = !open;
    text.hidden = open;
    field.setCustomValidity("");
    field.placeholder = model.mpp ? "x, y in px or µm" : "x, y in px";
    if (open) field.focus();
    else stage.element.focus({ preventScroll: true });
  };
  text.addEventListener("click", () => ask(true));
  field.addEventListener("keydown", (event) => event.key === "Escape" && ask(false));
  field.addEventListener("input", () => field.setCustomValidity(""));
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = placeOf(field.value, model.mpp);
    if (found && camera.place) {
      camera.go({ ...camera.place, x: found[0], y: found[1] });
      ask(false);
      return;
    }
    field.setCustomValidity(model.mpp ? "Two numbers, such as 12000, 8000 or 3000 2000 µm" : "Two numbers in pixels, such as 12000, 8000");
    field.reportValidity();
  });
  // Captured: Bokeh keeps what it drags with to itself.
  const follow = (/** @type {PointerEvent} */ event) => {
    pointer = [event.clientX, event.clientY];
    show();
    read.later();
  };
  const read = readings(stage, () => pointer, show);
  stage.element.addEventListener("pointermove", follow, { capture: true });
  stage.onMoved(show);
  stage.watch("mpp", show);
  stage.actions.add({ label: "Go to a place", group: "View", keys: ["g"], mouse: "Click on the coordinates", act: () => ask(true) });
}
