// Painted areas: what the brush, the wand and clicks change, shown at once and sent to Python.

import { BrushTool } from "./paint_tools.js";
import { Proposals } from "./proposals.js";
import { StrokeSheet } from "./stroke_sheet.js";
import { newId } from "./unsaved.js";

/**
 * @import {AnnotationCanvas, View} from "./annotation_canvas.js"
 * @import {Parts, Point} from "./messages.js"
 * @import {ProposingTool} from "./paint_tools.js"
 * @import {Stage} from "./stage.js"
 * @import {Stroke} from "./stroke_sheet.js"
 */

const NEW = "#0a84ff"; // what has no class yet

export class AreaPainter {
  strokes = new StrokeSheet();

  /**
   * @param {Stage} stage
   * @param {AnnotationCanvas} canvas
   */
  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    this.proposals = new Proposals(stage, canvas);
  }

  /**
   * Id of the annotation that a press paints; empty: a new one. What lies under the pointer becomes selected.
   * @param {{another: boolean, points: Point[]}} tool
   */
  targetOf({ another, points: [[x, y]] }) {
    if (another) return "";
    const chosen = this.canvas.handles?.mark;
    if (chosen) return chosen.kind === "area" && !chosen.locked ? chosen.id : "";
    const begun = this.canvas.unsaved.edits.filter((edit) => edit.do === "paint" && !edit.id).at(-1);
    if (begun?.do === "paint") return begun.key;
    const under = this.canvas.at(x, y);
    if (under?.kind !== "area" || under.locked) return "";
    this.stage.model.annotation_chosen = under.id;
    return under.id;
  }

  /**
   * Send a stroke of the brush or the eraser; the tool stays in hand.
   * @param {BrushTool} stroke
   */
  painted({ target, points, radius, erases }) {
    if (erases && !target) {
      this.stage.say("Press on an area, or select one first.");
      return;
    }
    const shape = { points: points.flat().map((at) => Math.round(at * 10) / 10), radius, parts: [] };
    this.canvas.tell({ do: "paint", id: target, key: newId(), ...shape, erase: erases, downsample: this.canvas.downsample });
  }

  /**
   * Send an area that was proposed.
   * @param {Parts} parts
   * @param {ProposingTool} tool
   */
  paintedParts(parts, tool) {
    const id = this.targetOf(tool);
    if (tool.erases && !id) {
      this.stage.say("Press on an area, or select one first.");
      return;
    }
    this.canvas.tell({ do: "paint", id, key: newId(), points: [], radius: 0, parts, erase: tool.erases, downsample: this.canvas.downsample });
  }

  /**
   * Strokes that are being painted, and those that Python has not answered yet.
   * @returns {Stroke[]}
   */
  get wet() {
    const { tool } = this.canvas.pencil;
    const waiting = this.canvas.unsaved.edits.flatMap((edit) => (edit.do === "paint" && edit.points.length ? [edit] : []));
    if (!(tool instanceof BrushTool) || !tool.busy) return waiting;
    return [...waiting, { points: tool.points.flat(), radius: tool.radius, erase: tool.erases }];
  }

  /**
   * @param {View} view
   * @param {Stroke[]} strokes
   */
  paintStrokes({ ctx, frame }, strokes) {
    const under = this.canvas.handles?.mark ?? null;
    const first = this.canvas.unsaved.edits.find((edit) => edit.do === "paint")?.number ?? "";
    this.strokes.show(ctx, frame, strokes, under, { colour: under?.colour ?? NEW, key: String(first) });
  }

  /** @param {View} view */
  paint(view) {
    const { wet } = this;
    if (wet.length) this.paintStrokes(view, wet);
    this.proposals.ask();
    this.proposals.paint(view);
  }
}
