// Functions on elements that several modules use.

/**
 * @overload
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
/**
 * @overload
 * @param {OffscreenCanvas} canvas
 * @returns {OffscreenCanvasRenderingContext2D}
 */
/**
 * The context to paint on a canvas with.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("workbench: this browser has no context to paint on");
  return context;
}

/** A canvas of its own, to paint on and copy from. */
export function newContext() {
  return contextOf(document.createElement("canvas"));
}

/**
 * Whether a page is dark where an element is, by the colour of its text.
 * @param {Element} element
 */
export function isDark(element) {
  const [red, green, blue] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 140;
}

/**
 * Whether an event's target lies in an element that a selector matches.
 * @param {EventTarget | null} target
 * @param {string} selector
 */
export function isOn(target, selector) {
  return target instanceof Element && target.closest(selector) !== null;
}
