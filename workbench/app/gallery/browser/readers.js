// What leads see of readers: how far each is in each worklist, and how far they agree.

import { button, byId, make, offer, selectById } from "./elements.js";
import { ask, save } from "./server.js";

/**
 * @import {Worklist} from "./reading.js"
 *
 * @typedef {object} ReaderProgress
 * @property {string} worklist
 * @property {string} reader
 * @property {number} slides
 * @property {number} done
 * @property {number} discuss
 * @property {number} open
 * @property {string} last when the reader last answered, ISO 8601; empty: never
 */

const LOOK_MS = 4000;
/** @type {("done" | "discuss" | "in work" | "open")[]} */
const STATES = ["done", "discuss", "in work", "open"];

export class Readers {
  /** @param {() => void} assign slides to readers */
  constructor(assign) {
    this.dialog = /** @type {HTMLDialogElement} */ (byId("agreement"));
    this.table = byId("progress");
    this.body = byId("agreement-body");
    this.choice = selectById("agreement-worklist");
    byId("agreement-open").addEventListener("click", () => this.open());
    byId("agreement-close").addEventListener("click", () => this.dialog.close());
    byId("assign-open").addEventListener("click", () => {
      this.dialog.close();
      assign();
    });
    this.choice.addEventListener("change", () => this.agree());
  }

  /** @param {{worklists: Worklist[], role: string}} message */
  offer({ worklists, role }) {
    byId("agreement-open").hidden = role !== "lead";
    offer(this.choice, worklists.map(({ name }) => ({ value: name, text: name })));
    byId("agreement-choice").hidden = worklists.length < 2;
  }

  /** @param {string} [worklist] whose agreement is shown */
  async open(worklist) {
    if (worklist) this.choice.value = worklist;
    if (!this.dialog.open) this.dialog.showModal();
    this.look();
    await this.agree();
  }

  /** Show how far all readers are, as long as the dialog is open. */
  async look() {
    clearTimeout(this.timer);
    if (!this.dialog.open) return;
    try {
      const { progress } = await ask("worklists");
      this.show(progress);
    } catch (error) {
      this.table.replaceChildren(make("caption", "failed", error instanceof Error ? error.message : String(error)));
    }
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = setTimeout(() => this.look(), LOOK_MS);
  }

  /** @param {(ReaderProgress & Record<string, number>)[]} rows */
  show(rows) {
    byId("no-worklists").hidden = rows.length > 0;
    this.table.hidden = !rows.length;
    const top = make("tr");
    top.append(...["worklist", "reader", "", ...STATES, "slides", "last answer"].map((text) => make("th", "", text)));
    const lines = rows.map((row, n) => {
      const line = make("tr");
      const ended = row.done + row.discuss;
      const bar = make("progress");
      [bar.value, bar.max] = [ended, row.slides];
      bar.setAttribute("aria-label", `${row.reader}: ${ended} of ${row.slides} slides of ${row.worklist} are read`);
      const cell = make("td");
      cell.append(bar);
      const worklist = rows[n - 1]?.worklist === row.worklist ? "" : row.worklist;
      line.append(make("td", "", worklist), make("td", "", row.reader), cell);
      line.append(...[...STATES.map((state) => row[state]), row.slides].map((number) => make("td", "number", number.toLocaleString("en"))));
      line.append(make("td", "", row.last ? new Date(row.last).toLocaleString() : "–"));
      return line;
    });
    this.table.replaceChildren(top, ...lines);
  }

  /** Show how far the readers of a worklist agree. */
  async agree() {
    const name = this.choice.value;
    this.body.hidden = !name;
    if (!name) return;
    this.body.replaceChildren(make("p", "", "Computing the agreement…"));
    try {
      const { agreement, method, discuss } = await ask(`agreement?${new URLSearchParams({ worklist: name })}`);
      if (this.choice.value !== name) return;
      const rows = agreement.map((/** @type {any} */ each) => [each.question, each.measure, each.readers, each.slides, share(each.value), `${share(each.low)} to ${share(each.high)}`]);
      this.body.replaceChildren(
        make("h3", "", `Agreement: ${name}`),
        make("p", "", discuss ? `${discuss} ${discuss === 1 ? "slide" : "slides"} to discuss: sort the gallery by "to discuss".` : "No slide is to be discussed."),
        ...(rows.length ? [tableOf(["question", "measure", "readers", "slides", "value", "95 %"], rows), make("p", "", method)] : [make("p", "", "No two readers are done with the same slide yet.")]),
        button("Save the answers as CSV", () => save("answers.csv", { worklist: name }, `${name}.csv`), "quiet"),
      );
    } catch (error) {
      this.body.replaceChildren(make("p", "failed", error instanceof Error ? error.message : String(error)));
    }
  }
}

/** @param {number | null} value */
function share(value) {
  return value === null ? "–" : value.toFixed(2);
}

/**
 * @param {string[]} head
 * @param {(string | number)[][]} rows
 */
function tableOf(head, rows) {
  const table = make("table");
  const top = make("tr");
  top.append(...head.map((text) => make("th", "", text)));
  const lines = rows.map((cells) => {
    const row = make("tr");
    row.append(...cells.map((cell) => make("td", typeof cell === "number" ? "number" : "", String(cell ?? ""))));
    return row;
  });
  table.append(top, ...lines);
  return table;
}
