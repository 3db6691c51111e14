// Drawing: what the pointer does becomes the outline of a new annotation.

const STEP_PX = 3; // between points of a line that is drawn freely
const SLIP_PX = 5; // a click may move so far
const CLOSE_PX = 10; // a click so near to the first corner closes a polygon

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** What all tools have; positions are {at: [x, y] on the slide, px: [x, y] on screen}. */
class Tool {
  constructor() {
    this.points = []; // on the slide
    this.pixels = []; // the same on screen, where they were set
    this.pointer = null;
    this.held = false;
  }

  add({ at, px }) {
    this.points.push(at);
    this.pixels.push(px);
  }

  get busy() {
    return this.points.length > 0;
  }

  /** Flat points of the outline as it is now. */
  get outline() {
    return this.points.flat();
  }

  down(position) {
    this.held = true;
    this.add(position);
  }

  move(position) {
    this.pointer = position;
  }

  /** Whether it is finished. */
  up() {
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
  kind = "point";
  hint = "Click to set a point.";

  up() {
    return this.busy;
  }
}

class BoxTool extends Tool {
  kind = "area";
  hint = "Drag from corner to corner.";

  get outline() {
    if (!this.busy || !this.pointer) return [];
    const [[x0, y0], [x1, y1]] = [this.points[0], this.pointer.at];
    return [x0, y0, x1, y0, x1, y1, x0, y1];
  }

  up(position) {
    this.move(position);
    if (this.busy && distance(this.pixels[0], position.px) > SLIP_PX) return true;
    this.points = [];
    return false;
  }
}

class LineTool extends Tool {
  kind = "line";
  hint = "Drag from end to end.";

  get outline() {
    return this.busy && this.pointer ? [...this.points[0], ...this.pointer.at] : [];
  }

  up = BoxTool.prototype.up;
}

class FreehandTool extends Tool {
  kind = "area";
  hint = "Drag around what you mark.";

  move(position) {
    super.move(position);
    if (this.held && distance(this.pixels.at(-1), position.px) >= STEP_PX) this.add(position);
  }

  up() {
    this.held = false;
    if (this.points.length > 2) return true;
    this.points = [];
    this.pixels = [];
    return false;
  }
}

class PolygonTool extends FreehandTool {
  hint = "Click corner after corner, or drag. Double-click or Enter ends, Backspace takes back.";

  get outline() {
    return this.busy && this.pointer && !this.held ? [...this.points.flat(), ...this.pointer.at] : this.points.flat();
  }

  down(position) {
    this.closing = this.points.length > 2 && distance(this.pixels[0], position.px) <= CLOSE_PX;
    this.held = true;
    const again = this.busy && distance(this.pixels.at(-1), position.px) < 2;
    if (!this.closing && !again) this.add(position);
  }

  up() {
    this.held = false;
    return this.closing;
  }

  end() {
    this.pointer = null;
    return this.points.length > 2;
  }

  back() {
    this.points.pop();
    this.pixels.pop();
  }
}

const TOOLS = { point: PointTool, box: BoxTool, line: LineTool, freehand: FreehandTool, polygon: PolygonTool };

/** The tool in hand; none: null. */
export class Pencil {
  constructor(changed, drawn) {
    Object.assign(this, { changed, drawn, name: "", tool: null });
  }

  take(name) {
    this.name = name;
    this.tool = name ? new TOOLS[name]() : null;
    this.changed();
  }

  /** Give what is drawn away, and begin anew. */
  finish() {
    const { kind, points } = this.tool;
    if (this.name === "polygon") this.tool.pointer = null;
    const ring = this.tool.outline;
    if (kind === "area") ring.push(ring[0], ring[1]);
    this.take(this.name);
    if (points.length) this.drawn(kind, [[ring]]);
  }

  down(position) {
    this.tool.down(position);
    this.changed();
  }

  move(position) {
    this.tool.move(position);
    this.changed();
  }

  up(position) {
    if (this.tool.up(position)) this.finish();
    else this.changed();
  }

  end() {
    if (this.tool.end()) this.finish();
  }

  back() {
    this.tool.back();
    this.changed();
  }

  /** Drop what has been begun; false: nothing had. */
  cancel() {
    if (!this.tool?.busy) return false;
    this.take(this.name);
    return true;
  }

  get hint() {
    return this.tool?.hint ?? "";
  }
}
