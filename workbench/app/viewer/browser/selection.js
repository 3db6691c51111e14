// The box that is chosen: drawn with the tool, changed by its handles.

const HANDLE_MS = 100; // of a handle that is being dragged

/**
 * @import {BoxAnnotation, Figure} from "./bokeh.js"
 * @import {Stage} from "./stage.js"
 */

class Selection {
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
}

/** @param {Stage} stage */
export function selection(stage) {
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
    reason: () => (model.selection ? "" : "No box is drawn"),
  });
}
