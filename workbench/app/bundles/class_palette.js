// Made by "make bundles"; change the modules instead. sha256 of them: 4964ab2c998d575a9cc3d41bd992a78feae1d75273e8d5a2d74a1d06fb153a21
// workbench/app/viewer/browser/key_focus.js
var TEXT = "textarea, select, [contenteditable], input:not([type=button], [type=checkbox], [type=radio], [type=range], [type=file], [type=submit], [type=color])";
var ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
var PRESS = ["Enter", " "];
var USERS = [
  ["input[type=range], [role=slider], [role=spinbutton]", ARROWS],
  ["input[type=radio], [role=radio], [role=tab], [role=tablist]", [...ARROWS, ...PRESS]],
  ["[role=listbox], [role=combobox], [role=grid], [role=tree], .tabulator", [...ARROWS, ...PRESS]],
  ["button, summary, a[href], input, [role=button], [role=checkbox], [role=switch]", PRESS],
  [".MuiChip-deletable", ["Delete", "Backspace"]]
];
function isText(path) {
  return path.some((each) => matches(each, TEXT));
}
function matches(element, selector) {
  const { matches: is } = (
    /** @type {Partial<Element>} */
    element
  );
  return typeof is === "function" && is.call(element, selector);
}

// workbench/app/widgets/class_palette.js
var KEYS = 9;
function part(kind, text = "") {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}
var Palette = class {
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
    document.addEventListener("keydown", this.press, true);
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
    for (
      const chip of
      /** @type {HTMLElement[]} */
      [...this.element.children]
    ) {
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
};
function render({ model }) {
  return new Palette(model).element;
}
export {
  render
};
