// The circle that shows what the brush covers; the keys and the wheel that change its size.

import { lengthText } from "./numbers.js";
import { BrushTool } from "./paint_tools.js";

/**
 * @import {AnnotationCanvas} from "./annotation_canvas.js"
 * @import {Stage} from "./stage.js"
 */

const NO_BRUSH = "Neither the brush nor the eraser is in use";

/**
 * @param {Stage} stage
 * @param {AnnotationCanvas} canvas
 */
export function brushCircle(stage, canvas) {
  const { pencil } = canvas;
  const { element } = stage;
  const circle = stage.add("div", "brush-circle", { "aria-hidden": "true", hidden: "" });
  const brush = () => (pencil.tool instanceof BrushTool ? pencil.brush : null);
  /** Where the pointer was last, on the screen. */
  let at = { clientX: 0, clientY: 0 };
  const show = (/** @type {boolean} */ seen) => {
    const size = brush();
    circle.hidden = !seen || !size;
    if (!size || circle.hidden) return;
    const { left, top } = stage.bounds;
    circle.style.width = circle.style.height = `${2 * size.px}px`;
    circle.style.transform = `translate(${at.clientX - left - size.px}px, ${at.clientY - top - size.px}px)`;
  };
  element.addEventListener("pointermove", (event) => {
    if (!brush()) return;
    at = { clientX: event.clientX, clientY: event.clientY };
    show(event.composedPath().includes(stage.plot.el));
  }, true);
  element.addEventListener("pointerleave", () => show(false));
  element.addEventListener("pointerup", (event) => {
    if (event.pointerType === "touch") show(false);
  }, true);
  stage.watch("annotation_tool", () => show(false));
  const change = (/** @type {number} */ steps) => {
    pencil.brush.change(steps);
    show(!circle.hidden);
    canvas.changed();
  };
  element.addEventListener("wheel", (event) => {
    if (!event.shiftKey || !brush()) return;
    event.preventDefault();
    event.stopPropagation();
    at = { clientX: event.clientX, clientY: event.clientY };
    change(event.deltaY + event.deltaX < 0 ? 1 : -1); // some browsers turn the wheel with Shift
    show(true);
  }, { capture: true, passive: false });
  const reason = () => (brush() ? "" : NO_BRUSH);
  stage.actions.add(
    { label: "Make the brush larger", group: "Annotate", keys: ["]"], mouse: "Shift+wheel", act: () => change(1), reason },
    { label: "Make the brush smaller", group: "Annotate", keys: ["["], mouse: "Shift+wheel", act: () => change(-1), reason },
  );
}

/**
 * The width of a brush on the slide, as text.
 * @param {number} px radius in CSS pixels
 * @param {number} downsample
 * @param {number | null} mpp
 */
export const brushText = (px, downsample, mpp) => `⌀ ${lengthText(2 * px * downsample, mpp)}`;

