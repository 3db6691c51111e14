// All annotations as one picture, somewhat larger than the view.
//
// Thousands of outlines take longer to paint than a frame of a pan may. So where there are
// many, the picture of a moment ago is moved and stretched while one moves, and painted
// anew once one rests.

const MARGIN = 0.25; // of the view, on every side
const MANY = 4000; // points from which on a picture is not painted in passing
const REST_MS = 120;

export class MarkSheet {
  /** `paint` takes a context, its frame (slide to pixels) and box; returns points painted. */
  constructor(paint, changed) {
    Object.assign(this, { paint, changed, canvas: document.createElement("canvas"), frame: null, points: 0 });
  }

  /** What is on it is no longer so. */
  outdate() {
    this.frame = null;
  }

  /** Put it on a canvas on which the slide lies as `frame` says, and `box` of it is seen. */
  show(ctx, frame, box) {
    const { width, height } = ctx.canvas;
    clearTimeout(this.timer);
    if (!this.isFresh(frame, box)) {
      const passing = this.frame && this.points > MANY;
      if (!passing || this.resting) this.render(frame, box, width, height);
      else this.timer = setTimeout(() => this.rest(), REST_MS);
    }
    this.resting = false;
    ctx.setTransform(new DOMMatrix(frame).multiply(new DOMMatrix(this.frame).inverse()));
    ctx.drawImage(this.canvas, 0, 0);
  }

  rest() {
    this.resting = true;
    this.changed();
  }

  isFresh(frame, box) {
    if (!this.frame || frame.slice(0, 4).some((slope, i) => Math.abs(slope - this.frame[i]) > 1e-9)) return false;
    const { x0, y0, x1, y1 } = this.box;
    return box.x0 >= x0 && box.y0 >= y0 && box.x1 <= x1 && box.y1 <= y1;
  }

  render(frame, { x0, y0, x1, y1 }, width, height) {
    const [dx, dy] = [MARGIN * (x1 - x0), MARGIN * (y1 - y0)];
    const [left, top] = [Math.round(MARGIN * width), Math.round(MARGIN * height)];
    Object.assign(this.canvas, { width: width + 2 * left, height: height + 2 * top });
    this.frame = [...frame.slice(0, 4), frame[4] + left, frame[5] + top];
    this.box = { x0: x0 - dx, y0: y0 - dy, x1: x1 + dx, y1: y1 + dy };
    const ctx = this.canvas.getContext("2d");
    ctx.lineJoin = "round";
    this.points = this.paint(ctx, this.frame, this.box);
  }
}
