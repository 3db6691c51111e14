// Drawing: what the pointer does becomes the outline of a new annotation.

const STEP_PX = 3; // between points of a line that is drawn freely
const SLIP_PX = 5; // a click may move so far
const CLOSE_PX = 10; // a click so near to the first corner closes a polygon

import { DrawingTool, distance } from "./drawing_tool.js";
import { BrushSize, BrushTool, EraserTool, PromptTool, WandTool } from "./paint_tools.js";

/**
 * @import {Position} from "./drawing_tool.js"
 * @import {MarkKind, Parts, ToolName} from "./messages.js"
 */

class PointTool extends DrawingTool {
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
class DragTool extends DrawingTool {
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
    const [right, down] = this.pointer.across ?? [1, 0];
    const along = (x1 - x0) * right + (y1 - y0) * down; // on a turned slide, its edges are upright on the screen
    const [dx, dy] = this.pointer.across ? [along * right, along * down] : [x1 - x0, 0];
    return [x0, y0, x0 + dx, y0 + dy, x1, y1, x1 - dx, y1 - dy];
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

class FreehandTool extends DrawingTool {
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

  /** @override */
  abort() {
    if (!this.closing) this.back();
    this.held = this.closing = false;
  }
}

const TOOLS = {
  point: PointTool, box: BoxTool, line: LineTool, freehand: FreehandTool, polygon: PolygonTool,
  brush: BrushTool, eraser: EraserTool, wand: WandTool, prompt: PromptTool,
};

/** The tool in hand; none: null. */
export class Pencil {
  /** @type {ToolName | ""} */
  name = "";

  /** @type {DrawingTool | null} */
  tool = null;

  /** Of the brush and the eraser. */
  brush = new BrushSize();

  /**
   * @param {() => void} changed
   * @param {(kind: MarkKind, parts: Parts) => void} drawn takes the outline of a new annotation
   * @param {(stroke: BrushTool) => void} painted takes what a brush has painted
   */
  constructor(changed, drawn, painted = () => {}) {
    this.changed = changed;
    this.drawn = drawn;
    this.painted = painted;
  }

  /** @param {ToolName | ""} name */
  take(name) {
    this.name = name;
    this.tool = name ? new TOOLS[name](this.brush) : null;
    this.changed();
  }

  /**
   * Hand the outline on, and begin a new one.
   * @param {DrawingTool} tool
   */
  finish(tool) {
    if (tool instanceof BrushTool) {
      this.take(this.name);
      this.painted(tool);
      return;
    }
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
    else this.changed();
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

  /** Forget the press that is on. */
  abort() {
    this.tool?.abort();
    this.changed();
  }

  get hint() {
    return this.tool?.hint ?? "";
  }
}
