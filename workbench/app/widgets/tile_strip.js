// Pictures of tiles in a row that wraps; a click on one goes to its place.

/**
 * @typedef {object} Item
 * @property {string} key
 * @property {string} name
 * @property {string} title
 * @property {string} url of the picture
 */

/**
 * Of `TileStrip` in Python.
 * @typedef {object} Properties
 * @property {string} label
 * @property {Item[]} items
 * @property {{ key: string, number: number }} clicked
 * @property {{ key: string, digit: number, number: number }} answered
 */

let clicks = 0;

/** @param {RenderArguments<Properties>} component */
export function render({ model, el }) {
  const group = document.createElement("div");
  group.className = "tiles";
  group.setAttribute("role", "group");
  el.append(group);

  /** @param {Item} item */
  const tile = ({ key, name, title, url }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = url;
    const words = document.createElement("span");
    words.textContent = name;
    button.append(picture, words);
    button.addEventListener("click", () => {
      model.clicked = { key, number: (clicks += 1) };
    });
    button.addEventListener("keydown", (event) => {
      const { key: pressed, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey || !/^[1-9]$/.test(pressed)) return;
      event.preventDefault();
      model.answered = { key, digit: Number(pressed), number: (clicks += 1) };
    });
    return button;
  };

  const build = () => {
    group.setAttribute("aria-label", model.label);
    const focused = /** @type {ShadowRoot} */ (group.getRootNode()).activeElement;
    const within = group.contains(focused);
    group.replaceChildren(...model.items.map(tile));
    if (within) /** @type {HTMLElement | null} */ (group.firstElementChild)?.focus();
  };
  model.on("items", build);
  build();
}
