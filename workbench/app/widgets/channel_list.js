// Channels of a slide: which are shown, their colours, contrast and gamma.
//
// What the user changes is sent while it moves, at most once in SEND_MS; the list is built
// again only when Python sends another one.

const SEND_MS = 60;
const STEPS = 1000; // of a slider
const GAMMAS = { least: 0.2, most: 3 };

/**
 * One channel, as `channel_rows` in Python makes it.
 * @typedef {object} Row
 * @property {string} name
 * @property {string} colour as "#rrggbb"
 * @property {number} minimum value that is shown black
 * @property {number} maximum value that is shown in full brightness
 * @property {number} gamma
 * @property {boolean} shown
 * @property {number} low lower end of the sliders
 * @property {number} high upper end of the sliders
 * @property {boolean} whole whether its values are whole numbers
 */

/**
 * Of `ChannelList` in Python.
 * @typedef {object} Properties
 * @property {Row[]} rows
 * @property {{rows?: Row[]}} changed rows as the user has changed them
 * @property {number} resets counts the clicks on "Automatic contrast"
 */

const SVG = "http://www.w3.org/2000/svg";
const LID = "M2 12s3.6-6.5 10-6.5S22 12 22 12s-3.6 6.5-10 6.5S2 12 2 12z";
const PUPIL = "M9 12a3 3 0 1 0 6 0 3 3 0 1 0-6 0z";
const CLOSED = "M4 20 20 4";

/**
 * @param {string} kind
 * @param {Record<string, string>} [attributes]
 * @param {string} [text]
 */
