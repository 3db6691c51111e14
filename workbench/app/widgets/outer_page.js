// The page around a framed app: names the slide to show, and opens the drawer.

/**
 * Of `OuterPage` in Python.
 * @typedef {object} Properties
 * @property {string} shown name of the open slide
 * @property {{slide?: string, drawer?: boolean, number?: number}} told last message
 */

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  if (parent === window || !new URLSearchParams(location.search).has("framed")) return document.createElement("span");
  let number = 0;
  const hear = (/** @type {MessageEvent} */ event) => {
    if (event.origin !== location.origin || event.source !== parent) return;
    const { slide, drawer } = event.data?.workbench ?? {};
    number += 1;
    if (typeof slide === "string") model.told = { slide, number };
    else if (drawer) model.told = { drawer: true, number };
  };
  addEventListener("message", hear);
  model.on("remove", () => removeEventListener("message", hear));
  const say = (/** @type {object} */ message) => parent.postMessage({ workbench: message }, location.origin);
  model.on("shown", () => say({ shown: model.shown }));
  say({ ready: true });
  return document.createElement("span");
}
