// Made by "make bundles"; change the modules instead. sha256 of them: 87bc383bb32c61cad4b1f9e1a08e8fb5f605636c66f68ecf8b6f228a84024097
// workbench/app/viewer/browser/actions.js
var GROUPS = ["View", "Measure and select", "Annotate", "Layers", "Page"];
var SHOWN = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  "-": "−",
  ContextMenu: "Menu"
};
function keyOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey) return "";
  const name = key.length === 1 ? key.toLowerCase() : key;
  const shift = shiftKey && (key.length > 1 || ctrlKey || metaKey) ? "Shift+" : "";
  return `${ctrlKey || metaKey ? "Ctrl+" : ""}${shift}${name}`;
}
function keyText(key) {
  return key.split(/(?<=.)\+/).map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join("+");
}
var Actions = class {
  /** @type {Action[]} */
  all = [];
  /** @param {Action[]} actions */
  add(...actions) {
    this.all.push(...actions);
  }
  /**
   * Those that a key means now.
   * @param {string} key
   */
  meant(key) {
    return this.all.filter(({ keys: keys2, act, reason }) => act && keys2?.includes(key) && !reason?.());
  }
  /** By headings, each with its actions; headings without any are left out. */
  get grouped() {
    return GROUPS.map((group2) => ({ group: group2, actions: this.all.filter((each) => each.group === group2) })).filter(({ actions }) => actions.length);
  }
};

// workbench/app/viewer/browser/numbers.js
var clamp = (value, low, high) => Math.min(high, Math.max(low, value));
var NICE = [1, 2, 5];
function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return Math.max(...NICE.map((digit) => digit * power).filter((length) => length <= longest * 1.0001));
}
var figures = (value) => value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
function lengthText(pixels, mpp) {
  if (!mpp) return `${figures(pixels)} px`;
  const um = pixels * mpp;
  return um < 1e3 ? `${figures(um)} µm` : `${figures(um / 1e3)} mm`;
}
function areaText(pixels, mpp) {
  if (!mpp) return `${figures(pixels)} px²`;
  const um2 = pixels * mpp * mpp;
  return um2 < 1e5 ? `${figures(um2)} µm²` : `${figures(um2 / 1e6)} mm²`;
}

// workbench/app/viewer/browser/drawing_tool.js
var distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
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
var DrawingTool = class {
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
  back() {
  }
  /** Forget the press that is on, as it turned out to be none: two fingers zoom. */
  abort() {
    this.held = false;
    this.points = [];
    this.pixels = [];
  }
};

// workbench/app/viewer/browser/paint_tools.js
var STEP = 0.15;
var SIZES = [3, 250];
var GROWTH = 1.25;
var TOLERANCE = 10;
var PER_PX = 0.12;
var LARGEST = 80;
var BrushSize = class {
  /** Radius in CSS pixels. */
  px = 20;
  /** @param {number} steps above 0: larger */
  change(steps) {
    this.px = clamp(this.px * GROWTH ** steps, SIZES[0], SIZES[1]);
  }
};
var BrushTool = class extends DrawingTool {
  /** @override */
  hint = "Paint an area. [ and ] or Shift+wheel: size. Alt: take away. Esc: another area.";
  /** Whether it takes away. */
  erases = false;
  /** Whether it does so without Alt. */
  isEraser = false;
  /** Whether a new area is begun, though one is selected. */
  another = false;
  /** Id of the annotation that is painted; empty: a new one. */
  target = "";
  /** Radius in level-0 pixels. */
  radius = 0;
  /** @param {BrushSize} size */
  constructor(size) {
    super();
    this.size = size;
  }
  /**
   * @override
   * @returns {Ring}
   */
  get outline() {
    return [];
  }
  /**
   * @override
   * @param {Position} position
   */
  down(position) {
    this.radius = this.size.px * (position.downsample ?? 1);
    this.erases = this.isEraser || (position.alt ?? false);
    this.another = position.shift ?? false;
    super.down(position);
  }
  /**
   * @override
   * @param {Position} position
   */
  move(position) {
    super.move(position);
    const last = this.pixels.at(-1);
    if (this.held && last && distance(last, position.px) >= Math.max(1, STEP * this.size.px)) this.add(position);
  }
  /**
   * @override
   * @param {Position} position
   */
  up(position) {
    const last = this.pixels.at(-1);
    if (last && distance(last, position.px) > 0) this.add(position);
    this.held = false;
    return this.busy;
  }
};
var EraserTool = class extends BrushTool {
  /** @override */
  hint = "Take away from the selected area, or the one under the pointer. [ and ] or Shift+wheel: size.";
  /** @override */
  isEraser = true;
  /** @override */
  erases = true;
};
var ProposingTool = class extends DrawingTool {
  /** Whether the area is accepted as soon as it is proposed. */
  accepts = false;
  /** Whether it is taken away from the selected area. */
  erases = false;
  /** Whether a new area is begun, though one is selected. */
  another = false;
  /**
   * 1 where the area is, 0 where it is not, for each point.
   * @type {number[]}
   */
  labels = [];
  /** Of the wand, in units of CIELAB. */
  tolerance = 0;
  /**
   * Where was clicked, as flat numbers.
   * @returns {Ring}
   */
  get clicks() {
    return this.points.flat();
  }
  /**
   * @override
   * @returns {Ring}
   */
  get outline() {
    return [];
  }
};
var WandTool = class extends ProposingTool {
  /** @override */
  hint = "Press on a region; drag right to take in more, left for less. Alt: take away.";
  /** @override */
  tolerance = TOLERANCE;
  /**
   * @override
   * @param {Position} position
   */
  down(position) {
    super.down(position);
    this.labels = [1];
    this.erases = position.alt ?? false;
    this.another = position.shift ?? false;
  }
  /**
   * @override
   * @param {Position} position
   */
  move(position) {
    super.move(position);
    if (!this.held) return;
    const right = position.px[0] - this.pixels[0][0];
    const up = this.pixels[0][1] - position.px[1];
    this.tolerance = clamp(TOLERANCE + PER_PX * (right + up), 1, LARGEST);
  }
  /**
   * @override
   * @param {Position} position
   */
  up(position) {
    this.move(position);
    this.held = false;
    this.accepts = this.busy;
    return false;
  }
};
var PromptTool = class extends ProposingTool {
  /** @override */
  hint = "Click on an object; Alt+click where it is not. Enter or double click keeps it, Backspace takes a click back.";
  /**
   * @override
   * @param {Position} position
   */
  down(position) {
    const last = this.pixels.at(-1);
    this.held = true;
    if (last && distance(last, position.px) < 3) return;
    this.add(position);
    this.labels.push(position.alt ? 0 : 1);
    this.another = true;
  }
  /** @override */
  end() {
    this.accepts = this.busy;
    return false;
  }
  /** @override */
  back() {
    this.points.pop();
    this.pixels.pop();
    this.labels.pop();
  }
  /** @override */
  abort() {
    if (this.held) this.back();
    this.held = false;
  }
};

// workbench/app/viewer/browser/mark.js
var TOUCH_PX = 7;
function thinned(ring, grain) {
  const kept3 = [ring[0], ring[1]];
  for (let i = 2; i < ring.length - 2; i += 2) {
    const [x, y] = kept3.slice(-2);
    if (Math.abs(ring[i] - x) + Math.abs(ring[i + 1] - y) >= grain) kept3.push(ring[i], ring[i + 1]);
  }
  kept3.push(...ring.slice(-2));
  return kept3;
}
function distanceToEdge(x, y, ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = dx || dy ? ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy) : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
var Mark = class _Mark {
  /** @param {Pick<MarkSpec, "id" | "kind" | "parts"> & Partial<MarkSpec>} spec */
  constructor({ id, kind, parts, colour = "#0a84ff", label = "", locked = false }) {
    this.id = id;
    this.kind = kind;
    this.parts = parts;
    this.colour = colour;
    this.label = label;
    this.locked = locked;
    this.paths = /* @__PURE__ */ new Map();
    const box = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
    for (const ring of parts.flat()) {
      for (let i = 0; i < ring.length; i += 2) {
        box.x0 = Math.min(box.x0, ring[i]);
        box.x1 = Math.max(box.x1, ring[i]);
        box.y0 = Math.min(box.y0, ring[i + 1]);
        box.y1 = Math.max(box.y1, ring[i + 1]);
      }
    }
    this.box = box;
  }
  /**
   * Whether some of it may lie in a box that is `margin` wider on every side.
   * @param {Box} box
   * @param {number} margin
   */
  isIn({ x0, y0, x1, y1 }, margin) {
    const { box } = this;
    return box.x1 >= x0 - margin && box.x0 <= x1 + margin && box.y1 >= y0 - margin && box.y0 <= y1 + margin;
  }
  /**
   * Its outline, no finer than what is visible at a downsample.
   * @param {number} downsample
   */
  path(downsample) {
    const level = Math.max(-1, Math.floor(Math.log2(downsample)));
    const path = this.paths.get(level) ?? this.trace(level < 0 ? 0 : 2 ** level);
    this.paths.set(level, path);
    return path;
  }
  /** @param {number} grain */
  trace(grain) {
    const path = new Path2D();
    for (const ring of this.parts.flat()) {
      const points = grain ? thinned(ring, grain) : ring;
      path.moveTo(points[0], points[1]);
      for (let i = 2; i < points.length; i += 2) path.lineTo(points[i], points[i + 1]);
      if (this.kind === "area") path.closePath();
    }
    return path;
  }
  /**
   * Whether a click at a point hits it; `downsample`: level-0 pixels for each on the screen.
   * @param {number} x
   * @param {number} y
   * @param {number} downsample
   */
  isAt(x, y, downsample) {
    const reach = TOUCH_PX * downsample;
    if (!this.isIn({ x0: x, y0: y, x1: x, y1: y }, reach)) return false;
    return this.outlineDistance(x, y) <= reach || this.kind === "area" && this.contains(x, y);
  }
  /**
   * Whether a point lies within, by the parity of a ray's crossings: holes are outside.
   * @param {number} x
   * @param {number} y
   */
  contains(x, y) {
    let inside = false;
    for (const [ax, ay, bx, by] of this.edges()) {
      if (ay > y !== by > y && x < ax + (y - ay) / (by - ay) * (bx - ax)) inside = !inside;
    }
    return inside;
  }
  /**
   * @param {number} x
   * @param {number} y
   */
  outlineDistance(x, y) {
    let nearest = Infinity;
    for (const edge of this.edges()) nearest = Math.min(nearest, distanceToEdge(x, y, ...edge));
    return nearest;
  }
  /** @returns {Generator<[ax: number, ay: number, bx: number, by: number]>} */
  *edges() {
    for (const ring of this.parts.flat()) {
      if (ring.length === 2) yield [ring[0], ring[1], ring[0], ring[1]];
      for (let i = 0; i < ring.length - 2; i += 2) yield [ring[i], ring[i + 1], ring[i + 2], ring[i + 3]];
    }
  }
  get points() {
    return this.parts.flat().reduce((sum, ring) => sum + ring.length / 2, 0);
  }
  get size() {
    return (this.box.x1 - this.box.x0) * (this.box.y1 - this.box.y0);
  }
  /** Whether its sides are those of an upright box. */
  get isBox() {
    if (this.kind !== "area" || this.parts.length !== 1 || this.parts[0].length !== 1) return false;
    const [ring] = this.parts[0];
    if (ring.length !== 10) return false;
    const { x0, y0, x1, y1 } = this.box;
    for (let i = 0; i < 8; i += 2) {
      const [x, y] = [ring[i], ring[i + 1]];
      if (x !== x0 && x !== x1 || y !== y0 && y !== y1) return false;
    }
    return true;
  }
  /**
   * The same annotation with another outline.
   * @param {Parts} parts
   */
  shaped(parts) {
    const { id, kind, colour, label, locked } = this;
    return new _Mark({ id, kind, parts, colour, label, locked });
  }
  /**
   * @param {number} dx
   * @param {number} dy
   */
  moved(dx, dy) {
    const shift = (ring) => ring.map((value, i) => value + (i % 2 ? dy : dx));
    return this.shaped(this.parts.map((rings) => rings.map(shift)));
  }
};

