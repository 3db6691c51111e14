// Takes the shell away once the app is drawn; says so if the app has not come.
// Its picture stays until the viewer paints: `stage.js` takes the rest away.

const POLL_MS = 100;
const LONGEST_MS = 60000;
const PICTURE_MS = 10000;

/** @returns {boolean} whether Bokeh has drawn the page */
function isDrawn() {
  /** @type {{ index?: { roots?: { is_idle: boolean }[] } } | undefined} */
  const bokeh = Reflect.get(globalThis, "Bokeh");
  return bokeh?.index?.roots?.[0]?.is_idle ?? false;
}

// The styles of the page that follows: Panel looks for them in the head.
document.head.append(...document.querySelectorAll("body > link[rel=stylesheet], body > style"));

const shell = document.getElementById("shell");
const status = shell?.querySelector("[role=status]");
if (document.querySelector("[data-root-id]")) {
  const began = performance.now();
  const timer = setInterval(() => {
    if (isDrawn() || performance.now() - began > LONGEST_MS) {
      clearInterval(timer);
      shell?.classList.add("drawn");
      status?.remove();
      setTimeout(() => shell?.remove(), shell?.querySelector("img") ? PICTURE_MS : 0);
    }
  }, POLL_MS);
} else if (status) {
  status.textContent = "The app could not be opened. Reload this page to try again.";
}
