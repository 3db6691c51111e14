// Making elements, whose text is always text.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/**
 * @param {string} text
 * @param {() => void} act
 * @param {string} [className]
 */
export function button(text, act, className = "") {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

/**
 * The element of the page with an id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`workbench: the page has no #${id}`);
  return element;
}

/**
 * @param {string} id
 * @returns {HTMLSelectElement}
 */
export function selectById(id) {
  return /** @type {HTMLSelectElement} */ (byId(id));
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export function inputById(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/**
 * Offer choices in a select; the one that was chosen stays chosen.
 * @param {HTMLSelectElement} select
 * @param {{value: string, text: string, heading?: string}[]} choices
 */
export function offer(select, choices) {
  const { value } = select;
  /** @type {Map<string, HTMLElement>} */
  const headings = new Map();
  select.replaceChildren();
  for (const choice of choices) {
    let into = /** @type {HTMLElement} */ (select);
    if (choice.heading) {
      let heading = headings.get(choice.heading);
      if (!heading) {
        heading = make("optgroup");
        heading.setAttribute("label", choice.heading);
        headings.set(choice.heading, heading);
        select.append(heading);
      }
      into = heading;
    }
    into.append(new Option(choice.text, choice.value));
  }
  select.value = choices.some((each) => each.value === value) ? value : (choices[0]?.value ?? "");
}
