// Drawing: what the pointer does becomes the outline of a new annotation.

const STEP_PX = 3; // between points of a line that is drawn freely
const SLIP_PX = 5; // a click may move so far
const CLOSE_PX = 10; // a click so near to the first corner closes a polygon

/** @import {MarkKind, Parts, Point, Ring, ToolName} from "./messages.js" */

/** @typedef {{at: Point, px: Point}} Position on the slide, and on the screen */

/**
 * @param {Point} a
 * @param {Point} b
 */
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** What all tools have. */
class Tool {
  /** @type {MarkKind} */
  kind = "area";

  hint = "";

  /**
   * Corners on the slide.
   * @type {Point[]}
   */
  points = [];

  /**
   * The same on the screen, where they were set.
   * @type {Point[]}
   */
  pixels = [];

  /** @type {Position | null} */
  pointer = null;

  held = false;

  /** @param {Position} position */
  add({ at, px }) {
    this.points.push(at);
    this.pixels.push(px);
  }

  get busy() {
    return this.points.length > 0;
  }

  /**
   * The outline as it is now.
   * @returns {Ring}
   */
  get outline() {
    return this.points.flat();
  }

  /** @param {Position} position */
  down(position) {
    this.held = true;
    this.add(position);
  }

  /** @param {Position} position */
  move(position) {
    this.pointer = position;
  }

  /**
   * Whether it is finished.
   * @param {Position} _position
   */
  up(_position) {
    this.held = false;
    return false;
  }

  /** Whether it is finished: a double click, or Enter. */
  end() {
    return false;
  }

  back() {}
}

class PointTool extends Tool {
  /** @override @type {MarkKind} */
  kind = "point";

  /** @override */
  hint = "Click to set a point.";

  /** @override */
  up() {
    return this.busy;
  }
}

/** From one end of a drag to the other. */
class DragTool extends Tool {
  /**
   * @override
   * @param {Position} position
   */
  up(position) {
    this.move(position);
    if (this.busy && distance(this.pixels[0], position.px) > SLIP_PX) return true;
    this.points = [];
    return false;
  }
}

class BoxTool extends DragTool {
  /** @override */
  hint = "Drag from corner to corner.";

  /** @override */
  get outline() {
    if (!this.busy || !this.pointer) return [];
    const [[x0, y0], [x1, y1]] = [this.points[0], this.pointer.at];
    return [x0, y0, x1, y0, x1, y1, x0, y1];
  }
}

class LineTool extends DragTool {
  /** @override @type {MarkKind} */
  kind = "line";

  /** @override */
  hint = "Drag from end to end.";

  /** @override */
  get outline() {
    return this.busy && this.pointer ? [...this.points[0], ...this.pointer.at] : [];
  }
}

class FreehandTool extends Tool {
  /** @override */
  hint = "Drag around what you mark.";

  /** @param {Position} position */
  isAway({ px }) {
    const last = this.pixels.at(-1);
    return !last || distance(last, px) >= STEP_PX;
  }

  /**
   * @override
   * @param {Position} position
   */
  move(position) {
    super.move(position);
    if (this.held && this.isAway(position)) this.add(position);
  }

  /** @override */
  up() {
    this.held = false;
    if (this.points.length > 2) return true;
    this.points = [];
    this.pixels = [];
    return false;
  }
}

class PolygonTool extends FreehandTool {
  /** @override */
  hint = "Click corner after corner, or drag. Double-click or Enter ends, Backspace takes back.";

  /** Whether the press that is on closes the outline. */
  closing = false;

  /** @override */
  get outline() {
    return this.busy && this.pointer && !this.held ? [...this.points.flat(), ...this.pointer.at] : this.points.flat();
  }

  /**
   * @override
   * @param {Position} position
   */
  down(position) {
    const last = this.pixels.at(-1);
    this.closing = this.points.length > 2 && distance(this.pixels[0], position.px) <= CLOSE_PX;
    this.held = true;
    const again = last && distance(last, position.px) < 2;
    if (!this.closing && !again) this.add(position);
  }

  /**
   * @override
   * @param {Position} position
   */
  move(position) {
    if (this.closing) this.pointer = position; // the press that closes the outline adds nothing
    else super.move(position);
  }

  /** @override */
  up() {
    this.held = false;
    return this.closing;
  }

  /** @override */
  end() {
    this.pointer = null;
    return this.points.length > 2;
  }

  /** @override */
  back() {
    this.points.pop();
    this.pixels.pop();
  }
}

const TOOLS = { point: PointTool, box: BoxTool, line: LineTool, freehand: FreehandTool, polygon: PolygonTool };

/** The tool in hand; none: null. */
export class Pencil {
  /** @type {ToolName | ""} */
  name = "";

  /** @type {Tool | null} */
  tool = null;

  /**
   * @param {() => void} changed
   * @param {(kind: MarkKind, parts: Parts) => void} drawn
   */
  constructor(changed, drawn) {
    this.changed = changed;
    this.drawn = drawn;
  }

  /** @param {ToolName | ""} name */
  take(name) {
    this.name = name;
    this.tool = name ? new TOOLS[name]() : null;
    this.changed();
  }

  /**
   * Hand the outline on, and begin a new one.
   * @param {Tool} tool
   */
  finish(tool) {
    if (this.name === "polygon") tool.pointer = null;
    const ring = tool.outline;
    if (tool.kind === "area") ring.push(ring[0], ring[1]);
    this.take(this.name);
    if (tool.points.length) this.drawn(tool.kind, [[ring]]);
  }

  /** @param {Position} position */
  down(position) {
    this.tool?.down(position);
    this.changed();
  }

  /** @param {Position} position */
  move(position) {
    this.tool?.move(position);
    this.changed();
  }

  /** @param {Position} position */
  up(position) {
    if (this.tool?.up(position)) this.finish(this.tool);
    else this.changed();
  }

  end() {
    if (this.tool?.end()) this.finish(this.tool);
  }

  back() {
    this.tool?.back();
    this.changed();
  }

  /** Drop an outline that has been begun; false: none had. */
  cancel() {
    if (!this.tool?.busy) return false;
    this.take(this.name);
    return true;
  }

  get hint() {
    return this.tool?.hint ?? "";
  }
}
