// Annotations over the slide: painted, chosen, drawn and changed.
//
// All of them are here as flat numbers, but only those in view are painted, on a canvas
// of their own over the figure: thousands cost no more than what is seen of them.
// Python hears of each change and is the one who keeps them.

import { Handles } from "./handles.js";
import { button } from "./icons.js";
import { Mark } from "./mark.js";
import { MarkSheet } from "./mark_sheet.js";
import { areaText, lengthText } from "./numbers.js";
import { Pencil } from "./pencil.js";
import { newId, Unsaved } from "./unsaved.js";

const STILL_PX = 4; // a click may move so far
const DOT_PX = 2; // what is smaller on screen is a dot
const LABEL_PX = 60; // what is smaller on screen has no label
const TOLD_MS = 1000; // edits that follow each other faster are told together
const CHOSEN = "#ffd60a";

/** Of a ring, in level-0 pixels. */
function ringArea(ring) {
  let twice = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    twice += ring[i] * ring[j + 1] - ring[j] * ring[i + 1];
  }
  return Math.abs(twice) / 2;
}

function sizeText(kind, ring, mpp) {
  if (kind === "line") return lengthText(Math.hypot(ring[2] - ring[0], ring[3] - ring[1]), mpp);
  return kind === "area" ? areaText(ringArea(ring), mpp) : "";
}

class AnnotationCanvas {
  constructor(stage) {
    this.stage = stage;
    this.canvas = stage.add("canvas", "annotations", { "aria-hidden": "true" });
    this.hint = stage.add("div", "hint", { role: "status" });
    this.marks = new Map();
    this.sheet = new MarkSheet((...where) => this.paintMarks(...where), () => this.changed());
    this.chosen = "";
    this.handles = null;
    this.shown = true;
    this.pencil = new Pencil(
      () => this.changed(),
      (kind, parts) => this.drawn(kind, parts),
    );
    this.number = 0;
    this.told = [];
    this.unsaved = new Unsaved("");
    stage.element.addEventListener("painted", () => this.paint());
    this.bar = stage.add("div", "bar marks", { role: "toolbar", "aria-label": "Annotations", "aria-orientation": "vertical" });
  }

  /** One drawing at a time, so that it can be corrected at once; points by the dozen. */
  drawn(kind, parts) {
    const { downsample } = this.stage.camera.place;
    this.tell({ do: "add", key: newId(), kind, parts, downsample });
    if (kind !== "point") this.stage.model.annotation_tool = "";
  }

  /** Tell Python of an edit; those of the last moments too, for none may be lost. */
  tell(edit) {
    if (this.stage.closed) return;
    const now = Date.now();
    this.number = Math.max(now, this.number + 1);
    const numbered = { ...edit, number: this.number };
    this.told = [...this.told.filter(({ number }) => now - number < TOLD_MS), numbered];
    if (["add", "change", "delete"].includes(edit.do)) this.unsaved.keep(numbered);
    this.stage.model.annotation_edits = this.told;
    this.changed();
  }

  /** Marks that are drawn and that nobody has saved yet. */
  get pending() {
    const drawn = this.unsaved.edits.filter((edit) => edit.do !== "delete");
    return drawn.map(({ kind, parts }) => new Mark({ id: "", kind, parts }));
  }

  answered({ number = 0 }) {
    this.unsaved.answered(number);
    this.changed();
  }

  /** Tell again what was not answered, of this page or of the one before it. */
  retell(slot) {
    const waiting = slot ? new Unsaved(slot).edits : [];
    this.unsaved = new Unsaved(slot);
    this.unsaved.answered(Infinity);
    this.told = [];
    for (const edit of waiting) this.tell(edit);
    this.told = this.unsaved.edits;
  }

  replace(specs) {
    this.marks = new Map(specs.map((spec) => [spec.id, new Mark(spec)]));
    this.choose(this.chosen);
  }

  change({ put = [], gone = [] }) {
    for (const id of gone) this.marks.delete(id);
    for (const spec of put) this.marks.set(spec.id, new Mark(spec));
    this.choose(this.chosen);
  }

  choose(id) {
    const mark = this.marks.get(id);
    this.chosen = id;
    if (!this.handles?.grip || this.handles.mark.id !== id) this.handles = mark ? new Handles(mark) : null;
    this.sheet.outdate();
    this.changed();
  }

  /** Paint again soon, once whatever else changes now. */
  changed() {
    this.queued ??= requestAnimationFrame(() => {
      this.queued = null;
      this.paint();
    });
  }

