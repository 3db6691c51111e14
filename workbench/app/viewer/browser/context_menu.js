// The menu of a place on the slide, opened by the right button or the menu key.

import { copyText } from "./clipboard.js";
import { isOn } from "./dom.js";
import { linkTo, placeInMicrometres, placeInPixels } from "./places.js";

/**
 * @import {Point} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/** @typedef {{label: string, act: () => void, reason?: string}} Item */

/** Labels of the actions that are offered while annotations are selected, and of those for several. */
const ON_AREAS = ["Fill the holes of the area", "Simplify the outline to what is seen at this zoom", "Delete what is selected"];
const ON_SEVERAL = ["Unite the selected areas", "Take the other selected areas from the first", "Keep what the selected areas share"];

const AWAY_PX = 4; // between the menu and an edge of the stage
const NO_MPP = "The pixel size of this slide is not known";

/** @type {Record<string, (at: number, last: number) => number>} */
const STEPS = {
  ArrowDown: (at, last) => (at === last ? 0 : at + 1),
  ArrowUp: (at, last) => (at <= 0 ? last : at - 1),
  Home: () => 0,
  End: (_, last) => last,
};

class ContextMenu {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = stage.add("div", "menu", { role: "menu", "aria-label": "This place", hidden: "" });
    this.element.addEventListener("keydown", (event) => this.press(event));
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.onMoved(() => this.close());
    const leave = (/** @type {Event} */ event) => event.composedPath().includes(this.element) || this.close();
    for (const name of ["pointerdown", "wheel"]) document.addEventListener(name, leave, { capture: true });
    stage.onClose(() => {
      for (const name of ["pointerdown", "wheel"]) document.removeEventListener(name, leave, { capture: true });
    });
  }

  get rows() {
    return /** @type {HTMLButtonElement[]} */ ([...this.element.children]);
  }

  /**
   * @param {Point} at in CSS pixels from the stage's corner
   * @param {Item[]} items
   */
  open([left, top], items) {
    this.element.replaceChildren(...items.map((item) => this.row(item)));
    this.element.hidden = false;
    const { offsetWidth, offsetHeight } = this.element;
    const { clientWidth, clientHeight } = this.stage.element;
    this.element.style.left = `${Math.max(AWAY_PX, Math.min(left, clientWidth - offsetWidth - AWAY_PX))}px`;
    this.element.style.top = `${Math.max(AWAY_PX, Math.min(top, clientHeight - offsetHeight - AWAY_PX))}px`;
    this.rows[0].focus({ preventScroll: true });
  }

  /** @param {Item} item */
  row({ label, act, reason = "" }) {
    const row = document.createElement("button");
    Object.assign(row, { type: "button", textContent: label, tabIndex: -1, title: reason });
    row.setAttribute("role", "menuitem");
    if (reason) row.setAttribute("aria-disabled", "true");
    row.addEventListener("click", () => {
      if (reason) return;
      this.close();
      act();
    });
    return row;
  }

  close() {
    if (this.element.hidden) return;
    const focused = this.element.contains(/** @type {ShadowRoot} */ (this.element.getRootNode()).activeElement);
    this.element.hidden = true;
    if (focused) this.stage.element.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { rows } = this;
    const step = STEPS[event.key];
    if (step) rows[step(rows.findIndex((row) => row.matches(":focus")), rows.length - 1)].focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * What can be done with the annotations that are selected; nothing if none is.
 * @param {Stage} stage
 * @returns {Item[]}
 */
function itemsOfSelected({ model, actions }) {
  if (!model.annotation_chosen) return [];
  const labels = model.annotation_also.length ? [...ON_SEVERAL, ...ON_AREAS] : ON_AREAS;
  return labels.flatMap((label) => {
    const found = actions.all.find((each) => each.label === label);
    return found?.act ? [{ label, act: () => found.act?.() }] : [];
  });
}

/**
 * What can be done at a place.
 * @param {Stage} stage
 * @param {Point} place in level-0 pixels
 * @returns {Item[]}
 */
function itemsAt(stage, [x, y]) {
  const { model, camera } = stage;
  const copy = (/** @type {string} */ text) => async () => {
    const done = await copyText(text, stage.element);
    stage.say(done ? `Copied: ${text}` : "This browser does not let pages copy.");
  };
  const um = placeInMicrometres(x, y, model.mpp);
  const link = model.markable ? linkTo(location.href, x, y) : "";
  const bare = stage.stack.bare;
  return [
    ...itemsOfSelected(stage),
    { label: um ? `Copy position: ${um}` : "Copy position in µm", act: copy(um), reason: um ? "" : NO_MPP },
    { label: `Copy position: ${placeInPixels(x, y)} px`, act: copy(placeInPixels(x, y)) },
    { label: "Copy link to this place", act: copy(link), reason: link ? "" : "The address of this page has no view" },
    { label: "Centre here", act: () => camera.place && camera.go({ ...camera.place, x, y }) },
    { label: "Measure from here", act: () => stage.measureFrom(x, y) },
    { label: bare ? "Show overlays" : "Hide overlays", act: () => stage.hideOverlays() },
  ];
}

/** @param {Stage} stage */
export function contextMenu(stage) {
  const menu = new ContextMenu(stage);
  const { element } = stage;
  element.addEventListener("contextmenu", (event) => {
    if (isOn(event.target, ".bar, .place, .menu, .legend, .popover, dialog, input") || !stage.camera.place) return;
    event.preventDefault();
    event.stopPropagation(); // of Bokeh's own menu
    // A finger that rests pans, or draws.
    if (/** @type {PointerEvent} */ (event).pointerType === "touch" || stage.switch.active !== "pan") return;
    const { left, top } = element.getBoundingClientRect();
    menu.open([event.clientX - left, event.clientY - top], itemsAt(stage, stage.toSlide(event.clientX, event.clientY)));
  }, { capture: true });
  const inTheMiddle = () => {
    const { place } = stage.camera;
    if (place) menu.open([element.clientWidth / 2, element.clientHeight / 2], itemsAt(stage, [place.x, place.y]));
  };
  stage.actions.add({
    label: "Open the menu of a place", group: "Page", keys: ["ContextMenu", "Shift+F10"], mouse: "Right button", act: inTheMiddle,
  });
}
