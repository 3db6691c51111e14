// The sheet of all keys and actions of the mouse, opened by "?".

import { keyText } from "./actions.js";
import { button } from "./icons.js";

/**
 * @import {Action} from "./actions.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * A row of the sheet: what is done, by which keys, and how with the mouse.
 * @typedef {{label: string, keys: string[], mouse: string}} Row
 */

/**
 * Rows of actions that have a key or a way of the mouse; those of one label share a row.
 * @param {Action[]} actions
 * @returns {Row[]}
 */
export function rowsOf(actions) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const { label, keys = [], mouse = "" } of actions) {
    if (!keys.length && !mouse) continue;
    const row = rows.get(label) ?? { label, keys: [], mouse };
    row.keys.push(...keys.map(keyText));
    rows.set(label, row);
  }
  return [...rows.values()];
}

/**
 * An element with children, which are elements or text.
 * @param {string} tag
 * @param {(Node | string)[]} children
 */
function made(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

/** @param {Row} row */
function rowElement({ label, keys, mouse }) {
  const head = made("th", label);
  head.setAttribute("scope", "row");
  return made("tr", head, made("td", ...keys.map((key) => made("kbd", key))), made("td", mouse));
}

/** @param {Stage} stage */
export function keySheet(stage) {
  const dialog = stage.add("dialog", "sheet", { "aria-label": "Keys and mouse" });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const open = () => {
    if (dialog.open) return;
    const close = document.createElement("button");
    Object.assign(close, { type: "button", textContent: "Close" });
    close.addEventListener("click", () => dialog.close());
    const groups = stage.actions.grouped.flatMap(({ group, actions }) => {
      const rows = rowsOf(actions);
      return rows.length ? [made("section", made("h2", group), made("table", ...rows.map(rowElement)))] : [];
    });
    dialog.replaceChildren(made("header", made("h1", "Keys and mouse"), close), made("div", ...groups));
    dialog.showModal();
  };
  button(stage.tools, { picture: "help", label: "Keys and mouse (?)", act: open });
  stage.actions.add({ label: "Show all keys", group: "Page", keys: ["?"], act: open });
}
