// Classes of annotations, over the slide: chosen by a click, or by its number while one draws.

import { isText } from "../viewer/browser/key_focus.js";

/**
 * @typedef {object} AnnotationClass
 * @property {string} name
 * @property {string} colour as "#rrggbb"
 */

/**
 * Of `ClassPalette` in Python.
 * @typedef {object} Properties
 * @property {AnnotationClass[]} classes
 * @property {string} value name of the chosen class
 * @property {boolean} active whether the keys choose
 */

const KEYS = 9; // classes that have a number

/**
 * @param {string} kind
 * @param {string} [text]
 */
function part(kind, text = "") {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}

class Palette {
  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    this.element = document.createElement("div");
    this.element.className = "classes";
    this.element.setAttribute("role", "radiogroup");
    this.element.setAttribute("aria-label", "Class of annotations");
    this.press = this.press.bind(this);
    model.on("classes", () => this.build());
    model.on("value", () => this.mark());
    model.on("remove", () => document.removeEventListener("keydown", this.press, true));
    document.addEventListener("keydown", this.press, true); // before the keys of the stage
    this.build();
  }

  build() {
    const made = this.model.classes.map((each, index) => this.chip(each, index));
    this.element.replaceChildren(...made);
    this.mark();
  }

  /**
   * @param {AnnotationClass} of
   * @param {number} index
   */
  chip({ name, colour }, index) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.setAttribute("role", "radio");
    chip.setAttribute("aria-label", name);
    chip.title = name;
    chip.dataset.name = name;
    const swatch = part("swatch");
    swatch.style.backgroundColor = colour;
    chip.append(swatch, part("name", name));
    if (index < KEYS) chip.append(part("key", String(index + 1)));
    chip.addEventListener("click", () => this.choose(name));
    return chip;
  }

  mark() {
    for (const chip of /** @type {HTMLElement[]} */ ([...this.element.children])) {
      chip.setAttribute("aria-checked", String(chip.dataset.name === this.model.value));
    }
  }

  /** @param {string} name */
  choose(name) {
    this.model.value = name;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    if (!this.model.active || ctrlKey || metaKey || altKey || !/^[1-9]$/.test(key)) return;
    const chosen = this.model.classes[Number(key) - 1];
    if (!chosen || isText(event.composedPath())) return;
    event.preventDefault();
    this.choose(chosen.name);
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  return new Palette(model).element;
}
