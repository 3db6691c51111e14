// Hands a file to the browser, which saves it as it saves any download.

/**
 * Of `Download` in Python.
 * @typedef {object} Properties
 * @property {{name?: string, url?: string}} file
 */

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  model.on("file", () => {
    const { name = "", url } = model.file;
    if (!url) return;
    const link = document.createElement("a");
    Object.assign(link, { href: url, download: name });
    link.click();
  });
  return document.createElement("span");
}
