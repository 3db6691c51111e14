// Taking over the view that the page showed before the app had loaded: `server/shell.js`.

const LONGEST_MS = 3000; // for which tiles of a former view are kept over those that come

/** @import {ViewPlace} from "./messages.js" */
/** @import {Stage} from "./stage.js" */

/** @param {Stage} stage */
export function takeOver(stage) {
  const shell = document.getElementById("shell");
  if (!shell) return;
  /** @type {{place: ViewPlace | null, size: number[]} | undefined} */
  const left = Reflect.get(shell, "handOver")?.();
  if (left?.place && String(left.size) === String(stage.model.size)) stage.camera.go(left.place);
  let gone = false;
  const remove = () => {
    gone = true;
    shell.remove();
  };
  // Until the viewer has all tiles in view: a complete picture gives way to no other one.
  stage.onPainted(({ missing }) => {
    if (!gone && !missing) remove();
  });
  setTimeout(remove, LONGEST_MS);
}
