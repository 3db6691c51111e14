// Runs over the study: how far they are, in the words of the terminal, and how they are begun.

import { button, byId, inputById, make, offer, selectById } from "./elements.js";
import { ask, save, tell } from "./server.js";

/**
 * @typedef {object} Run
 * @property {string} name
 * @property {string} sentence
 * @property {number} fraction
 * @property {number} left slides that have not ended
 * @property {number} refused
 * @property {boolean} busy whether any process works on it
 * @property {"work" | "pause" | "cancel"} control
 * @property {string} error
 * @property {string[]} slides in work, with their tiles
 *
 * @typedef {object} Advice
 * @property {boolean} busy
 * @property {string} sentence
 * @property {string} proposed name of the slide
 * @property {string} reference of the study; empty: none
 *
 * @typedef {object} Progress
 * @property {string} stamp of the table
 * @property {Run[]} [runs] for leads
 * @property {Advice} [advice] for leads
 */

const BUSY_MS = 1500;
const IDLE_MS = 5000;

export class Runs {
  /** @param {(stamp: string) => void} seen called with the stamp of the table */
  constructor(seen) {
    this.seen = seen;
    this.list = byId("runs");
    this.dialog = /** @type {HTMLDialogElement} */ (byId("run-dialog"));
    this.said = byId("run-said");
    this.hasSettings = false;
    byId("run-new").addEventListener("click", () => this.open());
    byId("run-start").addEventListener("click", () => this.start());
    byId("run-close").addEventListener("click", () => this.dialog.close());
    byId("advise").addEventListener("click", () => this.advise(false));
    byId("accept").addEventListener("click", () => this.advise(true));
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    let wait = IDLE_MS;
    try {
      const progress = /** @type {Progress} */ (await ask("progress"));
      this.show(progress);
      this.seen(progress.stamp);
      if (progress.advice?.busy || progress.runs?.some(({ busy }) => busy)) wait = BUSY_MS;
    } catch (error) {
      this.tell(error);
    }
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = setTimeout(() => this.look(), wait);
  }

  /** @param {Progress} progress */
  show({ runs, advice }) {
    this.list.parentElement?.toggleAttribute("hidden", !runs);
    if (!runs || !advice) return;
    for (const [name, row] of this.rows) {
      if (runs.some((run) => run.name === name)) continue;
      row.remove();
      this.rows.delete(name);
    }
    for (const run of runs) this.showRun(run);
    byId("advice-said").textContent = advice.sentence;
    byId("reference").textContent = advice.reference ? `Reference of the study: ${advice.reference}` : "The study has no reference of its own.";
    byId("accept").hidden = !advice.proposed || advice.busy;
    byId("accept").textContent = `Set ${advice.proposed} as the reference`;
    /** @type {HTMLButtonElement} */ (byId("advise")).disabled = advice.busy;
  }

  /** @param {Run} run */
  showRun(run) {
    let row = this.rows.get(run.name);
    if (!row) {
      row = make("li", "run");
      row.append(make("strong"), make("progress"), make("span", "sentence"), make("span", "buttons"));
      this.rows.set(run.name, row);
      this.list.append(row);
    }
    const [name, bar, sentence, buttons] = /** @type {HTMLElement[]} */ ([...row.children]);
    name.textContent = run.name;
    /** @type {HTMLProgressElement} */ (bar).value = run.fraction;
    bar.setAttribute("aria-label", run.name);
    sentence.textContent = run.error || `${run.sentence}${run.control === "work" ? "" : ` (${run.control})`}`;
    sentence.title = run.slides.join("\n");
    sentence.classList.toggle("failed", run.error !== "");
    const actions = actionsOf(run);
    const key = [...actions.map(([text]) => text), run.busy].join();
    if (buttons.dataset.key === key) return; // a button that has the focus keeps it
    buttons.dataset.key = key;
    buttons.replaceChildren(...actions.map(([text, action]) => button(text, () => this.control(run.name, action), "quiet")));
    if (!run.busy) buttons.append(button("Report", () => save("report.html", { analysis: run.name }, `${run.name}.html`), "quiet"));
  }

  /**
   * @param {string} name
   * @param {string} action
   */
  async control(name, action) {
    await this.change("run", { name, action });
  }

  async open() {
    this.said.textContent = "";
    this.dialog.showModal();
    if (this.hasSettings) return;
    const { models, methods } = await ask("settings");
    offer(selectById("run-model"), models.map((/** @type {string} */ value) => ({ value, text: value })));
    offer(selectById("run-method"), methods.map((/** @type {string} */ value) => ({ value, text: value })));
    this.hasSettings = true;
  }

  async start() {
    const [model, normalize] = ["run-model", "run-method"].map((id) => selectById(id).value);
    if (await this.change("run", { model, normalize, name: inputById("run-name").value.trim() })) this.dialog.close();
  }

  /** @param {boolean} accept */
  async advise(accept) {
    await this.change("advice", { accept });
  }

  /**
   * @param {string} path
   * @param {object} message
   */
  async change(path, message) {
    try {
      this.said.textContent = "";
      await tell(path, message);
      this.look();
      return true;
    } catch (error) {
      this.tell(error);
      return false;
    }
  }

  /** @param {unknown} error */
  tell(error) {
    const text = error instanceof Error ? error.message : String(error);
    this.said.textContent = text;
    byId("said").textContent = text;
  }
}

/**
 * What can be done with a run.
 * @param {Run} run
 * @returns {[text: string, action: string][]}
 */
function actionsOf({ busy, left, refused, control }) {
  if (busy && control === "pause") return [["Resume", "resume"], ["Cancel", "cancel"]];
  if (busy) return [["Pause", "pause"], ["Cancel", "cancel"]];
  if (left) return [["Resume", "resume"]];
  return refused ? [["Try refused slides again", "retry"]] : [];
}
