// Keeps the page's address in step with what is seen, so that it can be kept and sent.

const CALM_MS = 400; // browsers refuse more than a few changes a second

export function render({ model }) {
  let timer = null;
  const write = () => {
    timer = null;
    const query = new URLSearchParams(location.search);
    for (const name of model.names) query.delete(name);
    for (const [name, value] of new URLSearchParams(model.query)) query.append(name, value);
    try {
      history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
    } catch {
      // A frame without an address of its own, in a notebook.
    }
  };
  model.on("query", () => {
    timer ??= setTimeout(write, CALM_MS);
  });
  model.on("remove", () => clearTimeout(timer));
  return document.createElement("span");
}
