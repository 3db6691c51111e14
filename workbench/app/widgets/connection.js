// Watches the connection of the page: while it is lost, a panel says so and blocks the page, so
// that nothing is done that cannot be saved; the page comes back once the server answers.

const ASK_MS = 1500;
const REJOIN_MS = 1500; // for Bokeh's own socket to come back, before the page is loaded again
const LOST = "workbench-lost";
const FOUND = "workbench-found";

/**
 * Of `Connection` in Python.
 * @typedef {object} Properties
 * @property {string} alive URL that the server answers while it runs
 * @property {boolean} notebook whether the server is that of a kernel
 */

/**
 * The panel over the page: what has happened, and a button.
 * @param {Properties} model
 */
function veilOf(model) {
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

/** Covers the page while its connection is lost. */
class ConnectionWatch {
  /** @param {RenderArguments<Properties>} component */
  constructor({ model, view, el }) {
    this.model = model;
    this.host = el;
    this.veil = veilOf(model);
    this.lifetime = new AbortController();
    this.lost = false;
    this.leaving = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.listen();
    const page = view.model.document;
    page.on_event("connection_lost", () => this.lose());
    page.on_event("client_reconnected", () => this.find());
    model.on("remove", () => this.close());
  }

  listen() {
    const { signal } = this.lifetime;
    const leave = () => {
      this.leaving = true;
    };
    // The release of a drawing under way is let through: so it ends, and is kept.
    for (const name of ["pointerdown", "click", "dblclick", "wheel", "keydown", "contextmenu"]) {
      window.addEventListener(name, (event) => this.block(event), { capture: true, passive: false, signal });
    }
    window.addEventListener("pagehide", leave, { signal });
    window.addEventListener("beforeunload", leave, { signal });
  }

  /** Whether the server answers: itself, not a proxy in its place. */
  async answers() {
    try {
      const answer = await fetch(new URL(this.model.alive, document.baseURI), { cache: "no-store" });
      return answer.ok;
    } catch {
      return false;
    }
  }

  /** Poll until the server responds; then wait for Bokeh's websocket to reconnect. */
  async ask() {
    this.timer = undefined;
    if (!this.lost) return;
    if (!(await this.answers())) {
      this.timer = setTimeout(() => this.ask(), ASK_MS);
      return;
    }
    // The address says what was seen; the session of before may be gone.
    this.timer = setTimeout(() => this.lost && location.reload(), REJOIN_MS);
  }

  lose() {
    if (this.lost || this.leaving) return;
    this.lost = true;
    window.dispatchEvent(new Event(LOST));
    this.host.append(this.veil);
    this.veil.focus();
    this.ask();
  }

  find() {
    if (!this.lost) return;
    this.lost = false;
    clearTimeout(this.timer);
    this.veil.remove();
    window.dispatchEvent(new Event(FOUND));
  }

  /** @param {Event} event */
  block(event) {
    if (!this.lost || event.composedPath().includes(this.veil)) return;
    event.stopImmediatePropagation();
    if (event.cancelable && event.type !== "keydown") event.preventDefault();
  }

  close() {
    this.lifetime.abort();
    clearTimeout(this.timer);
    this.veil.remove();
  }
}

/** @param {RenderArguments<Properties>} component */
export function render(component) {
  new ConnectionWatch(component);
  return document.createElement("span");
}
