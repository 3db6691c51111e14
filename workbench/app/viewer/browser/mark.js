// One annotation as it is drawn: its outline, at any zoom.

const TOUCH_PX = 7; // how near to a line or a point a click must be

/**
 * Points of a ring, flat [x, y, x, y, ...], without those nearer to each other than `grain`.
 * @param {Ring} ring
 * @param {number} grain
 */
function thinned(ring, grain) {
  const kept = [ring[0], ring[1]];
  for (let i = 2; i < ring.length - 2; i += 2) {
    const [x, y] = kept.slice(-2);
    if (Math.abs(ring[i] - x) + Math.abs(ring[i + 1] - y) >= grain) kept.push(ring[i], ring[i + 1]);
  }
  kept.push(...ring.slice(-2));
  return kept;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} ax
 * @param {number} ay
 * @param {number} bx
 * @param {number} by
 */
function distanceToEdge(x, y, ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = dx || dy ? ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy) : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** @import {Box, MarkSpec, Parts, Ring} from "./messages.js" */

/** Coordinates are level-0 pixels; `parts` are polygons (or points, or lines) of rings. */
export class Mark {
  /** @param {Pick<MarkSpec, "id" | "kind" | "parts"> & Partial<MarkSpec>} spec */
  constructor({ id, kind, parts, colour = "#0a84ff", label = "", locked = false }) {
    this.id = id;
    this.kind = kind;
    this.parts = parts;
    this.colour = colour;
    this.label = label;
    this.locked = locked;
    /** @type {Map<number, Path2D>} */
    this.paths = new Map(); // by level of detail
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
    return this.outlineDistance(x, y) <= reach || (this.kind === "area" && this.contains(x, y));
  }

  /**
   * Whether a point lies within, by the parity of a ray's crossings: holes are outside.
   * @param {number} x
   * @param {number} y
   */
  contains(x, y) {
    let inside = false;
    for (const [ax, ay, bx, by] of this.edges()) {
      if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
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
      if ((x !== x0 && x !== x1) || (y !== y0 && y !== y1)) return false;
    }
    return true;
  }

  /**
   * The same annotation with another outline.
   * @param {Parts} parts
   */
  shaped(parts) {
    const { id, kind, colour, label, locked } = this;
    return new Mark({ id, kind, parts, colour, label, locked });
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  moved(dx, dy) {
    const shift = (/** @type {Ring} */ ring) => ring.map((value, i) => value + (i % 2 ? dy : dx));
    return this.shaped(this.parts.map((rings) => rings.map(shift)));
  }
}