function made(kind, attributes = {}, text = "") {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/**
 * @param {string} label
 * @param {Record<string, string>} [attributes]
 */
function input(label, attributes = {}) {
  return /** @type {HTMLInputElement} */ (made("input", { "aria-label": label, title: label, ...attributes }));
}

/** @param {boolean} open */
function eye(open) {
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("viewBox", "0 0 24 24");
  drawn.setAttribute("aria-hidden", "true");
  for (const shape of [LID, PUPIL, ...(open ? [] : [CLOSED])]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    drawn.append(path);
  }
  return drawn;
}

class ChannelRow {
  /**
   * @param {Row} values
   * @param {() => void} changed
   */
  constructor(values, changed) {
    this.values = { ...values };
    this.changed = changed;
    this.element = made("div", { class: "channel", role: "group", "aria-label": values.name });
    this.element.append(this.head(), this.contrast());
    this.paint();
  }

  head() {
    const { name, colour } = this.values;
    const head = made("div", { class: "head" });
    this.eye = made("button", { type: "button", class: "eye", "aria-label": `Show ${name}` });
    this.eye.addEventListener("click", () => this.set({ shown: !this.values.shown }));
    const picker = input(`Colour of ${name}`, { type: "color", class: "colour" });
    picker.value = colour;
    picker.addEventListener("input", () => this.set({ colour: picker.value }));
    this.more = made("button", { type: "button", class: "more", "aria-label": `Gamma of ${name}`, title: "Gamma" }, "γ");
    this.more.addEventListener("click", () => this.unfold());
    head.append(this.eye, picker, made("span", { class: "name", title: name }, name), this.more);
    return head;
  }

  contrast() {
    const { name, whole, gamma } = this.values;
    const box = made("div", { class: "contrast" });
    const step = whole ? "1" : "any";
    this.least = input(`Minimum of ${name}`, { type: "number", step });
    this.most = input(`Maximum of ${name}`, { type: "number", step });
    this.lower = input(`Minimum of ${name}`, { type: "range", min: "0", max: String(STEPS), step: "1" });
    this.upper = input(`Maximum of ${name}`, { type: "range", min: "0", max: String(STEPS), step: "1" });
    this.least.addEventListener("change", () => this.window(Number(this.least?.value), this.values.maximum));
    this.most.addEventListener("change", () => this.window(this.values.minimum, Number(this.most?.value)));
    this.lower.addEventListener("input", () => this.window(this.at(this.lower), this.values.maximum));
    this.upper.addEventListener("input", () => this.window(this.values.minimum, this.at(this.upper)));
    this.track = made("div", { class: "track" });
    this.track.append(this.lower, this.upper);
    box.append(this.least, this.track, this.most);
    this.gamma = made("label", { class: "gamma" });
    this.gamma.hidden = gamma === 1;
    this.bend = input(`Gamma of ${name}`, {
      type: "range",
      min: String(GAMMAS.least),
      max: String(GAMMAS.most),
      step: "0.05",
    });
    this.bend.addEventListener("input", () => this.set({ gamma: Number(this.bend?.value) }));
    this.bent = made("output");
    this.gamma.append(made("span", {}, "Gamma"), this.bend, this.bent);
    const both = made("div");
    both.append(box, this.gamma);
    return both;
  }

  unfold() {
    if (!this.gamma) return;
    this.gamma.hidden = !this.gamma.hidden;
    this.paint();
  }

  /** @param {HTMLInputElement | undefined} slider */
  at(slider) {
    const { low, high, whole } = this.values;
    const value = low + (Number(slider?.value) / STEPS) * (high - low);
    return whole ? Math.round(value) : value;
  }

  /**
   * @param {number} minimum
   * @param {number} maximum
   */
  window(minimum, maximum) {
    const fits = Number.isFinite(minimum) && Number.isFinite(maximum) && minimum < maximum;
    if (fits) this.set({ minimum, maximum });
    else this.paint();
  }

  /** @param {Partial<Row>} values */
  set(values) {
    Object.assign(this.values, values);
    this.paint();
    this.changed();
  }

  /** @param {number} value */
  written(value) {
    return this.values.whole ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
  }

  paint() {
    const { minimum, maximum, low, high, shown, colour, gamma } = this.values;
    const { eye: button, least, most, lower, upper, track, bend, bent } = this;
    if (!button || !least || !most || !lower || !upper || !track || !bend || !bent) return;
    button.setAttribute("aria-pressed", String(shown));
    button.replaceChildren(eye(shown));
    this.element.classList.toggle("off", !shown);
    least.value = this.written(minimum);
    most.value = this.written(maximum);
    const place = (/** @type {number} */ value) => Math.round(((value - low) / (high - low)) * STEPS);
    lower.value = String(place(minimum));
    upper.value = String(place(maximum));
    track.style.setProperty("--from", `${Number(lower.value) / (STEPS / 100)}%`);
    track.style.setProperty("--to", `${Number(upper.value) / (STEPS / 100)}%`);
    this.element.style.setProperty("--colour", colour);
    bend.value = String(gamma);
    bent.textContent = gamma.toFixed(2);
    this.more?.setAttribute("aria-expanded", String(!this.gamma?.hidden));
  }
}

class ChannelList {
  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    /** @type {ChannelRow[]} */
    this.rows = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.element = made("div", { class: "channels" });
    this.list = made("div", { class: "rows" });
    this.element.append(this.list, this.buttons());
    model.on("rows", () => this.build());
    this.build();
  }

  buttons() {
    const bar = made("div", { class: "bar" });
    for (const [label, act] of /** @type {[string, () => void][]} */ ([
      ["Show all", () => this.showAll(true)],
      ["Hide all", () => this.showAll(false)],
      ["Automatic contrast", () => (this.model.resets += 1)],
    ])) {
      const button = made("button", { type: "button" }, label);
      button.addEventListener("click", act);
      bar.append(button);
    }
    return bar;
  }

  build() {
    this.rows = this.model.rows.map((row) => new ChannelRow(row, () => this.send()));
    this.list.replaceChildren(...this.rows.map((row) => row.element));
  }

  /** @param {boolean} shown */
  showAll(shown) {
    for (const row of this.rows) {
      row.values.shown = shown;
      row.paint();
    }
    this.send();
  }

  send() {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.model.changed = { rows: this.rows.map((row) => ({ ...row.values })) };
    }, SEND_MS);
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  return new ChannelList(model).element;
}