// workbench/app/viewer/browser/mark_painter.js
var DOT_PX = 2;
function paintMark(ctx, mark, downsample, { width = 2, fill = 0.08, colour = mark.colour } = {}) {
  const { x0, y0, x1, y1 } = mark.box;
  ctx.strokeStyle = ctx.fillStyle = colour;
  if (mark.kind === "point") {
    paintPoints(ctx, mark, downsample, width);
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
function paintPoints(ctx, mark, downsample, width) {
  for (const [x, y] of mark.parts.flat()) {
    ctx.beginPath();
    ctx.arc(x, y, 4 * downsample, 0, 2 * Math.PI);
    ctx.fill();
    ctx.lineWidth = (width - 0.5) * downsample;
    ctx.strokeStyle = "#fff";
    ctx.stroke();
  }
}
function paintLabel(ctx, mark, frame) {
  const ratio = window.devicePixelRatio;
  const { x, y } = new DOMMatrix(frame).transformPoint({ x: mark.box.x0, y: mark.box.y0 });
  ctx.save();
  ctx.setTransform(ratio, 0, 0, ratio, x, y);
  ctx.font = "500 12px/1 system-ui, sans-serif";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = 3;
  ctx.strokeStyle = "rgb(255 255 255 / 85%)";
  ctx.fillStyle = mark.colour;
  const left = mark.kind === "point" ? 8 : 1;
  ctx.strokeText(mark.label, left, -4);
  ctx.fillText(mark.label, left, -4);
  ctx.restore();
}

// workbench/app/viewer/browser/proposals.js
var INSIDE = "#34c759";
var OUTSIDE = "#ff3b30";
var question = ({ points, labels, tolerance }) => JSON.stringify([points, labels, Math.round(10 * tolerance)]);
var Proposals = class {
  number = 0;
  /** Number of the last answer. */
  answered = 0;
  /** The question that was asked last, and the one whose answer is shown. */
  asked = "";
  shown = "";
  /** @type {Parts} */
  parts = [];
  /**
   * @param {Stage} stage
   * @param {AnnotationCanvas} canvas
   */
  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    stage.model.on("annotation_proposed", () => this.answer());
  }
  /** @returns {ProposingTool | null} */
  get tool() {
    const { tool } = this.canvas.pencil;
    return tool instanceof ProposingTool ? tool : null;
  }
  /** Whether the last question has no answer yet. */
  get waiting() {
    return Boolean(this.asked) && this.answered < this.number;
  }
  /** Ask for what the tool means now; one question at a time. */
  ask() {
    const { tool } = this;
    if (!tool || !tool.busy) {
      this.clear();
      return;
    }
    const now = question(tool);
    if (now === this.asked) {
      this.accept();
      return;
    }
    if (this.answered < this.number) return;
    this.asked = now;
    this.number = Math.max(Date.now(), this.number + 1);
    this.stage.model.annotation_wanted = {
      number: this.number,
      tool: (
        /** @type {"wand" | "prompt"} */
        this.canvas.pencil.name
      ),
      points: tool.clicks,
      labels: [...tool.labels],
      tolerance: tool.tolerance,
      downsample: this.canvas.downsample
    };
  }
  answer() {
    const { number = 0, parts = [] } = this.stage.model.annotation_proposed;
    if (number < this.number) return;
    this.answered = number;
    this.parts = this.asked ? parts : [];
    this.shown = this.asked;
    this.ask();
    this.canvas.changed();
  }
  /** Hand on what is proposed, if the user has accepted it and it is the last word. */
  accept() {
    const { tool } = this;
    if (!tool?.accepts || question(tool) !== this.shown || this.answered < this.number) return;
    if (this.parts.length) this.canvas.painter.paintedParts(this.parts, tool);
    this.canvas.pencil.take(this.canvas.pencil.name);
    this.clear();
  }
  clear() {
    this.parts = [];
    this.asked = this.shown = "";
  }
  /** @param {View} view */
  paint({ ctx, toSlide, downsample }) {
    const { tool } = this;
    if (!tool?.busy) return;
    toSlide();
    if (this.parts.length) {
      const mark = new Mark({ id: "", kind: "area", parts: this.parts, colour: tool.erases ? OUTSIDE : void 0 });
      paintMark(ctx, mark, downsample, { width: 3, fill: 0, colour: "#fff" });
      paintMark(ctx, mark, downsample, { width: 1.5, fill: 0.3 });
    }
    tool.points.forEach(([x, y], i) => {
      ctx.beginPath();
      ctx.arc(x, y, 4 * downsample, 0, 2 * Math.PI);
      ctx.fillStyle = tool.labels[i] ? INSIDE : OUTSIDE;
      ctx.fill();
      ctx.lineWidth = 1.5 * downsample;
      ctx.strokeStyle = "#fff";
      ctx.stroke();
    });
  }
};

// workbench/app/viewer/browser/dom.js
function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("workbench: this browser has no context to paint on");
  return context;
}
function newContext() {
  return contextOf(document.createElement("canvas"));
}
function isDark(element2) {
  const [red, green, blue] = (getComputedStyle(element2).color.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 140;
}
function isOn(target, selector) {
  return target instanceof Element && target.closest(selector) !== null;
}

// workbench/app/viewer/browser/stroke_sheet.js
var OPACITY = 0.35;
var StrokeSheet = class {
  context = newContext();
  /** @type {Matrix | null} */
  frame = null;
  /** What the first stroke was painted over, and how far strokes are painted. */
  under = (
    /** @type {Mark | null} */
    null
  );
  key = "";
  strokes = 0;
  points = 0;
  /**
   * Paint strokes over an area.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Stroke[]} strokes in their order
   * @param {Mark | null} under the area that they change
   * @param {{colour: string, key: string}} look `key` names the first stroke
   */
  show(ctx, frame, strokes, under, { colour, key }) {
    if (!this.continues(ctx, frame, strokes, under, key)) this.begin(ctx, frame, under, { colour, key });
    this.context.strokeStyle = this.context.fillStyle = colour;
    while (this.strokes < strokes.length) {
      this.add(strokes[this.strokes]);
      if (this.strokes === strokes.length - 1) break;
      this.strokes += 1;
      this.points = 0;
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.globalAlpha = OPACITY;
    ctx.drawImage(this.context.canvas, 0, 0);
    ctx.globalAlpha = 1;
  }
  /**
   * Whether the picture only lacks the last points.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Stroke[]} strokes
   * @param {Mark | null} under
   * @param {string} key
   */
  continues({ canvas }, frame, strokes, under, key) {
    const { width, height } = this.context.canvas;
    const same = this.frame?.every((number, i) => number === frame[i]) && canvas.width === width && canvas.height === height;
    return same && under === this.under && key === this.key && this.strokes < strokes.length;
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Mark | null} under
   * @param {{colour: string, key: string}} look
   */
  begin({ canvas: { width, height } }, frame, under, { colour, key }) {
    const { context } = this;
    Object.assign(context.canvas, { width, height });
    Object.assign(this, { frame: [...frame], under, key, strokes: 0, points: 0 });
    context.lineCap = context.lineJoin = "round";
    context.setTransform(...frame);
    if (!under) return;
    context.fillStyle = colour;
    const scale = Math.hypot(frame[0], frame[1]) || 1;
    context.fill(under.path(1 / scale), "evenodd");
  }
  /** @param {Stroke} stroke */
  add({ points, radius, erase }) {
    const { context } = this;
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.lineWidth = 2 * radius;
    context.beginPath();
    const from = Math.max(0, this.points - 2);
    context.moveTo(points[from], points[from + 1]);
    context.lineTo(points[from], points[from + 1]);
    for (let i = from + 2; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
    context.stroke();
    this.points = points.length;
  }
};

// workbench/app/viewer/browser/unsaved.js
var PREFIX = "workbench-unsaved:";
var MOST = 200;
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] & 15 | 64;
  bytes[8] = bytes[8] & 63 | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
var Unsaved = class {
  /** @param {string} slot names the slide; empty: nothing is kept */
  constructor(slot) {
    this.key = slot && PREFIX + slot;
    this.edits = this.read();
  }
  /** @returns {NumberedEdit[]} */
  read() {
    try {
      return this.key ? JSON.parse(sessionStorage.getItem(this.key) ?? "[]") : [];
    } catch {
      return [];
    }
  }
  write() {
    try {
      if (!this.key) return;
      if (this.edits.length) sessionStorage.setItem(this.key, JSON.stringify(this.edits));
      else sessionStorage.removeItem(this.key);
    } catch {
    }
  }
  /** @param {NumberedEdit} edit */
  keep(edit) {
    this.edits = [...this.edits.slice(1 - MOST), edit];
    this.write();
  }
  /**
   * Drop the edits up to a number, which Python has done or refused.
   * @param {number} number
   */
  answered(number) {
    this.edits = this.edits.filter((edit) => edit.number > number);
    this.write();
  }
};

// workbench/app/viewer/browser/area_painter.js
var NEW = "#0a84ff";
var AreaPainter = class {
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
    const waiting = this.canvas.unsaved.edits.flatMap((edit) => edit.do === "paint" && edit.points.length ? [edit] : []);
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
};

// workbench/app/viewer/browser/brush_circle.js
var NO_BRUSH = "Neither the brush nor the eraser is in use";
function brushCircle(stage, canvas) {
  const { pencil } = canvas;
  const { element: element2 } = stage;
  const circle = stage.add("div", "brush-circle", { "aria-hidden": "true", hidden: "" });
  const brush = () => pencil.tool instanceof BrushTool ? pencil.brush : null;
  let at = { clientX: 0, clientY: 0 };
  const show = (seen) => {
    const size = brush();
    circle.hidden = !seen || !size;
    if (!size || circle.hidden) return;
    const { left, top } = stage.bounds;
    circle.style.width = circle.style.height = `${2 * size.px}px`;
    circle.style.transform = `translate(${at.clientX - left - size.px}px, ${at.clientY - top - size.px}px)`;
  };
  element2.addEventListener("pointermove", (event) => {
    if (!brush()) return;
    at = { clientX: event.clientX, clientY: event.clientY };
    show(event.composedPath().includes(stage.plot.el));
  }, true);
  element2.addEventListener("pointerleave", () => show(false));
  element2.addEventListener("pointerup", (event) => {
    if (event.pointerType === "touch") show(false);
  }, true);
  stage.watch("annotation_tool", () => show(false));
  const change = (steps) => {
    pencil.brush.change(steps);
    show(!circle.hidden);
    canvas.changed();
  };
  element2.addEventListener("wheel", (event) => {
    if (!event.shiftKey || !brush()) return;
    event.preventDefault();
    event.stopPropagation();
    at = { clientX: event.clientX, clientY: event.clientY };
    change(event.deltaY + event.deltaX < 0 ? 1 : -1);
    show(true);
  }, { capture: true, passive: false });
  const reason = () => brush() ? "" : NO_BRUSH;
  stage.actions.add(
    { label: "Make the brush larger", group: "Annotate", keys: ["]"], mouse: "Shift+wheel", act: () => change(1), reason },
    { label: "Make the brush smaller", group: "Annotate", keys: ["["], mouse: "Shift+wheel", act: () => change(-1), reason }
  );
}
var brushText = (px, downsample, mpp) => `⌀ ${lengthText(2 * px * downsample, mpp)}`;

// workbench/app/viewer/browser/handles.js
var GRIP_PX = 8;
var ROOM_PX = 9;
var MOST2 = 400;
var copied = (parts) => parts.map((rings) => rings.map((points) => [...points]));
function boxed(from, corner, x, y) {
  const { x0, y0, x1, y1 } = from.box;
  const [ax, ay] = [corner[3] === x0 ? x1 : x0, corner[4] === y0 ? y1 : y0];
  return from.shaped([[[ax, ay, x, ay, x, y, ax, y, ax, ay]]]);
}
function bent(from, [part, ring, i], x, y, insert) {
  const parts = copied(from.parts);
  const points = parts[part][ring];
  if (insert) points.splice(i + 2, 0, x, y);
  else {
    points.splice(i, 2, x, y);
    if (from.kind === "area" && i === 0) points.splice(-2, 2, x, y);
  }
  return from.shaped(parts);
}
var Handles = class {
  /**
   * What is being dragged: from where, and the mark as it was.
   * @type {{grip: Grip, x: number, y: number, from: Mark} | null}
   */
  held = null;
  /** @param {Mark} mark */
  constructor(mark) {
    this.mark = mark;
  }
  /**
   * Corners [part, ring, index, x, y] in a box; null: they lie too close together.
   * @param {Box} box
   * @param {number} downsample
   * @returns {Corner[] | null}
   */
  corners(box, downsample) {
    if (this.mark.locked) return null;
    const found = [];
    let length = 0;
    this.mark.parts.forEach(
      (rings, part) => rings.forEach((points, ring) => {
        const closed = this.mark.kind === "area" ? 2 : 0;
        for (let i = 0; i < points.length - closed; i += 2) {
          const [x, y] = [points[i], points[i + 1]];
          if (x < box.x0 || x > box.x1 || y < box.y0 || y > box.y1) continue;
          found.push([part, ring, i, x, y]);
          if (i + 3 < points.length) length += Math.hypot(points[i + 2] - x, points[i + 3] - y);
        }
      })
    );
    const crowded = found.length > 4 && length / found.length < ROOM_PX * downsample;
    return crowded || found.length > MOST2 ? null : found;
  }
  /**
   * Middles of sides, each with the corner after which it lies.
   * @param {Corner[]} corners
   * @returns {Corner[]}
   */
  middles(corners) {
    if (this.mark.kind === "point" || this.mark.isBox) return [];
    return corners.filter(([part, ring, i]) => i + 3 < this.mark.parts[part][ring].length).map(([part, ring, i, x, y]) => {
      const points = this.mark.parts[part][ring];
      return [part, ring, i, (x + points[i + 2]) / 2, (y + points[i + 3]) / 2];
    });
  }
  /**
   * What a press there takes hold of: null, or {what, ...}.
   * @param {number} x
   * @param {number} y
   * @param {Box} box
   * @param {number} downsample
   * @returns {Grip | null}
   */
  find(x, y, box, downsample) {
    if (this.mark.locked) return null;
    const reach = GRIP_PX * downsample;
    const near = (each) => Math.hypot(each[3] - x, each[4] - y) <= reach;
    const corners = this.corners(box, downsample) ?? [];
    const corner = corners.find(near);
    if (corner) return { what: "corner", place: corner };
    const middle = this.middles(corners).find(near);
    if (middle) return { what: "middle", place: middle };
    const line = this.mark.outlineDistance(x, y) <= 0.75 * reach;
    return line ? { what: "whole" } : null;
  }
  /**
   * @param {Grip} grip
   * @param {number} x
   * @param {number} y
   */
  begin(grip, x, y) {
    this.held = { grip, x, y, from: this.mark };
  }
  /**
   * @param {number} x
   * @param {number} y
   */
  drag(x, y) {
    if (!this.held) return;
    const { grip, from } = this.held;
    if (grip.what === "whole") this.mark = from.moved(x - this.held.x, y - this.held.y);
    else if (grip.what === "corner" && from.isBox) this.mark = boxed(from, grip.place, x, y);
    else this.mark = bent(from, grip.place, x, y, grip.what === "middle");
  }
  /**
   * The mark without a corner; null where too few would be left.
   * @param {Corner} corner
   */
  without([part, ring, i]) {
    const { mark } = this;
    const points = mark.parts[part][ring];
    if (mark.isBox || points.length <= (mark.kind === "area" ? 8 : 4)) return null;
    const parts = copied(mark.parts);
    const kept3 = parts[part][ring];
    kept3.splice(i, 2);
    if (mark.kind === "area" && i === 0) kept3.splice(-2, 2, kept3[0], kept3[1]);
    return mark.shaped(parts);
  }
  /** End a drag; whether something has changed. */
  end() {
    const changed = this.held !== null && this.mark !== this.held.from;
    this.held = null;
    return changed;
  }
};

// workbench/app/viewer/browser/mark_sheet.js
var MARGIN = 0.25;
var MANY = 4e3;
var REST_MS = 120;
var MarkSheet = class {
  context = newContext();
  /**
   * Where the slide lies on the picture; null: it is out of date.
   * @type {Matrix | null}
   */
  frame = null;
  /** Canvas pixels beyond the view, on each side. */
  margin = [0, 0];
  /** Width and height of the view that it was painted for, in canvas pixels. */
  size = [0, 0];
  /** How many are on it. */
  points = 0;
  /** Whether the view has rested for `REST_MS`. */
  resting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  /**
   * @param {(ctx: CanvasRenderingContext2D, frame: Matrix, box: Box) => number} paint returns how many points it has painted
   * @param {() => void} changed called when it is to be shown again
   */
  constructor(paint, changed) {
    this.paint = paint;
    this.changed = changed;
  }
  /** Have the picture painted anew. */
  outdate() {
    this.frame = null;
  }
  /**
   * Draw the picture on a canvas that shows `box` of the slide, as `frame` maps it.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Matrix} frame
   * @param {Box} box
   */
  show(ctx, frame, box) {
    const { width, height } = ctx.canvas;
    clearTimeout(this.timer);
    let painted = this.frame;
    if (!painted || !this.isFresh(painted, frame, width, height)) {
      const passing = this.points > MANY && !this.resting;
      if (!painted || !passing) painted = this.render(frame, box, width, height);
      else this.timer = setTimeout(() => this.rest(), REST_MS);
    }
    this.resting = false;
    ctx.setTransform(new DOMMatrix(frame).multiply(new DOMMatrix(painted).inverse()));
    ctx.drawImage(this.context.canvas, 0, 0);
  }
  rest() {
    this.resting = true;
    this.changed();
  }
  /**
   * Whether the picture, painted in one frame, is right for a view in another one.
   * @param {Matrix} painted
   * @param {Matrix} frame
   * @param {number} width
   * @param {number} height
   */
  isFresh(painted, frame, width, height) {
    if (frame.slice(0, 4).some((slope, i) => Math.abs(slope - painted[i]) > 1e-9)) return false;
    if (width > this.size[0] || height > this.size[1]) return false;
    return this.margin.every((margin, axis) => Math.abs(frame[4 + axis] + margin - painted[4 + axis]) <= margin);
  }
  /**
   * @param {Matrix} frame
   * @param {Box} box
   * @param {number} width
   * @param {number} height
   */
  render(frame, { x0, y0, x1, y1 }, width, height) {
    const [dx, dy] = [MARGIN * (x1 - x0), MARGIN * (y1 - y0)];
    const [left, top] = [Math.round(MARGIN * width), Math.round(MARGIN * height)];
    const [a, b, c, d, e, f] = frame;
    const { context } = this;
    Object.assign(context.canvas, { width: width + 2 * left, height: height + 2 * top });
    const painted = [a, b, c, d, e + left, f + top];
    this.frame = painted;
    this.margin = [left, top];
    this.size = [width, height];
    context.lineJoin = "round";
    this.points = this.paint(context, painted, { x0: x0 - dx, y0: y0 - dy, x1: x1 + dx, y1: y1 + dy });
    return painted;
  }
};

// workbench/app/viewer/browser/pencil.js
var STEP_PX = 3;
var SLIP_PX = 5;
var CLOSE_PX = 10;
var PointTool = class extends DrawingTool {
  /** @override @type {MarkKind} */
  kind = "point";
  /** @override */
  hint = "Click to set a point.";
  /** @override */
  up() {
    return this.busy;
  }
};
var DragTool = class extends DrawingTool {
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
};
var BoxTool = class extends DragTool {
  /** @override */
  hint = "Drag from corner to corner.";
  /** @override */
  get outline() {
    if (!this.busy || !this.pointer) return [];
    const [[x0, y0], [x1, y1]] = [this.points[0], this.pointer.at];
    const [right, down] = this.pointer.across ?? [1, 0];
    const along = (x1 - x0) * right + (y1 - y0) * down;
    const [dx, dy] = this.pointer.across ? [along * right, along * down] : [x1 - x0, 0];
    return [x0, y0, x0 + dx, y0 + dy, x1, y1, x1 - dx, y1 - dy];
  }
};
var LineTool = class extends DragTool {
  /** @override @type {MarkKind} */
  kind = "line";
  /** @override */
  hint = "Drag from end to end.";
  /** @override */
  get outline() {
    return this.busy && this.pointer ? [...this.points[0], ...this.pointer.at] : [];
  }
};
var FreehandTool = class extends DrawingTool {
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
};
var PolygonTool = class extends FreehandTool {
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
    if (this.closing) this.pointer = position;
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
};
var TOOLS = {
  point: PointTool,
  box: BoxTool,
  line: LineTool,
  freehand: FreehandTool,
  polygon: PolygonTool,
  brush: BrushTool,
  eraser: EraserTool,
  wand: WandTool,
  prompt: PromptTool
};
var Pencil = class {
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
  constructor(changed, drawn, painted = () => {
  }) {
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
};

// workbench/app/viewer/browser/annotation_canvas.js
var LABEL_PX = 60;
var TOLD_MS = 1e3;
var CHOSEN = "#ffd60a";
var MORE = "Shift+click or Shift+drag selects more.";
var AnnotationCanvas = class {
  /**
   * All annotations, by id.
   * @type {Map<string, Mark>}
   */
  marks = /* @__PURE__ */ new Map();
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
    const [a, b, c, d] = [right - x, rightY - y, downX - x, down - y].map((length) => length * ratio / far);
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
    const wide = (mark) => mark.kind !== "area" || mark.box.x1 - mark.box.x0 > LABEL_PX * downsample;
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
};

// workbench/app/viewer/browser/annotation_pointer.js
var STILL_PX = 4;
var PALM_MS = 1500;
var ENDS = (
  /** @type {const} */
  ["pointerup", "pointercancel"]
);
var AnnotationPointer = class {
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
    const { element: element2 } = stage;
    element2.addEventListener("pointerdown", (event) => this.isOurs(event) && this.down(event, this.position(event)), true);
    element2.addEventListener("pointermove", (event) => this.isOurs(event) && this.move(event, this.position(event)), true);
    element2.addEventListener("pointerup", (event) => this.isOurs(event) && this.up(event, this.position(event)), true);
    element2.addEventListener("pointercancel", (event) => this.isOurs(event) && this.cancel(), true);
    element2.addEventListener("dblclick", (event) => this.isOurs(event) && this.twice(event, this.position(event)), true);
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
    const across = turn.straight ? void 0 : turn.onFigure(1, 0);
    return { at: this.stage.toSlide(clientX, clientY), px: [clientX, clientY], across, downsample: this.canvas.downsample, alt, shift };
  }
  /**
   * The handle or mark that a press there would drag.
   * @param {Position} position
   */
  gripAt({ at: [x, y] }) {
    const { place: place2, box } = this.stage.camera;
    return place2 && this.canvas.handles ? this.canvas.handles.find(x, y, box, place2.downsample) : null;
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
    const end = (event) => {
      if (event.pointerType !== "touch" || !event.isPrimary) return;
      this.pinching = false;
      for (const name of ENDS) window.removeEventListener(name, end);
    };
    for (const name of ENDS) window.addEventListener(name, end);
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
      const places = pencil.tool.held && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const place2 of places.slice(0, -1)) pencil.move(this.position(place2));
      pencil.move(position);
      if (pencil.tool.held) this.take(event);
    } else if (handles?.held) {
      this.take(event);
      if (this.isSlip(position)) return;
      handles.drag(...position.at);
      this.canvas.changed();
    } else if (handles && !event.buttons) {
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
};

// workbench/app/viewer/browser/area_actions.js
var NONE = "Select an annotation first";
var ONE = "Select two areas or more: Ctrl+click";
var group = "Annotate";
function areaActions(stage, canvas) {
  brushCircle(stage, canvas);
  const { model } = stage;
  stage.watch("annotation_also", () => {
    canvas.also = model.annotation_also;
    canvas.changed();
  });
  const change = (what) => canvas.tell({ do: what, ids: canvas.selected, downsample: canvas.downsample });
  const combine = (operation) => {
    canvas.tell({ do: "combine", ids: canvas.selected, operation });
    model.annotation_also = [];
  };
  const some = () => canvas.chosen ? "" : NONE;
  const several = () => canvas.also.length ? "" : ONE;
  stage.actions.add(
    { label: "Select one more annotation, or take it out", group, mouse: "Ctrl+click" },
    { label: "Fill the holes of the area", group, keys: ["c"], act: () => change("fill"), reason: some },
    { label: "Simplify the outline to what is seen at this zoom", group, keys: ["m"], act: () => change("simplify"), reason: some },
    { label: "Unite the selected areas", group, keys: ["u"], act: () => combine("union"), reason: several },
    { label: "Take the other selected areas from the first", group, keys: ["d"], act: () => combine("difference"), reason: several },
    { label: "Keep what the selected areas share", group, keys: ["i"], act: () => combine("intersection"), reason: several }
  );
}

// workbench/app/viewer/browser/icons.js
var STROKES = {
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  box: "M4 4h4M12 4h0M16 4h4v4M20 12v0M20 16v4h-4M12 20h0M8 20H4v-4M4 12v0M4 8V4",
  clear: "M6 6l12 12M18 6L6 18",
  distance: "M3 16L16 3l5 5L8 21zM7 12l2 2M10 9l3 3M13 6l2 2",
  area: "M5 8l8-4 7 6-3 9-11 1z",
  lasso: "M7 16.500c-6-3-4-11 5-11s10 8 4 10.500c-3 1.200-6 1.200-9 .5a2 2 0 1 0-2 2.500c1 0 2-.7 2-2.500M5 19c0 1.500-.5 2-1.500 2.500",
  turn: "M19 12a7 7 0 1 1-2.2-5.1M19 3v5h-5",
  north: "M12 3v18M12 3l-5 7M12 3l5 7",
  flip: "M12 3v18M9 7L3 17h6zM15 7l6 10h-6z",
  square: "M5 5h14v14H5z",
  polygon: "M12 3l9 7-3.5 10h-11L3 10z",
  freehand: "M4 15c2-7 5-9 7-7s-3 7-1 9 5-1 6-4 3-3 4-1",
  line: "M4 20L20 4M2.5 18.500l3 3M18.500 2.500l3 3",
  point: "M12 21s-6-6.500-6-11a6 6 0 0 1 12 0c0 4.500-6 11-6 11zM12 10h0",
  help: "M9 9.500a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 18h0",
  find: "M10.500 4a6.500 6.500 0 1 1 0 13a6.500 6.500 0 1 1 0-13zM15.500 15.500L21 21",
  tones: "M12 4a8 8 0 1 1 0 16a8 8 0 1 1 0-16zM12 4v16M15 7.500v9M18 9v6",
  brush: "M20 4c-5 2-9 6-10.500 10M9.500 14c-3 0-4 1.500-4 3.500 0 1.500-1 2.500-2 2.500 3 1 8 .5 8-3.500 0-1.300-.7-2.200-2-2.500",
  eraser: "M9 19l-5-5 9.500-9.500 6.500 6.500L12 19zM8.500 9.500l6 6M9 19h11",
  wand: "M4 20L14.500 9.500M13 8l3 3M17 3v4M15 5h4M20 11v3M18.500 12.500h3M8 4v3M6.500 5.500h3",
  prompt: "M10 10l9 4-4 1.500L13.500 19.500zM5 5l1.500 1.500M10 3v2.500M3 10h2.500M15.500 5L14 6.500M5 15l1.500-1.500",
  undo: "M9 5L4 10l5 5M4 10h9a6 6 0 0 1 0 10h-2",
  redo: "M15 5l5 5-5 5M20 10h-9a6 6 0 0 0 0 10h2"
};
function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = drawing.appendChild(document.createElementNS(drawing.namespaceURI, "path"));
  path.setAttribute("d", STROKES[name]);
  return drawing;
}
function button(bar, { label, act, text = "", picture }) {
  const made3 = bar.appendChild(document.createElement("button"));
  made3.type = "button";
  made3.title = label;
  if (picture) made3.setAttribute("aria-label", label.split(" (")[0]);
  made3.append(picture ? icon(picture) : text);
  made3.addEventListener("click", act);
  return made3;
}

// workbench/app/viewer/browser/annotations.js
function keys(stage, canvas) {
  const { model } = stage;
  const group2 = "Annotate";
  const reason = () => model.markable ? "" : NOT_HERE;
  const idle = () => {
    const busy = model.annotation_tool || model.annotation_chosen || model.instances_chosen;
    return busy ? "" : "Nothing is selected or being drawn";
  };
  const leave = () => {
    if (canvas.pencil.cancel()) return;
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
    { label: "Put the tool down, or deselect", group: group2, keys: ["Escape"], act: leave, reason: idle, unlisted: true },
    { label: "Finish the outline", group: group2, keys: ["Enter"], mouse: "Double click", act: () => canvas.pencil.end(), reason: idle, unlisted: true },
    { label: "Delete what is selected", group: group2, keys: ["Delete", "Backspace"], act: remove, reason: idle },
    { label: "Undo", group: group2, keys: ["Ctrl+z"], act: () => canvas.tell({ do: "undo" }), reason, everywhere: true },
    { label: "Redo", group: group2, keys: ["Ctrl+y", "Ctrl+Shift+z"], act: () => canvas.tell({ do: "redo" }), reason, everywhere: true },
    { label: "Take a corner out", group: group2, mouse: "Double click on it" }
  );
}
var NOT_HERE = "Annotations of this slide are not saved here";
var LABELS = {
  brush: ["Paint with a brush", "brush", "p"],
  eraser: ["Take away with the eraser", "eraser", "e"],
  wand: ["Mark what is alike, with the wand", "wand", "w"],
  prompt: ["Mark an object by clicks", "prompt", "k"],
  box: ["Mark a box", "square"],
  polygon: ["Mark a polygon", "polygon"],
  freehand: ["Mark by drawing freely", "freehand"],
  line: ["Mark a line, to measure it", "line"],
  point: ["Mark points", "point"]
};
function tools(stage, canvas) {
  const { model } = stage;
  const made3 = /* @__PURE__ */ new Map();
  for (const [each, [label, picture, key]] of Object.entries(LABELS)) {
    const name = (
      /** @type {ToolName} */
      each
    );
    const act = () => {
      model.annotation_tool = model.annotation_tool === name ? "" : name;
    };
    made3.set(name, button(canvas.bar, { label: key ? `${label} (${keyText(key)})` : label, picture, act }));
    const reason = () => !model.markable ? NOT_HERE : name === "prompt" ? model.annotation_unprompted : "";
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
    for (const [name, each] of made3) each.setAttribute("aria-pressed", String(name === tool));
    canvas.pencil.take(tool);
    if (tool) stage.switch.use("mark");
    else if (stage.switch.active === "mark") stage.switch.use("pan");
    if (tool) stage.element.focus({ preventScroll: true });
  });
  stage.watch("annotation_unprompted", () => {
    const offered = made3.get("prompt");
    if (offered) offered.hidden = Boolean(model.annotation_unprompted);
  });
  stage.watch("annotation_steps", () => {
    [undo.disabled, redo.disabled] = model.annotation_steps.map((possible) => !possible);
  });
  stage.watch("markable", () => {
    canvas.bar.hidden = !model.markable;
  });
}
function annotations(stage) {
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

// workbench/app/viewer/browser/turn.js
var STEP2 = 15;
var WHOLE_TURN = 360;
function withinTurn(degrees) {
  const hundredths = Math.round(degrees * 100) % (100 * WHOLE_TURN);
  return (hundredths + 100 * WHOLE_TURN) % (100 * WHOLE_TURN) / 100;
}
function stepFrom(degrees, way) {
  const steps = degrees / STEP2;
  return withinTurn(STEP2 * (way > 0 ? Math.floor(steps) + 1 : Math.ceil(steps) - 1));
}
var Turn = class {
  angle = 0;
  mirrored = false;
  /**
   * Columns of the map: where the figure's x and y point on the stage.
   * @type {[a: number, b: number, c: number, d: number]}
   */
  linear = [1, 0, 0, 1];
  /** @param {{style: Partial<CSSStyleDeclaration>}} holder the element that has the figure */
  constructor(holder = { style: {} }) {
    this.holder = holder;
    this.set(0, false);
  }
  /**
   * @param {number} angle degrees
   * @param {boolean} mirrored
   */
  set(angle, mirrored) {
    this.angle = withinTurn(angle);
    this.mirrored = mirrored;
    const radians = this.angle * Math.PI / 180;
    const [cos, sin] = this.straight ? [[1, 0], [0, 1], [-1, 0], [0, -1]][this.angle / 90] : [Math.cos(radians), Math.sin(radians)];
    const flip = mirrored ? -1 : 1;
    this.linear = [cos * flip, sin * flip, -sin, cos];
    const [c, s] = [Math.abs(cos), Math.abs(sin)];
    const centred = this.plain ? { left: "0", top: "0", transform: "" } : {
      left: "50cqw",
      top: "50cqh",
      transform: `matrix(${this.linear.join(", ")}, 0, 0) translate(-50%, -50%)`
    };
    Object.assign(this.holder.style, {
      width: `calc(${c} * 100cqw + ${s} * 100cqh)`,
      height: `calc(${s} * 100cqw + ${c} * 100cqh)`,
      ...centred
    });
  }
  get plain() {
    return this.angle === 0 && !this.mirrored;
  }
  /** Whether by whole quarters, so that edges stay upright. */
  get straight() {
    return this.angle % 90 === 0;
  }
  /**
   * The size of the upright box around a box that is turned, forwards or back.
   * @param {Size} size
   * @returns {Size}
   */
  around([width, height]) {
    const [a, b, c, d] = this.linear.map(Math.abs);
    return [a * width + c * height, b * width + d * height];
  }
  /**
   * A vector on the figure, as it is on the stage.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  seen(x, y) {
    const [a, b, c, d] = this.linear;
    return [a * x + c * y, b * x + d * y];
  }
  /**
   * A vector on the stage, as it is on the figure.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  onFigure(x, y) {
    const [a, b, c, d] = this.linear;
    return [a * x + b * y, c * x + d * y];
  }
  /**
   * A point of a figure, on a stage with the same centre.
   * @param {Point} point
   * @param {Size} figure
   * @param {Size} stage
   * @returns {Point}
   */
  toStage([x, y], figure, stage) {
    const [right, down] = this.seen(x - figure[0] / 2, y - figure[1] / 2);
    return [right + stage[0] / 2, down + stage[1] / 2];
  }
  /**
   * A point of a stage, on a figure with the same centre.
   * @param {Point} point
   * @param {Size} stage
   * @param {Size} figure
   * @returns {Point}
   */
  toFigure([x, y], stage, figure) {
    const [right, down] = this.onFigure(x - stage[0] / 2, y - stage[1] / 2);
    return [right + figure[0] / 2, down + figure[1] / 2];
  }
  /**
   * Whether a box is seen on the stage, at least in part.
   * @param {Point} middle of the box, from the middle of the figure, in CSS pixels
   * @param {Size} size of the box
   * @param {Size} stage
   */
  shows(middle, size, stage) {
    const reach = this.around(size);
    return this.seen(...middle).every((away, axis) => Math.abs(away) < (stage[axis] + reach[axis]) / 2);
  }
  /**
   * The corners of what lies right of a share of the stage, on a frame for its figure.
   * @param {number} share
   * @param {Size} stage in CSS pixels
   * @param {number[]} frame left, top, width and height, in device pixels
   * @returns {Point[]}
   */
  rightOf(share, stage, [left, top, width, height]) {
    const figure = this.around(stage);
    const [right, bottom] = stage;
    return (
      /** @type {Point[]} */
      [[share * right, 0], [right, 0], [right, bottom], [share * right, bottom]].map((corner) => {
        const [x, y] = this.toFigure(corner, stage, figure);
        const at = [left + x / figure[0] * width, top + y / figure[1] * height];
        return (
          /** @type {Point} */
          this.straight ? at.map(Math.round) : at
        );
      })
    );
  }
};
function straighten(stage) {
  const { plot, turn, element: element2 } = stage;
  const { canvas_view: canvas } = plot;
  const bus = canvas.ui_event_bus;
  for (const each of [plot.el, canvas.el, canvas.events_el]) {
    each.getBoundingClientRect = () => {
      const { left, top } = element2.getBoundingClientRect();
      return new DOMRect(left, top, each.offsetWidth, each.offsetHeight);
    };
  }
  for (const hearer of [bus, bus.ui_gestures]) {
    hearer._get_sxy = ({ clientX, clientY }) => {
      const [sx, sy] = stage.toFigure(clientX, clientY);
      return { sx, sy };
    };
  }
  bus.ui_gestures._movement = ({ init, last }) => {
    const [dx, dy] = turn.onFigure(last.x - init.x, last.y - init.y);
    return { dx, dy };
  };
}
function letFingersRest({ figure, plot }) {
  const gestures = plot.canvas_view.ui_event_bus.ui_gestures;
  const pressed = gestures._pointer_timeout.bind(gestures);
  gestures._pointer_timeout = () => {
    const { press, tap } = figure.toolbar.gestures;
    if ((press.active ?? tap.active)?.event_types.includes("press")) pressed();
  };
}
function layOut(plot) {
  if (!plot.layout) return;
  plot.measure_layout();
  plot.update_bbox();
  plot._compute_layout();
  plot.after_layout();
}
function turnByWheel({ element: element2, plot }, step) {
  element2.addEventListener("wheel", (event) => {
    const { defaultPrevented, shiftKey, ctrlKey } = event;
    if (defaultPrevented || !shiftKey || ctrlKey || !event.composedPath().includes(plot.el)) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.deltaY + event.deltaX;
    if (by) step(by > 0 ? 1 : -1);
  }, { capture: true, passive: false });
}
function compass(stage, act) {
  const made3 = button(stage.tools, { picture: "north", label: "Turn upright (N)", act });
  const text = made3.appendChild(document.createElement("span"));
  const arrow = icon("north");
  made3.querySelector("svg")?.replaceWith(arrow);
  made3.className = "compass";
  return ({ angle, mirrored }) => {
    const said = `${Number(angle.toFixed(1))}°`;
    made3.hidden = angle === 0;
    text.textContent = said;
    arrow.style.transform = `rotate(${angle}deg)`;
    made3.title = `Turned by ${said}${mirrored ? ", flipped" : ""}: turn upright (N)`;
    made3.setAttribute("aria-label", `Turned by ${said}: turn upright`);
  };
}
function turning(stage) {
  const { model, turn, actions, tools: tools2 } = stage;
  straighten(stage);
  letFingersRest(stage);
  const to = (angle) => {
    model.angle = withinTurn(angle);
  };
  const quarter = () => to(model.angle + 90);
  const step = (way) => to(stepFrom(model.angle, way));
  const flip = () => {
    to(-model.angle);
    model.mirrored = !model.mirrored;
  };
  button(tools2, { picture: "turn", label: "Turn by 90° (R); by 15°: Shift+wheel, comma and full stop", act: quarter });
  const flipped = button(tools2, { picture: "flip", label: "Flip (F)", act: flip });
  const tell = compass(stage, () => to(0));
  const upright = () => model.angle ? "" : "It is upright";
  const group2 = "View";
  actions.add(
    { label: "Turn by 90°", group: group2, keys: ["r"], act: quarter },
    { label: "Turn by 15°", group: group2, keys: ["."], mouse: "Shift+wheel", act: () => step(1) },
    { label: "Turn back by 15°", group: group2, keys: [","], mouse: "Shift+wheel", act: () => step(-1) },
    { label: "Turn upright", group: group2, keys: ["n"], act: () => to(0), reason: upright },
    { label: "Flip", group: group2, keys: ["f"], act: flip }
  );
  turnByWheel(stage, step);
  const show = () => {
    turn.set(model.angle, model.mirrored);
    layOut(stage.plot);
    flipped.setAttribute("aria-pressed", String(model.mirrored));
    tell(turn);
    if (!stage.camera.place) return;
    stage.stack.changed();
    for (const hear of stage.moved) hear();
  };
  stage.watch("angle", show);
  stage.watch("mirrored", show);
}

// workbench/app/viewer/browser/camera.js
var FINEST = 1 / 32;
var COARSEST = 2;
var AGAIN_MS = 30;
var ROOM = 1.04;
var WHOLE = { box: null };
var NOWHERE = { x0: 0, y0: 0, x1: 0, y1: 0 };
var Camera = class {
  /** @type {ViewPlace | null} */
  place = null;
  /** @type {Goal | null} */
  goal = WHOLE;
  /** Width and height of the figure, in CSS pixels. */
  frame = [0, 0];
  /**
   * Width and height of what is seen of it, in CSS pixels.
   * @type {[width: number, height: number]}
   */
  stage = [0, 0];
  /** Whether the ranges are to be read. */
  queued = false;
  /** Whether this camera is changing the ranges. */
  busy = false;
  closed = false;
  /** Whether another camera has moved this one, or its place has only been fitted anew. */
  led = false;
  /**
   * @param {Figure} figure
   * @param {PlotView} plot
   * @param {[width: number, height: number]} size of the slide
   * @param {() => void} moved called after each move
   * @param {Turn} turn
   * @param {() => [width: number, height: number]} stageSize asked while the figure is turned
   */
  constructor(figure, plot, size, moved, turn = new Turn(), stageSize = () => [0, 0]) {
    this.figure = figure;
    this.plot = plot;
    this.size = size;
    this.moved = moved;
    this.turn = turn;
    this.stageSize = stageSize;
    const { x_range, y_range } = figure;
    for (const range of [x_range, y_range]) figure.connect(range.change, () => this.touched());
    for (const name of ["inner_width", "inner_height"]) {
      figure.connect(figure.properties[name].change, () => this.touched());
    }
    this.touched();
  }
  /** Read the ranges and sizes once all of them have changed. */
  touched() {
    if (this.queued || this.busy || this.closed) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      this.settle();
    });
  }
  settle() {
    const { width, height } = this.plot.frame?.bbox ?? { width: 0, height: 0 };
    if (this.closed || width < 8 || height < 8) return;
    const resized = width !== this.frame[0] || height !== this.frame[1];
    if (resized || this.goal) this.stage = this.turn.straight ? this.turn.around([width, height]) : this.stageSize();
    if (Math.min(...this.stage) < 8) {
      setTimeout(() => this.touched(), AGAIN_MS);
      return;
    }
    this.frame = [width, height];
    this.led = this.goal ? Boolean(this.goal.led) : resized;
    if (this.goal) this.place = this.limited(this.reach(this.goal));
    else if (!resized || !this.place) this.place = this.limited(this.read(), this.place);
    this.goal = null;
    this.write(this.place);
  }
  /** The view that the ranges show, after a tool has changed them. */
  read() {
    const { x_range: xs, y_range: ys } = this.figure;
    const [width, height] = this.frame;
    const downsample = Math.max(Math.abs(xs.end - xs.start) / width, Math.abs(ys.end - ys.start) / height);
    return { x: (xs.start + xs.end) / 2, y: (ys.start + ys.end) / 2, downsample };
  }
  /**
   * @param {Goal} goal
   * @returns {ViewPlace}
   */
  reach(goal) {
    const { x = this.size[0] / 2, y = this.size[1] / 2, downsample } = goal;
    if (downsample) return { x, y, downsample };
    const [x0, y0, x1, y1] = goal.box ?? [0, 0, ...this.size];
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, downsample: ROOM * this.fit(x1 - x0, y1 - y0) };
  }
  /**
   * The downsample at which a box of level-0 pixels is seen whole.
   * @param {number} width
   * @param {number} height
   */
  fit(width, height) {
    const [across, down] = this.turn.around([width, height]);
    return Math.max(across / this.stage[0], down / this.stage[1]);
  }
  /**
   * Whether a box of level-0 pixels is seen; of a figure that is not turned, all that is on it.
   * @param {number} x0
   * @param {number} y0
   * @param {number} x1
   * @param {number} y1
   */
  sees(x0, y0, x1, y1) {
    if (this.turn.straight || !this.place) return true;
    const { x, y, downsample } = this.place;
    const [dx, dy, width, height] = [(x0 + x1) / 2 - x, (y0 + y1) / 2 - y, x1 - x0, y1 - y0].map((length) => length / downsample);
    return this.turn.shows([dx, dy], [width, height], this.stage);
  }
  /**
   * A view within the limits. If zooming led to it, the point at the mouse stays.
   * @param {ViewPlace} next
   * @param {ViewPlace | null} from
   * @returns {ViewPlace}
   */
  limited(next, from = null) {
    const downsample = clamp(next.downsample, FINEST, Math.max(COARSEST * this.fit(...this.size), 1));
    let { x, y } = next;
    if (from && next.downsample !== from.downsample && next.downsample !== downsample) {
      const share = (downsample - from.downsample) / (next.downsample - from.downsample);
      x = from.x + share * (x - from.x);
      y = from.y + share * (y - from.y);
    }
    return { x: clamp(x, 0, this.size[0]), y: clamp(y, 0, this.size[1]), downsample };
  }
  /** @param {ViewPlace} place */
  write({ x, y, downsample }) {
    const [dx, dy] = this.frame.map((length) => length * downsample / 2);
    this.busy = true;
    this.set(this.figure.x_range, x - dx, x + dx);
    this.set(this.figure.y_range, y + dy, y - dy);
    this.busy = false;
    this.moved();
  }
  /**
   * @param {Range} range
   * @param {number} start
   * @param {number} end
   */
  set(range, start, end) {
    const small = Math.abs(end - start) * 1e-9;
    if (Math.abs(range.start - start) > small || Math.abs(range.end - end) > small) range.setv({ start, end });
  }
  /** @param {Goal} goal */
  go(goal) {
    this.goal = goal;
    this.touched();
  }
  /** @param {number} factor */
  zoom(factor) {
    if (this.place) this.go({ ...this.place, downsample: this.place.downsample * factor });
  }
  /**
   * @param {number} right
   * @param {number} down shares of the stage
   */
  pan(right, down) {
    if (!this.place) return;
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.turn.onFigure(right * this.stage[0], down * this.stage[1]);
    this.go({ x: x + dx * downsample, y: y + dy * downsample, downsample });
  }
  /**
   * The upright box around what is in view; an empty box before anything is.
   * @returns {Box}
   */
  get box() {
    if (!this.place) return NOWHERE;
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => length * downsample / 2);
    return { x0: x - dx, y0: y - dy, x1: x + dx, y1: y + dy };
  }
};

