// Assigning slides to readers: a dialog for leads, from what the gallery shows.

import { byId, inputById, make, offer, selectById } from "./elements.js";
import { ask, tell } from "./server.js";

/**
 * @typedef {object} Shown
 * @property {string[]} shown names of the slides that the gallery shows
 * @property {string[]} selected
 * @property {number} all
 *
 * @typedef {object} Offer
 * @property {{name: string, title: string, questions: number}[]} forms
 * @property {{name: string, role: string}[]} readers
 * @property {{worklist: string}[]} progress
 *
 * @typedef {object} Calls
 * @property {() => Shown} slides
 * @property {(worklist: string) => void} assigned
 */

const PERCENT = 100;

export class Assigning {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.dialog = /** @type {HTMLDialogElement} */ (byId("assign"));
    this.said = byId("assign-said");
    this.readers = byId("assign-readers");
    this.scope = selectById("assign-slides");
    this.each = selectById("assign-each");
    this.button = /** @type {HTMLButtonElement} */ (byId("assign-start"));
    byId("assign-close").addEventListener("click", () => this.dialog.close());
    this.button.addEventListener("click", () => this.start());
    this.dialog.addEventListener("input", () => this.preview());
    /** @type {Shown} */
    this.slides = { shown: [], selected: [], all: 0 };
  }

  async open() {
    this.said.textContent = "";
    this.slides = this.calls.slides();
    this.offerSlides();
    this.dialog.showModal();
    try {
      this.fill(await ask("worklists"));
    } catch (error) {
      this.tell(error);
    }
  }

  offerSlides() {
    const { shown, selected, all } = this.slides;
    const choices = [{ value: "all", text: `All ${count(all)}` }];
    if (shown.length < all) choices.unshift({ value: "shown", text: `The ${count(shown.length)} shown by filters and search` });
    if (selected.length) choices.unshift({ value: "selected", text: `The ${count(selected.length)} selected` });
    offer(this.scope, choices);
    this.scope.value = choices[0].value;
  }

  /** @param {Offer} message */
  fill({ forms, readers, progress }) {
    offer(selectById("assign-form"), forms.map(({ name, title, questions }) => ({ value: name, text: `${title} (${questions} questions)` })));
    byId("no-forms").hidden = forms.length > 0;
    const chosen = new Set(this.named);
    this.readers.replaceChildren(...readers.map(({ name, role }) => this.reader(name, role, chosen.has(name))));
    const taken = new Set(progress.map(({ worklist }) => worklist));
    const name = inputById("assign-name");
    for (let n = 1; !name.value || taken.has(name.value); n += 1) name.value = `reading ${n}`;
    this.preview();
  }

  /**
   * @param {string} name
   * @param {string} role
   * @param {boolean} checked
   */
  reader(name, role, checked) {
    const label = make("label", "choice");
    const box = make("input");
    Object.assign(box, { type: "checkbox", value: name, checked });
    label.append(box, make("span", "text", role === "lead" ? `${name} (lead, blind to nothing)` : name));
    return label;
  }

  /** Names of the readers that are chosen or typed. */
  get named() {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.readers.querySelectorAll("input:checked"));
    const typed = inputById("assign-others").value.split(",").map((name) => name.trim());
    return [...new Set([...[...boxes].map(({ value }) => value), ...typed])].filter(Boolean);
  }

  /** Names of the slides; null: all. */
  get chosen() {
    const { value } = this.scope;
    return value === "selected" ? this.slides.selected : value === "shown" ? this.slides.shown : null;
  }

  /** Mean number of readers of a slide; 0: all. */
  get number() {
    const { value } = this.each;
    return value === "share" ? 1 + Number(inputById("assign-share").value) / PERCENT : Number(value);
  }

  /** Say what will be assigned. */
  preview() {
    byId("assign-second").hidden = this.each.value !== "share";
    const slides = this.chosen?.length ?? this.slides.all;
    byId("assign-preview").textContent = sentence(slides, this.named.length, this.number);
    this.button.disabled = !this.named.length || !slides || !selectById("assign-form").value;
  }

  async start() {
    const name = inputById("assign-name").value.trim();
    const blind = [.../** @type {NodeListOf<HTMLInputElement>} */ (byId("assign-blind").querySelectorAll("input:checked"))].map(({ value }) => value);
    const message = { name, form: selectById("assign-form").value, readers: this.named, slides: this.chosen, each: this.number, blind };
    this.button.disabled = true;
    try {
      this.said.textContent = "";
      await tell("worklists", message);
      this.dialog.close();
      inputById("assign-name").value = "";
      this.calls.assigned(name);
    } catch (error) {
      this.tell(error);
    } finally {
      this.button.disabled = false;
    }
  }

  /** @param {unknown} error */
  tell(error) {
    this.said.textContent = error instanceof Error ? error.message : String(error);
  }
}

/**
 * What is assigned, in words.
 * @param {number} slides
 * @param {number} readers
 * @param {number} each mean number of readers of a slide; 0: all
 */
export function sentence(slides, readers, each) {
  if (!readers) return "Choose who reads.";
  const total = Math.round(slides * (each || readers));
  const [low, high] = [Math.floor(total / readers), Math.ceil(total / readers)];
  const share = low === high ? count(low) : `${low.toLocaleString("en")} or ${count(high)}`;
  const twice = each > 1 && each < 2 ? `, ${(total - slides).toLocaleString("en")} of them read twice` : "";
  return `${count(slides)}${twice}; ${share} for ${readers === 1 ? "the reader" : `each of ${readers} readers`}.`;
}

/** @param {number} slides */
function count(slides) {
  return `${slides.toLocaleString("en")} ${slides === 1 ? "slide" : "slides"}`;
}
