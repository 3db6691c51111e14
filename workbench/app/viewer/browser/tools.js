// Tools for a drag (move, draw a box, measure): a button for each, one in use at a time.

import { button } from "./icons.js";

/**
 * @import {Action, Actions} from "./actions.js"
 * @import {IconName} from "./icons.js"
 * @import {Stage} from "./stage.js"
 * @import {Tap} from "./bokeh.js"
 */

const ONE_PLACE_PX = 10; // between the clicks of a double click

/** The switch between tools; "pan" when no other is in use. */
export class Tools {
  active = "pan";

  /** @type {(() => void)[]} */
  hearers = [];

  /** @type {Map<string, HTMLButtonElement>} */
  buttons = new Map();

  /**
   * @param {HTMLElement} bar
   * @param {Actions} actions
   */
  constructor(bar, actions) {
    this.bar = bar;
    this.actions = actions;
  }

  /**
   * Add a tool with a button, which is returned; `hear` is called with whether it is in use.
   * @param {string} name
   * @param {{label: string, picture: IconName} & Pick<Action, "keys" | "mouse" | "reason">} look
   * @param {(on: boolean) => void} hear
   */
  add(name, { label, picture, ...action }, hear) {
    const act = () => this.use(this.active === name ? "pan" : name);
    const made = button(this.bar, { label, picture, act });
    this.buttons.set(name, made);
    this.actions.add({ label: label.split(" (")[0], group: "Measure and select", act, ...action });
    this.hearers.push(() => hear(this.active === name));
    this.tell();
    return made;
  }

  /** @param {string} name */
  use(name) {
    if (name === this.active) return;
    this.active = name;
    this.tell();
  }

  tell() {
    for (const [name, made] of this.buttons) made.setAttribute("aria-pressed", String(name === this.active));
    for (const hear of this.hearers) hear();
  }
}

/**
 * Drawing the box that is chosen, and clicking at a place.
 * @param {Stage} stage
 */
export function pointing(stage) {
  const { figure, model } = stage;
  let taps = 0;
  let last = { sx: -Infinity, sy: -Infinity };
  /** @param {Tap} event */
  const tap = ({ x, y, sx, sy }) => {
    last = { sx, sy };
    if (!stage.closed) model.tapped = { x, y, number: ++taps, mark: stage.markAt(x, y) };
  };
  figure.on_event("tap", tap);
  // Bokeh calls any two clicks within 300 ms a double click; at two places they are two.
  figure.on_event("doubletap", (event) => {
    if (Math.hypot(event.sx - last.sx, event.sy - last.sy) > ONE_PLACE_PX) tap(event);
  });
  stage.switch.add("select", { label: "Draw a box", picture: "box" }, (on) => {
    if (!stage.closed && on !== (model.mode === "select")) model.mode = on ? "select" : "pan";
  });
  const clear = button(stage.tools, {
    label: "Clear box (Esc)",
    picture: "clear",
    act: () => {
      model.selection = null;
    },
  });
  stage.watch("mode", () => {
    figure.select_one(model.mode).active = true;
    if (model.mode === "select") stage.switch.use("select");
    else if (stage.switch.active === "select") stage.switch.use("pan");
  });
  stage.watch("selection", () => {
    clear.hidden = !model.selection;
  });
}
