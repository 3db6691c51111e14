// Pictures of which one is chosen: radio buttons for the mouse and the keys.

/**
 * @typedef {object} Item
 * @property {string} key
 * @property {string} name
 * @property {string} title
 * @property {string} url of the picture
 */

/**
 * Of `Gallery` in Python.
 * @typedef {object} Properties
 * @property {string} label
 * @property {Item[]} items
 * @property {string} value key of the one that is chosen
 */

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

class Gallery {
  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    this.group = document.createElement("div");
    this.group.className = "cards";
    this.group.setAttribute("role", "radiogroup");
    this.group.setAttribute("aria-label", model.label);
    this.group.addEventListener("keydown", (event) => this.step(event));
    model.on("items", () => this.build());
    model.on("value", () => this.mark());
    this.build();
  }

  get cards() {
    return /** @type {HTMLElement[]} */ ([...this.group.children]);
  }

  build() {
    this.group.replaceChildren(...this.model.items.map((item) => this.card(item)));
    this.mark();
  }

  /** @param {Item} item */
  card({ key, name, title, url }) {
    const card = document.createElement("button");
    card.type = "button";
    card.className = "card";
    card.setAttribute("role", "radio");
    card.setAttribute("aria-label", name);
    card.dataset.key = key;
    card.title = title;
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = url;
    const words = document.createElement("span");
    words.textContent = name;
    card.append(picture, words);
    card.addEventListener("click", () => {
      this.model.value = key;
    });
    return card;
  }

  /** Show which card is chosen; that one, else the first, is reached with the Tab key. */
  mark() {
    const keys = this.model.items.map((item) => item.key);
    const reached = keys.includes(this.model.value) ? this.model.value : keys[0];
    for (const card of this.cards) {
      const chosen = card.dataset.key === this.model.value;
      card.setAttribute("aria-checked", String(chosen));
      card.tabIndex = card.dataset.key === reached ? 0 : -1;
      if (chosen) this.reveal(card);
    }
  }

  /**
   * Scroll to a card. Not scrollIntoView, which would scroll the drawer around the gallery too.
   * @param {HTMLElement} card
   */
  reveal(card) {
    const { group } = this;
    const [top, bottom] = [card.offsetTop, card.offsetTop + card.offsetHeight];
    if (top < group.scrollTop) group.scrollTop = top;
    if (bottom > group.scrollTop + group.clientHeight) group.scrollTop = bottom - group.clientHeight;
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { cards } = this;
    const here = cards.findIndex((card) => card.dataset.key === this.model.value);
    const next = cards[(here + step + cards.length) % cards.length];
    this.model.value = next.dataset.key ?? "";
    next.focus();
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model, el }) {
  el.append(new Gallery(model).group);
}