  /** Id of the annotation that a click means; empty: none, or an object that lies in it. */
  meant(x, y) {
    const mark = this.shown ? this.at(x, y) : null;
    if (!mark) return "";
    const object = this.stage.objectAt(x, y);
    const around = mark.kind === "area" && mark.outlineDistance(x, y) > 2 * this.stage.camera.place.downsample;
    return object && around && mark.size > object.size ? "" : mark.id;
  }

  /** The topmost annotation there; of those around a point the smallest. */
  at(x, y) {
    const { downsample } = this.stage.camera.place;
    const hits = [...this.marks.values()].filter((mark) => mark.isAt(x, y, downsample));
    return hits.sort((a, b) => a.size - b.size)[0];
  }

  paint() {
    const { stage, canvas } = this;
    const { place, box } = stage.camera.place ? stage.camera : {};
    if (!place || stage.closed) return;
    const empty = !(this.shown && this.marks.size) && !this.handles && !this.pencil.tool?.busy && !this.unsaved.edits.length;
    if (empty && this.empty) return;
    this.empty = empty;
    const ratio = window.devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const ctx = canvas.getContext("2d");
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, width, height);
    const { downsample } = place;
    const frame = this.frameOf(ratio);
    const view = { ctx, frame, toSlide: () => ctx.setTransform(...frame), downsample, box };
    ctx.lineJoin = "round";
    if (this.shown && this.marks.size) this.sheet.show(ctx, frame, box);
    if (this.handles) this.paintChosen(view);
    if (this.pencil.tool?.busy) this.paintDraft(view, this.pencil.tool.outline);
    if (this.unsaved.edits.length) this.paintPending(view);
    this.say();
  }

  /** From the slide's pixels to the canvas's, also where the slide is flipped. */
  frameOf(ratio) {
    const far = this.stage.model.size[0];
    const [x, y] = this.stage.toStage(0, 0);
    const [right, rightY] = this.stage.toStage(far, 0);
    const [downX, down] = this.stage.toStage(0, far);
    const slopes = [right - x, rightY - y, downX - x, down - y].map((length) => (length * ratio) / far);
    return [...slopes, x * ratio, y * ratio];
  }

  /** Paint all but the chosen one; return how many points that were. */
  paintMarks(ctx, frame, box) {
    const { downsample } = this.stage.camera.place;
    const seen = [...this.marks.values()].filter((mark) => mark.id !== this.chosen && mark.isIn(box, 6 * downsample));
    ctx.setTransform(...frame);
    for (const mark of seen) this.paintMark(ctx, mark, downsample);
    const wide = (mark) => mark.kind !== "area" || mark.box.x1 - mark.box.x0 > LABEL_PX * downsample;
    for (const mark of seen) if (mark.label && wide(mark)) this.paintLabel(ctx, mark, frame);
    return seen.reduce((sum, mark) => sum + mark.points, 0);
  }

  paintMark(ctx, mark, downsample, { width = 2, fill = 0.08, colour = mark.colour } = {}) {
    const { x0, y0, x1, y1 } = mark.box;
    ctx.strokeStyle = ctx.fillStyle = colour;
    if (mark.kind === "point") {
      this.paintPoints(ctx, mark, downsample, width);
    } else if (Math.max(x1 - x0, y1 - y0) < DOT_PX * downsample) {
      ctx.fillRect(x0 - downsample, y0 - downsample, 2 * downsample, 2 * downsample);
    } else {
      const path = mark.path(downsample);
      ctx.lineWidth = width * downsample;
      ctx.globalAlpha = fill;
      if (mark.kind === "area") ctx.fill(path, "evenodd");
      ctx.globalAlpha = 1;
      ctx.stroke(path);
    }
  }

  paintPoints(ctx, mark, downsample, width) {
    for (const [x, y] of mark.parts.flat()) {
      ctx.beginPath();
      ctx.arc(x, y, 4 * downsample, 0, 2 * Math.PI);
      ctx.fill();
      ctx.lineWidth = (width - 0.5) * downsample;
      ctx.strokeStyle = "#fff";
      ctx.stroke();
    }
  }

  /** Beside its corner, upright however the slide is turned. */
  paintLabel(ctx, mark, frame) {
    const ratio = window.devicePixelRatio;
    const { x, y } = new DOMMatrix(frame).transformPoint({ x: mark.box.x0, y: mark.box.y0 });
    ctx.save();
    ctx.setTransform(ratio, 0, 0, ratio, x, y);
    ctx.font = "500 12px/1 system-ui, sans-serif";
    ctx.textBaseline = "bottom";
    ctx.lineWidth = 3;
    ctx.strokeStyle = "rgb(255 255 255 / 85%)";
    ctx.fillStyle = mark.colour;
    const at = mark.kind === "point" ? [8, -4] : [1, -4];
    ctx.strokeText(mark.label, ...at);
    ctx.fillText(mark.label, ...at);
    ctx.restore();
  }

  paintChosen({ ctx, frame, toSlide, downsample, box }) {
    const { mark } = this.handles;
    toSlide();
    this.paintMark(ctx, mark, downsample, { width: 5, fill: 0, colour: CHOSEN });
    this.paintMark(ctx, mark, downsample, { width: 2 });
    if (mark.label) this.paintLabel(ctx, mark, frame);
    const corners = this.handles.corners(box, downsample);
    if (!corners || mark.kind === "point") return;
    toSlide();
    const knob = (x, y, size, colour) => {
      ctx.beginPath();
      ctx.arc(x, y, size * downsample, 0, 2 * Math.PI);
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.lineWidth = 1.5 * downsample;
      ctx.strokeStyle = "#1b1b1f";
      ctx.stroke();
    };
    for (const [, , , x, y] of this.handles.middles(corners)) knob(x, y, 3, "rgb(255 255 255 / 70%)");
    for (const [, , , x, y] of corners) knob(x, y, 5, CHOSEN);
  }

  paintPending({ ctx, toSlide, downsample }) {
    toSlide();
    ctx.setLineDash([6 * downsample, 4 * downsample]);
    for (const mark of this.pending) this.paintMark(ctx, mark, downsample);
    ctx.setLineDash([]);
  }

  paintDraft({ ctx, toSlide, downsample }, outline) {
    const { kind } = this.pencil.tool;
    if (outline.length < 2) return;
    toSlide();
    const draft = new Mark({ id: "", kind, parts: [[outline]] });
    this.paintMark(ctx, draft, downsample, { width: 4, fill: 0, colour: "#fff" });
    this.paintMark(ctx, draft, downsample, { fill: 0.12 });
    const first = this.pencil.name === "polygon" ? outline.slice(0, 2) : [];
    if (first.length) this.paintPoints(ctx, { parts: [[first]] }, downsample, 2);
  }

  /** What can be done now, and how large what is being drawn is. */
  say() {
    const { tool, hint } = this.pencil;
    const size = tool?.busy ? sizeText(tool.kind, tool.outline, this.stage.model.mpp) : "";
    let text = [hint, size].filter(Boolean).join("  ");
    if (!tool && this.handles && !this.handles.mark.locked) {
      text = "Drag a corner, or the outline to move it. Double-click a corner to take it out. Delete removes it.";
    } else if (!tool && !this.handles && this.stage.model.objects_chosen) {
      const number = this.stage.model.objects_chosen;
      text = number === 1 ? "Delete removes the chosen object." : `Delete removes the ${number} chosen objects.`;
    }
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }
}

