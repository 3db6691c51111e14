// Comparing: a divider to swipe between layers, and viewers that move together.

import { sameTissue, TissueLink } from "./tissue_link.js";
import { withinTurn } from "./turn.js";

const SWIPE_STEP = 0.02; // of the width, for each arrow key

/**
 * @import {Camera} from "./camera.js"
 * @import {TissueLinkSpec, ViewPlace} from "./messages.js"
 * @import {Stage} from "./stage.js"
 * @import {Frame} from "./tile_stack.js"
 * @import {Turned} from "./tissue_link.js"
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

/**
 * A camera of a lock: µm for each level-0 pixel (1: not known), where it stood when it was
 * locked, where its slide lies in the tissue of the main one (null: not known), and its turn.
 * @typedef {object} Member
 * @property {number} unit
 * @property {ViewPlace | null} anchor
 * @property {TissueLink | null} link
 * @property {() => Turned} turned
 * @property {(turned: Turned) => void} turn
 */

const SAME_TURN = 0.02; // degrees: angles are rounded to hundredths

/**
 * Cameras that move together: through their tissue where it is known how it corresponds,
 * else each keeps its offset of the moment they were locked.
 */
export class Lock {
  /** @type {Map<Camera, Member>} */
  members = new Map();

  /**
   * @param {Camera} camera
   * @param {Omit<Member, "anchor">} member
   */
  join(camera, member) {
    this.members.set(camera, { ...member, anchor: null });
    for (const each of this.members.values()) each.anchor = null;
    this.anchor();
  }

  /** @param {Camera} camera */
  leave(camera) {
    this.members.delete(camera);
  }

  /** The camera of the slide that the others are registered to; null: there is none. */
  get main() {
    for (const [camera, { link }] of this.members) if (link && !link.spec) return camera;
    return null;
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
    if (!place || !own || this.members.size < 2 || !this.anchor()) return;
    for (const [camera, member] of this.members) {
      if (camera === leader || camera.closed) continue;
      if (own.link && member.link) this.showTissue(camera, member, place, own, own.link, member.link);
      else this.shift(camera, member, place, own);
    }
  }

  /**
   * @param {Camera} camera
   * @param {Member} member
   * @param {ViewPlace} place of the leader
   * @param {Member} own the leader
   * @param {TissueLink} from
   * @param {TissueLink} to
   */
  showTissue(camera, member, place, own, from, to) {
    const { place: next, turned } = sameTissue(place, own.turned(), from, to);
    const { angle, mirrored } = member.turned();
    const off = Math.abs(((turned.angle - angle + 540) % 360) - 180);
    if (off > SAME_TURN || mirrored !== turned.mirrored) member.turn(turned);
    camera.go({ ...next, led: true });
  }

  /**
   * @param {Camera} camera
   * @param {Member} member
   * @param {ViewPlace} place of the leader
   * @param {Member} own the leader
   */
  shift(camera, { unit, anchor }, place, own) {
    if (!anchor || !own.anchor) return;
    const scale = own.unit / unit;
    camera.go({
      x: anchor.x + (place.x - own.anchor.x) * scale,
      y: anchor.y + (place.y - own.anchor.y) * scale,
      downsample: (anchor.downsample * place.downsample) / own.anchor.downsample,
      led: true,
    });
  }
}

// Each component may load its own copy of this module; the page is shared.
const locks = (window.workbenchLocks ??= new Map()); // by name

/**
 * Let a camera move with all others of a lock's name; "" lets it go.
 * @param {string} name
 * @param {Camera} camera
 * @param {Omit<Member, "anchor"> | null} member
 */
function lockTo(name, camera, member) {
  for (const each of locks.values()) each.leave(camera);
  if (!name || !member) return;
  const joined = locks.get(name) ?? new Lock();
  locks.set(name, joined);
  joined.join(camera, member);
  const main = joined.main;
  if (main && member.link) leadLocked(main); // shown at once in the others
}

let following = false; // whether the others are being moved: what they say leads nobody

/** @param {Camera} camera */
function leadLocked(camera) {
  if (following) return;
  following = true;
  for (const each of locks.values()) each.lead(camera);
  following = false;
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
  const turned = () => ({ angle: model.angle, mirrored: model.mirrored });
  const turn = (/** @type {Turned} */ { angle, mirrored }) => {
    model.angle = withinTurn(angle);
    model.mirrored = mirrored;
  };
  const join = () => {
    const { tissue } = model;
    const known = tissue.main ? new TissueLink() : tissue.linear ? new TissueLink(/** @type {TissueLinkSpec} */ (tissue)) : null;
    lockTo(model.lock, camera, { unit: model.mpp ?? 1, link: known, turned, turn });
  };
  stage.onMoved(() => {
    if (!camera.led) leadLocked(camera);
  });
  stage.watch("lock", join);
  stage.watch("tissue", join);
  for (const name of /** @type {("angle" | "mirrored")[]} */ (["angle", "mirrored"])) model.on(name, () => leadLocked(camera));
  stage.onClose(() => lockTo("", camera, null));
}