// workbench/app/viewer/browser/tissue_link.js
function product([a, b, c, d], [p, q, r, s]) {
  return [a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s];
}
function inverse([a, b, c, d]) {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area];
}
function linearOf({ angle, mirrored }) {
  const radians = angle * Math.PI / 180;
  const [cos, sin, flip] = [Math.cos(radians), Math.sin(radians), mirrored ? -1 : 1];
  return [cos * flip, sin * flip, -sin, cos];
}
function interpolate({ step, columns, points }, [x, y]) {
  const rows = points.length / 2 / columns;
  const [column, row] = [x / step[0], y / step[1]];
  const left = Math.min(columns - 2, Math.max(0, Math.floor(column)));
  const top = Math.min(rows - 2, Math.max(0, Math.floor(row)));
  const [right, down] = [column - left, row - top];
  const at = (axis) => {
    const node = (c, r) => points[2 * (r * columns + c) + axis];
    const above = node(left, top) * (1 - right) + node(left + 1, top) * right;
    const below = node(left, top + 1) * (1 - right) + node(left + 1, top + 1) * right;
    return above * (1 - down) + below * down;
  };
  return [at(0), at(1)];
}
var TissueLink = class {
  /** @param {TissueLinkSpec | null} spec null: the main slide itself */
  constructor(spec = null) {
    this.spec = spec;
    this.linear = spec ? spec.linear : [1, 0, 0, 1];
  }
  /**
   * @param {Point} point of this slide
   * @returns {Point} the same tissue in the main slide
   */
  toMain(point) {
    return this.spec ? interpolate(this.spec.forth, point) : point;
  }
  /**
   * @param {Point} point of the main slide
   * @returns {Point} the same tissue in this slide
   */
  fromMain(point) {
    return this.spec ? interpolate(this.spec.back, point) : point;
  }
};
function sameTissue({ x, y, downsample }, turned, from, to) {
  const [x1, y1] = to.fromMain(from.toMain([x, y]));
  const seen = product(linearOf(turned), product(inverse(from.linear), to.linear));
  const [a, b, c, d] = seen;
  const area = a * d - b * c;
  const scale = Math.sqrt(Math.abs(area));
  const flip = area < 0 ? -1 : 1;
  const angle = Math.atan2(flip * b - c, flip * a + d) * 180 / Math.PI;
  return {
    place: { x: x1, y: y1, downsample: downsample / scale },
    turned: { angle, mirrored: area < 0 }
  };
}

