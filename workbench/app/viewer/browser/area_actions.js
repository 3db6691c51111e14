// Keys and commands that change the selected areas: filled, simplified, combined.

import { brushCircle } from "./brush_circle.js";

/**
 * @import {AnnotationCanvas} from "./annotation_canvas.js"
 * @import {Stage} from "./stage.js"
 */

const NONE = "Select an annotation first";
const ONE = "Select two areas or more: Ctrl+click";
const group = "Annotate";

/**
 * @param {Stage} stage
 * @param {AnnotationCanvas} canvas
 */
export function areaActions(stage, canvas) {
  brushCircle(stage, canvas);
  const { model } = stage;
  stage.watch("annotation_also", () => {
    canvas.also = model.annotation_also;
    canvas.changed();
  });
  const change = (/** @type {"fill" | "simplify"} */ what) => canvas.tell({ do: what, ids: canvas.selected, downsample: canvas.downsample });
  const combine = (/** @type {"union" | "difference" | "intersection"} */ operation) => {
    canvas.tell({ do: "combine", ids: canvas.selected, operation });
    model.annotation_also = [];
  };
  const some = () => (canvas.chosen ? "" : NONE);
  const several = () => (canvas.also.length ? "" : ONE);
  stage.actions.add(
    { label: "Select one more annotation, or take it out", group, mouse: "Ctrl+click" },
    { label: "Fill the holes of the area", group, keys: ["c"], act: () => change("fill"), reason: some },
    { label: "Simplify the outline to what is seen at this zoom", group, keys: ["m"], act: () => change("simplify"), reason: some },
    { label: "Unite the selected areas", group, keys: ["u"], act: () => combine("union"), reason: several },
    { label: "Take the other selected areas from the first", group, keys: ["d"], act: () => combine("difference"), reason: several },
    { label: "Keep what the selected areas share", group, keys: ["i"], act: () => combine("intersection"), reason: several },
  );
}