/** Presses, moves and releases, before the figure has them. */
class Pointer {
  constructor(stage, canvas) {
    Object.assign(this, { stage, canvas, pressed: null });
    const hear = (name, act) => stage.element.addEventListener(name, (event) => this.guard(event, act), true);
    hear("pointerdown", this.down);
    hear("pointermove", this.move);
    hear("pointerup", this.up);
    hear("pointercancel", this.cancel);
    hear("dblclick", this.twice);
  }

  guard(event, act) {
    if (!this.stage.camera.place || !event.composedPath().includes(this.stage.plot.el)) return;
    act.call(this, event, this.position(event));
  }

  position(event) {
    return { at: this.stage.toSlide(event.clientX, event.clientY), px: [event.clientX, event.clientY] };
  }

  /** Keep an event from the figure, which would pan. */
  take(event) {
    event.stopPropagation();
    event.preventDefault();
    this.stage.element.focus({ preventScroll: true });
  }

  down(event, position) {
    if (!event.isPrimary || event.button !== 0) return;
    const { pencil, handles } = this.canvas;
    if (pencil.tool) {
      this.take(event);
      this.capture(event);
      pencil.down(position);
      return;
    }
    const { place, box } = this.stage.camera;
    const grip = handles?.find(...position.at, box, place.downsample);
    if (grip) {
      this.take(event);
      this.capture(event);
      handles.begin(grip, ...position.at);
    }
    this.pressed = position;
  }

  capture(event) {
    event.target.setPointerCapture?.(event.pointerId);
  }

  move(event, position) {
    const { pencil, handles } = this.canvas;
    if (pencil.tool) {
      pencil.move(position);
      if (pencil.tool.held) this.take(event);
    } else if (handles?.grip) {
      this.take(event);
      if (this.isSlip(position)) return;
      handles.drag(...position.at);
      this.canvas.changed();
    } else if (handles && !event.buttons) this.point(handles, position);
  }

