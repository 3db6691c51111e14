// The popover with brightness, contrast and gamma of the slide's picture.

import { button } from "./icons.js";
import { isPlain, PLAIN } from "./tones.js";

/**
 * @import {Tones} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * Name, least and greatest value, and step; factors are set by their logarithm, so that 1 is in the middle.
 * @type {[name: keyof Tones, label: string, range: number, step: number, isFactor: boolean][]}
 */
const CONTROLS = [
  ["brightness", "Brightness", 0.5, 0.01, false],
  ["contrast", "Contrast", 2, 0.05, true],
  ["gamma", "Gamma", 2, 0.05, true],
];

/**
 * The value at a position of a slider.
 * @param {number} position
 * @param {boolean} isFactor
 */
export const valueAt = (position, isFactor) => Number((isFactor ? 2 ** position : position).toPrecision(4));

/**
 * @param {number} value
 * @param {boolean} isFactor
 */
const positionOf = (value, isFactor) => (isFactor ? Math.log2(value) : value);

class ToneControls {
  /** @type {Tones} */
  tones = { ...PLAIN };

  /** @type {(() => void)[]} */
  shows = [];

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.toggle = button(stage.tools, { picture: "tones", label: "Brightness and contrast (B)", act: () => this.open(this.box.hidden) });
    this.box = stage.add("div", "popover", { role: "group", "aria-label": "Brightness and contrast", hidden: "" });
    for (const control of CONTROLS) this.box.append(this.control(...control));
    this.reset = button(this.box, { text: "Reset", label: "As scanned", act: () => this.clear() });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.open(false);
    });
    this.toggle.setAttribute("aria-expanded", "false");
  }

  /**
   * @param {keyof Tones} name
   * @param {string} label
   * @param {number} range
   * @param {number} step
   * @param {boolean} isFactor
   */
  control(name, label, range, step, isFactor) {
    const line = document.createElement("label");
    const field = document.createElement("input");
    const said = document.createElement("output");
    Object.assign(field, { type: "range", min: String(-range), max: String(range), step: String(step) });
    field.setAttribute("aria-label", label);
    field.addEventListener("input", () => this.apply({ ...this.tones, [name]: valueAt(field.valueAsNumber, isFactor) }));
    field.addEventListener("change", () => this.tell());
    line.append(label, said, field);
    this.shows.push(() => {
      field.value = String(positionOf(this.tones[name], isFactor));
      said.textContent = isFactor ? this.tones[name].toFixed(2) : `${Math.round(100 * this.tones[name])} %`;
    });
    return line;
  }

  /** @param {boolean} open */
  open(open) {
    this.box.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) this.box.querySelector("input")?.focus();
    else if (this.box.contains(/** @type {ShadowRoot} */ (this.box.getRootNode()).activeElement)) this.toggle.focus();
  }

  /**
   * Paint with tones, and show them.
   * @param {Tones} tones
   */
  apply(tones) {
    this.tones = tones;
    const changed = !isPlain(tones);
    this.toggle.setAttribute("aria-pressed", String(changed));
    this.toggle.title = changed ? "Brightness and contrast: changed (B)" : "Brightness and contrast (B)";
    this.toggle.classList.toggle("changed", changed);
    this.reset.disabled = !changed;
    for (const show of this.shows) show();
    this.stage.stack.setTones(tones);
  }

  tell() {
    this.stage.model.tones = { ...this.tones };
  }

  /** Show the slide as scanned. */
  clear() {
    this.apply({ ...PLAIN });
    this.tell();
    // The button is disabled now, and would lose the focus to the page.
    if (!this.box.hidden) this.box.querySelector("input")?.focus();
  }
}

/** @param {Stage} stage */
export function toneControls(stage) {
  const { model, actions } = stage;
  const controls = new ToneControls(stage);
  stage.watch("tones", () => controls.apply({ ...PLAIN, ...model.tones }));
  actions.add(
    { label: "Adjust brightness and contrast", group: "View", keys: ["b"], act: () => controls.open(controls.box.hidden) },
    {
      label: "Reset brightness and contrast",
      group: "View",
      act: () => controls.clear(),
      reason: () => (isPlain(controls.tones) ? "They are as scanned" : ""),
    },
  );
}
