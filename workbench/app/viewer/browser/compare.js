// Comparing: a divider to swipe between layers, and viewers that move together.

const SWIPE_STEP = 0.02; // of the width, for each arrow key

/**
 * @import {Camera} from "./camera.js"
 * @import {ViewPlace} from "./messages.js"
 * @import {Stage} from "./stage.js"
 * @import {Frame} from "./tile_stack.js"
 */

/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -SWIPE_STEP, ArrowRight: SWIPE_STEP };

/** A divider over the slide: layers that are swiped are painted to its right only. */
class Swipe {
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
      event.stopPropagation(); // the figure below would pan
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
}

/** Cameras that move together: each keeps its offset of the moment they were locked. */
export class Lock {
  /**
   * The cameras, each with µm for each level-0 pixel (1: not known), and where it stood.
   * @type {Map<Camera, {unit: number, anchor: ViewPlace | null}>}
   */
  members = new Map();

  /**
   * @param {Camera} camera
   * @param {number} unit
   */
  join(camera, unit) {
    this.members.set(camera, { unit, anchor: null });
    for (const member of this.members.values()) member.anchor = null;
    this.anchor();
  }

  /** @param {Camera} camera */
  leave(camera) {
    this.members.delete(camera);
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
    const { place } = leader;
    const own = this.members.get(leader);
    if (!place || !own || this.members.size < 2 || !this.anchor() || !own.anchor) return;
    for (const [camera, { unit, anchor }] of this.members) {
      if (camera === leader || camera.closed || !anchor) continue;
      const scale = own.unit / unit;
      camera.go({
        x: anchor.x + (place.x - own.anchor.x) * scale,
        y: anchor.y + (place.y - own.anchor.y) * scale,
        downsample: (anchor.downsample * place.downsample) / own.anchor.downsample,
        led: true,
      });
    }
  }
}

// Each component may load its own copy of this module; the page is shared.
const locks = (window.workbenchLocks ??= new Map()); // by name

/**
 * Let a camera move with all others of a lock's name; "" lets it go.
 * @param {string} name
 * @param {Camera} camera
 * @param {number} unit µm for each level-0 pixel; 1 where it is not known
 */
function lockTo(name, camera, unit) {
  for (const each of locks.values()) each.leave(camera);
  if (!name) return;
  const joined = locks.get(name) ?? new Lock();
  locks.set(name, joined);
  joined.join(camera, unit);
}

/** @param {Camera} camera */
function leadLocked(camera) {
  if (!camera.led) for (const each of locks.values()) each.lead(camera);
}

/**
 * The divider. Each layer says whether it is swiped.
 * @param {Stage} stage
 */
export function swipe(stage) {
  const { model, stack } = stage;
  const divider = new Swipe(stage.element, () => stack.repaint(), (at) => {
    model.swipe = at;
  });
  stack.clip = (frame, swiped) => divider.clip(frame, swiped, stage);
  stack.uncovers = (clientX) => divider.at !== null && clientX < stage.bounds.left + divider.at * stage.bounds.width;
  stage.watch("swipe", () => divider.show(model.swipe));
}

/**
 * Moving together with the other stages of the page that name the same lock.
 * @param {Stage} stage
 */
export function lock(stage) {
  const { model, camera } = stage;
  stage.onMoved(() => leadLocked(camera));
  stage.watch("lock", () => lockTo(model.lock, camera, model.mpp ?? 1));
  stage.onClose(() => lockTo("", camera, 1));
}