// workbench/app/viewer/browser/compare.js
var SWIPE_STEP = 0.02;
var STEPS = { ArrowLeft: -SWIPE_STEP, ArrowRight: SWIPE_STEP };
var Swipe = class {
  /**
   * Share of the width; null: there is none.
   * @type {number | null}
   */
  at = null;
  /**
   * @param {HTMLElement} stage
   * @param {() => void} moved
   * @param {(at: number | null) => void} settled
   */
  constructor(stage, moved, settled) {
    this.moved = moved;
    this.settled = settled;
    this.bar = stage.appendChild(document.createElement("div"));
    this.bar.className = "swipe";
    this.bar.tabIndex = 0;
    this.bar.setAttribute("role", "slider");
    this.bar.setAttribute("aria-label", "Divider between layers. Arrow keys move it.");
    this.bar.append(document.createElement("span"));
    this.bar.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.bar.focus({ preventScroll: true });
      this.bar.setPointerCapture(event.pointerId);
    });
    this.bar.addEventListener("pointermove", (event) => {
      if (!this.bar.hasPointerCapture(event.pointerId)) return;
      const { left, width } = stage.getBoundingClientRect();
      this.show((event.clientX - left) / width);
    });
    this.bar.addEventListener("pointerup", () => this.settled(this.at));
    this.bar.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step || this.at === null) return;
      event.preventDefault();
      event.stopPropagation();
      this.show(this.at + step);
      this.settled(this.at);
    });
    this.show(null);
  }
  /**
   * Put the divider at a share of the width; null: there is none.
   * @param {number | null} at
   */
  show(at) {
    this.at = at === null ? null : Math.min(1, Math.max(0, at));
    this.bar.style.display = this.at === null ? "none" : "";
    this.bar.style.left = `${100 * (this.at ?? 0)}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(100 * (this.at ?? 0))));
    this.moved();
  }
  /**
   * Corners of where a layer may be painted, on the figure's frame; null: on all of it.
   * @param {Frame} frame
   * @param {boolean} swiped
   * @param {Stage} stage
   */
  clip(frame, swiped, { turn, size }) {
    return this.at === null || !swiped ? null : turn.rightOf(this.at, size, frame);
  }
};
var SAME_TURN = 0.02;
var Lock = class {
  /** @type {Map<Camera, Member>} */
  members = /* @__PURE__ */ new Map();
  /**
   * @param {Camera} camera
   * @param {Omit<Member, "anchor">} member
   */
  join(camera, member) {
    this.members.set(camera, { ...member, anchor: null });
    for (const each of this.members.values()) each.anchor = null;
    this.anchor();
  }
  /** @param {Camera} camera */
  leave(camera) {
    this.members.delete(camera);
  }
  /** The camera of the slide that the others are registered to; null: there is none. */
  get main() {
    for (const [camera, { link }] of this.members) if (link && !link.spec) return camera;
    return null;
  }
  /** Keep the present view of each camera; false while one has none. */
  anchor() {
    for (const [camera, member] of this.members) {
      if (!camera.place) return false;
      member.anchor ??= { ...camera.place };
    }
    return true;
  }
  /**
   * Move the others as this one has moved.
   * @param {Camera} leader
   */
  lead(leader) {
    const { place: place2 } = leader;
    const own = this.members.get(leader);
    if (!place2 || !own || this.members.size < 2 || !this.anchor()) return;
    for (const [camera, member] of this.members) {
      if (camera === leader || camera.closed) continue;
      if (own.link && member.link) this.showTissue(camera, member, place2, own, own.link, member.link);
      else this.shift(camera, member, place2, own);
    }
  }
  /**
   * @param {Camera} camera
   * @param {Member} member
   * @param {ViewPlace} place of the leader
   * @param {Member} own the leader
   * @param {TissueLink} from
   * @param {TissueLink} to
   */
  showTissue(camera, member, place2, own, from, to) {
    const { place: next, turned } = sameTissue(place2, own.turned(), from, to);
    const { angle, mirrored } = member.turned();
    const off = Math.abs((turned.angle - angle + 540) % 360 - 180);
    if (off > SAME_TURN || mirrored !== turned.mirrored) member.turn(turned);
    camera.go({ ...next, led: true });
  }
  /**
   * @param {Camera} camera
   * @param {Member} member
   * @param {ViewPlace} place of the leader
   * @param {Member} own the leader
   */
  shift(camera, { unit, anchor }, place2, own) {
    if (!anchor || !own.anchor) return;
    const scale = own.unit / unit;
    camera.go({
      x: anchor.x + (place2.x - own.anchor.x) * scale,
      y: anchor.y + (place2.y - own.anchor.y) * scale,
      downsample: anchor.downsample * place2.downsample / own.anchor.downsample,
      led: true
    });
  }
};
var locks = window.workbenchLocks ??= /* @__PURE__ */ new Map();
function lockTo(name, camera, member) {
  for (const each of locks.values()) each.leave(camera);
  if (!name || !member) return;
  const joined2 = locks.get(name) ?? new Lock();
  locks.set(name, joined2);
  joined2.join(camera, member);
  const main = joined2.main;
  if (main && member.link) leadLocked(main);
}
var following = false;
function leadLocked(camera) {
  if (following) return;
  following = true;
  for (const each of locks.values()) each.lead(camera);
  following = false;
}
function swipe(stage) {
  const { model, stack } = stage;
  const divider = new Swipe(stage.element, () => stack.repaint(), (at) => {
    model.swipe = at;
  });
  stack.clip = (frame, swiped) => divider.clip(frame, swiped, stage);
  stack.uncovers = (clientX) => divider.at !== null && clientX < stage.bounds.left + divider.at * stage.bounds.width;
  stage.watch("swipe", () => divider.show(model.swipe));
}
function lock(stage) {
  const { model, camera } = stage;
  const turned = () => ({ angle: model.angle, mirrored: model.mirrored });
  const turn = ({ angle, mirrored }) => {
    model.angle = withinTurn(angle);
    model.mirrored = mirrored;
  };
  const join = () => {
    const { tissue } = model;
    const known = tissue.main ? new TissueLink() : tissue.linear ? new TissueLink(
      /** @type {TissueLinkSpec} */
      tissue
    ) : null;
    lockTo(model.lock, camera, { unit: model.mpp ?? 1, link: known, turned, turn });
  };
  stage.onMoved(() => {
    if (!camera.led) leadLocked(camera);
  });
  stage.watch("lock", join);
  stage.watch("tissue", join);
  for (
    const name of
    /** @type {("angle" | "mirrored")[]} */
    ["angle", "mirrored"]
  ) model.on(name, () => leadLocked(camera));
  stage.onClose(() => lockTo("", camera, null));
}

// workbench/app/viewer/browser/clipboard.js
async function copyText(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, beside);
  }
}
function copyBySelection(text, beside) {
  const field = beside.appendChild(document.createElement("textarea"));
  field.value = text;
  field.style.cssText = "position: absolute; opacity: 0";
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
  }
}

// workbench/app/viewer/browser/places.js
var placeInMicrometres = (x, y, mpp) => mpp ? `${(x * mpp).toFixed(1)}, ${(y * mpp).toFixed(1)} µm` : "";
var placeInPixels = (x, y) => `${Math.floor(x)}, ${Math.floor(y)}`;
function linkTo(href, x, y) {
  const url = new URL(href);
  const downsample = url.searchParams.get("at")?.split(",")[2];
  if (!downsample) return "";
  url.searchParams.set("at", `${x.toFixed(1)},${y.toFixed(1)},${downsample}`);
  return url.href;
}

// workbench/app/viewer/browser/context_menu.js
var ON_AREAS = ["Fill the holes of the area", "Simplify the outline to what is seen at this zoom", "Delete what is selected"];
var ON_SEVERAL = ["Unite the selected areas", "Take the other selected areas from the first", "Keep what the selected areas share"];
var AWAY_PX = 4;
var NO_MPP = "The pixel size of this slide is not known";
var STEPS2 = {
  ArrowDown: (at, last) => at === last ? 0 : at + 1,
  ArrowUp: (at, last) => at <= 0 ? last : at - 1,
  Home: () => 0,
  End: (_, last) => last
};
var ContextMenu = class {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = stage.add("div", "menu", { role: "menu", "aria-label": "This place", hidden: "" });
    this.element.addEventListener("keydown", (event) => this.press(event));
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.onMoved(() => this.close());
    const leave = (event) => event.composedPath().includes(this.element) || this.close();
    for (const name of ["pointerdown", "wheel"]) document.addEventListener(name, leave, { capture: true });
    stage.onClose(() => {
      for (const name of ["pointerdown", "wheel"]) document.removeEventListener(name, leave, { capture: true });
    });
  }
  get rows() {
    return (
      /** @type {HTMLButtonElement[]} */
      [...this.element.children]
    );
  }
  /**
   * @param {Point} at in CSS pixels from the stage's corner
   * @param {Item[]} items
   */
  open([left, top], items) {
    this.element.replaceChildren(...items.map((item) => this.row(item)));
    this.element.hidden = false;
    const { offsetWidth, offsetHeight } = this.element;
    const { clientWidth, clientHeight } = this.stage.element;
    this.element.style.left = `${Math.max(AWAY_PX, Math.min(left, clientWidth - offsetWidth - AWAY_PX))}px`;
    this.element.style.top = `${Math.max(AWAY_PX, Math.min(top, clientHeight - offsetHeight - AWAY_PX))}px`;
    this.rows[0].focus({ preventScroll: true });
  }
  /** @param {Item} item */
  row({ label, act, reason = "" }) {
    const row = document.createElement("button");
    Object.assign(row, { type: "button", textContent: label, tabIndex: -1, title: reason });
    row.setAttribute("role", "menuitem");
    if (reason) row.setAttribute("aria-disabled", "true");
    row.addEventListener("click", () => {
      if (reason) return;
      this.close();
      act();
    });
    return row;
  }
  close() {
    if (this.element.hidden) return;
    const focused = this.element.contains(
      /** @type {ShadowRoot} */
      this.element.getRootNode().activeElement
    );
    this.element.hidden = true;
    if (focused) this.stage.element.focus({ preventScroll: true });
  }
  /** @param {KeyboardEvent} event */
  press(event) {
    const { rows } = this;
    const step = STEPS2[event.key];
    if (step) rows[step(rows.findIndex((row) => row.matches(":focus")), rows.length - 1)].focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
};
function itemsOfSelected({ model, actions }) {
  if (!model.annotation_chosen) return [];
  const labels = model.annotation_also.length ? [...ON_SEVERAL, ...ON_AREAS] : ON_AREAS;
  return labels.flatMap((label) => {
    const found = actions.all.find((each) => each.label === label);
    return found?.act ? [{ label, act: () => found.act?.() }] : [];
  });
}
function itemsAt(stage, [x, y]) {
  const { model, camera } = stage;
  const copy = (text) => async () => {
    const done = await copyText(text, stage.element);
    stage.say(done ? `Copied: ${text}` : "This browser does not let pages copy.");
  };
  const um = placeInMicrometres(x, y, model.mpp);
  const link = model.markable ? linkTo(location.href, x, y) : "";
  const bare = stage.stack.bare;
  return [
    ...itemsOfSelected(stage),
    { label: um ? `Copy position: ${um}` : "Copy position in µm", act: copy(um), reason: um ? "" : NO_MPP },
    { label: `Copy position: ${placeInPixels(x, y)} px`, act: copy(placeInPixels(x, y)) },
    { label: "Copy link to this place", act: copy(link), reason: link ? "" : "The address of this page has no view" },
    { label: "Centre here", act: () => camera.place && camera.go({ ...camera.place, x, y }) },
    { label: "Measure from here", act: () => stage.measureFrom(x, y) },
    { label: bare ? "Show overlays" : "Hide overlays", act: () => stage.hideOverlays() }
  ];
}
function contextMenu(stage) {
  const menu = new ContextMenu(stage);
  const { element: element2 } = stage;
  element2.addEventListener("contextmenu", (event) => {
    if (isOn(event.target, ".bar, .place, .menu, .legend, .popover, dialog, input") || !stage.camera.place) return;
    event.preventDefault();
    event.stopPropagation();
    if (
      /** @type {PointerEvent} */
      event.pointerType === "touch" || stage.switch.active !== "pan"
    ) return;
    const { left, top } = element2.getBoundingClientRect();
    menu.open([event.clientX - left, event.clientY - top], itemsAt(stage, stage.toSlide(event.clientX, event.clientY)));
  }, { capture: true });
  const inTheMiddle = () => {
    const { place: place2 } = stage.camera;
    if (place2) menu.open([element2.clientWidth / 2, element2.clientHeight / 2], itemsAt(stage, [place2.x, place2.y]));
  };
  stage.actions.add({
    label: "Open the menu of a place",
    group: "Page",
    keys: ["ContextMenu", "Shift+F10"],
    mouse: "Right button",
    act: inTheMiddle
  });
}

// workbench/app/viewer/browser/first_view_taken.js
var LONGEST_MS = 3e3;
function takeOver(stage) {
  const shell = document.getElementById("shell");
  if (!shell) return;
  const left = Reflect.get(shell, "handOver")?.();
  if (left?.place && String(left.size) === String(stage.model.size)) stage.camera.go(left.place);
  let gone = false;
  const remove = () => {
    gone = true;
    shell.remove();
  };
  stage.onPainted(({ missing }) => {
    if (!gone && !missing) remove();
  });
  setTimeout(remove, LONGEST_MS);
}

// workbench/app/viewer/browser/key_focus.js
var TEXT = "textarea, select, [contenteditable], input:not([type=button], [type=checkbox], [type=radio], [type=range], [type=file], [type=submit], [type=color])";
var APART = "dialog, [role=dialog], [role=alertdialog], [role=menu], [role=menubar], .MuiModal-root";
var ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
var PRESS = ["Enter", " "];
var USERS = [
  ["input[type=range], [role=slider], [role=spinbutton]", ARROWS],
  ["input[type=radio], [role=radio], [role=tab], [role=tablist]", [...ARROWS, ...PRESS]],
  ["[role=listbox], [role=combobox], [role=grid], [role=tree], .tabulator", [...ARROWS, ...PRESS]],
  ["button, summary, a[href], input, [role=button], [role=checkbox], [role=switch]", PRESS],
  [".MuiChip-deletable", ["Delete", "Backspace"]]
];
function isText(path) {
  return path.some((each) => matches(each, TEXT));
}
function isTaken(key, path) {
  if (isText(path) || path.some((each) => matches(each, APART))) return true;
  return USERS.some(([selector, keys2]) => keys2.includes(key) && path.some((each) => matches(each, selector)));
}
function matches(element2, selector) {
  const { matches: is } = (
    /** @type {Partial<Element>} */
    element2
  );
  return typeof is === "function" && is.call(element2, selector);
}

// workbench/app/viewer/browser/used_stage.js
var page = window.workbenchStages ??= { all: /* @__PURE__ */ new Set(), used: null };
function usedStage(stage) {
  page.all.add(stage);
  const use = () => {
    if (!stage.closed) page.used = stage;
  };
  stage.element.addEventListener("pointermove", use, { capture: true });
  stage.element.addEventListener("pointerdown", use, { capture: true });
  stage.element.addEventListener("focusin", use);
  stage.onClose(() => {
    page.all.delete(stage);
    if (page.used === stage) page.used = null;
  });
}
function stageInUse() {
  return page.used ?? page.all.values().next().value;
}

// workbench/app/viewer/browser/keyboard.js
var PAN_STEP = 0.25;
var CLOSER = 0.5;
function meant(stage, event) {
  const path = event.composedPath();
  const key = keyOf(event);
  const isHere = path.includes(stage.element);
  const used = isHere || stage.model.keys === "page" && stageInUse() === stage;
  const taken = key.startsWith("Ctrl+") ? isText(path) : isTaken(key, path);
  return stage.actions.meant(key).filter(({ everywhere, inFields }) => (used || everywhere) && (!taken || inFields));
}
function listen(stage) {
  const press = (event) => {
    if (event.defaultPrevented || stage.closed) return;
    const actions = meant(stage, event);
    if (actions.length) event.preventDefault();
    for (const { act } of actions) act?.(event);
  };
  document.addEventListener("keydown", press);
  stage.onClose(() => document.removeEventListener("keydown", press));
}
function doubleClick(stage) {
  stage.element.addEventListener("dblclick", (event) => {
    const { place: place2 } = stage.camera;
    if (event.defaultPrevented || event.shiftKey || !place2 || stage.switch.active !== "pan" || !event.composedPath().includes(stage.plot.el)) return;
    event.preventDefault();
    const [x, y] = stage.toSlide(event.clientX, event.clientY);
    stage.camera.go({ x: x + (place2.x - x) * CLOSER, y: y + (place2.y - y) * CLOSER, downsample: place2.downsample * CLOSER });
  }, { capture: true });
}
function keyboard(stage) {
  const { camera, actions } = stage;
  const view = (label, keys2, act, mouse = "") => {
    actions.add({ label, group: "View", keys: keys2, act, mouse });
  };
  const move = (key, right, down) => {
    const act = () => camera.pan(right * PAN_STEP, down * PAN_STEP);
    actions.add({ label: "Move", group: "View", keys: [key], mouse: "Drag", act, unlisted: true });
  };
  move("ArrowLeft", -1, 0);
  move("ArrowRight", 1, 0);
  move("ArrowUp", 0, -1);
  move("ArrowDown", 0, 1);
  view("Zoom in", ["+", "="], () => camera.zoom(CLOSER), "Wheel, double click");
  view("Zoom out", ["-"], () => camera.zoom(1 / CLOSER), "Wheel");
  view("Fit the whole slide", ["0"], () => camera.go(WHOLE));
  let bare = false;
  stage.hideOverlays = () => {
    bare = !bare;
    stage.element.dataset.overlays = bare ? "hidden" : "shown";
    stage.stack.bareSlide(bare);
  };
  actions.add({ label: "Hide or show overlays and annotations", group: "Layers", keys: ["h"], act: () => stage.hideOverlays() });
  listen(stage);
  doubleClick(stage);
}

// workbench/app/viewer/browser/key_sheet.js
function rowsOf(actions) {
  const rows = /* @__PURE__ */ new Map();
  for (const { label, keys: keys2 = [], mouse = "" } of actions) {
    if (!keys2.length && !mouse) continue;
    const row = rows.get(label) ?? { label, keys: [], mouse };
    row.keys.push(...keys2.map(keyText));
    rows.set(label, row);
  }
  return [...rows.values()];
}
function made(tag, ...children) {
  const element2 = document.createElement(tag);
  element2.append(...children);
  return element2;
}
function rowElement({ label, keys: keys2, mouse }) {
  const head = made("th", label);
  head.setAttribute("scope", "row");
  return made("tr", head, made("td", ...keys2.map((key) => made("kbd", key))), made("td", mouse));
}
function keySheet(stage) {
  const dialog = stage.add("dialog", "sheet", { "aria-label": "Keys and mouse" });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const open = () => {
    if (dialog.open) return;
    const close = document.createElement("button");
    Object.assign(close, { type: "button", textContent: "Close" });
    close.addEventListener("click", () => dialog.close());
    const groups = stage.actions.grouped.flatMap(({ group: group2, actions }) => {
      const rows = rowsOf(actions);
      return rows.length ? [made("section", made("h2", group2), made("table", ...rows.map(rowElement)))] : [];
    });
    dialog.replaceChildren(made("header", made("h1", "Keys and mouse"), close), made("div", ...groups));
    dialog.showModal();
  };
  button(stage.tools, { picture: "help", label: "Keys and mouse (?)", act: open });
  stage.actions.add({ label: "Show all keys", group: "Page", keys: ["?"], act: open });
}

// workbench/app/viewer/browser/lasso.js
var SVG = "http://www.w3.org/2000/svg";
var STILL_PX2 = 4;
var STEP_PX2 = 3;
var MOST_POINTS = 2e3;
function thinned2(points, most = MOST_POINTS) {
  const step = Math.ceil(points.length / most);
  return points.filter((_, number) => number % step === 0);
}
var Lasso = class {
  /** @type {Point[]} */
  points = [];
  held = false;
  /** Whether what is in the region is added to the selection. */
  adds = false;
  number = 0;
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.sheet = stage.element.appendChild(document.createElementNS(SVG, "svg"));
    this.sheet.setAttribute("class", "measure lasso");
    this.sheet.setAttribute("aria-hidden", "true");
    this.line = this.sheet.appendChild(document.createElementNS(SVG, "path"));
    const { element: element2 } = stage;
    element2.addEventListener("pointerdown", (event) => this.down(event), true);
    element2.addEventListener("pointermove", (event) => this.move(event), true);
    element2.addEventListener("pointerup", (event) => this.up(event), true);
    element2.addEventListener("pointercancel", () => this.cancel(), true);
  }
  get hasInstances() {
    return this.stage.stack.shown.some(({ spec }) => spec.instances);
  }
  /**
   * Whether a press belongs to the lasso: of its tool, or with Shift while nothing else is in use.
   * @param {PointerEvent} event
   */
  isOurs(event) {
    const { active } = this.stage.switch;
    const wanted = active === "lasso" || active === "pan" && event.shiftKey && this.hasInstances;
    return wanted && event.isPrimary && event.button === 0 && event.composedPath().includes(this.stage.plot.el);
  }
  /**
   * Keep an event from annotations and the figure.
   * @param {PointerEvent} event
   */
  take(event) {
    event.stopImmediatePropagation();
    event.preventDefault();
  }
  /** @param {PointerEvent} event */
  down(event) {
    if (!this.isOurs(event)) return;
    this.take(event);
    this.stage.element.focus({ preventScroll: true });
    if (event.target instanceof Element) event.target.setPointerCapture(event.pointerId);
    this.held = true;
    this.adds = event.shiftKey;
    this.points = [[event.clientX, event.clientY]];
    this.show();
  }
  /** @param {PointerEvent} event */
  move(event) {
    if (!this.held) return;
    this.take(event);
    if (this.isNear(event, STEP_PX2)) return;
    this.points.push([event.clientX, event.clientY]);
    this.show();
  }
  /** @param {PointerEvent} event */
  up(event) {
    if (!this.held) return;
    this.take(event);
    const isClick = this.points.every(([x, y]) => Math.hypot(x - this.points[0][0], y - this.points[0][1]) < STILL_PX2);
    const outline = isClick ? this.points.slice(0, 1) : thinned2(this.points);
    this.tell(outline, this.adds);
    this.cancel();
    if (this.stage.switch.active === "lasso") this.stage.switch.use("pan");
  }
  /**
   * Whether the pointer is near to the last point.
   * @param {PointerEvent} event
   * @param {number} distance
   */
  isNear({ clientX, clientY }, distance2) {
    const [x, y] = this.points[this.points.length - 1];
    return Math.hypot(clientX - x, clientY - y) < distance2;
  }
  /**
   * Tell Python what was chosen.
   * @param {Point[]} outline
   * @param {boolean} add
   */
  tell(outline, add) {
    const points = outline.flatMap(([x, y]) => this.stage.toSlide(x, y)).map((at) => Math.round(at * 10) / 10);
    this.stage.model.instances_picked = { points, add, number: ++this.number };
  }
  cancel() {
    this.held = false;
    this.points = [];
    this.show();
  }
  show() {
    const { left, top } = this.stage.bounds;
    const path = this.points.map(([x, y], i) => `${i ? "L" : "M"}${(x - left).toFixed(1)} ${(y - top).toFixed(1)}`).join("");
    this.line.setAttribute("d", this.points.length > 1 ? `${path}Z` : "");
  }
};
var NONE2 = "No instances are shown";
function lasso(stage) {
  const { model } = stage;
  const drawn = new Lasso(stage);
  const look = { label: "Select instances in a region (S)", picture: (
    /** @type {const} */
    "lasso"
  ) };
  const button2 = stage.switch.add("lasso", { ...look, keys: ["s"], mouse: "Shift+drag", reason: () => drawn.hasInstances ? "" : NONE2 }, (on) => {
    stage.element.dataset.lasso = String(on);
    if (!on) drawn.cancel();
  });
  const group2 = "Measure and select";
  stage.actions.add(
    { label: "Add an instance to the selection, or take it out", group: group2, mouse: "Shift+click" },
    { label: "Put the lasso down", group: group2, keys: ["Escape"], act: () => stage.switch.use("pan"), reason: () => stage.switch.active === "lasso" ? "" : "It is not in use", unlisted: true },
    { label: "Deselect instances", group: group2, keys: ["Escape"], act: () => drawn.tell([], false), reason: () => model.instances_chosen ? "" : "No instance is selected" }
  );
  const offer = () => {
    button2.hidden = !drawn.hasInstances;
    if (button2.hidden && stage.switch.active === "lasso") stage.switch.use("pan");
  };
  stage.watch("layers", offer);
  stage.onPainted(offer);
}

// workbench/app/viewer/browser/legend.js
var KEPT = "workbench-legend";
function legendsOf(specs) {
  const found = /* @__PURE__ */ new Map();
  for (const { legend: one } of [...specs].reverse()) {
    if (one && (one.ramp.length || one.entries.length)) found.set(JSON.stringify(one), one);
  }
  return [...found.values()];
}
function endsOf({ ramp, unit }) {
  const [low, high] = [ramp[0][0], ramp[ramp.length - 1][0]].map((value) => value.toLocaleString(void 0, { maximumSignificantDigits: 4 }));
  return [low, unit ? `${high} ${unit}` : high];
}
function gradientOf({ ramp }) {
  const [low, high] = [ramp[0][0], ramp[ramp.length - 1][0]];
  const at = (value) => `${100 * (value - low) / (high - low || 1)}%`;
  return `linear-gradient(to right, ${ramp.map(([value, colour]) => `${colour} ${at(value)}`).join(", ")})`;
}
function made2(className, ...children) {
  const box = document.createElement("div");
  box.className = className;
  box.append(...children);
  return box;
}
function element(one) {
  const parts = one.entries.map(([name, colour]) => {
    const swatch = made2("swatch");
    swatch.style.background = colour;
    return made2("entry", swatch, name);
  });
  if (one.ramp.length) {
    const bar = made2("ramp");
    bar.style.background = gradientOf(one);
    parts.push(bar, made2("ends", ...endsOf(one).map((text) => made2("", text))));
  }
  return made2("layer", made2("title", one.title), ...parts);
}
function kept() {
  try {
    const fold = localStorage.getItem(KEPT);
    return fold === "folded" || fold === "off" ? fold : "open";
  } catch {
    return "open";
  }
}
function keep(fold) {
  try {
    localStorage.setItem(KEPT, fold);
  } catch {
  }
}
function legend(stage) {
  const { stack } = stage;
  const box = stage.add("section", "legend", { "aria-label": "Legend" });
  const body = made2("body");
  let fold = kept();
  let shown = "";
  const change = (next) => {
    fold = next;
    keep(fold);
    show();
  };
  const head = button(box, { text: "Legend", label: "Fold or unfold the legend", act: () => change(fold === "open" ? "folded" : "open") });
  box.append(body);
  const show = () => {
    const drawn = stack.shown.filter((layer) => layer.isDrawn(stack.view.resolution || 1));
    const legends = legendsOf(drawn.map(({ spec }) => spec));
    box.hidden = !legends.length || fold === "off";
    body.hidden = fold !== "open";
    head.setAttribute("aria-expanded", String(fold === "open"));
    const now = JSON.stringify(legends);
    if (now === shown) return;
    shown = now;
    body.replaceChildren(...legends.map(element));
  };
  stage.watch("layers", show);
  stage.onPainted(show);
  stage.actions.add({ label: "Show or hide the legend", group: "Layers", keys: ["l"], act: () => change(fold === "off" ? "open" : "off") });
}

// workbench/app/viewer/browser/measure.js
var SVG2 = "http://www.w3.org/2000/svg";
var NEAR_START_PX = 10;
var Measure = class {
  /** @type {Point[]} */
  points = [];
  /** @type {"distance" | "area" | ""} */
  kind = "";
  drawing = false;
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.sheet = stage.element.appendChild(document.createElementNS(SVG2, "svg"));
    this.sheet.setAttribute("class", "measure");
    this.sheet.setAttribute("aria-hidden", "true");
    this.line = this.sheet.appendChild(document.createElementNS(SVG2, "path"));
    this.said = stage.add("div", "measured", { role: "status" });
    stage.onMoved(() => {
      if (this.points.length) this.show();
    });
    const group2 = "Measure and select";
    const reason = () => this.kind ? "" : "Nothing is being measured";
    stage.actions.add(
      { label: "End measuring", group: group2, keys: ["Escape"], act: () => this.cancel(), reason, unlisted: true },
      { label: "Close the measured area", group: group2, keys: ["Enter"], mouse: "Double click", act: () => this.finish(), reason, unlisted: true }
    );
    this.listen();
  }
  listen() {
    const at = (event) => this.stage.toSlide(event.clientX, event.clientY);
    this.sheet.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.sheet.setPointerCapture(event.pointerId);
      this.press(at(event));
    });
    this.sheet.addEventListener("pointermove", (event) => this.drawing && this.drag(at(event)));
    this.sheet.addEventListener("pointerup", (event) => this.release(at(event)));
    this.sheet.addEventListener("dblclick", () => this.finish());
    this.sheet.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.stage.plot.canvas_view.events_el.dispatchEvent(new WheelEvent("wheel", event));
    });
  }
  /**
   * @param {"distance" | "area"} kind
   * @param {boolean} on
   */
  use(kind, on) {
    if (!on && this.kind !== kind) return;
    this.kind = on ? kind : "";
    this.sheet.classList.toggle("active", on);
    this.clear();
  }
  /** @param {Point} point */
  press(point) {
    if (!this.drawing) this.points = [point, point];
    else if (this.kind === "area" && this.isClosing(point)) {
      this.finish();
      return;
    } else if (this.kind === "area") this.points.push(point);
    this.drawing = true;
    this.show();
  }
  /** @param {Point} point */
  drag(point) {
    this.points[this.points.length - 1] = point;
    this.show();
  }
  /**
   * A distance ends where the button is let go, or at the next click.
   * @param {Point} point
   */
  release(point) {
    if (!this.drawing || this.kind !== "distance" || this.screenLength(this.points[0], point) < NEAR_START_PX) return;
    this.drag(point);
    this.drawing = false;
  }
  /** @param {Point} point */
  isClosing(point) {
    return this.points.length > 3 && this.screenLength(this.points[0], point) < NEAR_START_PX;
  }
  finish() {
    if (!this.drawing || this.kind !== "area") return;
    if (this.points.length > 3) this.points.pop();
    const [before, last] = this.points.slice(-2);
    if (this.points.length > 3 && this.screenLength(before, last) < 2) this.points.pop();
    this.drawing = false;
    this.show();
  }
  cancel() {
    if (this.points.length) this.clear();
    else if (this.kind) this.stage.switch.use("pan");
  }
  clear() {
    this.points = [];
    this.drawing = false;
    this.show();
  }
  /**
   * @param {Point} from
   * @param {Point} to
   */
  screenLength([x0, y0], [x1, y1]) {
    return Math.hypot(x1 - x0, y1 - y0) / (this.stage.camera.place?.downsample ?? 1);
  }
  get text() {
    const { mpp } = this.stage.model;
    if (this.points.length < 2) return "";
    if (this.kind === "distance") {
      const [[x0, y0], [x1, y1]] = this.points;
      return lengthText(Math.hypot(x1 - x0, y1 - y0), mpp);
    }
    if (this.points.length < 3) return "";
    let twice = 0;
    this.points.forEach(([x, y], i) => {
      const [nextX, nextY] = this.points[(i + 1) % this.points.length];
      twice += x * nextY - nextX * y;
    });
    return areaText(Math.abs(twice) / 2, mpp);
  }
  show() {
    const places = this.points.map(([x2, y2]) => this.stage.toStage(x2, y2));
    const path = places.map(([x2, y2], i) => `${i ? "L" : "M"}${x2.toFixed(1)} ${y2.toFixed(1)}`).join("");
    this.line.setAttribute("d", path && path + (this.kind === "area" && !this.drawing ? "Z" : ""));
    this.line.classList.toggle("filled", this.kind === "area");
    this.said.textContent = this.text;
    const last = places.at(-1);
    if (!last) return;
    const [x, y] = last;
    this.said.style.left = `${x}px`;
    this.said.style.top = `${y}px`;
  }
};
function measure(stage) {
  const ruler = new Measure(stage);
  stage.switch.add("distance", { label: "Measure a distance", picture: "distance" }, (on) => ruler.use("distance", on));
  stage.switch.add("area", { label: "Measure an area", picture: "area" }, (on) => ruler.use("area", on));
  stage.measureFrom = (x, y) => {
    stage.switch.use("distance");
    ruler.press([x, y]);
  };
  stage.watch("mpp", () => ruler.show());
}

// workbench/app/viewer/browser/pacing.js
function onceAFrame(act) {
  let queued = false;
  return () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      act();
    });
  };
}

// workbench/app/viewer/browser/minimap.js
var LONGEST_PX = 160;
var KEY_STEP = 0.05;
var STEPS3 = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
var areSame = (a, b) => a.length === b.length && a.every((each, i) => each === b[i]);
var Minimap = class {
  /**
   * What is painted: the tile of each layer that has the whole slide.
   * @type {(ImageBitmap | null | undefined)[] | null}
   */
  images = null;
  /**
   * Version of the tones, and opacity of each.
   * @type {number[]}
   */
  look = [];
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = stage.add("div", "minimap", { role: "group", "aria-label": "The whole slide" });
    this.sheet = this.element.appendChild(document.createElement("section"));
    this.canvas = this.sheet.appendChild(document.createElement("canvas"));
    this.frame = this.element.appendChild(document.createElement("div"));
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "button");
    this.frame.setAttribute("aria-label", "What is in view. Drag it, or press arrow keys, to go elsewhere.");
    stage.onMoved(onceAFrame(() => this.follow()));
    stage.onPainted(() => this.paint());
    this.listen();
  }
  /** CSS pixels for each of level 0; fewer where the turned slide would take more room. */
  get scale() {
    return LONGEST_PX / Math.max(...this.stage.turn.around(this.stage.model.size));
  }
  /**
   * Width and height of the slide on it, in CSS pixels.
   * @returns {[width: number, height: number]}
   */
  get side() {
    const [width, height] = this.stage.model.size;
    return [Math.max(1, width * this.scale), Math.max(1, height * this.scale)];
  }
  listen() {
    const go = (event) => {
      const { left, top } = this.canvas.getBoundingClientRect();
      const [x, y] = this.stage.turn.toFigure([event.clientX - left, event.clientY - top], this.stage.turn.around(this.side), this.side);
      this.go(x / this.scale, y / this.scale);
    };
    this.element.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      go(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) go(event);
    });
    this.frame.addEventListener("keydown", (event) => {
      const way = STEPS3[event.key];
      const { place: place2 } = this.stage.camera;
      if (!way || !place2) return;
      event.preventDefault();
      event.stopPropagation();
      const step = KEY_STEP * Math.max(...this.stage.model.size);
      const [right, down] = this.stage.turn.onFigure(...way);
      this.go(place2.x + right * step, place2.y + down * step);
    });
  }
  /**
   * @param {number} x
   * @param {number} y
   */
  go(x, y) {
    const { camera } = this.stage;
    const [width, height] = this.stage.model.size;
    if (!camera.place) return;
    camera.go({ ...camera.place, x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) });
  }
  /** Turn with the slide, in the same corner of the stage. */
  orient() {
    const { turn } = this.stage;
    const size = turn.around(this.side);
    for (const { style } of [this.sheet, this.canvas]) [style.width, style.height] = this.side.map((length) => `${length}px`);
    const [left, top] = turn.toStage([0, 0], this.side, size);
    this.sheet.style.transform = turn.plain ? "" : `matrix(${turn.linear.join(", ")}, ${left}, ${top})`;
    [this.element.style.width, this.element.style.height] = size.map((length) => `${length}px`);
    return size;
  }
  /** Draw the stage, upright on the turned slide, as far as the map goes. */
  follow() {
    const { turn, camera: { place: place2, stage } } = this.stage;
    if (!place2) return;
    const size = this.orient();
    const middle = turn.toStage([place2.x * this.scale, place2.y * this.scale], this.side, size);
    const [[left, right], [top, bottom]] = middle.map((at, axis) => {
      const half = stage[axis] * place2.downsample * this.scale / 2;
      return [at - half, at + half].map((edge) => Math.min(size[axis], Math.max(0, edge)));
    });
    Object.assign(this.frame.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.max(6, right - left)}px`,
      height: `${Math.max(6, bottom - top)}px`
    });
  }
  /** Paint the tile of each layer that shows the whole slide, if one of them has changed. */
  paint() {
    const shown = this.stage.stack.shown;
    const images = shown.map((layer) => layer.at(0, 0, 0)?.image);
    const { stack } = this.stage;
    const look = [stack.toner.version, ...shown.map(({ spec }) => spec.opacity)];
    if (this.images && areSame(this.images, images) && areSame(this.look, look)) return;
    this.images = images;
    this.look = look;
    const [width, height] = this.stage.model.size;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.max(1, Math.round(width * this.scale * ratio));
    this.canvas.height = Math.max(1, Math.round(height * this.scale * ratio));
    const ctx = contextOf(this.canvas);
    ctx.imageSmoothingQuality = "high";
    shown.forEach((layer, i) => {
      const image = images[i];
      if (!image) return;
      const side = layer.spec.tile_px * layer.resolution(0) / image.width;
      ctx.globalAlpha = layer.spec.opacity;
      ctx.drawImage(stack.pictureOf(layer, image), 0, 0, width / side, height / side, 0, 0, this.canvas.width, this.canvas.height);
    });
  }
};
function minimap(stage) {
  new Minimap(stage);
}

