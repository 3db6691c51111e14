// The keys of a stage: they act by its table of actions, wherever on the page the focus is.

import { keyOf } from "./actions.js";
import { WHOLE } from "./camera.js";
import { isTaken, isText } from "./key_focus.js";
import { stageInUse } from "./used_stage.js";

const PAN_STEP = 0.25; // of the view, for each arrow key
const CLOSER = 0.5;

/**
 * @import {Action} from "./actions.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * The actions of a key that was pressed.
 * @param {Stage} stage
 * @param {KeyboardEvent} event
 * @returns {Action[]}
 */
function meant(stage, event) {
  const path = event.composedPath();
  const key = keyOf(event);
  const isHere = path.includes(stage.element);
  const used = isHere || (stage.model.keys === "page" && stageInUse() === stage);
  // A key with Ctrl is used by fields of text alone.
  const taken = key.startsWith("Ctrl+") ? isText(path) : isTaken(key, path);
  return stage.actions.meant(key).filter(({ everywhere, inFields }) => (used || everywhere) && (!taken || inFields));
}

/** @param {Stage} stage */
function listen(stage) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.defaultPrevented || stage.closed) return;
    const actions = meant(stage, event);
    if (actions.length) event.preventDefault();
    for (const { act } of actions) act?.(event);
  };
  document.addEventListener("keydown", press);
  stage.onClose(() => document.removeEventListener("keydown", press));
}

/**
 * A double click zooms in at the pointer, while no tool is in use.
 * @param {Stage} stage
 */
function doubleClick(stage) {
  stage.element.addEventListener("dblclick", (event) => {
    const { place } = stage.camera;
    if (event.defaultPrevented || event.shiftKey || !place || stage.switch.active !== "pan" || !event.composedPath().includes(stage.plot.el)) return;
    event.preventDefault();
    const [x, y] = stage.toSlide(event.clientX, event.clientY);
    stage.camera.go({ x: x + (place.x - x) * CLOSER, y: y + (place.y - y) * CLOSER, downsample: place.downsample * CLOSER });
  }, { capture: true });
}

/** @param {Stage} stage */
export function keyboard(stage) {
  const { camera, actions } = stage;
  const view = (/** @type {string} */ label, /** @type {string[]} */ keys, /** @type {() => void} */ act, /** @type {string} */ mouse = "") => {
    actions.add({ label, group: "View", keys, act, mouse });
  };
  const move = (/** @type {string} */ key, /** @type {number} */ right, /** @type {number} */ down) => {
    const act = () => camera.pan(right * PAN_STEP, down * PAN_STEP);
    actions.add({ label: "Move", group: "View", keys: [key], mouse: "Drag", act, unlisted: true });
  };
  move("ArrowLeft", -1, 0);
  move("ArrowRight", 1, 0);
  move("ArrowUp", 0, -1);
  move("ArrowDown", 0, 1);
  view("Zoom in", ["+", "="], () => camera.zoom(CLOSER), "Wheel, double click");
  view("Zoom out", ["-"], () => camera.zoom(1 / CLOSER), "Wheel");
  view("Fit the whole slide", ["0"], () => camera.go(WHOLE));
  let bare = false;
  stage.hideOverlays = () => {
    bare = !bare;
    stage.element.dataset.overlays = bare ? "hidden" : "shown";
    stage.stack.bareSlide(bare);
  };
  actions.add({ label: "Hide or show overlays and annotations", group: "Layers", keys: ["h"], act: () => stage.hideOverlays() });
  listen(stage);
  doubleClick(stage);
}
