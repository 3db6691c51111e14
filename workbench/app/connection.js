// Watches the page's connection: says at once when it is lost, lets nothing be done that
// could not be saved, and comes back by itself once the server answers again.

const ASK_MS = 1500;
const REJOIN_MS = 1500; // so long the page's own socket has to come back by itself
const LOST = "workbench-lost";
const FOUND = "workbench-found";

function panel(model) {
  const veil = document.createElement("div");
  veil.className = "veil";
  veil.setAttribute("role", "alertdialog");
  veil.setAttribute("aria-modal", "true");
  veil.setAttribute("aria-label", "Connection lost");
  const card = veil.appendChild(document.createElement("div"));
  const title = card.appendChild(document.createElement("h2"));
  title.textContent = "Connection lost";
  const said = card.appendChild(document.createElement("p"));
  said.textContent = model.notebook
    ? "The kernel was restarted or has ended, or cannot be reached: run this cell again."
    : "The server cannot be reached. This page comes back by itself as soon as it answers.";
  const kept = card.appendChild(document.createElement("p"));
  kept.textContent = "Drawings that were not saved yet are kept in this tab, and are saved then.";
  const again = card.appendChild(document.createElement("button"));
  again.type = "button";
  again.textContent = "Reload";
  again.addEventListener("click", () => location.reload());
  veil.tabIndex = -1;
  return veil;
}

export function render({ model, view, el }) {
  const veil = panel(model);
  const lifetime = new AbortController();
  const { signal } = lifetime;
  let lost = false;
  let timer = null;
  let leaving = false;

  /** Whether the server answers: itself, not a proxy in its place. */
  async function answers() {
    try {
      const answer = await fetch(new URL(model.alive, document.baseURI), { cache: "no-store" });
      return answer.ok;
    } catch {
      return false;
    }
  }

  async function ask() {
    timer = null;
    if (!lost) return;
    if (!(await answers())) {
      timer = setTimeout(ask, ASK_MS);
      return;
    }
    // The address says what was seen; the session of before may be gone.
    timer = setTimeout(() => lost && location.reload(), REJOIN_MS);
  }

  const lose = () => {
    if (lost || leaving) return;
    lost = true;
    window.dispatchEvent(new Event(LOST));
    el.append(veil);
    veil.focus();
    ask();
  };
  const find = () => {
    if (!lost) return;
    lost = false;
    clearTimeout(timer);
    veil.remove();
    window.dispatchEvent(new Event(FOUND));
  };
  const block = (event) => {
    if (!lost || event.composedPath().includes(veil)) return;
    event.stopImmediatePropagation();
    if (event.cancelable && event.type !== "keydown") event.preventDefault();
  };
  // At a drawing under way the release is let through: so it ends, and is kept.
  for (const name of ["pointerdown", "click", "dblclick", "wheel", "keydown", "contextmenu"]) {
    window.addEventListener(name, block, { capture: true, passive: false, signal });
  }
  window.addEventListener("pagehide", () => (leaving = true), { signal });
  window.addEventListener("beforeunload", () => (leaving = true), { signal });
  const page = view.model.document;
  const hear = (name, act) => page.on_event(name, act);
  hear("connection_lost", lose);
  hear("client_reconnected", find);
  model.on("remove", () => {
    lifetime.abort();
    clearTimeout(timer);
    veil.remove();
  });
  return document.createElement("span");
}
