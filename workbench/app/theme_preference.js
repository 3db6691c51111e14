// Switches the page to dark mode if the browser's user prefers it, closes the drawer of a narrow
// page, where it would cover the slide, and opens lists by keys.

const NARROW = "(max-width: 899.95px)"; // where the drawer lies over the slide, as of `widgets/theme.py`
const BUILT_MS = 100; // until the page is built; a change before is lost

const OPENING = ["Enter", "ArrowDown", "ArrowUp"]; // Space, let go of, would choose the first entry

/**
 * Open the list that has the focus: the component opens it by the mouse alone.
 * @param {KeyboardEvent} event
 */
function openList(event) {
  const [target] = event.composedPath();
  const isList = target instanceof HTMLElement && target.matches(".MuiSelect-select[role=combobox]:not([aria-disabled=true])");
  if (!isList || !OPENING.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  target.click();
}

/** @param {RenderArguments<{}>} component */
export function render({ model, view }) {
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const roots = () => view.model.document.roots().filter((/** @type {any} */ { data }) => data);
  const close = () => {
    if (!matchMedia(NARROW).matches) return;
    for (const { data } of roots()) if (data.attributes.sidebar_variant === "auto") data.sidebar_open = false;
  };
  const follow = () => {
    for (const { data } of roots()) {
      if ("dark_theme" in data.attributes) data.dark_theme = wish.matches;
    }
  };
  wish.addEventListener("change", follow);
  document.addEventListener("keydown", openList, true);
  model.on("remove", () => {
    wish.removeEventListener("change", follow);
    document.removeEventListener("keydown", openList, true);
  });
  setTimeout(() => {
    follow();
    close();
  }, BUILT_MS);
  return document.createElement("span");
}
