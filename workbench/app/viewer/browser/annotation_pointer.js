// Presses, moves and releases over annotations: they draw, choose and reshape.

import { BrushTool } from "./paint_tools.js";

/**
 * @import {AnnotationCanvas} from "./annotation_canvas.js"
 * @import {Position} from "./drawing_tool.js"
 * @import {Mark} from "./mark.js"
 * @import {Stage} from "./stage.js"
 */

const STILL_PX = 4; // a click may move so far
const PALM_MS = 1500; // after a pen was near, so long fingers do not draw

const ENDS = /** @type {const} */ (["pointerup", "pointercancel"]);

/** Handles pointer events before the figure does. */
export class AnnotationPointer {
  /**
   * Where the button was pressed, and nothing taken hold of.
   * @type {Position | null}
   */
  pressed = null;

  /** When a pen was seen last. */
  pen = -Infinity;

  /**
   * The first finger, while a tool has it.
   * @type {PointerEvent | null}
   */
  finger = null;

  /** Whether two fingers zoom, though a tool is in hand. */
  pinching = false;

  /**
   * @param {Stage} stage
   * @param {AnnotationCanvas} canvas
   */
  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.isOurs(event) && this.down(event, this.position(event)), true);
    element.addEventListener("pointermove", (event) => this.isOurs(event) && this.move(event, this.position(event)), true);
    element.addEventListener("pointerup", (event) => this.isOurs(event) && this.up(event, this.position(event)), true);
    element.addEventListener("pointercancel", (event) => this.isOurs(event) && this.cancel(), true);
    element.addEventListener("dblclick", (event) => this.isOurs(event) && this.twice(event, this.position(event)), true);
  }

  /**
   * Whether an event is on the figure, and a slide is shown.
   * @param {MouseEvent} event
   */
  isOurs(event) {
    return this.stage.camera.place !== null && !this.pinching && event.composedPath().includes(this.stage.plot.el);
  }

  /**
   * @param {MouseEvent} event
   * @returns {Position}
   */
  position({ clientX, clientY, altKey: alt, shiftKey: shift }) {
    const { turn } = this.stage;
    const across = turn.straight ? undefined : turn.onFigure(1, 0);
    return { at: this.stage.toSlide(clientX, clientY), px: [clientX, clientY], across, downsample: this.canvas.downsample, alt, shift };
  }

  /**
   * The handle or mark that a press there would drag.
   * @param {Position} position
   */
  gripAt({ at: [x, y] }) {
    const { place, box } = this.stage.camera;
    return place && this.canvas.handles ? this.canvas.handles.find(x, y, box, place.downsample) : null;
  }

  /**
   * Keep an event from the figure, which would pan.
   * @param {MouseEvent} event
   */
  take(event) {
    event.stopPropagation();
    event.preventDefault();
    this.stage.element.focus({ preventScroll: true });
  }

  /**
   * @param {PointerEvent} event
   * @param {Position} position
   */
  down(event, position) {
    const { pencil, handles } = this.canvas;
    if (event.pointerType === "pen") this.pen = event.timeStamp;
    if (pencil.tool && this.isPalm(event)) {
      this.take(event);
      return;
    }
    if (pencil.tool && event.pointerType === "touch" && !event.isPrimary) this.pinch();
    if (!event.isPrimary || event.button !== 0) return;
    if (pencil.tool) {
      this.take(event);
      this.capture(event);
      this.finger = event.pointerType === "touch" ? event : null;
      pencil.down(position);
      if (pencil.tool instanceof BrushTool) pencil.tool.target = this.canvas.painter.targetOf(pencil.tool);
      return;
    }
    const grip = this.gripAt(position);
    if (handles && grip) {
      this.take(event);
      this.capture(event);
      handles.begin(grip, ...position.at);
    }
    this.pressed = position;
  }

  /**
   * Whether a touch is the hand that holds a pen.
   * @param {PointerEvent} event
   */
  isPalm({ pointerType, timeStamp }) {
    return pointerType === "touch" && timeStamp - this.pen < PALM_MS;
  }

  /** Give the fingers to the figure, which zooms: the press of the first one was no drawing. */
  pinch() {
    const { finger } = this;
    this.canvas.pencil.abort();
    this.finger = null;
    this.pinching = true;
    const end = (/** @type {PointerEvent} */ event) => {
      if (event.pointerType !== "touch" || !event.isPrimary) return;
      this.pinching = false;
      for (const name of ENDS) window.removeEventListener(name, end);
    };
    for (const name of ENDS) window.addEventListener(name, end);
    // The figure has not seen its press, as the tool had taken it.
    if (finger?.target) finger.target.dispatchEvent(new PointerEvent("pointerdown", finger));
  }

  /** @param {PointerEvent} event */
  capture({ target, pointerId }) {
    if (target instanceof Element) target.setPointerCapture(pointerId);
  }

  /**
   * @param {PointerEvent} event
   * @param {Position} position
   */
  move(event, position) {
    const { pencil, handles } = this.canvas;
    if (event.pointerType === "pen") this.pen = event.timeStamp;
    if (pencil.tool) {
      if (this.isPalm(event)) return;
      // A pen reports more places than frames.
      const places = pencil.tool.held && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const place of places.slice(0, -1)) pencil.move(this.position(place));
      pencil.move(position);
      if (pencil.tool.held) this.take(event);
    } else if (handles?.held) {
      this.take(event);
      if (this.isSlip(position)) return;
      handles.drag(...position.at);
      this.canvas.changed();
    } else if (handles && !event.buttons) {
      // The cursor shows what a press would take hold of.
      this.stage.element.dataset.grip = this.gripAt(position)?.what ?? "";
    }
  }

  /**
   * Whether the pointer is still where it was pressed.
   * @param {Position} position
   */
  isSlip({ px }) {
    return this.pressed !== null && Math.hypot(px[0] - this.pressed.px[0], px[1] - this.pressed.px[1]) <= STILL_PX;
  }

  /**
   * @param {PointerEvent} event
   * @param {Position} position
   */
  up(event, position) {
    const { canvas } = this;
    if (canvas.pencil.tool) {
      if (!canvas.pencil.tool.held || this.isPalm(event)) return;
      this.finger = null;
      this.take(event);
      canvas.pencil.up(position);
      return;
    }
    if (canvas.handles?.held) {
      this.take(event);
      const { mark } = canvas.handles;
      if (canvas.handles.end()) this.changed(mark);
    } else if (this.isSlip(position)) this.click(position, event.ctrlKey || event.metaKey);
    this.pressed = null;
  }

  /** @param {Mark} mark */
  changed(mark) {
    this.canvas.marks.set(mark.id, mark);
    this.canvas.sheet.outdate();
    this.canvas.tell({ do: "change", id: mark.id, kind: mark.kind, parts: mark.parts });
  }

  /**
   * @param {Position} position
   * @param {boolean} add whether it is selected besides the others, or no more
   */
  click({ at }, add) {
    if (!this.canvas.shown) return;
    const { model } = this.stage;
    if (add && this.canvas.chosen) {
      const more = this.canvas.at(...at)?.id ?? "";
      if (more && more !== this.canvas.chosen) this.canvas.toggle(more);
      return;
    }
    const id = this.canvas.meant(...at);
    if (this.canvas.also.length) model.annotation_also = [];
    if (id !== this.canvas.chosen) model.annotation_chosen = id;
  }

  cancel() {
    this.canvas.pencil.cancel();
    this.pressed = null;
  }

  /**
   * A double click ends a polygon, or takes a corner out.
   * @param {MouseEvent} event
   * @param {Position} position
   */
  twice(event, position) {
    const { pencil, handles } = this.canvas;
    if (pencil.tool) {
      this.take(event);
      pencil.end();
      return;
    }
    const grip = this.gripAt(position);
    if (!handles || grip?.what !== "corner") return;
    this.take(event);
    const mark = handles.without(grip.place);
    if (mark) {
      this.changed(mark);
      this.canvas.choose(mark.id);
    }
  }
}
