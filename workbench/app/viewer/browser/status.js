// Progress of tiles, a notice of tiles that failed, and the theme of the page.

import { isDark } from "./dom.js";

/** @import {Stage} from "./stage.js" */

/** @param {Stage} stage */
export function status(stage) {
  stage.add("div", "progress", { role: "progressbar", "aria-label": "Tiles are loading" });
  const notice = stage.add("div", "notice", { role: "status" });
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => stage.stack.retry());
  stage.onPainted((detail) => {
    if (Boolean(detail.refused) === notice.childNodes.length > 0) return;
    notice.replaceChildren(...(detail.refused ? ["Some of the picture did not come.", again] : []));
  });
}

/**
 * Find whether the page is light or dark by the colour of its text.
 * @param {Stage} stage
 */
export function theme(stage) {
  const probe = stage.add("i", "theme-probe", { "aria-hidden": "true" });
  const look = () => {
    stage.element.dataset.theme = isDark(probe) ? "dark" : "light";
  };
  probe.addEventListener("transitionend", look);
  requestAnimationFrame(look); // once it is on the page
  setTimeout(look, 500); // and once the page has its theme
}
