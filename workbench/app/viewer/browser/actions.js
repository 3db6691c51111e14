// What the user can do with a stage: the one table of its actions. Keys act by it, and the sheet
// of keys and the command palette list it.

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {string} group heading under which it is listed
 * @property {string[]} [keys] names as of `keyOf`
 * @property {string} [mouse] what the mouse does for it, in words
 * @property {(event?: KeyboardEvent) => void} [act] none: of the mouse only
 * @property {() => string} [reason] why it cannot be done now; empty: it can
 * @property {boolean} [unlisted] whether the palette leaves it out
 * @property {boolean} [everywhere] whether its key acts for stages that are not in use, too
 * @property {boolean} [inFields] whether its key acts in fields of text, too
 */

/** Headings in the order in which they are shown. */
export const GROUPS = ["View", "Measure and select", "Annotate", "Layers", "Page"];

/** @type {Record<string, string>} */
const SHOWN = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", "-": "−", ContextMenu: "Menu",
};

/**
 * The name of the key of an event: as "g", "Ctrl+z", "Escape". Empty where none can be meant.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} event
 */
export function keyOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey) return "";
  const name = key.length === 1 ? key.toLowerCase() : key;
  const shift = shiftKey && (key.length > 1 || ctrlKey || metaKey) ? "Shift+" : "";
  return `${ctrlKey || metaKey ? "Ctrl+" : ""}${shift}${name}`;
}

/**
 * A key's name for people: "Ctrl+z" is "Ctrl+Z".
 * @param {string} key
 */
export function keyText(key) {
  return key
    .split(/(?<=.)\+/)
    .map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join("+");
}

/** The actions of a stage, in the order in which its parts have added them. */
export class Actions {
  /** @type {Action[]} */
  all = [];

  /** @param {Action[]} actions */
  add(...actions) {
    this.all.push(...actions);
  }

  /**
   * Those that a key means now.
   * @param {string} key
   */
  meant(key) {
    return this.all.filter(({ keys, act, reason }) => act && keys?.includes(key) && !reason?.());
  }

  /** By headings, each with its actions; headings without any are left out. */
  get grouped() {
    return GROUPS.map((group) => ({ group, actions: this.all.filter((each) => each.group === group) })).filter(({ actions }) => actions.length);
  }
}
