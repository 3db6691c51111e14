// Whether a key belongs to the element that has the focus.

const TEXT =
  "textarea, select, [contenteditable], input:not([type=button], [type=checkbox], [type=radio], [type=range], [type=file], [type=submit], [type=color])";
const APART = "dialog, [role=dialog], [role=alertdialog], [role=menu], [role=menubar], .MuiModal-root";
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
const PRESS = ["Enter", " "];

/**
 * Elements, and the keys that they use themselves.
 * @type {[selector: string, keys: string[]][]}
 */
const USERS = [
  ["input[type=range], [role=slider], [role=spinbutton]", ARROWS],
  ["input[type=radio], [role=radio], [role=tab], [role=tablist]", [...ARROWS, ...PRESS]],
  ["[role=listbox], [role=combobox], [role=grid], [role=tree], .tabulator", [...ARROWS, ...PRESS]],
  ["button, summary, a[href], input, [role=button], [role=checkbox], [role=switch]", PRESS],
  [".MuiChip-deletable", ["Delete", "Backspace"]],
];

/**
 * Whether an element on the way of an event takes text.
 * @param {EventTarget[]} path
 */
export function isText(path) {
  return path.some((each) => matches(each, TEXT));
}

/**
 * Whether a key belongs to what has the focus: to a field, a menu, a dialog, or to a widget that uses it.
 * @param {string} key as of `keyOf`
 * @param {EventTarget[]} path of the event, innermost first
 */
export function isTaken(key, path) {
  if (isText(path) || path.some((each) => matches(each, APART))) return true;
  return USERS.some(([selector, keys]) => keys.includes(key) && path.some((each) => matches(each, selector)));
}

/**
 * @param {EventTarget} element
 * @param {string} selector
 */
function matches(element, selector) {
  const { matches: is } = /** @type {Partial<Element>} */ (element);
  return typeof is === "function" && is.call(element, selector);
}
