// The stage's way to the command palette, where the page has one.

import { button } from "./icons.js";

/** @import {Stage} from "./stage.js" */

/** @param {Stage} stage */
export function paletteButton(stage) {
  const open = () => window.workbenchPalette?.();
  const made = button(stage.tools, { picture: "find", label: "Find a command (Ctrl+K)", act: open });
  const show = () => {
    made.hidden = !window.workbenchPalette;
  };
  show();
  window.addEventListener("workbench-palette", show);
  stage.onClose(() => window.removeEventListener("workbench-palette", show));
  const reason = () => (window.workbenchPalette ? "" : "This page has no command palette");
  stage.actions.add({ label: "Find a command", group: "Page", keys: ["Ctrl+k"], act: open, reason, unlisted: true, inFields: true });
}
