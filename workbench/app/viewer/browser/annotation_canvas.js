// The annotations of a slide, painted over it.
//
// The page has all of them as flat numbers, but paints only those in view, on a canvas of
// their own over the figure: thousands take no longer than those in view. Each change is sent
// to Python, which saves it.

import { AreaPainter } from "./area_painter.js";
import { brushText } from "./brush_circle.js";
import { contextOf } from "./dom.js";
import { sizeText } from "./drawing_tool.js";
import { Handles } from "./handles.js";
import { Mark } from "./mark.js";
import { paintLabel, paintMark, paintPoints } from "./mark_painter.js";
import { MarkSheet } from "./mark_sheet.js";
import { BrushTool, ProposingTool } from "./paint_tools.js";
import { Pencil } from "./pencil.js";
import { newId, Unsaved } from "./unsaved.js";

/**
 * @import {Box, Edit, MarkKind, MarkSpec, Parts, Ring, StageProperties} from "./messages.js"
 * @import {Matrix} from "./mark_sheet.js"
 * @import {Stage} from "./stage.js"
 */

/**
 * What is painted on: a context, where the slide lies on it, and what of the slide is seen.
 * @typedef {object} View
 * @property {CanvasRenderingContext2D} ctx
 * @property {Matrix} frame
 * @property {() => void} toSlide lets the context measure in level-0 pixels
 * @property {number} downsample
 * @property {Box} box
 */

const LABEL_PX = 60; // what is smaller on screen has no label
const TOLD_MS = 1000; // edits that follow each other faster are sent together
const CHOSEN = "#ffd60a";

const MORE = "Shift+click or Shift+drag selects more.";

export class AnnotationCanvas {
  /**
   * All annotations, by id.
   * @type {Map<string, Mark>}
   */
  marks = new Map();

  sheet = new MarkSheet((ctx, frame, box) => this.paintMarks(ctx, frame, box), () => this.changed());

  /** Id of the one that is chosen; empty: none is. */
  chosen = "";

  /**
   * Handles of the annotation that is chosen.
   * @type {Handles | null}
   */
  handles = null;

  shown = true;

  /**
   * Ids of those that are selected besides it.
   * @type {string[]}
   */
  also = [];

  pencil = new Pencil(() => this.changed(), (kind, parts) => this.drawn(kind, parts), (stroke) => this.painter.painted(stroke));

  /** Number of the last edit. */
  number = 0;

  /**
   * Edits of the last moments.
   * @type {StageProperties["annotation_edits"]}
   */
  told = [];

  unsaved = new Unsaved("");

  /** Whether nothing is painted on the canvas. */
  empty = false;

