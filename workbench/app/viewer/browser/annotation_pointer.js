// Presses, moves and releases over annotations: they draw, choose and reshape.

/**
 * @import {AnnotationCanvas} from "./annotation_canvas.js"

 * @import {Mark} from "./mark.js"
 * @import {Position} from "./pencil.js"
 * @import {Stage} from "./stage.js"
 */

const STILL_PX = 4; // a click may move so far

/** Handles pointer events before the figure does. */
export class AnnotationPointer {
  /**
   * Where the button was pressed, and nothing taken hold of.
   * @type {Position | null}
   */
  pressed = null;

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
    return this.stage.camera.place !== null && event.composedPath().includes(this.stage.plot.el);
  }

  /**
   * @param {MouseEvent} event
   * @returns {Position}
   */
  position({ clientX, clientY }) {
    return { at: this.stage.toSlide(clientX, clientY), px: [clientX, clientY] };
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
    if (!event.isPrimary || event.button !== 0) return;
    const { pencil, handles } = this.canvas;
    if (pencil.tool) {
      this.take(event);
      this.capture(event);
      pencil.down(position);
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
    if (pencil.tool) {
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
      if (!canvas.pencil.tool.held) return;
      this.take(event);
      canvas.pencil.up(position);
      return;
    }
    if (canvas.handles?.held) {
      this.take(event);
      const { mark } = canvas.handles;
      if (canvas.handles.end()) this.changed(mark);
    } else if (this.isSlip(position)) this.click(position);
    this.pressed = null;
  }

  /** @param {Mark} mark */
  changed(mark) {
    this.canvas.marks.set(mark.id, mark);
    this.canvas.sheet.outdate();
    this.canvas.tell({ do: "change", id: mark.id, kind: mark.kind, parts: mark.parts });
  }

  /** @param {Position} position */
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
