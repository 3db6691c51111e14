// The form beside a slide: the questions of a worklist, answered by mouse or keys.

import { button, make } from "./elements.js";

/**
 * @typedef {object} Question
 * @property {string} name
 * @property {string} title
 * @property {"choice" | "number" | "text"} kind
 * @property {string[]} choices
 * @property {number | null} low
 * @property {number | null} high
 * @property {boolean} whole
 * @property {boolean} required
 *
 * @typedef {object} FormMessage
 * @property {string} title
 * @property {Question[]} questions
 *
 * @typedef {Record<string, string | number>} Answers
 *
 * @typedef {object} Calls
 * @property {(answers: Answers) => void} changed
 * @property {(state: "done" | "discuss") => void} end
 */

const KEYS = 9;

export class Form {
  /**
   * @param {HTMLElement} panel
   * @param {Calls} calls
   */
  constructor(panel, calls) {
    this.panel = panel;
    this.calls = calls;
    /** @type {Question[]} */
    this.questions = [];
    /** @type {Answers} */
    this.answers = {};
    panel.addEventListener("keydown", (event) => this.press(event));
  }

  /**
   * @param {FormMessage} form
   * @param {Answers} answers
   * @param {string[]} ends labels of the buttons that end it: done, and discuss if there is one
   */
  show(form, answers, ends) {
    this.questions = form.questions;
    this.answers = { ...answers };
    this.problem = make("p", "problem");
    this.problem.setAttribute("role", "alert");
    const [done, discuss] = ends;
    const buttons = make("p", "ends");
    buttons.append(button(done, () => this.end("done"), "main"));
    if (discuss) buttons.append(button(discuss, () => this.end("discuss")));
    this.panel.replaceChildren(make("h2", "", form.title), ...form.questions.map((each, n) => this.field(each, n)), this.problem, buttons);
  }

  /** Take the form away: what is typed until the next one comes is of no slide. */
  clear() {
    this.questions = [];
    this.answers = {};
    this.panel.replaceChildren();
  }

  /**
   * @param {Question} question
   * @param {number} number
   */
  field(question, number) {
    const field = make("fieldset", "question");
    field.dataset.number = String(number);
    field.append(make("legend", "", question.required ? `${question.title} *` : question.title));
    if (question.kind === "choice") field.append(...question.choices.map((text, n) => this.choice(question, text, n)));
    else field.append(this.input(question));
    return field;
  }

  /**
   * @param {Question} question
   * @param {string} text
   * @param {number} place
   */
  choice(question, text, place) {
    const label = make("label", "answer");
    const box = make("input");
    Object.assign(box, { type: "radio", name: question.name, value: text });
    box.checked = this.answers[question.name] === text;
    box.addEventListener("change", () => this.set(question, text));
    label.append(box, make("span", "text", text));
    if (place < KEYS) label.append(make("kbd", "", String(place + 1)));
    return label;
  }

  /** @param {Question} question */
  input(question) {
    const isText = question.kind === "text";
    const input = make(isText ? "textarea" : "input");
    input.setAttribute("aria-label", question.title);
    input.name = question.name;
    if (input instanceof HTMLInputElement) {
      Object.assign(input, { type: "number", step: question.whole ? "1" : "any" });
      if (question.low !== null) input.min = String(question.low);
      if (question.high !== null) input.max = String(question.high);
    } else {
      Object.assign(input, { rows: 3, maxLength: 4000 });
    }
    input.value = String(this.answers[question.name] ?? "");
    input.addEventListener("input", () => {
      const { value } = input;
      if (isText || value === "") this.set(question, value);
      else if (input.checkValidity() && Number.isFinite(Number(value))) this.set(question, Number(value));
    });
    return input;
  }

  /**
   * @param {Question} question
   * @param {string | number} answer
   */
  set(question, answer) {
    if (answer === "") delete this.answers[question.name];
    else this.answers[question.name] = answer;
    if (this.problem) this.problem.textContent = "";
    this.calls.changed({ ...this.answers });
  }

  /** What keeps the slide from being done; empty: nothing. */
  get missing() {
    const wrong = /** @type {HTMLInputElement | null} */ (this.panel.querySelector("input:invalid"));
    if (wrong) return `${wrong.getAttribute("aria-label")}: ${wrong.validationMessage}`;
    const open = this.questions.find(({ name, required }) => required && !(name in this.answers));
    return open ? `${open.title}: answer it, or mark the slide to be discussed.` : "";
  }

  /** @param {"done" | "discuss"} state */
  end(state) {
    const { missing } = this;
    if (state === "done" && missing) {
      if (this.problem) this.problem.textContent = missing;
      const wrong = /** @type {HTMLElement | null} */ (this.panel.querySelector("input:invalid"));
      if (wrong) wrong.focus();
      else this.focus();
      return;
    }
    this.calls.end(state);
  }

  /** Go to the first question without an answer, else to the first. */
  focus() {
    const open = this.questions.findIndex(({ name }) => !(name in this.answers));
    this.go(Math.max(0, open));
  }

  /** @param {number} number of a question */
  go(number) {
    const field = this.panel.querySelector(`[data-number="${number}"]`);
    const inputs = /** @type {HTMLInputElement[]} */ ([...(field?.querySelectorAll("input, textarea") ?? [])]);
    const target = inputs.find(({ checked }) => checked) ?? inputs[0];
    if (target) target.focus();
    else /** @type {HTMLElement | null} */ (this.panel.querySelector("button.main"))?.focus();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const target = /** @type {HTMLInputElement} */ (event.target);
    const number = Number(/** @type {HTMLElement | null} */ (target.closest?.(".question"))?.dataset.number ?? NaN);
    const question = this.questions[number];
    if (!question || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(event.key) - 1;
    if (question.kind === "choice" && place >= 0 && place < Math.min(KEYS, question.choices.length)) {
      const box = /** @type {HTMLInputElement} */ (this.panel.querySelectorAll(`[data-number="${number}"] input`)[place]);
      box.checked = true;
      this.set(question, question.choices[place]);
    } else if (event.key !== "Enter" || event.shiftKey) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.go(number + 1);
  }
}
