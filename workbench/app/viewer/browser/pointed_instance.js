// A tip with the measurements of the instance at the pointer.

const STILL_MS = 60; // time without a move of the pointer before a request to Python
const AWAY_PX = 14;

import { isOn } from "./dom.js";

/** @import {Stage} from "./stage.js" */

/**
 * Request the row of the instance at the pointer from Python, and show it there.
 * @param {Stage} stage
 */
export function pointedInstance(stage) {
  const { model, stack, camera } = stage;
  const tip = stage.add("div", "tip", { role: "status" });
  /** @type {{layer: string, id: number, number: number} | null} */
  let pointed = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let number = 0;

  stage.instanceAt = (x, y) => {
    if (!camera.place) return null;
    const resolution = camera.place.downsample / window.devicePixelRatio;
    for (const layer of [...stack.shown].reverse()) {
      const found = layer.instanceAt(x, y, resolution);
      if (found) return { layer: layer.spec.id, ...found };
    }
    return null;
  };
  const leave = () => {
    clearTimeout(timer);
    pointed = null;
    tip.replaceChildren();
  };
  const look = (/** @type {number} */ clientX, /** @type {number} */ clientY) => {
    const found = stage.instanceAt(...stage.toSlide(clientX, clientY));
    if (!found) return leave();
    if (found.id === pointed?.id && found.layer === pointed.layer) return;
    tip.replaceChildren();
    pointed = { layer: found.layer, id: found.id, number: ++number };
    model.instance_pointed = pointed;
  };
  const follow = (/** @type {PointerEvent} */ event) => {
    clearTimeout(timer);
    if (event.buttons || isOn(event.target, ".bar, .place, .minimap, .menu, .legend, .popover")) return leave();
    const { left, top, width, height } = stage.bounds;
    const [x, y] = [event.clientX - left, event.clientY - top];
    // Towards the middle, where there is room.
    tip.style.cssText = x < width / 2 ? `left: ${x + AWAY_PX}px;` : `right: ${width - x + AWAY_PX}px;`;
    tip.style.cssText += y < height / 2 ? `top: ${y + AWAY_PX}px` : `bottom: ${height - y + AWAY_PX}px`;
    timer = setTimeout(() => !stage.closed && look(event.clientX, event.clientY), STILL_MS);
  };
  // Captured: Bokeh keeps what it drags with to itself.
  stage.element.addEventListener("pointermove", follow, { capture: true });
  stage.element.addEventListener("pointerleave", leave);
  stage.onMoved(leave);
  stage.onClose(() => clearTimeout(timer));
  stage.watch("instance_facts", () => {
    const { number: answered, lines = [] } = model.instance_facts;
    if (!pointed || answered !== pointed.number) return;
    tip.replaceChildren(
      ...lines.map(([name, value]) => {
        const line = document.createElement("div");
        line.append(Object.assign(document.createElement("span"), { textContent: name }), value);
        return line;
      }),
    );
  });
}
