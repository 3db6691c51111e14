// Hands a file to the browser, which saves it as it saves any download.

const KEPT_MS = 60000; // until the browser has read what it saves

/**
 * Of `Download` in Python.
 * @typedef {object} Properties
 * @property {{name?: string, url?: string, data?: ArrayBuffer}} file
 */

/** @param {RenderArguments<Properties>} component */
export function render({ model }) {
  model.on("file", () => {
    const { name = "", url, data } = model.file;
    const made = data && URL.createObjectURL(new Blob([data]));
    const href = made ?? url;
    if (!href) return;
    const link = document.createElement("a");
    Object.assign(link, { href, download: name });
    link.click();
    if (made) setTimeout(() => URL.revokeObjectURL(made), KEPT_MS);
  });
  return document.createElement("span");
}
