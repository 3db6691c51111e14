// A list of slides: a listbox for mouse and keyboard. It requests thumbnails as they are
// scrolled into view, so that a folder of thousands opens quickly.

const CALM_MS = 120; // what is scrolled past at speed is not asked for

/**
 * @typedef {object} Item
 * @property {string} name
 * @property {string} detail
 */

/**
 * Of `SlideList` in Python.
 * @typedef {object} Properties
 * @property {Item[]} items
 * @property {string} value name of the one that is chosen
 * @property {string[]} wanted names of those in view that have no picture yet
 * @property {Record<string, string>} pictures URLs by name, of those that have come
 */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

class SlideList {
  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    /** @type {Map<string, string>} */
    this.pictures = new Map(Object.entries(model.pictures)); // name to URL; the list may be shown again
    /** @type {Set<string>} */
    this.visible = new Set(); // names
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.list = document.createElement("div");
    this.list.className = "slides";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Slides");
    this.list.tabIndex = 0;
    this.list.addEventListener("keydown", (event) => this.step(event));
    const options = { root: this.list, rootMargin: "60px 0px" };
    this.observer = new IntersectionObserver((changes) => this.scrolled(changes), options);
    model.on("items", () => this.build());
    model.on("pictures", () => this.paintAll());
    model.on("value", () => this.mark());
    model.on("remove", () => this.close());
    this.build();
  }

  get rows() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  build() {
    this.observer.disconnect();
    this.visible.clear();
    this.list.replaceChildren(...this.model.items.map((item) => this.row(item)));
    this.list.scrollTop = 0; // what is found is seen from its beginning
    if (!this.model.items.length) this.list.textContent = "No slide of that name.";
    for (const row of this.rows) {
      this.paint(row);
      this.observer.observe(row);
    }
    this.mark();
  }

  /** @param {Item} item */
  row({ name, detail }) {
    const row = document.createElement("div");
    row.className = "slide";
    row.setAttribute("role", "option");
    row.dataset.name = name;
    const picture = document.createElement("span");
    picture.className = "picture";
    const words = document.createElement("span");
    words.className = "words";
    const title = document.createElement("span");
    title.className = "title";
    title.textContent = title.title = name;
    const small = document.createElement("span");
    small.className = "detail";
    small.textContent = detail;
    words.append(title, small);
    row.append(picture, words);
    row.addEventListener("click", () => {
      this.model.value = name;
    });
    return row;
  }

  /** Show which slide is chosen. */
  mark() {
    for (const row of this.rows) {
      const chosen = row.dataset.name === this.model.value;
      row.setAttribute("aria-selected", String(chosen));
      if (chosen) this.reveal(row);
    }
  }

  /**
   * Scroll to a row. Not scrollIntoView, which would scroll the drawer around the list too.
   * @param {HTMLElement} row
   */
  reveal(row) {
    const { list } = this;
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  /**
   * Note which rows are in view, and ask for their pictures once one rests.
   * @param {IntersectionObserverEntry[]} changes
   */
  scrolled(changes) {
    for (const { target, isIntersecting } of changes) {
      const { name = "" } = /** @type {HTMLElement} */ (target).dataset;
      if (isIntersecting) this.visible.add(name);
      else this.visible.delete(name);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.model.wanted = [...this.visible].filter((name) => !this.pictures.has(name));
    }, CALM_MS);
  }

  paintAll() {
    for (const [name, url] of Object.entries(this.model.pictures)) this.pictures.set(name, url);
    for (const row of this.rows) this.paint(row);
  }

  /** @param {HTMLElement} row */
  paint(row) {
    const url = this.pictures.get(row.dataset.name ?? "");
    if (url) /** @type {HTMLElement} */ (row.firstChild).style.backgroundImage = `url("${url}")`;
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const names = this.model.items.map((item) => item.name);
    const next = names[Math.min(names.length - 1, Math.max(0, names.indexOf(this.model.value) + step))];
    if (next !== undefined) this.model.value = next;
  }

  close() {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model, el }) {
  el.append(new SlideList(model).list);
}