  /** Let the cursor say what a press would take hold of. */
  point(handles, { at }) {
    const { place, box } = this.stage.camera;
    const what = handles.find(...at, box, place.downsample)?.what;
    this.stage.element.dataset.grip = what ?? "";
  }

  isSlip({ px }) {
    return this.pressed && Math.hypot(px[0] - this.pressed.px[0], px[1] - this.pressed.px[1]) <= STILL_PX;
  }

  up(event, position) {
    const { canvas } = this;
    if (canvas.pencil.tool) {
      if (!canvas.pencil.tool.held) return;
      this.take(event);
      canvas.pencil.up(position);
      return;
    }
    if (canvas.handles?.grip) {
      this.take(event);
      const { mark } = canvas.handles;
      if (canvas.handles.end()) this.changed(mark);
    } else if (this.isSlip(position)) this.click(position);
    this.pressed = null;
  }

  changed(mark) {
    this.canvas.marks.set(mark.id, mark);
    this.canvas.sheet.outdate();
    this.canvas.tell({ do: "change", id: mark.id, kind: mark.kind, parts: mark.parts });
  }

  click({ at }) {
    if (!this.canvas.shown) return;
    const { model } = this.stage;
    const id = this.canvas.meant(...at);
    if (id !== this.canvas.chosen) model.annotation_chosen = id;
  }

  cancel() {
    this.canvas.pencil.cancel();
    this.pressed = null;
  }

  /** A double click ends a polygon, or takes a corner out. */
  twice(event, { at }) {
    const { pencil, handles } = this.canvas;
    if (pencil.tool) {
      this.take(event);
      pencil.end();
      return;
    }
    const { place, box } = this.stage.camera;
    const grip = handles?.find(...at, box, place.downsample);
    if (grip?.what !== "corner") return;
    this.take(event);
    const mark = handles.without(grip.place);
    if (mark) {
      this.changed(mark);
      this.canvas.choose(mark.id);
    }
  }
}

function keys(stage, canvas) {
  const { model } = stage;
  stage.onKey("Escape", () => {
    if (canvas.pencil.cancel()) return;
    if (model.annotation_tool) model.annotation_tool = "";
    else model.annotation_chosen = "";
  });
  stage.onKey("Enter", () => canvas.pencil.tool && canvas.pencil.end());
  const remove = () => {
    if (canvas.pencil.tool?.busy) canvas.pencil.back();
    else if (canvas.handles) {
      if (!canvas.handles.mark.locked) canvas.tell({ do: "delete", id: canvas.chosen });
    } else if (model.objects_chosen) canvas.tell({ do: "delete objects" });
  };
  stage.onKey("Delete", remove);
  stage.onKey("Backspace", remove);
  // Anywhere on the page but in a text, which has a history of its own.
  const undo = (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y") || isText(event.composedPath()[0])) return;
    if (!model.markable || event.defaultPrevented) return;
    event.preventDefault();
    canvas.tell({ do: key === "y" || event.shiftKey ? "redo" : "undo" });
  };
  document.addEventListener("keydown", undo);
  stage.onClose(() => document.removeEventListener("keydown", undo));
}

/** Whether keys write there. */
function isText(element) {
  if (!element.matches?.("input, textarea, [contenteditable]")) return false;
  return !["button", "checkbox", "radio", "range", "file", "submit"].includes(element.type);
}

const LABELS = {
  box: ["Mark a box", "square"],
  polygon: ["Mark a polygon", "polygon"],
  freehand: ["Mark by drawing freely", "freehand"],
  line: ["Mark a line, to measure it", "line"],
  point: ["Mark points", "point"],
};

/** A button for each tool; one in hand at a time, of these and of the stage's others. */
function tools(stage, canvas) {
  const { model } = stage;
  const made = new Map();
  for (const [name, [label, picture]] of Object.entries(LABELS)) {
    const act = () => {
      model.annotation_tool = model.annotation_tool === name ? "" : name;
    };
    made.set(name, button(canvas.bar, { label, picture, act }));
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
  stage.watch("annotation_steps", () => {
    [undo.disabled, redo.disabled] = model.annotation_steps.map((possible) => !possible);
  });
  stage.watch("markable", () => {
    canvas.bar.hidden = !model.markable;
  });
}

export function annotations(stage) {
  const { model } = stage;
  const canvas = new AnnotationCanvas(stage);
  new Pointer(stage, canvas);
  keys(stage, canvas);
  tools(stage, canvas);
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
  stage.watch("annotation_chosen", () => canvas.choose(model.annotation_chosen));
  model.on("objects_chosen", () => canvas.say());
  stage.watch("annotations_shown", () => {
    canvas.shown = model.annotations_shown;
    canvas.changed();
  });
}