// workbench/app/viewer/browser/navigation.js
var POWERS = [1, 2.5, 5, 10, 20, 40];
var MPP_AT_1X = 10;
var NO_MPP2 = "The pixel size of this slide is not known";
var NEAR = 0.02;
function navigation(stage) {
  const { camera, model } = stage;
  const bar = stage.add("div", "bar objectives", { role: "toolbar", "aria-label": "Magnification" });
  const go = (downsample) => camera.go({ ...camera.place, downsample });
  const magnify = (power) => {
    if (model.mpp) go(MPP_AT_1X / power / model.mpp);
  };
  button(bar, { text: "Fit", label: "The whole slide (0)", act: () => camera.go(WHOLE) });
  const objectives = /* @__PURE__ */ new Map();
  POWERS.forEach((power, number) => {
    const label = `As at ${power}x (${number + 1})`;
    objectives.set(power, button(bar, { text: `${power}x`, label, act: () => magnify(power) }));
    stage.actions.add({
      label: `Magnification ${power}x`,
      group: "View",
      keys: [String(number + 1)],
      act: () => magnify(power),
      reason: () => model.mpp ? "" : NO_MPP2
    });
  });
  const scanned = () => go(1 / devicePixelRatio);
  const native = button(bar, { text: "1:1", label: "As scanned: a pixel of the slide on a pixel of the screen", act: scanned });
  stage.actions.add({ label: "Magnification as scanned (1:1)", group: "View", act: scanned });
  const mark = (made3, near) => {
    made3.setAttribute("aria-pressed", String(near));
  };
  const show = () => {
    const downsample = camera.place?.downsample ?? 0;
    const is = (wanted) => Math.abs(downsample / wanted - 1) < NEAR;
    for (const [power, made3] of objectives) mark(made3, model.mpp ? is(MPP_AT_1X / power / model.mpp) : false);
    mark(native, is(1 / devicePixelRatio));
  };
  stage.onMoved(show);
  stage.watch("mpp", () => {
    for (const [power, made3] of objectives) {
      made3.disabled = !model.mpp;
      made3.title = model.mpp ? `As at ${power}x (${POWERS.indexOf(power) + 1})` : NO_MPP2;
    }
    show();
  });
  const tools2 = stage.tools;
  button(tools2, { picture: "plus", label: "Closer (+)", act: () => camera.zoom(0.5) });
  button(tools2, { picture: "minus", label: "Further away (-)", act: () => camera.zoom(2) });
}

// workbench/app/viewer/browser/outlines.js
var FORMS = {
  thin: "thin outlines",
  wide: "high-contrast outlines",
  filled: "filled"
};
var NAMES = (
  /** @type {OutlineForm[]} */
  Object.keys(FORMS)
);
var KEPT2 = "workbench-outlines";
function kept2() {
  try {
    const name = localStorage.getItem(KEPT2);
    return NAMES.find((each) => each === name) ?? "thin";
  } catch {
    return "thin";
  }
}
function keep2(form) {
  try {
    localStorage.setItem(KEPT2, form);
  } catch {
  }
}
function outlines(stage) {
  const { stack, actions } = stage;
  const take = (form) => {
    keep2(form);
    stack.setOutlines(form);
  };
  const next = () => {
    const form = NAMES[(NAMES.indexOf(stack.outlines) + 1) % NAMES.length];
    take(form);
    stage.say(`Instances: ${FORMS[form]}`);
  };
  stack.setOutlines(kept2());
  actions.add({ label: "Outlines of instances: thin, high contrast, filled", group: "Layers", keys: ["o"], act: next, unlisted: true });
  for (const form of NAMES) {
    const reason = () => stack.outlines === form ? "They are so" : "";
    actions.add({ label: `Draw instances: ${FORMS[form]}`, group: "Layers", act: () => take(form), reason });
  }
}

// workbench/app/viewer/browser/pointed_instance.js
var STILL_MS = 60;
var AWAY_PX2 = 14;
function pointedInstance(stage) {
  const { model, stack, camera } = stage;
  const tip = stage.add("div", "tip", { role: "status" });
  let pointed = null;
  let timer;
  let number = 0;
  stage.instanceAt = (x, y) => {
    if (!camera.place) return null;
    const resolution = camera.place.downsample / window.devicePixelRatio;
    for (const layer of [...stack.shown].reverse()) {
      const found = layer.instanceAt(x, y, resolution);
      if (found) return { layer: layer.spec.id, ...found };
    }
    return null;
  };
  const leave = () => {
    clearTimeout(timer);
    pointed = null;
    tip.replaceChildren();
  };
  const look = (clientX, clientY) => {
    const found = stage.instanceAt(...stage.toSlide(clientX, clientY));
    if (!found) return leave();
    if (found.id === pointed?.id && found.layer === pointed.layer) return;
    tip.replaceChildren();
    pointed = { layer: found.layer, id: found.id, number: ++number };
    model.instance_pointed = pointed;
  };
  const follow = (event) => {
    clearTimeout(timer);
    if (event.buttons || isOn(event.target, ".bar, .place, .minimap, .menu, .legend, .popover")) return leave();
    const { left, top, width, height } = stage.bounds;
    const [x, y] = [event.clientX - left, event.clientY - top];
    tip.style.cssText = x < width / 2 ? `left: ${x + AWAY_PX2}px;` : `right: ${width - x + AWAY_PX2}px;`;
    tip.style.cssText += y < height / 2 ? `top: ${y + AWAY_PX2}px` : `bottom: ${height - y + AWAY_PX2}px`;
    timer = setTimeout(() => !stage.closed && look(event.clientX, event.clientY), STILL_MS);
  };
  stage.element.addEventListener("pointermove", follow, { capture: true });
  stage.element.addEventListener("pointerleave", leave);
  stage.onMoved(leave);
  stage.onClose(() => clearTimeout(timer));
  stage.watch("instance_facts", () => {
    const { number: answered, lines = [] } = model.instance_facts;
    if (!pointed || answered !== pointed.number) return;
    tip.replaceChildren(
      ...lines.map(([name, value]) => {
        const line = document.createElement("div");
        line.append(Object.assign(document.createElement("span"), { textContent: name }), value);
        return line;
      })
    );
  });
}

