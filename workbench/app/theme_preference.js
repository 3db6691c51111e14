// Switches the page to dark mode if the browser's user prefers it.

const BUILT_MS = 100; // until the page is built; a change before is lost

/** @param {RenderArguments<{}>} component */
export function render({ model, view }) {
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    for (const { data } of view.model.document.roots()) {
      if (data && "dark_theme" in data.attributes) data.dark_theme = wish.matches;
    }
  };
  wish.addEventListener("change", follow);
  model.on("remove", () => wish.removeEventListener("change", follow));
  setTimeout(follow, BUILT_MS);
  return document.createElement("span");
}
