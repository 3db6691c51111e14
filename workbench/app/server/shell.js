// Paints the slide until the app is drawn, then takes the shell away; says so if the app has not come.
// Its picture stays until the viewer paints: `stage.js` takes it away.

import { FirstView } from "./first_view.js";

const POLL_MS = 100;
const LONGEST_MS = 60000;
const PICTURE_MS = 10000;

/** @returns {boolean} whether Bokeh has drawn the page */
function isDrawn() {
  /** @type {{ index?: { roots?: { is_idle: boolean }[] } } | undefined} */
  const bokeh = Reflect.get(globalThis, "Bokeh");
  return bokeh?.index?.roots?.[0]?.is_idle ?? false;
}

const shell = document.getElementById("shell");
const status = shell?.querySelector("[role=status]");
const canvas = shell?.querySelector("canvas");

/**
 * Paint a slide.
 * @param {string} said what the server says of it, as JSON
 */
function begin(said) {
  if (!shell || !canvas || !said || shell.classList.contains("drawn")) return;
  const slide = JSON.parse(said);
  const view = new FirstView(canvas, slide);
  canvas.addEventListener("painted", (event) => {
    if (/** @type {CustomEvent} */ (event).detail.missing) return;
    shell.querySelector("img")?.remove();
    shell.dataset.state = "painted";
  });
  // The viewer asks for it: `first_view_taken.js`.
  Reflect.set(shell, "handOver", () => ({ place: view.end(), size: slide.size }));
}
begin(canvas?.dataset.slide ?? "");
// A slide that was opened later is said in a part of its own.
Reflect.set(globalThis, "workbenchSlide", begin);

/** Wait for the page, which follows in the same answer. */
function follow() {
  // The styles of the page that follows: Panel looks for them in the head.
  document.head.append(...document.querySelectorAll("body > link[rel=stylesheet], body > style"));
  if (document.querySelector("[data-root-id]")) {
    const began = performance.now();
    const timer = setInterval(() => {
      if (isDrawn() || performance.now() - began > LONGEST_MS) {
        clearInterval(timer);
        shell?.classList.add("drawn");
        status?.remove();
        const shows = shell?.dataset.state === "painted" || shell?.querySelector("img");
        setTimeout(() => shell?.remove(), shows ? PICTURE_MS : 0);
      }
    }, POLL_MS);
  } else if (status) {
    status.textContent = "The app could not be opened. Reload this page to try again.";
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", follow, { once: true });
else follow();
