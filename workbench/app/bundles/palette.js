// Made by "make bundles"; change the modules instead. sha256 of them: 03629d03f92845176be16aeb6387cff08d5b76266c1843f3fe5a329ce8e77fae
// workbench/app/viewer/browser/actions.js
var SHOWN = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  "-": "−",
  ContextMenu: "Menu"
};
function keyText(key) {
  return key.split(/(?<=.)\+/).map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join("+");
}

// workbench/app/viewer/browser/dom.js
function isDark(element) {
  const [red, green, blue] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 140;
}

// workbench/app/viewer/browser/match.js
var WHOLE = 4;
var BEGINS = 3;
var INSIDE = 2;
var SCATTERED = 1;
var GROUP = 0.5;
var plain = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
var wordsOf = (text) => plain(text).split(/[^\p{L}\p{N}.:%]+/u).filter(Boolean);
function isScattered(word, text) {
  let at = -1;
  return [...word].every((letter) => (at = text.indexOf(letter, at + 1)) >= 0);
}
function fit(word, text) {
  const words = wordsOf(text);
  if (words.includes(word)) return WHOLE;
  if (words.some((each) => each.startsWith(word))) return BEGINS;
  if (words.some((each) => each.includes(word))) return INSIDE;
  return word.length > 1 && words.some((each) => each[0] === word[0] && isScattered(word, each)) ? SCATTERED : 0;
}
function score(query, { label, group }) {
  let sum = 1;
  for (const word of wordsOf(query)) {
    const found = Math.max(fit(word, label), GROUP * fit(word, group));
    if (!found) return 0;
    sum += found;
  }
  return sum;
}
function matches(query, entries, most) {
  return entries.map((entry) => ({ entry, fits: score(query, entry) })).filter(({ fits }) => fits > 0).sort((a, b) => b.fits - a.fits || Number(Boolean(a.entry.reason)) - Number(Boolean(b.entry.reason))).slice(0, most).map(({ entry }) => entry);
}

// workbench/app/viewer/browser/used_stage.js
var page = window.workbenchStages ??= { all: /* @__PURE__ */ new Set(), used: null };
function stageInUse() {
  return page.used ?? page.all.values().next().value;
}

// workbench/app/viewer/browser/palette.js
var MOST = 80;
var STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
function made(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
function ofStage() {
  const actions = stageInUse()?.actions.grouped.flatMap((each) => each.actions) ?? [];
  return actions.flatMap(({ label, group, keys = [], act, reason, unlisted }) => {
    if (!act || unlisted) return [];
    return [{ id: `stage/${label}`, label, group, keys: keys.length ? keyText(keys[0]) : "", reason: reason?.() ?? "", act: () => act() }];
  });
}
var Palette = class {
  /** @type {Entry[]} */
  listed = [];
  /** Id of the entry that Enter means. */
  active = "";
  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    this.dialog = made("dialog", "palette", { "aria-label": "Commands" });
    this.field = made("input", "", {
      type: "text",
      role: "combobox",
      placeholder: "Type what to do",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": "Command",
      "aria-expanded": "true",
      "aria-controls": "commands",
      "aria-autocomplete": "list"
    });
    this.list = made("div", "commands", { id: "commands", role: "listbox", "aria-label": "Commands" });
    this.empty = made("p", "empty", { role: "status" });
    this.dialog.append(this.field, this.list, this.empty);
    this.field.addEventListener("input", () => this.show(true));
    this.field.addEventListener("keydown", (event) => this.press(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    model.on("commands", () => this.dialog.open && this.show(false));
  }
  open() {
    if (this.dialog.open) {
      this.dialog.close();
      return;
    }
    this.dialog.dataset.theme = isDark(this.dialog.parentElement ?? document.body) ? "dark" : "light";
    this.own = ofStage();
    this.field.value = "";
    this.dialog.showModal();
    this.show(true);
    this.model.asked += 1;
  }
  /**
   * List what fits.
   * @param {boolean} first whether the best becomes active; else the active one stays so
   */
  show(first) {
    const entries = [...this.own ?? [], ...this.model.commands];
    this.listed = matches(this.field.value, entries, MOST);
    if (first || !this.listed.some(({ id }) => id === this.active)) this.active = this.listed[0]?.id ?? "";
    this.list.replaceChildren(...this.listed.map((entry, place) => this.row(entry, place)));
    this.empty.textContent = this.listed.length ? "" : "Nothing fits these words.";
    this.mark();
  }
  /**
   * @param {Entry} entry
   * @param {number} place
   */
  row({ id, label, group, keys, reason }, place) {
    const row = made("div", "command", { id: `command-${place}`, role: "option" });
    if (reason) row.setAttribute("aria-disabled", "true");
    const name = made("span", "label");
    name.textContent = label;
    const detail = made("span", "detail");
    detail.textContent = reason || group;
    row.append(name, detail);
    if (keys) row.append(Object.assign(made("kbd", ""), { textContent: keys }));
    row.addEventListener("pointermove", () => {
      if (this.active === id) return;
      this.active = id;
      this.mark();
    });
    row.addEventListener("click", () => {
      this.active = id;
      this.choose();
    });
    return row;
  }
  /** Show which entry is active, to screen readers, too. */
  mark() {
    const at = this.listed.findIndex(({ id }) => id === this.active);
    [...this.list.children].forEach((row, place) => row.setAttribute("aria-selected", String(place === at)));
    if (at < 0) {
      this.field.removeAttribute("aria-activedescendant");
      return;
    }
    this.field.setAttribute("aria-activedescendant", `command-${at}`);
    this.list.children[at].scrollIntoView({ block: "nearest" });
  }
  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.isComposing) return;
    const step = STEPS[event.key];
    if (step && this.listed.length) {
      const at = this.listed.findIndex(({ id }) => id === this.active) + step;
      const last = this.listed.length - 1;
      const place = Math.abs(step) === 1 ? (at + last + 1) % (last + 1) : Math.max(0, Math.min(last, at));
      this.active = this.listed[place].id;
      this.mark();
    } else if (event.key === "Enter") this.choose();
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") this.dialog.close();
    else return;
    event.preventDefault();
  }
  choose() {
    const entry = this.listed.find(({ id }) => id === this.active);
    if (!entry || entry.reason) return;
    this.dialog.close();
    if (entry.act) entry.act();
    else this.model.chosen = { id: entry.id, number: (this.model.chosen.number ?? 0) + 1 };
  }
};
function render({ model }) {
  const palette = new Palette(model);
  const open = () => palette.open();
  const close = () => palette.dialog.close();
  window.workbenchPalette = open;
  window.dispatchEvent(new Event("workbench-palette"));
  window.addEventListener("workbench-lost", close);
  model.on("remove", () => {
    window.removeEventListener("workbench-lost", close);
    if (window.workbenchPalette === open) delete window.workbenchPalette;
  });
  return palette.dialog;
}
export {
  render
};
