// Updates the page's URL with the state of the session, so that it can be saved and shared.

const CALM_MS = 400; // browsers refuse more than a few changes a second

/**
 * Of `AddressBar` in Python.
 * @typedef {object} Properties
 * @property {string[]} names of the fields that are the app's
 * @property {string} query those fields, as they are now
 * @property {string} title of the page
 */

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const write = () => {
    timer = undefined;
    const query = new URLSearchParams(location.search);
    for (const name of model.names) query.delete(name);
    for (const [name, value] of new URLSearchParams(model.query)) query.append(name, value);
    try {
      history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
    } catch {
      // A frame without an address of its own, in a notebook.
    }
  };
  model.on("title", () => {
    document.title = model.title;
  });
  model.on("query", () => {
    timer ??= setTimeout(write, CALM_MS);
  });
  model.on("remove", () => clearTimeout(timer));
  return document.createElement("span");
}
