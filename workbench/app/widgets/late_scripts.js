// Loads scripts that the page was sent without, when what needs them is opened.

/**
 * Of `LateScripts` in Python.
 * @typedef {object} Properties
 * @property {string[]} urls relative to the page; empty: nothing is asked for
 * @property {boolean} loaded
 */

/**
 * Load and run a script. It is fetched first, as all that a notebook's tunnel carries.
 * @param {string} url
 */
async function run(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const source = URL.createObjectURL(new Blob([await answer.text()], { type: "text/javascript" }));
  const script = document.createElement("script");
  await new Promise((done, failed) => {
    Object.assign(script, { src: source, onload: done, onerror: failed });
    document.head.append(script);
  });
  URL.revokeObjectURL(source);
}

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  const load = async () => {
    if (!model.urls.length || model.loaded) return;
    for (const url of model.urls) await run(url);
    model.loaded = true;
  };
  model.on("urls", load);
  load();
  return document.createElement("span");
}
