// Tools that paint areas: brush and eraser, the magic wand, and clicks that a model segments.

import { DrawingTool, distance } from "./drawing_tool.js";
import { clamp } from "./numbers.js";

/**
 * @import {Position} from "./drawing_tool.js"
 * @import {Ring} from "./messages.js"
 */

const STEP = 0.15; // of the brush's radius, between points of its way
const SIZES = [3, 250]; // radii in CSS pixels
const GROWTH = 1.25; // of the radius, at each step
const TOLERANCE = 10; // of the wand where it is pressed, in units of CIELAB
const PER_PX = 0.12; // units for each CSS pixel of a drag
const LARGEST = 80;

/** The size of the brush, which stays when the tool is put down. */
export class BrushSize {
  /** Radius in CSS pixels. */
  px = 20;

  /** @param {number} steps above 0: larger */
  change(steps) {
    this.px = clamp(this.px * GROWTH ** steps, SIZES[0], SIZES[1]);
  }
}

/** A round brush that adds to an area, or with Alt takes away from it. */
export class BrushTool extends DrawingTool {
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
}

export class EraserTool extends BrushTool {
  /** @override */
  hint = "Take away from the selected area, or the one under the pointer. [ and ] or Shift+wheel: size.";

  /** @override */
  isEraser = true;

  /** @override */
  erases = true;
}

/** Tools whose area Python computes from the pixels, shown before it is accepted. */
export class ProposingTool extends DrawingTool {
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
}

/** The region that is alike: a press chooses the point, a drag to the right or up tolerates more. */
export class WandTool extends ProposingTool {
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
}

/** Clicks on an object, which a model outlines. */
export class PromptTool extends ProposingTool {
  /** @override */
  hint = "Click on an object; Alt+click where it is not. Enter or double click keeps it, Backspace takes a click back.";

  /**
   * @override
   * @param {Position} position
   */
  down(position) {
    const last = this.pixels.at(-1);
    this.held = true;
    if (last && distance(last, position.px) < 3) return; // the second of a double click
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
}
