// The browser's half of the viewer: deep zoom on a Bokeh figure, in slide pixels.
//
// A part of the stage is a function that takes it. Parts do not depend on each other, only on
// the stage: the view (`camera`), the painted layers (`stack`), the properties shared with
// Python (`model`). A new part is a file beside this one and a name in PARTS. `make bundles`
// joins the files.

import { Actions } from "./actions.js";
import { annotations } from "./annotations.js";
import { Camera } from "./camera.js";
import { lock, swipe } from "./compare.js";
import { contextMenu } from "./context_menu.js";
import { isOn } from "./dom.js";
import { takeOver } from "./first_view_taken.js";
import { keyboard } from "./keyboard.js";
import { keySheet } from "./key_sheet.js";
import { lasso } from "./lasso.js";
import { legend } from "./legend.js";
import { measure } from "./measure.js";
import { minimap } from "./minimap.js";
import { navigation } from "./navigation.js";
import { outlines } from "./outlines.js";
import { pointedInstance } from "./pointed_instance.js";
import { adopt, rendererView } from "./painting.js";
import { coordinates, scaleBar } from "./readout.js";
import { paletteButton } from "./palette_button.js";
import { selection } from "./selection.js";
import { status, theme } from "./status.js";
import { TileStack } from "./tile_stack.js";
import { toast } from "./toast.js";
import { toneControls } from "./tone_controls.js";
import { pointing, Tools } from "./tools.js";
import { Turn, turning } from "./turn.js";
import { usedStage } from "./used_stage.js";

/**
 * @import {Figure, PlotView} from "./bokeh.js"
 * @import {Point, StageModel, StageProperties} from "./messages.js"
 */

const PARTS = [
  usedStage, layers, place, takeOver, scaleBar, coordinates, minimap, navigation, selection, pointing, lasso, measure, turning,
  status, theme, swipe, lock, annotations, keyboard, legend, outlines, pointedInstance, toast, contextMenu, toneControls, paletteButton, keySheet,
];
const PUBLISH_MS = 100;
const SAID = "Slide. Arrow keys move, plus and minus zoom, question mark lists all keys.";

/** @type {WeakMap<Figure, Stage>} */
const alive = new WeakMap(); // the stage of a figure's last rendering

/** What all parts share. Frame: level-0 pixels of the slide, x right, y down. */
export class Stage {
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
  undo = () => {};

  /**
   * Show a message for some seconds; set by `toast`.
   * @type {(text: string, undo?: boolean) => void}
   */
  say = () => {};

  /** Hide overlays and annotations, or show them again; set by `keyboard`. */
  hideOverlays = () => {};

  /**
   * Begin to measure a distance at a point of the slide; set by `measure`.
   * @type {(x: number, y: number) => void}
   */
  measureFrom = () => {};

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
    /** @type {Figure} */
    this.figure = view.model.data.figure; // in slide pixels
    /** @type {PlotView} */
    this.plot = view.get_child_view(this.figure);
    this.plot.el.tabIndex = -1; // the stage takes the keys
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
    const element = document.createElement("div");
    element.className = "stage";
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", SAID);
    this.holder.className = "holder";
    this.holder.append(this.model.get_child("figure"));
    element.append(this.holder);
    element.addEventListener("pointerdown", ({ target }) => {
      if (!isOn(target, ".bar, .place, .minimap, .notice, .toast, .legend, .menu, .popover, dialog")) element.focus({ preventScroll: true });
    });
    return element;
  }

  /**
   * Put an element over the slide.
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {string} className
   * @param {Record<string, string>} attributes
   */
  add(tag, className, attributes = {}) {
    const element = this.element.appendChild(document.createElement(tag));
    element.className = className;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
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
    this.element.addEventListener("painted", (event) => hear(/** @type {CustomEvent} */ (event).detail));
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
    const at = /** @type {Point} */ ([frame.x_scale.compute(x), frame.y_scale.compute(y)]);
    return this.turn.toStage(at, this.turn.around(this.size), this.size);
  }

  /**
   * Where the stage lies in the browser's window, looked up once a frame: asking for it
   * after anything has been written makes the browser lay out the whole page.
   */
  get bounds() {
    if (this.known) return this.known;
    const bounds = this.element.getBoundingClientRect();
    if (!bounds.width) return bounds; // not laid out yet
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
}

/** @param {Stage} stage */
function layers(stage) {
  const { model, stack } = stage;
  stage.watch("layers", () => stack.update(model.layers));
}

/**
 * Move to the goals that Python sets; report the view, at most every `PUBLISH_MS`.
 * @param {Stage} stage
 */
function place(stage) {
  const { model, camera } = stage;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const tell = () => {
    timer = undefined;
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
  // A stage that is rendered again keeps its view.
  if (model.seen.box) camera.go(model.seen);
  else go();
}

/** @param {RenderArguments<StageProperties>} component */
export function render({ model, view }) {
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
