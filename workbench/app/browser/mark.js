// One annotation as it is drawn: its outline, at any zoom.

const TOUCH_PX = 7; // how near to a line or a point a click must be

/** Points of a ring, flat [x, y, x, y, ...], without those that fall together. */
function thinned(ring, grain) {
  const kept = [ring[0], ring[1]];
  for (let i = 2; i < ring.length - 2; i += 2) {
    const [x, y] = kept.slice(-2);
    if (Math.abs(ring[i] - x) + Math.abs(ring[i + 1] - y) >= grain) kept.push(ring[i], ring[i + 1]);
  }
  kept.push(...ring.slice(-2));
  return kept;
}

function distanceToEdge(x, y, ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = dx || dy ? ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy) : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Coordinates are level-0 pixels; `parts` are polygons (or points, or lines) of rings. */
export class Mark {
  constructor({ id, kind, parts, colour = "#0a84ff", label = "", locked = false }) {
    Object.assign(this, { id, kind, parts, colour, label, locked });
    this.paths = new Map(); // level of detail to Path2D
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

  /** Whether some of it may lie in a box that is `margin` wider on every side. */
  isIn({ x0, y0, x1, y1 }, margin) {
    const box = this.box;
    return box.x1 >= x0 - margin && box.x0 <= x1 + margin && box.y1 >= y0 - margin && box.y0 <= y1 + margin;
  }

  /** Its outline, no finer than a screen of so many level-0 pixels per pixel shows. */
  path(downsample) {
    const level = Math.max(-1, Math.floor(Math.log2(downsample)));
    if (!this.paths.has(level)) this.paths.set(level, this.trace(level < 0 ? 0 : 2 ** level));
    return this.paths.get(level);
  }

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

  /** Whether a click there means it; `downsample`: level-0 pixels for each on screen. */
  isAt(x, y, downsample) {
    const reach = TOUCH_PX * downsample;
    if (!this.isIn({ x0: x, y0: y, x1: x, y1: y }, reach)) return false;
    return this.outlineDistance(x, y) <= reach || (this.kind === "area" && this.contains(x, y));
  }

  /** Crossings of a ray, holes included. */
  contains(x, y) {
    let inside = false;
    for (const [ax, ay, bx, by] of this.edges()) {
      if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
    }
    return inside;
  }

  outlineDistance(x, y) {
    let nearest = Infinity;
    for (const edge of this.edges()) nearest = Math.min(nearest, distanceToEdge(x, y, ...edge));
    return nearest;
  }

  *edges() {
    for (const ring of this.parts.flat()) {
      if (ring.length === 2) yield [ring[0], ring[1], ring[0], ring[1]];
      for (let i = 0; i < ring.length - 2; i += 2) yield ring.slice(i, i + 4);
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
      if ((x !== x0 && x !== x1) || (y !== y0 && y !== y1)) return false;
    }
    return true;
  }

  /** The same annotation with another outline. */
  shaped(parts) {
    const { id, kind, colour, label, locked } = this;
    return new Mark({ id, kind, parts, colour, label, locked });
  }

  moved(dx, dy) {
    const shift = (ring) => ring.map((value, i) => value + (i % 2 ? dy : dx));
    return this.shaped(this.parts.map((rings) => rings.map(shift)));
  }
}
