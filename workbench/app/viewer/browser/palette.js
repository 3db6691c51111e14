// The command palette: a field and a list of all that can be done, of the stage and of Python.

import { keyText } from "./actions.js";
import { isDark } from "./dom.js";
import { matches } from "./match.js";
import { stageInUse } from "./used_stage.js";

const MOST = 80; // entries that are listed at once

/**
 * A command that is offered.
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} label
 * @property {string} group
 * @property {string} keys as they are shown; empty: none
 * @property {string} reason why it cannot be used now; empty: it can
 * @property {() => void} [act] none: Python does it
 */

/**
 * Of `CommandPalette` in Python.
 * @typedef {object} Properties
 * @property {Omit<Entry, "act">[]} commands
 * @property {number} asked how often it was opened
 * @property {{id?: string, number?: number}} chosen
 */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {Record<string, string>} attributes
 */
function made(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** What the stage in use offers. @returns {Entry[]} */
function ofStage() {
  const actions = stageInUse()?.actions.grouped.flatMap((each) => each.actions) ?? [];
  return actions.flatMap(({ label, group, keys = [], act, reason, unlisted }) => {
    if (!act || unlisted) return [];
    return [{ id: `stage/${label}`, label, group, keys: keys.length ? keyText(keys[0]) : "", reason: reason?.() ?? "", act: () => act() }];
  });
}

class Palette {
  /** @type {Entry[]} */
  listed = [];

  /** Id of the entry that Enter means. */
  active = "";

  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    this.dialog = made("dialog", "palette", { "aria-label": "Commands" });
    this.field = made("input", "", {
      type: "text", role: "combobox", placeholder: "Type what to do", spellcheck: "false", autocomplete: "off",
      "aria-label": "Command", "aria-expanded": "true", "aria-controls": "commands", "aria-autocomplete": "list",
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
    const entries = [...(this.own ?? []), ...this.model.commands];
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
      // One step beyond an end leads to the other end.
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
    this.dialog.close(); // the focus goes back before the command takes it elsewhere
    if (entry.act) entry.act();
    else this.model.chosen = { id: entry.id, number: (this.model.chosen.number ?? 0) + 1 };
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
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
