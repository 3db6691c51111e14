// Comparing: a divider to swipe between layers, and viewers that move together.

const SWIPE_STEP = 0.02; // of the width, for each arrow key

/** A divider over the slide: layers that are swiped are painted to its right only. */
class Swipe {
  constructor(stage, moved, settled) {
    Object.assign(this, { stage, moved, settled, at: null });
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
      this.move((event.clientX - left) / width);
    });
    this.bar.addEventListener("pointerup", () => this.settled(this.at));
    this.bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -SWIPE_STEP, ArrowRight: SWIPE_STEP }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.move(this.at + step);
      this.settled(this.at);
    });
    this.show(null);
  }

  /** Put the divider at a share of the width; null: there is none. */
  show(at) {
    this.at = at === null ? null : Math.min(1, Math.max(0, at));
    this.bar.style.display = this.at === null ? "none" : "";
    this.bar.style.left = `${100 * (this.at ?? 0)}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(100 * (this.at ?? 0))));
    this.moved();
  }

  move(at) {
    this.show(at);
  }

  /** Where a layer may be painted, of the figure's frame [left, top, width, height]. */
  clip(frame, swiped, turn) {
    return this.at === null || !swiped ? frame : turn.rightOf(this.at, frame);
  }
}

/** Cameras that move together: each as far from where it stood when they were locked. */
class Lock {
  constructor() {
    this.members = new Map(); // camera to {unit, anchor}
  }

  /** `unit`: µm for each level-0 pixel, 1 where it is not known. */
  join(camera, unit) {
    this.members.set(camera, { unit, anchor: null });
    for (const member of this.members.values()) member.anchor = null;
    this.anchor();
  }

  leave(camera) {
    this.members.delete(camera);
  }

  /** Note where each stands; false while one of them stands nowhere yet. */
  anchor() {
    for (const [camera, member] of this.members) {
      if (!camera.place) return false;
      member.anchor ??= { ...camera.place };
    }
    return true;
  }

  /** Move the others as this one has moved. */
  lead(leader) {
    if (!this.members.has(leader) || this.members.size < 2 || !this.anchor()) return;
    const { unit, anchor } = this.members.get(leader);
    const { x, y, downsample } = leader.place;
    for (const [camera, own] of this.members) {
      if (camera === leader || camera.closed) continue;
      const scale = unit / own.unit;
      camera.go({
        x: own.anchor.x + (x - anchor.x) * scale,
        y: own.anchor.y + (y - anchor.y) * scale,
        downsample: (own.anchor.downsample * downsample) / anchor.downsample,
        led: true,
      });
    }
  }
}

// Each component may have a module of its own; the page is what they share.
const locks = (window.workbenchLocks ??= new Map()); // by name

/** Let a camera move with all others of a lock's name; "" lets it go. */
function lockTo(name, camera, unit) {
  for (const lock of locks.values()) lock.leave(camera);
  if (!name) return;
  if (!locks.has(name)) locks.set(name, new Lock());
  locks.get(name).join(camera, unit);
}

function leadLocked(camera) {
  if (!camera.led) for (const lock of locks.values()) lock.lead(camera);
}

/** The divider: which layers are swiped is for each to say. */
export function swipe(stage) {
  const { model, stack } = stage;
  const divider = new Swipe(stage.element, () => stack.repaint(), (at) => {
    model.swipe = at;
  });
  stack.clip = (frame, swiped) => divider.clip(frame, swiped, stage.turn);
  stack.uncovers = (clientX) => divider.at !== null && clientX < stage.bounds.left + divider.at * stage.bounds.width;
  stage.watch("swipe", () => divider.show(model.swipe));
}

/** Moving together with the other stages of the page that name the same lock. */
export function lock(stage) {
  const { model, camera } = stage;
  stage.onMoved(() => leadLocked(camera));
  stage.watch("lock", () => lockTo(model.lock, camera, model.mpp ?? 1));
  stage.onClose(() => lockTo("", camera));
}
