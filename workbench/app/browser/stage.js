// The browser's half of the viewer: deep zoom on a Bokeh figure, in slide pixels.
//
// A part of the stage is a function that takes it. Parts do not know each other; what
// they share is the stage: where one looks (`camera`), what is painted (`stack`), what
// Python says and hears (`model`). A new part is a file beside this one and a name in
// PARTS. `modules.py` puts the files together.

import { annotations } from "./annotations.js";
import { Camera } from "./camera.js";
import { lock, swipe } from "./compare.js";
import { keyboard } from "./keyboard.js";
import { measure } from "./measure.js";
import { minimap } from "./minimap.js";
import { navigation } from "./navigation.js";
import { pointedObject } from "./pointed_object.js";
import { adopt, rendererView } from "./painting.js";
import { coordinates, scaleBar } from "./readout.js";
import { selection } from "./selection.js";
import { status, theme } from "./status.js";
import { TileStack } from "./tile_stack.js";
import { toast } from "./toast.js";
import { pointing, Tools } from "./tools.js";
import { Turn, turning } from "./turn.js";

const PARTS = [
  layers, place, scaleBar, coordinates, minimap, navigation, selection, pointing, measure, turning, keyboard,
  status, theme, swipe, lock, annotations, pointedObject, toast,
];
const PUBLISH_MS = 100;
const KEYS_SAID =
  "Slide. Arrow keys move, plus and minus zoom, 0 shows the whole slide, 1 to 6 are objectives, R turns, F flips, H hides overlays, G goes to a place.";

const alive = new WeakMap(); // figure to the stage of its last rendering

/** What all parts share. Frame: level-0 pixels of the slide, x right, y down. */
export class Stage {
  constructor(model, view) {
    this.model = model;
    this.figure = view.model.data.figure; // Bokeh's, in slide pixels
    this.plot = view.get_child_view(this.figure);
    this.moved = [];
    this.closing = [];
    this.keys = new Map();
    this.closed = false;
    this.element = this.build();
    this.turn = new Turn(this.holder);
    this.tools = this.add("div", "bar tools", { role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" });
    this.switch = new Tools(this.tools);
    this.stack = new TileStack(this.element, model.size);
    this.camera = new Camera(this.figure, this.plot, model.size, () => this.moved.forEach((hear) => hear()));
  }

  build() {
    const element = document.createElement("div");
    element.className = "stage";
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", KEYS_SAID);
    this.holder = element.appendChild(document.createElement("div"));
    this.holder.className = "holder";
    this.holder.append(this.model.get_child("figure"));
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".bar, .place, .minimap, .notice, .toast")) element.focus({ preventScroll: true });
    });
    return element;
  }

  /** Put an element over the slide. */
  add(tag, className, attributes = {}) {
    const element = this.element.appendChild(document.createElement(tag));
    element.className = className;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  /** Call now, and whenever Python has changed a property of the model. */
  watch(name, answer) {
    this.model.on(name, answer);
    answer();
  }

  /** Call whenever one looks elsewhere, or the stage has another size. */
  onMoved(hear) {
    this.moved.push(hear);
  }

  /** Call when a key is pressed while the stage, and no field on it, has the focus. */
  onKey(key, act) {
    this.keys.set(key, [...(this.keys.get(key) ?? []), act]);
  }

  onClose(act) {
    this.closing.push(act);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const acts = this.keys.get(event.key);
    if (!acts) return;
    event.preventDefault();
    for (const act of acts) act(event);
  }

  /** Where a point of the browser's window lies on the slide. */
  toSlide(clientX, clientY) {
    const { frame } = this.plot;
    const [x, y] = this.toFigure(clientX, clientY);
    return [frame.x_scale.invert(x), frame.y_scale.invert(y)];
  }

  /** Where a point of the slide lies, in CSS pixels from the stage's corner. */
  toStage(x, y) {
    const { frame } = this.plot;
    const { offsetWidth, offsetHeight } = this.holder;
    return this.turn.toStage(frame.x_scale.compute(x), frame.y_scale.compute(y), offsetWidth, offsetHeight);
  }

  /** Where the stage lies in the browser's window, looked up once a frame: asking for it
   * after anything has been written makes the browser lay out the whole page. */
  get bounds() {
    if (!this.known) {
      this.known = this.element.getBoundingClientRect();
      requestAnimationFrame(() => (this.known = null));
    }
    return this.known;
  }

  /** Where a point of the browser's window lies on the figure, in CSS pixels. */
  toFigure(clientX, clientY) {
    const { left, top, width, height } = this.bounds;
    return this.turn.toFigure(clientX - left, clientY - top, width, height);
  }

  close() {
    this.closed = this.camera.closed = true;
    for (const act of this.closing) act();
    this.stack.close();
  }
}

function layers(stage) {
  const { model, stack } = stage;
  stage.watch("layers", () => stack.update(model.layers));
}

/** Going where Python says; saying where one is, not more often than it can use. */
function place(stage) {
  const { model, camera } = stage;
  let timer = null;
  const tell = () => {
    timer = null;
    const { x0, y0, x1, y1 } = camera.box;
    model.seen = { ...camera.place, box: [x0, y0, x1, y1] };
  };
  stage.onMoved(() => {
    timer ??= setTimeout(tell, PUBLISH_MS);
  });
  const go = () => {
    if (Object.keys(model.goal).length) camera.go(model.goal);
  };
  model.on("goal", go);
  // Drawn anew, it shows what it showed; shown first, what Python asks for.
  if (model.seen.box) camera.go(model.seen);
  else go();
}

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
