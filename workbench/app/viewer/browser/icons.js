// Pictures of the buttons: strokes on a square of 24 units, in the colour of the text.

/** @typedef {keyof typeof STROKES} IconName */

const STROKES = {
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  box: "M4 4h4M12 4h0M16 4h4v4M20 12v0M20 16v4h-4M12 20h0M8 20H4v-4M4 12v0M4 8V4",
  clear: "M6 6l12 12M18 6L6 18",
  distance: "M3 16L16 3l5 5L8 21zM7 12l2 2M10 9l3 3M13 6l2 2",
  area: "M5 8l8-4 7 6-3 9-11 1z",
  lasso: "M7 16.500c-6-3-4-11 5-11s10 8 4 10.500c-3 1.200-6 1.200-9 .5a2 2 0 1 0-2 2.500c1 0 2-.7 2-2.500M5 19c0 1.500-.5 2-1.500 2.500",
  turn: "M19 12a7 7 0 1 1-2.2-5.1M19 3v5h-5",
  north: "M12 3v18M12 3l-5 7M12 3l5 7",
  flip: "M12 3v18M9 7L3 17h6zM15 7l6 10h-6z",
  square: "M5 5h14v14H5z",
  polygon: "M12 3l9 7-3.5 10h-11L3 10z",
  freehand: "M4 15c2-7 5-9 7-7s-3 7-1 9 5-1 6-4 3-3 4-1",
  line: "M4 20L20 4M2.5 18.500l3 3M18.500 2.500l3 3",
  point: "M12 21s-6-6.500-6-11a6 6 0 0 1 12 0c0 4.500-6 11-6 11zM12 10h0",
  help: "M9 9.500a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 18h0",
  find: "M10.500 4a6.500 6.500 0 1 1 0 13a6.500 6.500 0 1 1 0-13zM15.500 15.500L21 21",
  tones: "M12 4a8 8 0 1 1 0 16a8 8 0 1 1 0-16zM12 4v16M15 7.500v9M18 9v6",
  brush: "M20 4c-5 2-9 6-10.500 10M9.500 14c-3 0-4 1.500-4 3.500 0 1.500-1 2.500-2 2.500 3 1 8 .5 8-3.500 0-1.300-.7-2.200-2-2.500",
  eraser: "M9 19l-5-5 9.500-9.500 6.500 6.500L12 19zM8.500 9.500l6 6M9 19h11",
  wand: "M4 20L14.500 9.500M13 8l3 3M17 3v4M15 5h4M20 11v3M18.500 12.500h3M8 4v3M6.500 5.500h3",
  prompt: "M10 10l9 4-4 1.500L13.500 19.500zM5 5l1.500 1.500M10 3v2.500M3 10h2.500M15.500 5L14 6.500M5 15l1.500-1.500",
  undo: "M9 5L4 10l5 5M4 10h9a6 6 0 0 1 0 10h-2",
  redo: "M15 5l5 5-5 5M20 10h-9a6 6 0 0 0 0 10h2",
};

/** @param {IconName} name */
export function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = drawing.appendChild(document.createElementNS(drawing.namespaceURI, "path"));
  path.setAttribute("d", STROKES[name]);
  return drawing;
}

/**
 * A button on a bar; its label is its accessible name and its tooltip.
 * @param {HTMLElement} bar
 * @param {{label: string, act: () => void, text?: string, picture?: IconName}} options
 */
export function button(bar, { label, act, text = "", picture }) {
  const made = bar.appendChild(document.createElement("button"));
  made.type = "button";
  made.title = label;
  // The accessible name; the tooltip also names the key.
  if (picture) made.setAttribute("aria-label", label.split(" (")[0]);
  made.append(picture ? icon(picture) : text);
  made.addEventListener("click", act);
  return made;
}
