// What was painted, kept: a pan shifts it, a tile that comes changes its own place only.

const SAME = 1e-9; // relative; scales of one zoom differ by rounding

/** A picture of the frame, in device pixels, that knows which parts of it are out of date. */
export class Painted {
  constructor() {
    [this.front, this.back] = [0, 1].map(() => document.createElement("canvas").getContext("2d"));
    this.place = null; // {left, top, across, down} of the slide: corner, pixels for each of level 0
    this.stale = null; // [x0, y0, x1, y1] of what is to be painted; null: everything
  }

  /** All of it is to be painted anew. */
  spoil() {
    this.stale = null;
  }

  /** A box of the slide, in level-0 pixels, is to be painted anew. */
  spoilBox(x0, y0, x1, y1) {
    if (!this.stale) return;
    const [left, top] = this.toPicture(x0, y0).map(Math.round);
    const [right, bottom] = this.toPicture(x1, y1).map(Math.round);
    this.stale.push([left, top, right, bottom]);
  }

  /** Follow the slide to a place in a frame of that size; what is still right is kept. */
  moveTo(place, width, height) {
    const { canvas } = this.front;
    const near = (a, b) => Math.abs(a - b) <= SAME * Math.abs(b);
    const kept = this.stale && canvas.width === width && canvas.height === height &&
      near(place.across, this.place.across) && near(place.down, this.place.down);
    // By whole pixels from where it was painted first: at most half a pixel off, and never more.
    const [dx, dy] = kept ? [Math.round(place.left - this.place.left), Math.round(place.top - this.place.top)] : [];
    if (!kept || Math.abs(dx) >= width || Math.abs(dy) >= height) return this.begin(place, width, height);
    if (dx || dy) this.shift(dx, dy);
  }

  begin(place, width, height) {
    for (const { canvas } of [this.front, this.back]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.place = { ...place };
    this.stale = [[0, 0, width, height]];
  }

  shift(dx, dy) {
    const { width, height } = this.front.canvas;
    [this.front, this.back] = [this.back, this.front];
    this.front.globalCompositeOperation = "copy";
    this.front.drawImage(this.back.canvas, dx, dy);
    this.front.globalCompositeOperation = "source-over";
    this.place.left += dx;
    this.place.top += dy;
    this.stale = this.stale.map(([x0, y0, x1, y1]) => [x0 + dx, y0 + dy, x1 + dx, y1 + dy]);
    if (dx) this.stale.push(dx > 0 ? [0, 0, dx, height] : [width + dx, 0, width, height]);
    if (dy) this.stale.push(dy > 0 ? [0, 0, width, dy] : [0, height + dy, width, height]);
  }

  /** Have what is out of date painted: `paint` takes a context, clipped, and its box of the slide. */
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

  /** What is out of date within the frame; as one where the parts are as much as the whole. */
  parts() {
    const { width, height } = this.front.canvas;
    const inside = this.stale
      .map(([x0, y0, x1, y1]) => [Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)])
      .filter(([x0, y0, x1, y1]) => x1 > x0 && y1 > y0);
    const area = inside.reduce((sum, [x0, y0, x1, y1]) => sum + (x1 - x0) * (y1 - y0), 0);
    return area < width * height ? inside : [[0, 0, width, height]];
  }

  toPicture(x, y) {
    const { left, top, across, down } = this.place;
    return [left + x * across, top + y * down];
  }

  toSlide(x, y) {
    const { left, top, across, down } = this.place;
    return [(x - left) / across, (y - top) / down];
  }
}
