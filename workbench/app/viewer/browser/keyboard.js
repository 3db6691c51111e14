// Moving by keys, while the stage has the focus.

import { WHOLE } from "./camera.js";

const PAN_STEP = 0.25; // of the view, for each arrow key

/** @import {Stage} from "./stage.js" */

/** @param {Stage} stage */
export function keyboard(stage) {
  const { camera } = stage;
  const pan = (/** @type {number} */ right, /** @type {number} */ down) => () => {
    camera.pan(...stage.turn.onFigure(right, down));
  };
  const zoom = (/** @type {number} */ factor) => () => camera.zoom(factor);
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowLeft: pan(-PAN_STEP, 0),
    ArrowRight: pan(PAN_STEP, 0),
    ArrowUp: pan(0, -PAN_STEP),
    ArrowDown: pan(0, PAN_STEP),
    "+": zoom(0.5),
    "=": zoom(0.5),
    "-": zoom(2),
    0: () => camera.go(WHOLE),
  };
  let bare = false;
  keys.h = keys.H = () => {
    bare = !bare;
    stage.element.dataset.overlays = bare ? "hidden" : "shown";
    stage.stack.bareSlide(bare);
  };
  for (const [key, act] of Object.entries(keys)) stage.onKey(key, act);
}