  /** @type {number | null} */
  queued = null;

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.canvas = stage.add("canvas", "annotations", { "aria-hidden": "true" });
    this.hint = stage.add("div", "hint", { role: "status" });
    this.painter = new AreaPainter(stage, this);
    stage.onPainted(() => this.paint());
    this.bar = stage.add("div", "bar marks", { role: "toolbar", "aria-label": "Annotations", "aria-orientation": "vertical" });
  }

  /** Level-0 pixels for each CSS pixel. */
  get downsample() {
    return this.stage.camera.place?.downsample ?? 1;
  }

  /**
   * Send a new annotation. After each but a point, the tool is put down, so that the drawing can be corrected.
   * @param {MarkKind} kind
   * @param {Parts} parts
   */
  drawn(kind, parts) {
    this.tell({ do: "add", key: newId(), kind, parts, downsample: this.downsample });
    if (kind !== "point") this.stage.model.annotation_tool = "";
  }

  /**
   * Send an edit to Python, with those of the last moments: of changes that follow each other fast, only the last may arrive.
   * @param {Edit} edit
   */
  tell(edit) {
    if (this.stage.closed) return;
    const now = Date.now();
    this.number = Math.max(now, this.number + 1);
    const numbered = { ...edit, number: this.number };
    this.told = [...this.told.filter(({ number }) => now - number < TOLD_MS), numbered];
    if (["add", "change", "delete", "paint"].includes(edit.do)) this.unsaved.keep(numbered);
    this.stage.model.annotation_edits = this.told;
    this.changed();
  }

  /** Annotations that are drawn or changed, and not saved yet. */
  get pending() {
    return this.unsaved.edits.flatMap((edit) => {
      if (edit.do === "paint" && edit.parts.length) return [new Mark({ id: "", kind: "area", parts: edit.parts })];
      return edit.do === "add" || edit.do === "change" ? [new Mark({ id: "", kind: edit.kind, parts: edit.parts })] : [];
    });
  }

  /** @param {StageProperties["annotation_answered"]} answer */
  answered({ number = 0 }) {
    this.unsaved.answered(number);
    this.changed();
  }

  /**
   * Send again the edits that were not answered, of this page or of the one before it.
   * @param {string} slot
   */
  retell(slot) {
    const waiting = slot ? new Unsaved(slot).edits : [];
    this.unsaved = new Unsaved(slot);
    this.unsaved.answered(Infinity);
    this.told = [];
    for (const edit of waiting) this.tell(edit);
    this.told = this.unsaved.edits;
  }

  /** @param {MarkSpec[]} specs */
  replace(specs) {
    this.marks = new Map(specs.map((spec) => [spec.id, new Mark(spec)]));
    this.choose(this.chosen);
  }

  /** @param {StageProperties["annotation_changes"]} change */
  change({ put = [], gone = [] }) {
    for (const id of gone) this.marks.delete(id);
    for (const spec of put) this.marks.set(spec.id, new Mark(spec));
    this.choose(this.chosen);
  }

  /** @param {string} id */
  choose(id) {
    const mark = this.marks.get(id);
    this.chosen = id;
    if (!this.handles?.held || this.handles.mark.id !== id) this.handles = mark ? new Handles(mark) : null;
    this.sheet.outdate();
    this.changed();
  }

  /**
   * Select an annotation besides the others, or no more.
   * @param {string} id
   */
  toggle(id) {
    const { also } = this;
    this.stage.model.annotation_also = also.includes(id) ? also.filter((each) => each !== id) : [...also, id];
  }

  /** Ids of all that are selected, the one with handles first. */
  get selected() {
    return this.chosen ? [this.chosen, ...this.also] : [];
  }

  /** Paint in the next frame. */
  changed() {
    this.queued ??= requestAnimationFrame(() => {
      this.queued = null;
      this.paint();
    });
  }

  /**
   * Id of the annotation that a click means; empty: none, or an instance that lies in it.
   * @param {number} x
   * @param {number} y
   */
  meant(x, y) {
    const mark = this.shown ? this.at(x, y) : null;
    if (!mark) return "";
    const instance = this.stage.instanceAt(x, y);
    const around = mark.kind === "area" && mark.outlineDistance(x, y) > 2 * this.downsample;
    return instance && around && mark.size > instance.size ? "" : mark.id;
  }

  /**
   * The topmost annotation there; of those around a point the smallest.
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    const hits = [...this.marks.values()].filter((mark) => mark.isAt(x, y, this.downsample));
    return hits.sort((a, b) => a.size - b.size)[0];
  }

  /** Whether there is nothing to paint. */
  get isEmpty() {
    const drawing = this.pencil.tool?.busy || this.unsaved.edits.length;
    return !(this.shown && this.marks.size) && !this.handles && !drawing;
  }

  paint() {
    const { camera, closed } = this.stage;
    if (!camera.place || closed) return;
    const empty = this.isEmpty;
    if (empty && this.empty) return;
    this.empty = empty;
    const ctx = this.cleared();
    const frame = this.frameOf(window.devicePixelRatio);
    const { box, place: { downsample } } = camera;
    const view = { ctx, frame, toSlide: () => ctx.setTransform(...frame), downsample, box };
    if (this.shown && this.marks.size) this.sheet.show(ctx, frame, box);
    if (this.handles && !this.painter.wet.length) this.paintChosen(view, this.handles);
    for (const id of this.also) this.paintAlso(view, id);
    if (this.pencil.tool?.busy) this.paintDraft(view, this.pencil.tool);
    this.painter.paint(view);
    if (this.unsaved.edits.length) this.paintPending(view);
    this.say();
  }

  /** The context of the empty canvas, in the size that it has on the screen. */
  cleared() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const ctx = contextOf(canvas);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.lineJoin = "round";
    return ctx;
  }

  /**
   * From the slide's pixels to the canvas's, also where the slide is flipped.
   * @param {number} ratio
   * @returns {Matrix}
   */
  frameOf(ratio) {
    const far = this.stage.model.size[0];
    const [x, y] = this.stage.toStage(0, 0);
    const [right, rightY] = this.stage.toStage(far, 0);
    const [downX, down] = this.stage.toStage(0, far);
    const [a, b, c, d] = [right - x, rightY - y, downX - x, down - y].map((length) => (length * ratio) / far);
    return [a, b, c, d, x * ratio, y * ratio];
  }

  /**
   * Paint all annotations but the chosen one; return the number of their points.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Box} box
   */
  paintMarks(ctx, frame, box) {
    const { downsample } = this;
    const seen = [...this.marks.values()].filter((mark) => mark.id !== this.chosen && mark.isIn(box, 6 * downsample));
    ctx.setTransform(...frame);
    for (const mark of seen) paintMark(ctx, mark, downsample);
    const wide = (/** @type {Mark} */ mark) => mark.kind !== "area" || mark.box.x1 - mark.box.x0 > LABEL_PX * downsample;
    for (const mark of seen) if (mark.label && wide(mark)) paintLabel(ctx, mark, frame);
    return seen.reduce((sum, mark) => sum + mark.points, 0);
  }

  /**
   * Mark an annotation that is selected besides the one with handles.
   * @param {View} view
   * @param {string} id
   */
  paintAlso({ ctx, toSlide, downsample }, id) {
    const mark = this.marks.get(id);
    if (!mark) return;
    toSlide();
    paintMark(ctx, mark, downsample, { width: 5, fill: 0, colour: CHOSEN });
    paintMark(ctx, mark, downsample, { width: 2 });
  }

  /**
   * @param {View} view
   * @param {Handles} handles
   */
  paintChosen({ ctx, frame, toSlide, downsample, box }, handles) {
    const { mark } = handles;
    toSlide();
    paintMark(ctx, mark, downsample, { width: 5, fill: 0, colour: CHOSEN });
    paintMark(ctx, mark, downsample, { width: 2 });
    if (mark.label) paintLabel(ctx, mark, frame);
    const corners = handles.corners(box, downsample);
    if (!corners || mark.kind === "point" || this.pencil.tool) return;
    toSlide();
    /**
     * @param {number} x
     * @param {number} y
     * @param {number} size
     * @param {string} colour
     */
    const knob = (x, y, size, colour) => {
      ctx.beginPath();
      ctx.arc(x, y, size * downsample, 0, 2 * Math.PI);
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.lineWidth = 1.5 * downsample;
      ctx.strokeStyle = "#1b1b1f";
      ctx.stroke();
    };
    for (const [, , , x, y] of handles.middles(corners)) knob(x, y, 3, "rgb(255 255 255 / 70%)");
    for (const [, , , x, y] of corners) knob(x, y, 5, CHOSEN);
  }

  /** @param {View} view */
  paintPending({ ctx, toSlide, downsample }) {
    toSlide();
    ctx.setLineDash([6 * downsample, 4 * downsample]);
    for (const mark of this.pending) paintMark(ctx, mark, downsample);
    ctx.setLineDash([]);
  }

  /**
   * @param {View} view
   * @param {{kind: MarkKind, outline: Ring}} draft
   */
  paintDraft({ ctx, toSlide, downsample }, { kind, outline }) {
    if (outline.length < 2) return;
    toSlide();
    const draft = new Mark({ id: "", kind, parts: [[outline]] });
    paintMark(ctx, draft, downsample, { width: 4, fill: 0, colour: "#fff" });
    paintMark(ctx, draft, downsample, { fill: 0.12 });
    const first = this.pencil.name === "polygon" ? outline.slice(0, 2) : [];
    if (first.length) paintPoints(ctx, { parts: [[first]] }, downsample, 2);
  }

  /** The size of what is being drawn or of the brush, or that an outline is computed. */
  stateText() {
    const { tool, brush } = this.pencil;
    const { mpp } = this.stage.model;
    if (tool instanceof BrushTool) return brushText(brush.px, this.downsample, mpp);
    if (tool instanceof ProposingTool) return this.painter.proposals.waiting ? "Looking for the outline …" : "";
    return tool?.busy ? sizeText(tool.kind, tool.outline, mpp) : "";
  }

  /** Show what the tool in use does, and the size of what is being drawn. */
  say() {
    const { tool, hint } = this.pencil;
    let text = [hint, this.stateText()].filter(Boolean).join("  ");
    if (!tool && this.also.length) {
      text = `${this.also.length + 1} annotations are selected. U unites them, D takes the others from the first, I keeps what they share.`;
    } else if (!tool && this.handles && !this.handles.mark.locked) {
      text = "Drag a corner, or the outline to move it. Double-click a corner to take it out. Delete removes it.";
    } else if (!tool && !this.handles && this.stage.model.instances_chosen) {
      const number = this.stage.model.instances_chosen;
      text = number === 1 ? `Delete removes the selected instance. ${MORE}` : `Delete removes the ${number.toLocaleString()} selected instances. Esc deselects.`;
    }
    if (this.stage.switch.active === "lasso") {
      text = "Draw around instances. With Shift they are added to those selected.";
    }
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }
}
