// Changing an outline: its corners, the middles of its sides, and all of it.

const GRIP_PX = 8; // how near to a handle a press must be
const ROOM_PX = 9; // between corners, for handles to be of use
const MOST = 400; // handles that are drawn at once

/** Handles of one annotation; positions on the slide, distances on screen. */
export class Handles {
  constructor(mark) {
    this.mark = mark;
    this.grip = null; // what is being dragged
  }

  /** Corners [part, ring, index, x, y] in a box; null: they lie too close to be of use. */
  corners(box, downsample) {
    if (this.mark.locked) return null;
    const found = [];
    let length = 0;
    this.mark.parts.forEach((rings, part) =>
      rings.forEach((points, ring) => {
        const closed = this.mark.kind === "area" ? 2 : 0;
        for (let i = 0; i < points.length - closed; i += 2) {
          const [x, y] = [points[i], points[i + 1]];
          if (x < box.x0 || x > box.x1 || y < box.y0 || y > box.y1) continue;
          found.push([part, ring, i, x, y]);
          if (i + 3 < points.length) length += Math.hypot(points[i + 2] - x, points[i + 3] - y);
        }
      }),
    );
    const crowded = found.length > 4 && length / found.length < ROOM_PX * downsample;
    return crowded || found.length > MOST ? null : found;
  }

  /** Middles of sides, each with the corner after which it lies. */
  middles(corners) {
    if (this.mark.kind === "point" || this.mark.isBox) return [];
    return corners
      .filter(([part, ring, i]) => i + 3 < this.mark.parts[part][ring].length)
      .map(([part, ring, i, x, y]) => {
        const points = this.mark.parts[part][ring];
        return [part, ring, i, (x + points[i + 2]) / 2, (y + points[i + 3]) / 2];
      });
  }

  /** What a press there takes hold of: null, or {what, ...}. */
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

  begin(grip, x, y) {
    this.grip = { ...grip, x, y, from: this.mark };
  }

  drag(x, y) {
    const { what, place, from } = this.grip;
    if (what === "whole") this.mark = from.moved(x - this.grip.x, y - this.grip.y);
    else if (what === "corner" && from.isBox) this.mark = this.boxed(x, y);
    else this.mark = this.bent(place, x, y, what === "middle");
  }

  /** A box stays one: the corner across stays where it is. */
  boxed(x, y) {
    const { from, place } = this.grip;
    const { x0, y0, x1, y1 } = from.box;
    const [ax, ay] = [place[3] === x0 ? x1 : x0, place[4] === y0 ? y1 : y0];
    return from.shaped([[[ax, ay, x, ay, x, y, ax, y, ax, ay]]]);
  }

  bent([part, ring, i], x, y, insert) {
    const { from } = this.grip;
    const parts = from.parts.map((rings) => rings.map((points) => [...points]));
    const points = parts[part][ring];
    if (insert) points.splice(i + 2, 0, x, y);
    else {
      points.splice(i, 2, x, y);
      // The last point of a closed ring is its first.
      if (from.kind === "area" && i === 0) points.splice(-2, 2, x, y);
    }
    return from.shaped(parts);
  }

  /** The mark without a corner; null where too few would be left. */
  without([part, ring, i]) {
    const { mark } = this;
    const points = mark.parts[part][ring];
    if (mark.isBox || points.length <= (mark.kind === "area" ? 8 : 4)) return null;
    const parts = mark.parts.map((rings) => rings.map((each) => [...each]));
    const kept = parts[part][ring];
    kept.splice(i, 2);
    if (mark.kind === "area" && i === 0) kept.splice(-2, 2, kept[0], kept[1]);
    return mark.shaped(parts);
  }

  /** End a drag; whether something has changed. */
  end() {
    const changed = this.grip !== null && this.mark !== this.grip.from;
    this.grip = null;
    return changed;
  }
}