// workbench/app/viewer/browser/painting.js
function adopt(renderer, camera, stack) {
  for (
    const name of
    /** @type {const} */
    ["_paint", "has_finished", "request_paint"]
  ) {
    if (typeof renderer[name] !== "function") {
      console.error(`workbench: Bokeh ${window.Bokeh?.version} has no TileRenderer.${name}; slides cannot be drawn`);
      return false;
    }
  }
  renderer.has_finished = () => true;
  renderer._paint = (ctx) => {
    if (!camera.place) return;
    const { frame } = renderer.plot_view;
    const { left, top, width, height } = frame.bbox;
    const { a: ratio, e, f } = ctx.getTransform();
    const clip = [left * ratio + e, top * ratio + f, width * ratio, height * ratio].map(Math.ceil);
    const [x, y] = [frame.x_scale, frame.y_scale].map((scale) => scale.compute(0));
    const [right, bottom] = [frame.x_scale, frame.y_scale].map((scale, axis) => scale.compute(stack.size[axis]));
    const place2 = {
      left: x * ratio + e - clip[0],
      top: y * ratio + f - clip[1],
      across: (right - x) * ratio / stack.size[0],
      down: (bottom - y) * ratio / stack.size[1]
    };
    stack.paint(ctx, camera.box, clip, place2);
  };
  stack.changed = () => renderer.request_paint();
  paintEveryFrame(renderer.plot_view);
  measureOnceLaidOut(renderer.plot_view);
  return true;
}
var LAYING_OUT = ["_measure_layout", "_compute_layout", "_after_layout"];
var REPLACED = /* @__PURE__ */ Symbol.for("workbench.layout");
function measureOnceLaidOut(plot) {
  let kind = Object.getPrototypeOf(plot);
  while (kind && !Object.hasOwn(kind, LAYING_OUT[0])) kind = Object.getPrototypeOf(kind);
  if (!kind || REPLACED in kind) return;
  kind[REPLACED] = true;
  for (const name of LAYING_OUT) {
    const step = kind[name];
    kind[name] = /** @this {PlotView} */
    function() {
      if (this.layout) step.call(this);
    };
  }
}
function paintEveryFrame(plot) {
  let done = null;
  let finish = () => {
  };
  const paint = onceAFrame(() => {
    const told = finish;
    done = null;
    try {
      if (!plot.is_destroyed) plot.repaint();
    } finally {
      told();
    }
  });
  plot.throttled_paint = () => {
    done ??= new Promise((resolve) => finish = resolve);
    paint();
    return done;
  };
}
async function rendererView(plot, renderer) {
  for (; ; ) {
    const found = plot.views?.find_one(renderer) ?? plot.renderer_views?.get(renderer);
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

// workbench/app/viewer/browser/readout.js
var LONGEST_PX2 = 140;
var STILL_MS2 = 60;
function scaleBar(stage) {
  const bar = stage.add("div", "scale-bar");
  let shown = "";
  const show = () => {
    if (!stage.camera.place) return;
    const { mpp } = stage.model;
    const unit = stage.camera.place.downsample * (mpp ?? 1);
    if (shown === `${unit} ${mpp}`) return;
    shown = `${unit} ${mpp}`;
    const length = roundLength(LONGEST_PX2 * unit);
    bar.style.width = `${length / unit}px`;
    if (!mpp) bar.textContent = `${length} px`;
    else bar.textContent = length >= 1e3 ? `${length / 1e3} mm` : `${length} µm`;
  };
  stage.onMoved(show);
  stage.watch("mpp", show);
}
function placeOf(text, mpp) {
  const found = text.replaceAll(",", " ").match(/-?\d+(\.\d+)?/g);
  if (found?.length !== 2) return null;
  const unit = /mm/.test(text) ? 1e3 : /[µμu]m/.test(text) ? 1 : null;
  if (unit && !mpp) return null;
  return found.map((number) => unit && mpp ? Number(number) * unit / mpp : Number(number));
}
function readings(stage, pointer, show) {
  const { model, stack } = stage;
  let timer;
  let asked = "";
  let number = model.readings.number ?? 0;
  let since = number + 1;
  const painted = () => {
    const at = pointer();
    const there = at ? stack.shown.filter((layer) => layer.spec.readable && layer.isDrawn(stack.view.resolution)) : [];
    return there.filter(({ spec }) => !(at && spec.swiped && stack.uncovers(at[0]))).map(({ spec }) => spec.id);
  };
  const ask = () => {
    const at = pointer();
    const layers2 = painted();
    if (stage.closed || !at || !layers2.length) return;
    const [x, y] = stage.toSlide(...at);
    number += 1;
    model.pointed = { x, y, number, layers: layers2 };
  };
  const later = () => {
    clearTimeout(timer);
    const layers2 = painted().join();
    if (layers2 !== asked) since = number + 1;
    asked = layers2;
    if (layers2) timer = setTimeout(ask, STILL_MS2);
    show();
  };
  stage.onMoved(later);
  stage.watch("layers", later);
  stage.onPainted(() => {
    if (painted().join() !== asked) later();
  });
  stage.watch("readings", show);
  stage.onClose(() => clearTimeout(timer));
  const texts = () => {
    const { number: answered = 0, texts: told = [] } = model.readings;
    return answered >= since ? told : [];
  };
  return { later, texts };
}
function coordinates(stage) {
  const { model, camera } = stage;
  const place2 = stage.add("form", "place");
  const text = place2.appendChild(document.createElement("button"));
  const field = place2.appendChild(document.createElement("input"));
  Object.assign(text, { type: "button", className: "coordinates", title: "Go to a place" });
  Object.assign(field, { hidden: true, spellcheck: false, autocomplete: "off" });
  field.setAttribute("aria-label", "Place to go to: x and y, in px or µm");
  let pointer = null;
  const show = onceAFrame(() => {
    if (!camera.place) return;
    const { mpp } = model;
    const unit = camera.place.downsample * (mpp ?? 1);
    const [x, y] = pointer ? stage.toSlide(...pointer) : [camera.place.x, camera.place.y];
    const micrometres = mpp ? `  ·  ${Math.round(x * mpp)}, ${Math.round(y * mpp)} µm` : "";
    const scale = mpp ? `${unit.toPrecision(3)} µm/px` : `1:${unit.toPrecision(3)}`;
    const said = pointer ? read.texts().map((each) => `  ·  ${each}`).join("") : "";
    text.textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}${micrometres}  ·  ${scale}${said}`;
  });
  const ask = (open) => {
    field.hidden = !open;
    text.hidden = open;
    field.setCustomValidity("");
    field.placeholder = model.mpp ? "x, y in px or µm" : "x, y in px";
    if (open) field.focus();
    else stage.element.focus({ preventScroll: true });
  };
  text.addEventListener("click", () => ask(true));
  field.addEventListener("keydown", (event) => event.key === "Escape" && ask(false));
  field.addEventListener("input", () => field.setCustomValidity(""));
  place2.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = placeOf(field.value, model.mpp);
    if (found && camera.place) {
      camera.go({ ...camera.place, x: found[0], y: found[1] });
      ask(false);
      return;
    }
    field.setCustomValidity(model.mpp ? "Two numbers, such as 12000, 8000 or 3000 2000 µm" : "Two numbers in pixels, such as 12000, 8000");
    field.reportValidity();
  });
  const follow = (event) => {
    pointer = [event.clientX, event.clientY];
    show();
    read.later();
  };
  const read = readings(stage, () => pointer, show);
  stage.element.addEventListener("pointermove", follow, { capture: true });
  stage.onMoved(show);
  stage.watch("mpp", show);
  stage.actions.add({ label: "Go to a place", group: "View", keys: ["g"], mouse: "Click on the coordinates", act: () => ask(true) });
}

// workbench/app/viewer/browser/palette_button.js
function paletteButton(stage) {
  const open = () => window.workbenchPalette?.();
  const made3 = button(stage.tools, { picture: "find", label: "Find a command (Ctrl+K)", act: open });
  const show = () => {
    made3.hidden = !window.workbenchPalette;
  };
  show();
  window.addEventListener("workbench-palette", show);
  stage.onClose(() => window.removeEventListener("workbench-palette", show));
  const reason = () => window.workbenchPalette ? "" : "This page has no command palette";
  stage.actions.add({ label: "Find a command", group: "Page", keys: ["Ctrl+k"], act: open, reason, unlisted: true, inFields: true });
}

// workbench/app/viewer/browser/selection.js
var HANDLE_MS = 100;
var Selection = class {
  /** Whether it changes the mark itself. */
  busy = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  /**
   * @param {Figure} figure
   * @param {BoxAnnotation} mark
   * @param {(box: number[]) => void} chosen
   */
  constructor(figure, mark, chosen) {
    this.mark = mark;
    this.chosen = chosen;
    figure.on_event("selectiongeometry", ({ geometry, final }) => {
      if (geometry.type === "rect" && final !== false) this.take(geometry);
    });
    figure.connect(mark.change, () => this.edited());
  }
  /** @param {{x0: number, x1: number, y0: number, y1: number}} corners */
  take({ x0, x1, y0, y1 }) {
    if (x0 === x1 || y0 === y1) return;
    this.chosen([Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)].map(Math.round));
  }
  edited() {
    if (this.busy || !this.mark.visible) return;
    clearTimeout(this.timer);
    const { left: x0, right: x1, top: y0, bottom: y1 } = this.mark;
    this.timer = setTimeout(() => this.take({ x0, x1, y0, y1 }), HANDLE_MS);
  }
  /** @param {number[] | null} box */
  show(box) {
    clearTimeout(this.timer);
    this.busy = true;
    if (box) this.mark.setv({ left: box[0], top: box[1], right: box[2], bottom: box[3], visible: true });
    else this.mark.visible = false;
    this.busy = false;
  }
};
function selection(stage) {
  const { figure, model } = stage;
  const box = new Selection(figure, figure.select_one("selection"), (chosen) => {
    if (stage.closed) return;
    model.selection = chosen;
    if (stage.switch.active === "select") stage.switch.use("pan");
  });
  stage.watch("selection", () => box.show(model.selection));
  stage.actions.add({
    label: "Clear the box",
    group: "Measure and select",
    keys: ["Escape"],
    act: () => {
      model.selection = null;
    },
    reason: () => model.selection ? "" : "No box is drawn"
  });
}

// workbench/app/viewer/browser/status.js
function status(stage) {
  stage.add("div", "progress", { role: "progressbar", "aria-label": "Tiles are loading" });
  const notice = stage.add("div", "notice", { role: "status" });
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => stage.stack.retry());
  stage.onPainted((detail) => {
    if (Boolean(detail.refused) === notice.childNodes.length > 0) return;
    notice.replaceChildren(...detail.refused ? ["Some of the picture did not come.", again] : []);
  });
}
function theme(stage) {
  const probe = stage.add("i", "theme-probe", { "aria-hidden": "true" });
  const look = () => {
    stage.element.dataset.theme = isDark(probe) ? "dark" : "light";
  };
  probe.addEventListener("transitionend", look);
  requestAnimationFrame(look);
  setTimeout(look, 500);
}

// workbench/app/viewer/browser/frames.js
var HEAD = 12;
async function* framesOf(body) {
  const reader = new ByteReader(body.getReader());
  for (let head; head = await reader.take(HEAD); ) {
    const view = new DataView(head.buffer, head.byteOffset, HEAD);
    const [number, status2] = [view.getUint16(0), view.getUint16(2)];
    const type = await reader.take(view.getUint32(4));
    const bytes = type && await reader.take(view.getUint32(8));
    if (!bytes) return;
    yield { number, status: status2, blob: new Blob([bytes], { type: new TextDecoder().decode(type) }) };
  }
}
var ByteReader = class {
  /** @param {ReadableStreamDefaultReader<Bytes>} source */
  constructor(source) {
    this.source = source;
    this.parts = [];
    this.length = 0;
  }
  /**
   * The next `count` bytes; null if the stream ends before.
   * @param {number} count
   */
  async take(count) {
    while (this.length < count) {
      const { done, value } = await this.source.read();
      if (done) return null;
      this.parts.push(value);
      this.length += value.length;
    }
    const whole = this.parts.length === 1 ? this.parts[0] : joined(this.parts, this.length);
    this.parts = [whole.subarray(count)];
    this.length -= count;
    return whole.subarray(0, count);
  }
};
function joined(parts, length) {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// workbench/app/viewer/browser/loader.js
var LANES = 3;
var GROUP = 16;
var LEAST = 2;
var PATIENCE_MS = 60;
var RETRIES = 4;
var RETRY_MS = 250;
var Loader = class {
  /** @param {(layer?: L, place?: TilePlace) => void} arrived */
  constructor(arrived) {
    this.arrived = arrived;
    this.running = /* @__PURE__ */ new Set();
    this.queue = [];
    this.most = GROUP;
    this.delay = Infinity;
  }
  /** @param {TileRequest<L>[]} requests */
  want(requests) {
    const wanted = new Set(requests.map((request) => tileOf(request.url)));
    const coming = /* @__PURE__ */ new Set();
    for (const { left, abort } of this.running) {
      const tiles = [...left].map(({ url }) => tileOf(url));
      if (tiles.length && !tiles.some((tile) => wanted.has(tile))) abort.abort();
      for (const tile of tiles) coming.add(tile);
    }
    this.queue = requests.filter((request) => !coming.has(tileOf(request.url)));
    this.pump();
  }
  /**
   * Cancel all requests for a layer.
   * @param {L} layer
   */
  forget(layer) {
    this.queue = this.queue.filter((request) => request.layer !== layer);
    for (const { abort, layer: other } of this.running) if (other === layer) abort.abort();
  }
  get idle() {
    return this.running.size === 0 && this.queue.length === 0;
  }
  pump() {
    while (this.running.size < LANES && this.queue.length) this.load(this.nextGroup());
  }
  /**
   * Take the most wanted tile off the queue, with others of its layer and zoom.
   * @returns {Group<L>}
   */
  nextGroup() {
    const [{ layer, place: [z] }] = this.queue;
    const version = layer.version(z);
    const alike = this.queue.filter((request) => request.layer === layer && request.place[0] === z);
    const requests = new Set(alike.slice(0, this.most));
    this.queue = this.queue.filter((request) => !requests.has(request));
    return { layer, version, left: requests, abort: new AbortController() };
  }
  /** @param {Group<L>} group */
  async load(group2) {
    this.running.add(group2);
    const requests = [...group2.left];
    const works = [];
    const asked = performance.now();
    let [first, last] = [0, 0];
    try {
      for await (const { number, status: status2, blob } of this.answers(group2, requests)) {
        last = performance.now();
        first ||= last;
        works.push(this.take(group2, requests[number], status2, blob));
      }
      if (works.length) this.learn(works.length, asked, first, last);
      await Promise.all(works);
      if (group2.left.size) throw new Error("the answer was cut off");
    } catch (error) {
      for (const request of group2.left) this.failed(group2, request, error);
    } finally {
      this.running.delete(group2);
      this.pump();
      this.arrived();
    }
  }
  /**
   * Adapt the number of tiles in a request to their speed: what is wanted changes before a slow
   * answer is complete. An answer may take twice the latency beyond `PATIENCE_MS`.
   * @param {number} tiles
   * @param {number} asked
   * @param {number} first when the first came
   * @param {number} last when the last came
   */
  learn(tiles, asked, first, last) {
    this.delay = Math.min(1.1 * this.delay, first - asked);
    const most = Math.floor(tiles * (PATIENCE_MS + 2 * this.delay) / (last - asked));
    this.most = Math.max(LEAST, Math.min(GROUP, this.most + 2, most));
  }
  /**
   * Request the tiles of a group; yields the responses.
   * @param {Group<L>} group
   * @param {TileRequest<L>[]} requests
   * @returns {AsyncGenerator<{number: number, status: number, blob: Blob}>}
   */
  async *answers({ layer, abort }, requests) {
    const [{ url, place: place2 }] = requests;
    const options = { credentials: "same-origin", signal: abort.signal };
    if (requests.length === 1) {
      const response2 = await fetch(url, options);
      yield { number: 0, status: response2.status, blob: await response2.blob() };
      return;
    }
    const response = await fetch(layer.groupUrl(place2[0], requests.map((request) => request.place)), options);
    if (!response.ok || !response.body) throw new StatusError(response.status);
    yield* framesOf(response.body);
  }
  /**
   * Decode a tile of a group and put it into its layer.
   * @param {Group<L>} group
   * @param {TileRequest<L>} request
   * @param {number} status
   * @param {Blob} blob
   */
  async take(group2, request, status2, blob) {
    const { layer, version, left, abort } = group2;
    try {
      if (status2 !== 200) throw new StatusError(status2);
      const made3 = await layer.decode(blob, request.place);
      if (abort.signal.aborted) return made3.image.close();
      const tile = layer.entry(...request.place);
      tile.image?.close();
      Object.assign(tile, made3, { version, failures: 0, retryAt: 0 });
    } catch (error) {
      this.failed(group2, request, error);
    }
    left.delete(request);
    this.arrived(layer, request.place);
  }
  /**
   * @param {Group<L>} group
   * @param {TileRequest<L>} request
   * @param {unknown} error
   */
  failed({ layer, version, abort }, { place: place2 }, error) {
    if (abort.signal.aborted) return;
    const tile = layer.entry(...place2);
    tile.failures += 1;
    const waits = error instanceof StatusError && (error.status >= 500 || error.status === 429);
    if (!waits || tile.failures > RETRIES) {
      Object.assign(tile, { refused: version, failures: 0 });
      return;
    }
    const wait = RETRY_MS * 2 ** tile.failures;
    tile.retryAt = performance.now() + wait;
    setTimeout(() => this.arrived(), wait + 1);
  }
};
var StatusError = class extends Error {
  /** @param {number} status */
  constructor(status2) {
    super(`HTTP ${status2}`);
    this.status = status2;
  }
};
function tileOf(url) {
  return url.split("?", 1)[0];
}

// workbench/app/viewer/browser/painted.js
var SAME = 1e-9;
var Painted = class {
  front = newContext();
  back = newContext();
  /** @type {SlidePlace} */
  place = { left: 0, top: 0, across: 1, down: 1 };
  /**
   * What is to be painted; null: everything.
   * @type {Corners[] | null}
   */
  stale = null;
  /** All of it is to be painted anew. */
  spoil() {
    this.stale = null;
  }
  /**
   * A box of the slide, in level-0 pixels, is to be painted anew.
   * @param {number} x0
   * @param {number} y0
   * @param {number} x1
   * @param {number} y1
   */
  spoilBox(x0, y0, x1, y1) {
    if (!this.stale) return;
    const [left, top] = this.toPicture(x0, y0).map(Math.round);
    const [right, bottom] = this.toPicture(x1, y1).map(Math.round);
    this.stale.push([left, top, right, bottom]);
  }
  /**
   * Move the picture with the slide, in a frame of a size; parts that are still right are kept.
   * @param {SlidePlace} place
   * @param {number} width
   * @param {number} height
   */
  moveTo(place2, width, height) {
    const { canvas } = this.front;
    const near = (a, b) => Math.abs(a - b) <= SAME * Math.abs(b);
    const kept3 = canvas.width === width && canvas.height === height && near(place2.across, this.place.across) && near(place2.down, this.place.down);
    const [dx, dy] = [Math.round(place2.left - this.place.left), Math.round(place2.top - this.place.top)];
    const away = Math.abs(dx) >= width || Math.abs(dy) >= height;
    if (!this.stale || !kept3 || away) this.begin(place2, width, height);
    else if (dx || dy) this.stale = this.shifted(this.stale, dx, dy);
  }
  /**
   * @param {SlidePlace} place
   * @param {number} width
   * @param {number} height
   */
  begin(place2, width, height) {
    for (const { canvas } of [this.front, this.back]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.place = { ...place2 };
    this.stale = [[0, 0, width, height]];
  }
  /**
   * Shift the picture; return what of it is out of date then.
   * @param {Corners[]} stale
   * @param {number} dx
   * @param {number} dy
   * @returns {Corners[]}
   */
  shifted(stale, dx, dy) {
    const { width, height } = this.front.canvas;
    [this.front, this.back] = [this.back, this.front];
    this.front.globalCompositeOperation = "copy";
    this.front.drawImage(this.back.canvas, dx, dy);
    this.front.globalCompositeOperation = "source-over";
    this.place.left += dx;
    this.place.top += dy;
    const next = stale.map(([x0, y0, x1, y1]) => [x0 + dx, y0 + dy, x1 + dx, y1 + dy]);
    if (dx) next.push(dx > 0 ? [0, 0, dx, height] : [width + dx, 0, width, height]);
    if (dy) next.push(dy > 0 ? [0, 0, width, dy] : [0, height + dy, width, height]);
    return next;
  }
  /**
   * Have what is out of date painted.
   * @param {(ctx: CanvasRenderingContext2D, box: Box) => void} paint takes a context, clipped, and its box of the slide
   */
  refresh(paint) {
    const { front } = this;
    for (const [x0, y0, x1, y1] of this.parts()) {
      front.save();
      front.beginPath();
      front.rect(x0, y0, x1 - x0, y1 - y0);
      front.clip();
      front.clearRect(x0, y0, x1 - x0, y1 - y0);
      const [[left, top], [right, bottom]] = [this.toSlide(x0 - 1, y0 - 1), this.toSlide(x1 + 1, y1 + 1)];
      paint(front, { x0: left, y0: top, x1: right, y1: bottom });
      front.restore();
    }
    this.stale = [];
  }
  /**
   * What is out of date within the frame; as one where the parts are as much as the whole.
   * @returns {Corners[]}
   */
  parts() {
    const { width, height } = this.front.canvas;
    if (!this.stale) return [[0, 0, width, height]];
    const inside = [];
    for (const [x0, y0, x1, y1] of this.stale) {
      if (x1 > Math.max(0, x0) && y1 > Math.max(0, y0) && x0 < width && y0 < height) {
        inside.push([Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)]);
      }
    }
    const area = inside.reduce((sum, [x0, y0, x1, y1]) => sum + (x1 - x0) * (y1 - y0), 0);
    return area < width * height ? inside : [[0, 0, width, height]];
  }
  /**
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toPicture(x, y) {
    const { left, top, across, down } = this.place;
    return [left + x * across, top + y * down];
  }
  /**
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toSlide(x, y) {
    const { left, top, across, down } = this.place;
    return [(x - left) / across, (y - top) / down];
  }
};

// workbench/app/viewer/browser/tile_layer.js
var SHARPNESS = 0.35;
var STAND_IN_DEPTH = 2;
var TileLayer = class {
  /**
   * @param {LayerSpec} spec
   * @param {() => void} changed called when it would be painted otherwise
   */
  constructor(spec, changed) {
    this.spec = spec;
    this.changed = changed;
    this.tiles = /* @__PURE__ */ new Map();
  }
  get shown() {
    return this.spec.visible && this.spec.opacity > 0;
  }
  /**
   * Level-0 pixels for each pixel of zoom z.
   * @param {number} z
   */
  resolution(z) {
    return 2 ** (this.spec.max_zoom - z);
  }
  /**
   * Level-0 pixels [x0, y0, x1, y1] that a tile covers, beyond the slide too.
   * @param {number} z
   * @param {number} x
   * @param {number} y
   * @returns {Corners}
   */
  boxOf(z, x, y) {
    const side = this.spec.tile_px * this.resolution(z);
    return [x * side, y * side, (x + 1) * side, (y + 1) * side];
  }
  /**
   * The zoom that is sharp on a screen of so many level-0 pixels per pixel.
   * @param {number} resolution
   */
  zoomFor(resolution) {
    const z = this.spec.max_zoom - Math.log2(resolution) - SHARPNESS;
    return clamp(Math.ceil(z), 0, this.spec.max_zoom);
  }
  /**
   * Whether the layer is drawn on a screen of so many level-0 pixels per pixel.
   * @param {number} resolution
   */
  isDrawn(resolution) {
    return this.shown && this.zoomFor(resolution) <= this.spec.drawn_to_zoom;
  }
  /**
   * Tiles [z, x, y] that touch a box of level-0 pixels, centre first.
   * @param {number} z
   * @param {Box} box
   * @param {number[]} size of the slide
   * @param {number} border tiles around the box
   * @returns {Generator<TilePlace>}
   */
  *touching(z, box, size, border = 0) {
    const side = this.spec.tile_px * this.resolution(z);
    const last = size.map((length) => Math.ceil(length / side) - 1);
    const x0 = clamp(Math.floor(box.x0 / side) - border, 0, last[0] + 1);
    const y0 = clamp(Math.floor(box.y0 / side) - border, 0, last[1] + 1);
    const x1 = clamp(Math.ceil(box.x1 / side) - 1 + border, -1, last[0]);
    const y1 = clamp(Math.ceil(box.y1 / side) - 1 + border, -1, last[1]);
    const found = [];
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) found.push([z, x, y]);
    const [cx, cy] = [(box.x0 + box.x1) / 2 / side - 0.5, (box.y0 + box.y1) / 2 / side - 0.5];
    yield* found.sort((a, b) => Math.hypot(a[1] - cx, a[2] - cy) - Math.hypot(b[1] - cx, b[2] - cy));
  }
  /**
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  at(z, x, y) {
    return this.tiles.get(`${z}/${x}/${y}`);
  }
  /**
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  entry(z, x, y) {
    const key = `${z}/${x}/${y}`;
    const tile = this.tiles.get(key) ?? this.blankTile();
    this.tiles.set(key, tile);
    return tile;
  }
  /** @returns {Tile} */
  blankTile() {
    return { image: null, version: null, used: 0, failures: 0, retryAt: 0 };
  }
  /**
   * Whether a tile is missing, or has another version.
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  lacks(z, x, y) {
    const tile = this.at(z, x, y);
    if (tile === void 0) return true;
    return tile.version !== this.version(z) && tile.refused !== this.version(z);
  }
  /**
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  isRefused(z, x, y) {
    return this.at(z, x, y)?.refused === this.version(z);
  }
  forgive() {
    for (const tile of this.tiles.values()) tile.refused = void 0;
  }
  /**
   * Whether a tile may be asked for now; one that has failed waits.
   * @param {number} z
   * @param {number} x
   * @param {number} y
   * @param {number} now
   */
  isDue(z, x, y, now) {
    return (this.at(z, x, y)?.retryAt ?? 0) <= now;
  }
  /** The version that tiles of a zoom must have. */
  version(_z) {
    return this.spec.version;
  }
  /** Where tiles of a zoom are served. */
  address(_z) {
    return this.spec.url;
  }
  /**
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  url(z, x, y) {
    return `${this.address(z)}/${z}/${x}/${y}?v=${encodeURIComponent(this.version(z))}`;
  }
  /**
   * The URL of several tiles of one zoom together.
   * @param {number} z
   * @param {TilePlace[]} places
   */
  groupUrl(z, places) {
    const tiles = places.map(([, x, y]) => `${x}.${y}`).join(",");
    return `${this.address(z)}/${z}?v=${encodeURIComponent(this.version(z))}&tiles=${tiles}`;
  }
  /**
   * What is kept of a tile that has come: its image at least.
   * @param {Blob} blob
   * @param {TilePlace} _place
   * @returns {Promise<Decoded>}
   */
  async decode(blob, _place) {
    return { image: await createImageBitmap(blob) };
  }
  /** Fetch what tiles of a zoom need besides themselves. */
  bring(_z) {
  }
  /** Bring the image of a tile up to date, before it is painted. */
  prepare(_tile) {
  }
  /**
   * The instance that is painted at a level-0 point, with its size; null: none, or not known.
   * @param {number} _x
   * @param {number} _y
   * @param {number} _resolution
   * @returns {{id: number, size: number} | null}
   */
  instanceAt(_x, _y, _resolution) {
    return null;
  }
  /**
   * What to draw for one tile: itself, or what stands in for it, never two at once.
   * @param {number} z
   * @param {number} x
   * @param {number} y
   * @param {number[]} size
   * @returns {Piece[]}
   */
  pieces(z, x, y, size) {
    const finer = this.finer(z, x, y, size, STAND_IN_DEPTH);
    if (finer) return finer;
    for (let up = 1; up <= z; up++) {
      const [px, py] = [x >> up, y >> up];
      if (this.at(z - up, px, py)?.image) return [[z, x, y, z - up, px, py]];
    }
    return [];
  }
  /**
   * The tile, or finer ones that cover all of it; null if there are not.
   * @param {number} z
   * @param {number} x
   * @param {number} y
   * @param {number[]} size
   * @param {number} depth
   * @returns {Piece[] | null}
   */
  finer(z, x, y, size, depth) {
    if (this.at(z, x, y)?.image) return [[z, x, y, z, x, y]];
    if (depth === 0 || z === this.spec.max_zoom) return null;
    const side = this.spec.tile_px * this.resolution(z + 1);
    const pieces = [];
    for (const [cx, cy] of [[2 * x, 2 * y], [2 * x + 1, 2 * y], [2 * x, 2 * y + 1], [2 * x + 1, 2 * y + 1]]) {
      if (cx * side >= size[0] || cy * side >= size[1]) continue;
      const part = this.finer(z + 1, cx, cy, size, depth - 1);
      if (!part) return null;
      pieces.push(...part);
    }
    return pieces;
  }
  /**
   * Take a new description; tiles stay until those of the new version have come.
   * @param {LayerSpec} spec
   */
  describe(spec) {
    const { tile_px, max_zoom } = this.spec;
    if (spec.tile_px !== tile_px || spec.max_zoom !== max_zoom) this.drop();
    this.spec = spec;
  }
  drop() {
    for (const tile of this.tiles.values()) tile.image?.close();
    this.tiles.clear();
  }
};

// workbench/app/viewer/browser/instance_layer.js
var HEAD2 = 2;
var HALO = 3357219615;
var FILL = 1476395008;
async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
function numbersIn(data) {
  const [count, wide] = new Uint32Array(data, 0, HEAD2);
  const ids = new Uint32Array(data, 4 * HEAD2, count);
  const Cells = wide ? Uint32Array : Uint16Array;
  return { ids, cells: new Cells(data, 4 * (HEAD2 + count)) };
}
function outlineWidely(pixels, cells, borders, halo) {
  const side = Math.sqrt(cells.length);
  for (let at = 0; at < cells.length; at++) {
    const number = cells[at] >> 1;
    if (!borders[number] || !(cells[at] & 1)) continue;
    const [x0, y0] = [at % side, Math.floor(at / side)];
    for (let y = Math.max(0, y0 - 1); y <= Math.min(side - 1, y0 + 1); y++) {
      for (let x = Math.max(0, x0 - 1); x <= Math.min(side - 1, x0 + 1); x++) {
        const near = y * side + x;
        if (cells[near] >> 1 === number) pixels[near] = borders[number];
        else if (!borders[cells[near] >> 1]) pixels[near] = halo;
      }
    }
  }
}
var InstanceTileLayer = class extends TileLayer {
  /** @type {OutlineForm} */
  form = "thin";
  /** Colour of each instance, by id. */
  table = (
    /** @type {Uint8Array | null} */
    null
  );
  /** URL of the table that is here. */
  colouring = (
    /** @type {string | null} */
    null
  );
  /** URL of the table that was asked for last. */
  asked = (
    /** @type {string | null} */
    null
  );
  /** Inside and border of each colour, as pixels. */
  palette = new Uint32Array(0);
  canvas = (
    /** @type {OffscreenCanvas | null} */
    null
  );
  /**
   * The description of instances, for a zoom whose tiles hold instance numbers; else null.
   * @param {number} z
   */
  instancesOf(z) {
    const { instances } = this.spec;
    return instances && z >= instances.from_zoom ? instances : null;
  }
  /**
   * @override
   * @param {number} z
   */
  version(z) {
    return this.instancesOf(z)?.version ?? super.version(z);
  }
  /**
   * @override
   * @param {number} z
   */
  address(z) {
    return this.instancesOf(z)?.url ?? super.address(z);
  }
  /**
   * Fetch the colour table of the tiles of a zoom, unless it is here.
   * @override
   * @param {number} z
   */
  bring(z) {
    const instances = this.instancesOf(z);
    if (instances && this.asked !== instances.colours_url) this.fetchColours(instances);
  }
  /**
   * Fetch a colour table; until it is here, the old one is used.
   * @param {InstancesSpec} instances
   */
  async fetchColours({ colours_url: url, palette }) {
    this.asked = url;
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const table = new Uint8Array(await inflate(await response.blob()));
      if (this.asked !== url) return;
      this.palette = new Uint32Array(Uint8Array.from(palette).buffer);
      this.table = table;
      this.colouring = url;
      this.changed();
    } catch (error) {
      console.warn("workbench: the colours of instances did not come", error);
      if (this.asked === url) this.asked = null;
    }
  }
  /**
   * @override
   * @param {Blob} blob
   * @param {TilePlace} place
   * @returns {Promise<Decoded & Partial<Numbers>>}
   */
  async decode(blob, place2) {
    if (!this.instancesOf(place2[0])) return { ...await super.decode(blob, place2), cells: null };
    const data = await inflate(blob);
    if (data.byteLength <= 4 * HEAD2) return { ...this.blank(), ids: new Uint32Array(0) };
    const tile = { ...this.blank(), ...numbersIn(data) };
    this.prepare(tile);
    return tile;
  }
  /**
   * A tile on which nothing is painted yet.
   * @returns {Decoded & Numbers}
   */
  blank() {
    const canvas = new OffscreenCanvas(1, 1);
    canvas.getContext("2d");
    return { image: canvas.transferToImageBitmap(), ids: null, cells: null, colouring: null };
  }
  /**
   * Paint a tile in the colours that hold now, unless it is.
   * @override
   * @param {Pick<InstanceTile, "image" | "ids" | "cells" | "colouring">} tile
   */
  prepare(tile) {
    const { cells, ids } = tile;
    if (!cells || !ids || !this.table || tile.colouring === this.painting) return;
    const { colours, wide } = this.coloursOf(ids, this.table);
    const side = this.spec.tile_px;
    const picture = new ImageData(side, side);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < cells.length; i++) pixels[i] = colours[cells[i]];
    if (wide.some(Boolean)) outlineWidely(pixels, cells, wide, HALO);
    this.canvas ??= new OffscreenCanvas(side, side);
    contextOf(this.canvas).putImageData(picture, 0, 0);
    tile.image?.close();
    tile.image = this.canvas.transferToImageBitmap();
    tile.colouring = this.painting;
  }
  /** What tiles are painted with: the table, and the form of the outlines. */
  get painting() {
    return `${this.form} ${this.colouring}`;
  }
  /**
   * The colour of what a cell may hold, and of each instance that has a wide outline.
   * @param {Uint32Array} ids
   * @param {Uint8Array} table
   */
  coloursOf(ids, table) {
    const colours = new Uint32Array(2 * ids.length + 2);
    const wide = new Uint32Array(ids.length + 1);
    const last = this.palette.length / 2 - 1;
    for (let i = 0; i < ids.length; i++) {
      const colour = table[ids[i]];
      if (!colour) continue;
      const [inside, border] = this.palette.subarray(2 * colour, 2 * colour + 2);
      const isFilled = this.form === "filled" && colour !== last;
      colours[2 * i + 2] = isFilled ? border & 16777215 | FILL : inside;
      colours[2 * i + 3] = border;
      if (this.form === "wide" || colour === last) wide[i + 1] = border;
    }
    return { colours, wide };
  }
  /**
   * The instance that is painted at a level-0 point, and its level-0 pixels on that tile; null:
   * none, or not known.
   * @override
   * @param {number} x
   * @param {number} y
   * @param {number} resolution
   */
  instanceAt(x, y, resolution) {
    const z = this.zoomFor(resolution);
    if (!this.shown || !this.table || !this.instancesOf(z)) return null;
    const [column, row] = [x, y].map((at) => Math.floor(at / this.resolution(z)));
    const side = this.spec.tile_px;
    const tile = (
      /** @type {InstanceTile | undefined} */
      this.at(z, Math.floor(column / side), Math.floor(row / side))
    );
    if (!tile?.cells || !tile.ids || column < 0 || row < 0) return null;
    const number = tile.cells[row % side * side + column % side] >> 1;
    const id = number ? tile.ids[number - 1] : null;
    if (id === null || !this.table[id]) return null;
    let cells = 0;
    for (const cell of tile.cells) if (cell >> 1 === number) cells += 1;
    return { id, size: cells * this.resolution(z) ** 2 };
  }
};

// workbench/app/viewer/browser/tones.js
var PLAIN = Object.freeze({ brightness: 0, contrast: 1, gamma: 1 });
var isPlain = ({ brightness, contrast, gamma }) => brightness === 0 && contrast === 1 && gamma === 1;
function tableOf({ brightness, contrast, gamma }) {
  return Uint8ClampedArray.from({ length: 256 }, (_, value) => {
    const shown = ((value / 255) ** (1 / gamma) - 0.5) * contrast + 0.5 + brightness;
    return Math.round(255 * clamp(shown, 0, 1));
  });
}
function applyTable(pixels, table) {
  for (let at = 0; at < pixels.length; at += 4) {
    pixels[at] = table[pixels[at]];
    pixels[at + 1] = table[pixels[at + 1]];
    pixels[at + 2] = table[pixels[at + 2]];
  }
}
var Toner = class {
  /** Increases with each change. */
  version = 0;
  /** @type {Uint8ClampedArray | null} */
  table = null;
  /** @type {WeakMap<ImageBitmap, OffscreenCanvas>} */
  made = /* @__PURE__ */ new WeakMap();
  /** @param {Tones} tones */
  set(tones) {
    this.version += 1;
    this.table = isPlain(tones) ? null : tableOf(tones);
    this.made = /* @__PURE__ */ new WeakMap();
  }
  /**
   * A picture with the present tones.
   * @param {ImageBitmap} image
   * @returns {ImageBitmap | OffscreenCanvas}
   */
  toned(image) {
    if (!this.table || !image.width) return image;
    const canvas = this.made.get(image) ?? this.make(image, this.table);
    this.made.set(image, canvas);
    return canvas;
  }
  /**
   * @param {ImageBitmap} image
   * @param {Uint8ClampedArray} table
   */
  make(image, table) {
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("workbench: this browser has no context to paint on");
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, image.width, image.height);
    applyTable(data.data, table);
    context.putImageData(data, 0, 0);
    return canvas;
  }
};

// workbench/app/viewer/browser/tile_stack.js
var CACHE_BYTES = 256 * 2 ** 20;
var GATHER_MS = 60;
var SETTLE_MS = 20;
var IDLE_MS = 150;
var PREFETCHED = 48;
function lookOf({ id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom }) {
  return [id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom].join(" ");
}
var TileStack = class {
  /** @type {TileLayer[]} */
  layers = [];
  painted = new Painted();
  toner = new Toner();
  /** What is in view: a box of the slide, level-0 pixels for each device pixel. */
  view = { box: { x0: 0, y0: 0, x1: 0, y1: 0 }, resolution: 0 };
  /** Whether overlays are hidden. */
  bare = false;
  /** @type {OutlineForm} */
  outlines = "thin";
  /** How often it has painted. */
  frame = 0;
  paintTimer = (
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    void 0
  );
  askTimer = (
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    void 0
  );
  idleTimer = (
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    void 0
  );
  /** Called when it would be painted otherwise. */
  changed = () => {
  };
  /**
   * Corners of what of the frame a layer may be painted on; null: all of it.
   * @type {(frame: Frame, swiped: boolean) => Point[] | null}
   */
  clip = () => null;
  /**
   * Whether a box of level-0 pixels that is on the figure is seen.
   * @type {(x0: number, y0: number, x1: number, y1: number) => boolean}
   */
  sees = () => true;
  /**
   * Whether no layer that is swiped is painted at a place across the browser's window.
   * @type {(clientX: number) => boolean}
   */
  uncovers = () => false;
  /**
   * @param {HTMLElement} stage
   * @param {[width: number, height: number]} size of the slide
   */
  constructor(stage, size) {
    this.stage = stage;
    this.size = size;
    this.loader = new Loader((layer, place2) => this.arrived(layer, place2));
  }
  /** Layers that are painted, bottom first. */
  get shown() {
    const visible = this.layers.filter((layer) => layer.shown);
    return this.bare ? visible.filter((layer) => !layer.spec.overlay) : visible;
  }
  /**
   * Paint the slide alone, or all layers again.
   * @param {boolean} bare
   */
  bareSlide(bare) {
    this.bare = bare;
    this.repaint();
  }
  /**
   * Paint the slide with other tones.
   * @param {Tones} tones
   */
  setTones(tones) {
    const before = this.toner.table;
    this.toner.set(tones);
    if (before || this.toner.table) this.repaint();
  }
  /**
   * Draw instances in another form.
   * @param {OutlineForm} form
   */
  setOutlines(form) {
    this.outlines = form;
    for (const layer of this.layers) if (layer instanceof InstanceTileLayer) layer.form = form;
    this.repaint();
  }
  /**
   * The picture of a tile: with the present tones if it is of the slide itself, whose colours stand for no values.
   * @param {TileLayer} layer
   * @param {ImageBitmap} image
   */
  pictureOf({ spec }, image) {
    return spec.overlay || spec.legend ? image : this.toner.toned(image);
  }
  /** @param {LayerSpec[]} specs */
  update(specs) {
    const before = this.layers.map(({ spec }) => lookOf(spec));
    const known = new Map(this.layers.map((layer) => [layer.spec.id, layer]));
    this.layers = specs.map((spec) => {
      const layer = known.get(spec.id) ?? this.layerOf(spec);
      known.delete(spec.id);
      layer.describe(spec);
      return layer;
    });
    for (const layer of known.values()) {
      this.loader.forget(layer);
      layer.drop();
    }
    if (specs.map(lookOf).join() === before.join()) this.changed();
    else this.repaint();
    if (this.frame) this.fetch();
  }
  /** Paint all of it anew. */
  repaint() {
    this.painted.spoil();
    this.changed();
  }
  /**
   * @param {LayerSpec} spec
   * @returns {TileLayer}
   */
  layerOf(spec) {
    if (!spec.instances) return new TileLayer(spec, () => this.repaint());
    const layer = new InstanceTileLayer(spec, () => this.repaint());
    layer.form = this.outlines;
    return layer;
  }
  /**
   * Paint what has come: at once if nothing else is to come, else with what follows it.
   * @param {TileLayer} [layer]
   * @param {TilePlace} [place]
   */
  arrived(layer, place2) {
    if (layer && place2) this.painted.spoilBox(...layer.boxOf(...place2));
    if (this.loader.idle) this.paintArrived();
    else this.paintTimer ??= setTimeout(() => this.paintArrived(), GATHER_MS);
  }
  paintArrived() {
    clearTimeout(this.paintTimer);
    this.paintTimer = void 0;
    this.changed();
  }
  /**
   * Paint on a canvas.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Box} box of the slide, in view
   * @param {Frame} frame
   * @param {SlidePlace} place
   */
  paint(ctx, box, [left, top, width, height], place2) {
    this.frame += 1;
    this.view = { box, resolution: 1 / place2.across };
    const { painted } = this;
    const whole = [0, 0, width, height];
    if (this.shown.some(({ spec }) => this.clip(whole, spec.swiped))) painted.spoil();
    painted.moveTo(place2, width, height);
    painted.refresh((onto, part) => this.paintPart(onto, part, whole));
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.drawImage(painted.front.canvas, left, top);
    ctx.restore();
    this.keepShown();
    const missing = this.missing().length;
    this.stage.dataset.state = missing ? "loading" : "ready";
    this.stage.dispatchEvent(new CustomEvent("painted", { detail: { missing, refused: this.refused() } }));
    this.ask();
  }
  /**
   * Paint all layers within a box of the slide.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Box} box
   * @param {Frame} whole
   */
  paintPart(ctx, box, whole) {
    for (const layer of this.shown) {
      ctx.save();
      const corners = this.clip(whole, layer.spec.swiped);
      if (corners) {
        ctx.beginPath();
        for (const corner of corners) ctx.lineTo(...corner);
        ctx.clip();
      }
      this.paintLayer(ctx, layer, box);
      ctx.restore();
    }
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {TileLayer} layer
   * @param {Box} box
   */
  paintLayer(ctx, layer, box) {
    const { resolution } = this.view;
    ctx.globalAlpha = layer.spec.opacity;
    ctx.imageSmoothingEnabled = layer.spec.smooth && resolution > 0.75;
    ctx.imageSmoothingQuality = "low";
    for (const place2 of layer.touching(layer.zoomFor(resolution), box, this.size)) {
      for (const piece of layer.pieces(...place2, this.size)) this.paintPiece(ctx, layer, piece);
    }
  }
  /**
   * Paint the part of tile (sz, sx, sy) that lies in tile (z, x, y) and the slide.
   * @param {CanvasRenderingContext2D} ctx
   * @param {TileLayer} layer
   * @param {Piece} piece
   */
  paintPiece(ctx, layer, [z, x, y, sz, sx, sy]) {
    const tile = layer.at(sz, sx, sy);
    if (tile) layer.prepare(tile);
    if (!tile?.image) return;
    const image = this.pictureOf(layer, tile.image);
    const [x0, y0, right0, bottom0] = layer.boxOf(z, x, y);
    const [x1, y1] = [Math.min(right0, this.size[0]), Math.min(bottom0, this.size[1])];
    const [sourceX, sourceY, sourceEnd] = layer.boxOf(sz, sx, sy);
    const scale = image.width / (sourceEnd - sourceX);
    const [left, top] = this.painted.toPicture(x0, y0).map(Math.round);
    const [right, bottom] = this.painted.toPicture(x1, y1).map(Math.round);
    if (right <= left || bottom <= top) return;
    ctx.drawImage(
      image,
      (x0 - sourceX) * scale,
      (y0 - sourceY) * scale,
      (x1 - x0) * scale,
      (y1 - y0) * scale,
      left,
      top,
      right - left,
      bottom - top
    );
  }
  /** Mark what is in view as used, however long ago it was painted. */
  keepShown() {
    const { box, resolution } = this.view;
    for (const layer of this.shown) {
      for (const place2 of layer.touching(layer.zoomFor(resolution), box, this.size)) {
        for (const [, , , sz, sx, sy] of layer.pieces(...place2, this.size)) layer.entry(sz, sx, sy).used = this.frame;
      }
    }
  }
  ask() {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.prefetch(), IDLE_MS);
    this.askTimer ??= setTimeout(() => {
      this.askTimer = void 0;
      this.fetch();
    }, SETTLE_MS);
  }
  fetch() {
    const now = performance.now();
    for (const layer of this.shown) layer.bring(layer.zoomFor(this.view.resolution));
    const missing = this.missing();
    if (missing.length) this.loader.want(missing.filter(({ layer, place: place2 }) => layer.isDue(...place2, now)));
    this.evict();
  }
  /**
   * The tiles of a layer that are seen, centre first.
   * @param {TileLayer} layer
   */
  seen(layer) {
    const { box, resolution } = this.view;
    return [...layer.touching(layer.zoomFor(resolution), box, this.size)].filter((place2) => this.sees(...layer.boxOf(...place2)));
  }
  /**
   * What is in view and not here, most wanted first.
   * @returns {TileRequest<TileLayer>[]}
   */
  missing() {
    const requests = [];
    for (const layer of this.shown) {
      const wanted = this.seen(layer);
      if (!layer.at(0, 0, 0)) wanted.unshift([0, 0, 0]);
      else if (layer.zoomFor(this.view.resolution)) wanted.push([0, 0, 0]);
      this.collect(requests, layer, wanted);
    }
    return requests;
  }
  /**
   * @param {TileRequest<TileLayer>[]} requests
   * @param {TileLayer} layer
   * @param {Iterable<TilePlace>} places
   */
  collect(requests, layer, places) {
    for (const place2 of places) {
      if (layer.lacks(...place2)) requests.push({ url: layer.url(...place2), layer, place: place2 });
    }
  }
  /** Number of tiles in view that the server has refused, or has not sent in several tries. */
  refused() {
    return this.shown.reduce((count, layer) => count + this.seen(layer).filter((place2) => layer.isRefused(...place2)).length, 0);
  }
  /** Request refused tiles again. */
  retry() {
    for (const layer of this.layers) layer.forgive();
    this.changed();
  }
  /** Prefetch the tiles that a step of the wheel or a pan would show next, once none is missing. */
  prefetch() {
    if (!this.loader.idle || this.missing().length) return;
    for (const layer of this.shown) layer.bring(layer.spec.max_zoom);
    const { box, resolution } = this.view;
    const [dx, dy] = [(box.x1 - box.x0) / 4, (box.y1 - box.y0) / 4];
    const middle = { x0: box.x0 + dx, y0: box.y0 + dy, x1: box.x1 - dx, y1: box.y1 - dy };
    const around = { x0: box.x0 - 2 * dx, y0: box.y0 - 2 * dy, x1: box.x1 + 2 * dx, y1: box.y1 + 2 * dy };
    const requests = [];
    for (const layer of this.shown) {
      const z = layer.zoomFor(resolution);
      const near = [];
      if (z < layer.spec.max_zoom) near.push(...layer.touching(z + 1, middle, this.size));
      if (z > 0) near.push(...layer.touching(z - 1, around, this.size));
      near.push(...layer.touching(z, box, this.size, 1));
      this.collect(requests, layer, near);
    }
    this.loader.want(requests.slice(0, PREFETCHED));
  }
  /** Drop the tiles that were not painted for longest, once there are too many. */
  evict() {
    const held = [];
    for (const layer of this.layers) {
      for (const [key, { image, used }] of layer.tiles) if (image) held.push({ layer, key, image, used });
    }
    let bytes = held.reduce((sum, { image }) => sum + 4 * image.width * image.height, 0);
    if (bytes <= CACHE_BYTES) return;
    held.sort((a, b) => a.used - b.used);
    for (const { layer, key, image, used } of held) {
      if (bytes <= 0.8 * CACHE_BYTES || used === this.frame) break;
      bytes -= 4 * image.width * image.height;
      image.close();
      layer.tiles.delete(key);
    }
  }
  close() {
    clearTimeout(this.askTimer);
    clearTimeout(this.paintTimer);
    clearTimeout(this.idleTimer);
    this.loader.want([]);
    for (const layer of this.layers) layer.drop();
  }
};

// workbench/app/viewer/browser/toast.js
var SHOWN_MS = 8e3;
function toast(stage) {
  const { model } = stage;
  const line = stage.add("div", "toast", { role: "status" });
  let timer;
  const leave = () => {
    clearTimeout(timer);
    line.replaceChildren();
  };
  stage.say = (text, undo = false) => {
    leave();
    if (!text) return;
    line.append(text);
    if (undo) {
      const back = line.appendChild(document.createElement("button"));
      Object.assign(back, { type: "button", textContent: "Undo" });
      back.addEventListener("click", () => {
        leave();
        stage.undo();
      });
    }
    timer = setTimeout(leave, SHOWN_MS);
  };
  model.on("toast", () => stage.say(model.toast.text ?? "", model.toast.undo));
  stage.onClose(() => clearTimeout(timer));
}

// workbench/app/viewer/browser/tone_controls.js
var CONTROLS = [
  ["brightness", "Brightness", 0.5, 0.01, false],
  ["contrast", "Contrast", 2, 0.05, true],
  ["gamma", "Gamma", 2, 0.05, true]
];
var valueAt = (position, isFactor) => Number((isFactor ? 2 ** position : position).toPrecision(4));
var positionOf = (value, isFactor) => isFactor ? Math.log2(value) : value;
var ToneControls = class {
  /** @type {Tones} */
  tones = { ...PLAIN };
  /** @type {(() => void)[]} */
  shows = [];
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.toggle = button(stage.tools, { picture: "tones", label: "Brightness and contrast (B)", act: () => this.open(this.box.hidden) });
    this.box = stage.add("div", "popover", { role: "group", "aria-label": "Brightness and contrast", hidden: "" });
    for (const control of CONTROLS) this.box.append(this.control(...control));
    this.reset = button(this.box, { text: "Reset", label: "As scanned", act: () => this.clear() });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.open(false);
    });
    this.toggle.setAttribute("aria-expanded", "false");
  }
  /**
   * @param {keyof Tones} name
   * @param {string} label
   * @param {number} range
   * @param {number} step
   * @param {boolean} isFactor
   */
  control(name, label, range, step, isFactor) {
    const line = document.createElement("label");
    const field = document.createElement("input");
    const said = document.createElement("output");
    Object.assign(field, { type: "range", min: String(-range), max: String(range), step: String(step) });
    field.setAttribute("aria-label", label);
    field.addEventListener("input", () => this.apply({ ...this.tones, [name]: valueAt(field.valueAsNumber, isFactor) }));
    field.addEventListener("change", () => this.tell());
    line.append(label, said, field);
    this.shows.push(() => {
      field.value = String(positionOf(this.tones[name], isFactor));
      said.textContent = isFactor ? this.tones[name].toFixed(2) : `${Math.round(100 * this.tones[name])} %`;
    });
    return line;
  }
  /** @param {boolean} open */
  open(open) {
    this.box.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) this.box.querySelector("input")?.focus();
    else if (this.box.contains(
      /** @type {ShadowRoot} */
      this.box.getRootNode().activeElement
    )) this.toggle.focus();
  }
  /**
   * Paint with tones, and show them.
   * @param {Tones} tones
   */
  apply(tones) {
    this.tones = tones;
    const changed = !isPlain(tones);
    this.toggle.setAttribute("aria-pressed", String(changed));
    this.toggle.title = changed ? "Brightness and contrast: changed (B)" : "Brightness and contrast (B)";
    this.toggle.classList.toggle("changed", changed);
    this.reset.disabled = !changed;
    for (const show of this.shows) show();
    this.stage.stack.setTones(tones);
  }
  tell() {
    this.stage.model.tones = { ...this.tones };
  }
  /** Show the slide as scanned. */
  clear() {
    this.apply({ ...PLAIN });
    this.tell();
    if (!this.box.hidden) this.box.querySelector("input")?.focus();
  }
};
function toneControls(stage) {
  const { model, actions } = stage;
  const controls = new ToneControls(stage);
  stage.watch("tones", () => controls.apply({ ...PLAIN, ...model.tones }));
  actions.add(
    { label: "Adjust brightness and contrast", group: "View", keys: ["b"], act: () => controls.open(controls.box.hidden) },
    {
      label: "Reset brightness and contrast",
      group: "View",
      act: () => controls.clear(),
      reason: () => isPlain(controls.tones) ? "They are as scanned" : ""
    }
  );
}

// workbench/app/viewer/browser/tools.js
var ONE_PLACE_PX = 10;
var Tools = class {
  active = "pan";
  /** @type {(() => void)[]} */
  hearers = [];
  /** @type {Map<string, HTMLButtonElement>} */
  buttons = /* @__PURE__ */ new Map();
  /**
   * @param {HTMLElement} bar
   * @param {Actions} actions
   */
  constructor(bar, actions) {
    this.bar = bar;
    this.actions = actions;
  }
  /**
   * Add a tool with a button, which is returned; `hear` is called with whether it is in use.
   * @param {string} name
   * @param {{label: string, picture: IconName} & Pick<Action, "keys" | "mouse" | "reason">} look
   * @param {(on: boolean) => void} hear
   */
  add(name, { label, picture, ...action }, hear) {
    const act = () => this.use(this.active === name ? "pan" : name);
    const made3 = button(this.bar, { label, picture, act });
    this.buttons.set(name, made3);
    this.actions.add({ label: label.split(" (")[0], group: "Measure and select", act, ...action });
    this.hearers.push(() => hear(this.active === name));
    this.tell();
    return made3;
  }
  /** @param {string} name */
  use(name) {
    if (name === this.active) return;
    this.active = name;
    this.tell();
  }
  tell() {
    for (const [name, made3] of this.buttons) made3.setAttribute("aria-pressed", String(name === this.active));
    for (const hear of this.hearers) hear();
  }
};
function pointing(stage) {
  const { figure, model } = stage;
  let taps = 0;
  let last = { sx: -Infinity, sy: -Infinity };
  const tap = ({ x, y, sx, sy }) => {
    last = { sx, sy };
    if (!stage.closed) model.tapped = { x, y, number: ++taps, mark: stage.markAt(x, y) };
  };
  figure.on_event("tap", tap);
  figure.on_event("doubletap", (event) => {
    if (Math.hypot(event.sx - last.sx, event.sy - last.sy) > ONE_PLACE_PX) tap(event);
  });
  stage.switch.add("select", { label: "Draw a box", picture: "box" }, (on) => {
    if (!stage.closed && on !== (model.mode === "select")) model.mode = on ? "select" : "pan";
  });
  const clear = button(stage.tools, {
    label: "Clear box (Esc)",
    picture: "clear",
    act: () => {
      model.selection = null;
    }
  });
  stage.watch("mode", () => {
    figure.select_one(model.mode).active = true;
    if (model.mode === "select") stage.switch.use("select");
    else if (stage.switch.active === "select") stage.switch.use("pan");
  });
  stage.watch("selection", () => {
    clear.hidden = !model.selection;
  });
}

// workbench/app/viewer/browser/stage.js
var PARTS = [
  usedStage,
  layers,
  place,
  takeOver,
  scaleBar,
  coordinates,
  minimap,
  navigation,
  selection,
  pointing,
  lasso,
  measure,
  turning,
  status,
  theme,
  swipe,
  lock,
  annotations,
  keyboard,
  legend,
  outlines,
  pointedInstance,
  toast,
  contextMenu,
  toneControls,
  paletteButton,
  keySheet
];
var PUBLISH_MS = 100;
var SAID = "Slide. Arrow keys move, plus and minus zoom, question mark lists all keys.";
var alive = /* @__PURE__ */ new WeakMap();
var Stage = class {
  /**
   * Called whenever the view changes.
   * @type {(() => void)[]}
   */
  moved = [];
  /** @type {(() => void)[]} */
  closing = [];
  /** What the user can do; parts add to it. */
  actions = new Actions();
  closed = false;
  /**
   * Where the stage lies in the browser's window, for the rest of a frame.
   * @type {DOMRect | null}
   */
  known = null;
  /** Undo the last change of an annotation; set by `annotations`. */
  undo = () => {
  };
  /**
   * Show a message for some seconds; set by `toast`.
   * @type {(text: string, undo?: boolean) => void}
   */
  say = () => {
  };
  /** Hide overlays and annotations, or show them again; set by `keyboard`. */
  hideOverlays = () => {
  };
  /**
   * Begin to measure a distance at a point of the slide; set by `measure`.
   * @type {(x: number, y: number) => void}
   */
  measureFrom = () => {
  };
  /**
   * Id of the annotation at a click, empty for none; set by `annotations`.
   * @type {(x: number, y: number) => string}
   */
  markAt = () => "";
  /**
   * Returns the instance at a point of the slide; `pointedInstance` sets it.
   * @type {(x: number, y: number) => {layer: string, id: number, size: number} | null}
   */
  instanceAt = () => null;
  /**
   * @param {StageModel} model
   * @param {RenderArguments<StageProperties>["view"]} view
   */
  constructor(model, view) {
    this.model = model;
    this.figure = view.model.data.figure;
    this.plot = view.get_child_view(this.figure);
    this.plot.el.tabIndex = -1;
    this.holder = document.createElement("div");
    this.element = this.build();
    this.turn = new Turn(this.holder);
    this.tools = this.add("div", "bar tools", { role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" });
    this.switch = new Tools(this.tools, this.actions);
    this.stack = new TileStack(this.element, model.size);
    this.camera = new Camera(this.figure, this.plot, model.size, () => this.moved.forEach((hear) => hear()), this.turn, () => [this.element.clientWidth, this.element.clientHeight]);
    this.stack.sees = (...box) => this.camera.sees(...box);
  }
  build() {
    const element2 = document.createElement("div");
    element2.className = "stage";
    element2.tabIndex = 0;
    element2.setAttribute("role", "application");
    element2.setAttribute("aria-label", SAID);
    this.holder.className = "holder";
    this.holder.append(this.model.get_child("figure"));
    element2.append(this.holder);
    element2.addEventListener("pointerdown", ({ target }) => {
      if (!isOn(target, ".bar, .place, .minimap, .notice, .toast, .legend, .menu, .popover, dialog")) element2.focus({ preventScroll: true });
    });
    return element2;
  }
  /**
   * Put an element over the slide.
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {string} className
   * @param {Record<string, string>} attributes
   */
  add(tag, className, attributes = {}) {
    const element2 = this.element.appendChild(document.createElement(tag));
    element2.className = className;
    for (const [name, value] of Object.entries(attributes)) element2.setAttribute(name, value);
    return element2;
  }
  /**
   * Call now, and whenever Python has changed a property of the model.
   * @param {keyof StageProperties} name
   * @param {() => void} answer
   */
  watch(name, answer) {
    this.model.on(name, answer);
    answer();
  }
  /**
   * Call whenever the view or the size of the stage changes.
   * @param {() => void} hear
   */
  onMoved(hear) {
    this.moved.push(hear);
  }
  /**
   * Call whenever the slide has been painted.
   * @param {(told: {missing: number, refused: number}) => void} hear takes the number of tiles in view that are to come, and that were refused
   */
  onPainted(hear) {
    this.element.addEventListener("painted", (event) => hear(
      /** @type {CustomEvent} */
      event.detail
    ));
  }
  /** @param {() => void} act */
  onClose(act) {
    this.closing.push(act);
  }
  /**
   * Where a point of the browser's window lies on the slide.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {Point}
   */
  toSlide(clientX, clientY) {
    const { frame } = this.plot;
    const [x, y] = this.toFigure(clientX, clientY);
    return [frame.x_scale.invert(x), frame.y_scale.invert(y)];
  }
  /**
   * Where a point of the slide lies, in CSS pixels from the stage's corner.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toStage(x, y) {
    const { frame } = this.plot;
    const at = (
      /** @type {Point} */
      [frame.x_scale.compute(x), frame.y_scale.compute(y)]
    );
    return this.turn.toStage(at, this.turn.around(this.size), this.size);
  }
  /**
   * Where the stage lies in the browser's window, looked up once a frame: asking for it
   * after anything has been written makes the browser lay out the whole page.
   */
  get bounds() {
    if (this.known) return this.known;
    const bounds = this.element.getBoundingClientRect();
    if (!bounds.width) return bounds;
    this.known = bounds;
    requestAnimationFrame(() => {
      this.known = null;
    });
    return bounds;
  }
  /**
   * Its width and height, in CSS pixels.
   * @returns {[width: number, height: number]}
   */
  get size() {
    const { width, height } = this.bounds;
    return [width, height];
  }
  /**
   * Where a point of the browser's window lies on the figure, in CSS pixels.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {Point}
   */
  toFigure(clientX, clientY) {
    const { left, top } = this.bounds;
    return this.turn.toFigure([clientX - left, clientY - top], this.size, this.turn.around(this.size));
  }
  close() {
    this.closed = this.camera.closed = true;
    for (const act of this.closing) act();
    this.stack.close();
  }
};
function layers(stage) {
  const { model, stack } = stage;
  stage.watch("layers", () => stack.update(model.layers));
}
function place(stage) {
  const { model, camera } = stage;
  let timer;
  const tell = () => {
    timer = void 0;
    const { x0, y0, x1, y1 } = camera.box;
    model.seen = { ...camera.place, box: [x0, y0, x1, y1], stage: stage.size };
  };
  stage.onMoved(() => {
    timer ??= setTimeout(tell, PUBLISH_MS);
  });
  const go = () => {
    if (Object.keys(model.goal).length) camera.go(model.goal);
  };
  model.on("goal", go);
  if (model.seen.box) camera.go(model.seen);
  else go();
}
function render({ model, view }) {
  alive.get(view.model.data.figure)?.close();
  const stage = new Stage(model, view);
  alive.set(stage.figure, stage);
  for (const part of PARTS) part(stage);
  model.on("remove", () => stage.close());
  const host = stage.figure.select_one("tiles");
  rendererView(stage.plot, host).then((renderer) => {
    if (adopt(renderer, stage.camera, stage.stack)) host.visible = true;
    stage.camera.touched();
  });
  return stage.element;
}
export {
  Stage,
  render
};
