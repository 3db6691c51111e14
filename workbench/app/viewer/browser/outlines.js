// How instances are drawn: as thin outlines, as wide ones with a halo, or filled.

/** @import {Stage} from "./stage.js" */

/** @typedef {keyof typeof FORMS} OutlineForm */

const FORMS = {
  thin: "thin outlines",
  wide: "high-contrast outlines",
  filled: "filled",
};
const NAMES = /** @type {OutlineForm[]} */ (Object.keys(FORMS));
const KEPT = "workbench-outlines";

/** @returns {OutlineForm} */
function kept() {
  try {
    const name = localStorage.getItem(KEPT);
    return NAMES.find((each) => each === name) ?? "thin";
  } catch {
    return "thin"; // a frame of no origin has no storage
  }
}

/** @param {OutlineForm} form */
function keep(form) {
  try {
    localStorage.setItem(KEPT, form);
  } catch {
    // It holds for this page alone.
  }
}

/** @param {Stage} stage */
export function outlines(stage) {
  const { stack, actions } = stage;
  const take = (/** @type {OutlineForm} */ form) => {
    keep(form);
    stack.setOutlines(form);
  };
  const next = () => {
    const form = NAMES[(NAMES.indexOf(stack.outlines) + 1) % NAMES.length];
    take(form);
    stage.say(`Instances: ${FORMS[form]}`);
  };
  stack.setOutlines(kept());
  actions.add({ label: "Outlines of instances: thin, high contrast, filled", group: "Layers", keys: ["o"], act: next, unlisted: true });
  for (const form of NAMES) {
    const reason = () => (stack.outlines === form ? "They are so" : "");
    actions.add({ label: `Draw instances: ${FORMS[form]}`, group: "Layers", act: () => take(form), reason });
  }
}
