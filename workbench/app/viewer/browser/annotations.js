// Annotations over the slide: the part of the stage that draws, chooses and changes them.

import { keyText } from "./actions.js";
import { AnnotationCanvas } from "./annotation_canvas.js";
import { AnnotationPointer } from "./annotation_pointer.js";
import { areaActions } from "./area_actions.js";
import { button } from "./icons.js";
import { BrushTool } from "./paint_tools.js";

/**
 * @import {IconName} from "./icons.js"
 * @import {ToolName} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * @param {Stage} stage
 * @param {AnnotationCanvas} canvas
 */
function keys(stage, canvas) {
  const { model } = stage;
  const group = "Annotate";
  const reason = () => (model.markable ? "" : NOT_HERE);
  const idle = () => {
    const busy = model.annotation_tool || model.annotation_chosen || model.instances_chosen;
    return busy ? "" : "Nothing is selected or being drawn";
  };
  const leave = () => {
    if (canvas.pencil.cancel()) return;
    // With the brush, another area may be begun.
    if (canvas.pencil.tool instanceof BrushTool && canvas.chosen) model.annotation_chosen = "";
    else if (model.annotation_tool) model.annotation_tool = "";
    else model.annotation_chosen = "";
  };
  const remove = () => {
    if (canvas.pencil.tool?.busy) canvas.pencil.back();
    else if (canvas.handles) {
      const ids = canvas.selected.filter((id) => canvas.marks.get(id)?.locked === false);
      if (ids.length) canvas.tell({ do: "delete", ids });
    } else if (model.instances_chosen) canvas.tell({ do: "delete instances" });
  };
  stage.actions.add(
    { label: "Put the tool down, or deselect", group, keys: ["Escape"], act: leave, reason: idle, unlisted: true },
    { label: "Finish the outline", group, keys: ["Enter"], mouse: "Double click", act: () => canvas.pencil.end(), reason: idle, unlisted: true },
    { label: "Delete what is selected", group, keys: ["Delete", "Backspace"], act: remove, reason: idle },
    { label: "Undo", group, keys: ["Ctrl+z"], act: () => canvas.tell({ do: "undo" }), reason, everywhere: true },
    { label: "Redo", group, keys: ["Ctrl+y", "Ctrl+Shift+z"], act: () => canvas.tell({ do: "redo" }), reason, everywhere: true },
    { label: "Take a corner out", group, mouse: "Double click on it" },
  );
}

const NOT_HERE = "Annotations of this slide are not saved here";

/** @type {Record<ToolName, [label: string, picture: IconName, key?: string]>} */
const LABELS = {
  brush: ["Paint with a brush", "brush", "p"],
  eraser: ["Take away with the eraser", "eraser", "e"],
  wand: ["Mark what is alike, with the wand", "wand", "w"],
  prompt: ["Mark an object by clicks", "prompt", "k"],
  box: ["Mark a box", "square"],
  polygon: ["Mark a polygon", "polygon"],
  freehand: ["Mark by drawing freely", "freehand"],
  line: ["Mark a line, to measure it", "line"],
  point: ["Mark points", "point"],
};

/**
 * A button for each drawing tool. One tool of the stage is in use at a time.
 * @param {Stage} stage
 * @param {AnnotationCanvas} canvas
 */
function tools(stage, canvas) {
  const { model } = stage;
  /** @type {Map<string, HTMLButtonElement>} */
  const made = new Map();
  for (const [each, [label, picture, key]] of Object.entries(LABELS)) {
    const name = /** @type {ToolName} */ (each);
    const act = () => {
      model.annotation_tool = model.annotation_tool === name ? "" : name;
    };
    made.set(name, button(canvas.bar, { label: key ? `${label} (${keyText(key)})` : label, picture, act }));
    const reason = () => (!model.markable ? NOT_HERE : name === "prompt" ? model.annotation_unprompted : "");
    stage.actions.add({ label, group: "Annotate", keys: key ? [key] : [], act, reason });
  }
  const undo = button(canvas.bar, { label: "Undo (Ctrl+Z)", picture: "undo", act: () => canvas.tell({ do: "undo" }) });
  const redo = button(canvas.bar, { label: "Redo (Ctrl+Y)", picture: "redo", act: () => canvas.tell({ do: "redo" }) });
  stage.switch.hearers.push(() => {
    if (stage.switch.active !== "mark" && model.annotation_tool) model.annotation_tool = "";
  });
  stage.watch("annotation_tool", () => {
    const tool = model.annotation_tool;
    stage.element.dataset.tool = tool;
    for (const [name, each] of made) each.setAttribute("aria-pressed", String(name === tool));
    canvas.pencil.take(tool);
    if (tool) stage.switch.use("mark");
    else if (stage.switch.active === "mark") stage.switch.use("pan");
    if (tool) stage.element.focus({ preventScroll: true });
  });
  stage.watch("annotation_unprompted", () => {
    const offered = made.get("prompt");
    if (offered) offered.hidden = Boolean(model.annotation_unprompted);
  });
  stage.watch("annotation_steps", () => {
    [undo.disabled, redo.disabled] = model.annotation_steps.map((possible) => !possible);
  });
  stage.watch("markable", () => {
    canvas.bar.hidden = !model.markable;
  });
}

/** @param {Stage} stage */
export function annotations(stage) {
  const { model } = stage;
  const canvas = new AnnotationCanvas(stage);
  new AnnotationPointer(stage, canvas);
  keys(stage, canvas);
  tools(stage, canvas);
  areaActions(stage, canvas);
  stage.watch("annotations", () => canvas.replace(JSON.parse(model.annotations || "[]")));
  model.on("annotation_changes", () => canvas.change(model.annotation_changes));
  stage.undo = () => canvas.tell({ do: "undo" });
  stage.markAt = (x, y) => canvas.meant(x, y);
  model.on("annotation_answered", () => canvas.answered(model.annotation_answered));
  stage.watch("annotation_slot", () => canvas.retell(model.annotation_slot));
  const finish = () => canvas.pencil.tool?.busy && canvas.pencil.end();
  const again = () => canvas.retell(model.annotation_slot);
  window.addEventListener("workbench-lost", finish);
  window.addEventListener("workbench-found", again);
  stage.onClose(() => {
    window.removeEventListener("workbench-lost", finish);
    window.removeEventListener("workbench-found", again);
  });
  stage.watch("annotation_chosen", () => {
    if (!model.annotation_chosen && canvas.also.length) model.annotation_also = [];
    stage.element.dataset.chosen = model.annotation_chosen;
    canvas.choose(model.annotation_chosen);
  });
  model.on("instances_chosen", () => canvas.say());
  stage.switch.hearers.push(() => canvas.say());
  stage.watch("annotations_shown", () => {
    canvas.shown = model.annotations_shown;
    canvas.changed();
  });
}
