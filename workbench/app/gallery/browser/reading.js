// Reading: the worklists of the user, the form of the slide in view, and the answers of its readers.

import { byId, make, offer, selectById } from "./elements.js";
import { Form } from "./form.js";
import { Outbox } from "./outbox.js";
import { Regions } from "./drawn_regions.js";
import { Refusal, ask, tell } from "./server.js";

/**
 * @import {Answers, FormMessage} from "./form.js"
 * @import {Sent} from "./outbox.js"
 *
 * @typedef {object} Worklist
 * @property {string} name
 * @property {FormMessage} form
 * @property {string[]} blind
 * @property {string[]} slides in the order of reading
 * @property {string[]} readers
 * @property {boolean} reads whether the user answers
 * @property {string[]} states of the slides for the user
 *
 * @typedef {object} Reply
 * @property {string} reader
 * @property {string} state
 * @property {Answers} answers
 *
 * @typedef {object} Calls
 * @property {(name: string) => void} open a slide
 * @property {() => void} changed the table is to be read again
 * @property {() => void} leave the form for the slide
 */

const TYPED_MS = 600;
const AGAIN_MS = 2000;
const SAID = { saved: "Saved", sending: "Saving…", waiting: "Not saved: the server does not answer. Trying again…" };

export class Reading {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.panel = byId("reading");
    this.said = byId("reading-said");
    this.replies = byId("replies");
    this.form = new Form(byId("form"), { changed: (answers) => this.changed(answers), end: (state) => this.end(state) });
    this.choice = selectById("worklist");
    /** @type {Worklist[]} */
    this.worklists = [];
    /** @type {Map<string, string>} */
    this.states = new Map(); // by worklist and slide, of this user and visit
    this.role = "";
    this.user = "";
    this.slide = "";
    /** @type {Sent | null} */
    this.pending = null;
    this.opened = 0;
    this.hadFocus = false;
    const door = {
      tell: (/** @type {Sent} */ { user: _, ...message }) => tell("reading", message),
      storage: localStorage,
      later: (/** @type {() => void} */ call, /** @type {number} */ ms) => setTimeout(call, ms),
    };
    this.outbox = new Outbox(door, (state, refusal) => this.saved(state, refusal));
    this.regions = new Regions();
    byId("regions-open").addEventListener("click", () => this.regions.open(this.worklist?.name ?? "", this.slide));
    this.choice.addEventListener("change", () => this.show(this.slide));
    window.addEventListener("pagehide", () => this.flush());
  }

  /**
   * @param {{worklists: Worklist[], role: string, user: string}} message
   */
  offer({ worklists, role, user }) {
    this.worklists = worklists;
    [this.role, this.user] = [role, user];
    offer(this.choice, worklists.map(({ name }) => ({ value: name, text: name })));
    this.choice.hidden = worklists.length < 2;
    byId("next-open").hidden = !worklists.some(({ reads }) => reads);
    for (const { name, slides, states } of worklists) {
      slides.forEach((slide, n) => this.states.set(`${name}\n${slide}`, this.outbox.last(name, slide)?.state ?? states[n]));
    }
    this.outbox.waiting = this.outbox.waiting.filter((each) => each.user === user);
    this.outbox.send();
  }

  /** The worklist whose form is shown: the chosen one, if it has the slide. */
  get worklist() {
    const chosen = this.worklists.find(({ name }) => name === this.choice.value);
    const having = this.worklists.filter(({ slides }) => slides.includes(this.slide));
    return chosen && having.includes(chosen) ? chosen : having[0];
  }

  /**
   * Show the form of a slide, if it is in a worklist.
   * @param {string} slide
   */
  async show(slide) {
    this.flush();
    this.slide = slide;
    this.hadFocus ||= this.panel.contains(document.activeElement);
    this.form.clear();
    const { worklist } = this;
    this.panel.hidden = !worklist || (!worklist.reads && this.role !== "lead");
    if (!worklist || this.panel.hidden) return;
    this.opened = performance.now();
    this.said.textContent = "";
    const query = new URLSearchParams({ worklist: worklist.name, slide });
    try {
      const found = await ask(`reading?${query}`);
      if (this.slide === slide) this.fill(worklist, found);
    } catch (error) {
      // Without the answers of before, a form would hide them: it comes once they are known.
      if (this.slide !== slide) return;
      this.said.textContent = error instanceof Error ? error.message : String(error);
      if (!(error instanceof Refusal)) setTimeout(() => this.slide === slide && this.show(slide), AGAIN_MS);
    }
  }

  /**
   * @param {Worklist} worklist
   * @param {{own?: Reply | null, others?: Reply[], consensus?: Reply | null}} found
   */
  fill(worklist, { own, others = [], consensus }) {
    this.said.textContent = "";
    this.isConsensus = !worklist.reads;
    const known = this.outbox.last(worklist.name, this.slide) ?? (this.isConsensus ? consensus : own);
    const ends = this.isConsensus ? ["Enter the consensus"] : ["Done, next  D", "Discuss, next  T"];
    this.form.show(worklist.form, known?.answers ?? {}, ends);
    this.showReplies(others, consensus, worklist);
    byId("regions-open").hidden = this.role !== "lead";
    this.state = known?.state ?? "open";
    this.tellState(this.isConsensus ? "consensus" : this.state);
    if (this.hadFocus || !this.isConsensus) this.form.focus();
    this.hadFocus = false;
  }

  /**
   * The answers of the readers side by side; those that differ are marked.
   * @param {Reply[]} others
   * @param {Reply | null | undefined} consensus
   * @param {Worklist} worklist
   */
  showReplies(others, consensus, worklist) {
    this.replies.hidden = !others.length;
    const shown = consensus ? [...others, { ...consensus, reader: "consensus" }] : others;
    const head = make("tr");
    head.append(make("td"), ...shown.map(({ reader }) => header(reader)));
    const rows = worklist.form.questions.map(({ name, title }) => {
      const row = make("tr");
      const cells = shown.map(({ answers }) => make("td", "", String(answers[name] ?? "–")));
      if (new Set(others.map(({ answers }) => answers[name])).size > 1) row.className = "differs";
      row.append(header(title), ...cells);
      return row;
    });
    const states = make("tr");
    states.append(header("state"), ...shown.map(({ state }) => make("td", "", state)));
    this.replies.replaceChildren(head, ...rows, states);
  }

  /** @param {Answers} answers */
  changed(answers) {
    if (this.isConsensus) return;
    this.pending = this.message(answers, this.state === "done" ? "done" : "in work");
    if (this.pending.state === "done" && this.form.missing) this.pending.state = "in work";
    this.state = this.pending.state;
    this.tellState(this.state);
    this.said.textContent = "…";
    clearTimeout(this.timer);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = setTimeout(() => this.flush(), TYPED_MS);
  }

  /** @param {string} state */
  tellState(state) {
    const { worklist, worklists } = this;
    byId("reading-state").textContent = worklist && worklists.length > 1 ? `${worklist.name}: ${state}` : state;
  }

  /** Send what was answered since the last time. */
  flush() {
    clearTimeout(this.timer);
    const { pending } = this;
    this.pending = null;
    if (pending) this.outbox.put(pending);
  }

  /**
   * @param {Answers} answers
   * @param {string} state
   * @returns {Sent}
   */
  message(answers, state) {
    const seconds = Math.round((performance.now() - this.opened) / 100) / 10;
    const id = crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-");
    return { id, user: this.user, worklist: this.worklist?.name ?? "", slide: this.slide, answers: { ...answers }, state, seconds, ...(this.isConsensus ? { consensus: true } : {}) };
  }

  /** @param {"done" | "discuss"} state */
  end(state) {
    const { worklist } = this;
    if (!worklist) return;
    clearTimeout(this.timer);
    this.pending = null;
    this.outbox.put(this.message(this.form.answers, state));
    if (!this.isConsensus) this.states.set(`${worklist.name}\n${this.slide}`, state);
    this.tellState(state);
    if (!this.isConsensus) this.next(worklist);
  }

  /**
   * Open the next slide that is open or in work.
   * @param {Worklist | undefined} worklist
   */
  next(worklist = this.worklist ?? this.worklists.find(({ reads }) => reads)) {
    if (!worklist) return;
    const { slides, name } = worklist;
    const here = slides.indexOf(this.slide);
    const order = [...slides.slice(here + 1), ...slides.slice(0, here + 1)];
    const found = order.find((slide) => !["done", "discuss"].includes(this.states.get(`${name}\n${slide}`) ?? ""));
    if (found) this.calls.open(found);
    else this.said.textContent = "All slides of this worklist are read.";
  }

  /**
   * @param {keyof typeof SAID} state
   * @param {string} refusal
   */
  saved(state, refusal) {
    this.said.textContent = refusal || SAID[state];
    this.said.classList.toggle("failed", refusal !== "" || state === "waiting");
    if (state === "saved") this.calls.changed();
  }

  /**
   * Keys that act on the slide as on the form.
   * @param {KeyboardEvent} event
   * @param {boolean} taken whether a field has it
   */
  key(event, taken) {
    if (this.panel.hidden || taken || event.ctrlKey || event.metaKey || event.altKey) return false;
    const inForm = this.panel.contains(document.activeElement);
    const act = this.actions(inForm)[event.key.toLowerCase()];
    act?.();
    return act !== undefined;
  }

  /**
   * What keys do now.
   * @param {boolean} inForm
   * @returns {Record<string, (() => void) | undefined>}
   */
  actions(inForm) {
    const leave = () => this.calls.leave();
    const reads = this.worklist?.reads;
    return {
      q: inForm ? leave : () => this.form.focus(),
      n: reads ? () => this.next() : undefined,
      d: inForm ? () => this.form.end("done") : undefined,
      t: inForm && reads ? () => this.form.end("discuss") : undefined,
      escape: inForm ? leave : undefined,
    };
  }
}

/** @param {string} text */
function header(text) {
  const cell = make("th", "", text);
  cell.scope = "row";
  return cell;
}
