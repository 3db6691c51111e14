// Deep zoom on a Bokeh figure: a stack of tile layers in slide pixels.
//
// Bokeh's TileRenderer holds the place in the figure's stack of renderers; the
// painting of this one renderer (and of no other on the page) is replaced here.
// Bokeh keeps what it is good at: tools, ranges, glyphs and annotations on top.

const SHARPNESS = 0.35; // log2 of how far a tile may be enlarged: 2 ** 0.35 = 1.27
const FINEST = 1 / 32; // level-0 pixels for each CSS pixel, at the most over-zoom
const COARSEST = 2; // times the downsample at which the whole slide fits
const ROOM = 1.04; // a little air around what is fitted
const CONNECTIONS = 6; // what a browser opens to one HTTP/1.1 server
const CACHE_BYTES = 256 * 2 ** 20; // of decoded pixels
const SETTLE_MS = 40; // tiles passed at speed are not asked for
const PUBLISH_MS = 100;
const IDLE_MS = 400;
const PREFETCHED = 16;
const STAND_IN_DEPTH = 2; // zooms below a missing tile that may stand in for it
const RETRIES = 4;
const RETRY_MS = 250; // doubled each time

const WHOLE = { box: null };

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** One layer and the tiles of it that this page has. */
class TileLayer {
  constructor(spec) {
    this.spec = spec;
    this.tiles = new Map(); // "z/x/y" to {image, version, used, failures, retryAt}
  }

  get shown() {
    return this.spec.visible && this.spec.opacity > 0;
  }

  /** Level-0 pixels for each pixel of zoom z. */
  resolution(z) {
    return 2 ** (this.spec.max_zoom - z);
  }

  /** The zoom that is sharp on a screen of so many level-0 pixels per pixel. */
  zoomFor(resolution) {
    const z = this.spec.max_zoom - Math.log2(resolution) - SHARPNESS;
    return clamp(Math.ceil(z), 0, this.spec.max_zoom);
  }

  /** Tiles [z, x, y] that touch a box of level-0 pixels, centre first. */
  *touching(z, box, size, border = 0) {
    const side = this.spec.tile_px * this.resolution(z);
    const last = size.map((length) => Math.ceil(length / side) - 1);
    const x0 = clamp(Math.floor(box.x0 / side) - border, 0, last[0] + 1);
    const y0 = clamp(Math.floor(box.y0 / side) - border, 0, last[1] + 1);
    const x1 = clamp(Math.ceil(box.x1 / side) - 1 + border, -1, last[0]);
    const y1 = clamp(Math.ceil(box.y1 / side) - 1 + border, -1, last[1]);
    const found = [];
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) found.push([z, x, y]);
    const [cx, cy] = [(box.x0 + box.x1) / 2 / side - 0.5, (box.y0 + box.y1) / 2 / side - 0.5];
    yield* found.sort((a, b) => Math.hypot(a[1] - cx, a[2] - cy) - Math.hypot(b[1] - cx, b[2] - cy));
  }

  at(z, x, y) {
    return this.tiles.get(`${z}/${x}/${y}`);
  }

  entry(z, x, y) {
    const key = `${z}/${x}/${y}`;
    if (!this.tiles.has(key)) this.tiles.set(key, { image: null, version: null, used: 0, failures: 0, retryAt: 0 });
    return this.tiles.get(key);
  }

  /** Whether a tile is still to come: never had, or of another version. */
  lacks(z, x, y) {
    const tile = this.at(z, x, y);
    if (tile === undefined) return true;
    return tile.version !== this.spec.version && tile.refused !== this.spec.version;
  }

  /** Whether it may be asked for now, or has failed a moment ago. */
  isDue(z, x, y, now) {
    return (this.at(z, x, y)?.retryAt ?? 0) <= now;
  }

  url(z, x, y) {
    return `${this.spec.url}/${z}/${x}/${y}?v=${encodeURIComponent(this.spec.version)}`;
  }

  /** What to draw for one tile: itself, or what stands in for it, never two at once. */
  pieces(z, x, y, size) {
    const finer = this.finer(z, x, y, size, STAND_IN_DEPTH);
    if (finer) return finer;
    for (let up = 1; up <= z; up++) {
      const [px, py] = [x >> up, y >> up];
      if (this.at(z - up, px, py)?.image) return [[z, x, y, z - up, px, py]];
    }
    return [];
  }

  /** The tile, or finer ones that cover all of it; null if there are not. */
  finer(z, x, y, size, depth) {
    if (this.at(z, x, y)?.image) return [[z, x, y, z, x, y]];
    if (depth === 0 || z === this.spec.max_zoom) return null;
    const side = this.spec.tile_px * this.resolution(z + 1);
    const pieces = [];
    for (const [cx, cy] of [[2 * x, 2 * y], [2 * x + 1, 2 * y], [2 * x, 2 * y + 1], [2 * x + 1, 2 * y + 1]]) {
      if (cx * side >= size[0] || cy * side >= size[1]) continue;
      const part = this.finer(z + 1, cx, cy, size, depth - 1);
      if (!part) return null;
      pieces.push(...part);
    }
    return pieces;
  }

  /** Take a new description; tiles stay until those of the new version have come. */
  describe(spec) {
    const { tile_px, max_zoom } = this.spec;
    if (spec.tile_px !== tile_px || spec.max_zoom !== max_zoom) this.drop();
    this.spec = spec;
  }

  drop() {
    for (const tile of this.tiles.values()) tile.image?.close();
    this.tiles.clear();
  }
}

/** Fetches what is wanted now, most wanted first; lets go of what no longer is. */
class Loader {
  constructor(arrived) {
    this.arrived = arrived;
    this.running = new Map(); // URL to {abort, layer}
    this.queue = [];
  }

  want(requests) {
    const wanted = new Set(requests.map((request) => request.url));
    for (const [url, { abort }] of this.running) if (!wanted.has(url)) abort.abort();
    this.queue = requests.filter((request) => !this.running.has(request.url));
    this.pump();
  }

  /** Let go of all that was asked for a layer. */
  forget(layer) {
    this.queue = this.queue.filter((request) => request.layer !== layer);
    for (const { abort, layer: other } of this.running.values()) if (other === layer) abort.abort();
  }

  get idle() {
    return this.running.size === 0 && this.queue.length === 0;
  }

  pump() {
    while (this.running.size < CONNECTIONS && this.queue.length) this.load(this.queue.shift());
  }

  async load({ url, layer, place }) {
    const abort = new AbortController();
    const version = layer.spec.version;
    this.running.set(url, { abort, layer });
    try {
      const response = await fetch(url, { credentials: "same-origin", signal: abort.signal });
      if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
      const image = await createImageBitmap(await response.blob());
      if (abort.signal.aborted) return image.close();
      const tile = layer.entry(...place);
      tile.image?.close();
      Object.assign(tile, { image, version, failures: 0, retryAt: 0 });
    } catch (error) {
      if (error.name !== "AbortError") this.failed(layer.entry(...place), version, error);
    } finally {
      this.running.delete(url);
      this.pump();
      this.arrived();
    }
  }

  failed(tile, version, error) {
    tile.failures += 1;
    if (error.status < 500 || tile.failures > RETRIES) {
      Object.assign(tile, { refused: version, failures: 0 });
      return;
    }
    const wait = RETRY_MS * 2 ** tile.failures;
    tile.retryAt = performance.now() + wait;
    setTimeout(this.arrived, wait + 1);
  }
}

/** Paints the layers, bottom first, and asks for the tiles that are missing. */
class TileStack {
  constructor(stage, size) {
    this.stage = stage;
    this.size = size;
    this.layers = [];
    this.loader = new Loader(() => this.changed());
    this.changed = () => {};
    this.clip = (frame) => frame; // what of the frame a layer may be painted on
    this.frame = 0;
  }

  update(specs) {
    const known = new Map(this.layers.map((layer) => [layer.spec.id, layer]));
    this.layers = specs.map((spec) => {
      const layer = known.get(spec.id) ?? new TileLayer(spec);
      known.delete(spec.id);
      layer.describe(spec);
      return layer;
    });
    for (const layer of known.values()) {
      this.loader.forget(layer);
      layer.drop();
    }
    this.changed();
  }

  /** Paint on a canvas; `toDevice` turns a level-0 point into its device pixel. */
  paint(ctx, box, frame, toDevice, resolution) {
    this.frame += 1;
    for (const layer of this.layers.filter((each) => each.shown)) {
      ctx.save();
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.beginPath();
      ctx.rect(...this.clip(frame, layer.spec.swiped));
      ctx.clip();
      this.paintLayer(ctx, layer, box, toDevice, resolution);
      ctx.restore();
    }
    this.view = { box, resolution };
    this.ask();
  }

  paintLayer(ctx, layer, box, toDevice, resolution) {
    const z = layer.zoomFor(resolution);
    ctx.globalAlpha = layer.spec.opacity;
    // Beyond the scanned resolution, pixels are shown as pixels.
    ctx.imageSmoothingEnabled = layer.spec.smooth && resolution > 0.75;
    ctx.imageSmoothingQuality = "medium";
    for (const place of layer.touching(z, box, this.size)) {
      for (const piece of layer.pieces(...place, this.size)) this.paintPiece(ctx, layer, piece, toDevice);
    }
  }

  /** Paint the part of tile (sz, sx, sy) that lies in tile (z, x, y) and the slide. */
  paintPiece(ctx, layer, [z, x, y, sz, sx, sy], toDevice) {
    const tile = layer.at(sz, sx, sy);
    tile.used = this.frame;
    const side = layer.spec.tile_px * layer.resolution(z);
    const [x0, y0] = [x * side, y * side];
    const [x1, y1] = [Math.min(x0 + side, this.size[0]), Math.min(y0 + side, this.size[1])];
    const sourceSide = layer.spec.tile_px * layer.resolution(sz);
    const scale = tile.image.width / sourceSide;
    // Whole device pixels: neighbours meet without a gap and without an overlap.
    const [left, top] = toDevice(x0, y0).map(Math.round);
    const [right, bottom] = toDevice(x1, y1).map(Math.round);
    if (right <= left || bottom <= top) return;
    ctx.drawImage(
      tile.image,
      (x0 - sx * sourceSide) * scale, (y0 - sy * sourceSide) * scale, (x1 - x0) * scale, (y1 - y0) * scale,
      left, top, right - left, bottom - top,
    );
  }

  ask() {
    this.stage.dataset.state = this.missing().length ? "loading" : "ready";
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.prefetch(), IDLE_MS);
    this.askTimer ??= setTimeout(() => {
      this.askTimer = null;
      this.fetch();
    }, SETTLE_MS);
  }

  fetch() {
    const now = performance.now();
    const missing = this.missing();
    // With all there, let what is being prefetched come.
    if (missing.length) this.loader.want(missing.filter(({ layer, place }) => layer.isDue(...place, now)));
    this.evict();
  }

  /** What is in view and not here, most wanted first. */
  missing() {
    const { box, resolution } = this.view;
    const requests = [];
    for (const layer of this.layers.filter((each) => each.shown)) {
      const wanted = [...layer.touching(layer.zoomFor(resolution), box, this.size)];
      // The whole slide in one tile: something to show wherever one goes.
      if (!layer.at(0, 0, 0)) wanted.unshift([0, 0, 0]);
      this.collect(requests, layer, wanted);
    }
    return requests;
  }

  collect(requests, layer, places) {
    for (const place of places) {
      if (layer.lacks(...place)) requests.push({ url: layer.url(...place), layer, place });
    }
  }

  /** When nothing else is to do: what a pan or a step of the wheel will show next. */
  prefetch() {
    if (!this.loader.idle || this.missing().length) return;
    const { box, resolution } = this.view;
    const requests = [];
    for (const layer of this.layers.filter((each) => each.shown)) {
      const z = layer.zoomFor(resolution);
      this.collect(requests, layer, layer.touching(z, box, this.size, 1));
      if (z > 0) this.collect(requests, layer, layer.touching(z - 1, box, this.size));
    }
    this.loader.want(requests.slice(0, PREFETCHED));
  }

  /** Let go of the tiles not painted for longest, once there are too many. */
  evict() {
    const held = [];
    for (const layer of this.layers) {
      for (const [key, tile] of layer.tiles) if (tile.image) held.push([tile.used, layer, key, tile]);
    }
    let bytes = held.reduce((sum, [, , , { image }]) => sum + 4 * image.width * image.height, 0);
    if (bytes <= CACHE_BYTES) return;
    held.sort((a, b) => a[0] - b[0]);
    for (const [used, layer, key, { image }] of held) {
      if (bytes <= 0.8 * CACHE_BYTES || used === this.frame) break;
      bytes -= 4 * image.width * image.height;
      image.close();
      layer.tiles.delete(key);
    }
  }

  close() {
    clearTimeout(this.askTimer);
    clearTimeout(this.idleTimer);
    this.loader.want([]);
    for (const layer of this.layers) layer.drop();
  }
}

/** Where one looks: keeps the figure's ranges square, within limits, and told. */
class Camera {
  constructor(figure, plot, size, moved) {
    Object.assign(this, { figure, plot, size, moved });
    this.place = null; // {x, y, downsample}: centre, level-0 pixels per CSS pixel
    this.goal = WHOLE;
    this.frame = [0, 0];
    const { x_range, y_range } = figure;
    for (const range of [x_range, y_range]) figure.connect(range.change, () => this.touched());
    for (const name of ["inner_width", "inner_height"]) {
      figure.connect(figure.properties[name].change, () => this.touched());
    }
    this.touched();
  }

  /** Ranges and sizes change one by one; look once they all have. */
  touched() {
    if (this.queued || this.busy || this.closed) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      this.settle();
    });
  }

  settle() {
    const { width, height } = this.plot.frame?.bbox ?? { width: 0, height: 0 };
    if (this.closed || width < 8 || height < 8) return;
    const resized = width !== this.frame[0] || height !== this.frame[1];
    this.frame = [width, height];
    // Whether another camera has moved this one, or its place has only been fitted anew.
    this.led = this.goal ? Boolean(this.goal.led) : resized;
    if (this.goal) {
      this.place = this.limited(this.reach(this.goal));
      this.goal = null;
    } else if (!resized) {
      this.place = this.limited(this.read(), this.place);
    }
    this.write();
  }

  /** The place that the ranges show, after a tool has moved them. */
  read() {
    const { x_range: xs, y_range: ys } = this.figure;
    const [width, height] = this.frame;
    const downsample = Math.max(Math.abs(xs.end - xs.start) / width, Math.abs(ys.end - ys.start) / height);
    return { x: (xs.start + xs.end) / 2, y: (ys.start + ys.end) / 2, downsample };
  }

  reach(goal) {
    const [width, height] = this.frame;
    if (goal.downsample) return goal;
    const [x0, y0, x1, y1] = goal.box ?? [0, 0, ...this.size];
    const downsample = ROOM * Math.max((x1 - x0) / width, (y1 - y0) / height);
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, downsample };
  }

  /** Hold a place within the limits; if reached by zooming, keep what is at the mouse. */
  limited(next, from = null) {
    const fit = Math.max(this.size[0] / this.frame[0], this.size[1] / this.frame[1]);
    const downsample = clamp(next.downsample, FINEST, Math.max(COARSEST * fit, 1));
    const span = from ? next.downsample - from.downsample : 0;
    const share = span ? (downsample - from.downsample) / span : 1;
    const between = (axis) => (share === 1 ? next[axis] : from[axis] + share * (next[axis] - from[axis]));
    return { x: clamp(between("x"), 0, this.size[0]), y: clamp(between("y"), 0, this.size[1]), downsample };
  }

  write() {
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    this.busy = true;
    this.set(this.figure.x_range, x - dx, x + dx);
    this.set(this.figure.y_range, y + dy, y - dy);
    this.busy = false;
    this.moved();
  }

  set(range, start, end) {
    const small = Math.abs(end - start) * 1e-9;
    if (Math.abs(range.start - start) > small || Math.abs(range.end - end) > small) range.setv({ start, end });
  }

  go(goal) {
    this.goal = goal;
    this.touched();
  }

  zoom(factor) {
    if (this.place) this.go({ ...this.place, downsample: this.place.downsample * factor });
  }

  pan(right, down) {
    if (!this.place) return;
    const { x, y, downsample } = this.place;
    const [width, height] = this.frame;
    this.go({ x: x + right * width * downsample, y: y + down * height * downsample, downsample });
  }

  get box() {
    const { x, y, downsample } = this.place;
    const [dx, dy] = this.frame.map((length) => (length * downsample) / 2);
    return { x0: x - dx, y0: y - dy, x1: x + dx, y1: y + dy };
  }
}

/** Take over the painting of one TileRenderer; say so if Bokeh has changed. */
function adopt(renderer, camera, stack) {
  for (const name of ["_paint", "has_finished", "request_paint"]) {
    if (typeof renderer[name] !== "function") {
      console.error(`workbench: Bokeh ${window.Bokeh?.version} has no TileRenderer.${name}; slides cannot be drawn`);
      return false;
    }
  }
  renderer.has_finished = () => true;
  renderer._paint = (ctx) => {
    if (!camera.place) return;
    const { frame } = renderer.plot_view;
    const { left, top, width, height } = frame.bbox;
    const { a: ratio, e, f } = ctx.getTransform();
    const toDevice = (x, y) => [frame.x_scale.compute(x) * ratio + e, frame.y_scale.compute(y) * ratio + f];
    // Bokeh's own clearing begins half a pixel late; what is painted there would stay.
    const clip = [left * ratio + e, top * ratio + f, width * ratio, height * ratio].map(Math.ceil);
    stack.paint(ctx, camera.box, clip, toDevice, camera.place.downsample / ratio);
  };
  stack.changed = () => renderer.request_paint();
  return true;
}

const NICE = [1, 2, 5];

/** The longest round length of at most `longest` (any unit). */
function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return Math.max(...NICE.map((digit) => digit * power).filter((length) => length <= longest * 1.0001));
}

/** Scale bar and coordinates, over the figure. */
class Readout {
  constructor(stage, mpp) {
    this.mpp = mpp;
    this.pointer = null; // CSS pixels from the frame's corner
    this.bar = stage.appendChild(document.createElement("div"));
    this.bar.className = "scale-bar";
    this.text = stage.appendChild(document.createElement("div"));
    this.text.className = "coordinates";
  }

  show({ place, box }) {
    const unit = this.mpp ? place.downsample * this.mpp : place.downsample;
    const length = roundLength(140 * unit);
    this.bar.style.width = `${length / unit}px`;
    if (!this.mpp) this.bar.textContent = `${length} px`;
    else this.bar.textContent = length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
    if (!this.pointer) return;
    const [x, y] = [box.x0 + this.pointer[0] * place.downsample, box.y0 + this.pointer[1] * place.downsample];
    const scale = this.mpp ? `${unit.toPrecision(3)} µm/px` : `1:${unit.toPrecision(3)}`;
    this.text.textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}  ·  ${scale}`;
  }
}

/** The box that is chosen: drawn with the tool, changed by its handles. */
class Selection {
  constructor(figure, mark, chosen) {
    Object.assign(this, { mark, chosen });
    figure.on_event("selectiongeometry", ({ geometry, final }) => {
      if (geometry.type === "rect" && final !== false) this.take(geometry);
    });
    figure.connect(mark.change, () => this.edited());
  }

  take({ x0, x1, y0, y1 }) {
    if (x0 === x1 || y0 === y1) return;
    this.chosen([Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)].map(Math.round));
  }

  edited() {
    if (this.busy || !this.mark.visible) return;
    clearTimeout(this.timer);
    const { left: x0, right: x1, top: y0, bottom: y1 } = this.mark;
    this.timer = setTimeout(() => this.take({ x0, x1, y0, y1 }), PUBLISH_MS);
  }

  show(box) {
    clearTimeout(this.timer);
    this.busy = true;
    if (box) this.mark.setv({ left: box[0], top: box[1], right: box[2], bottom: box[3], visible: true });
    else this.mark.visible = false;
    this.busy = false;
  }
}

/** Wait until a figure's view has built the view of one of its renderers. */
async function rendererView(plot, renderer) {
  for (;;) {
    const found = plot.views?.find_one(renderer) ?? plot.renderer_views?.get(renderer);
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

const KEYS = {
  ArrowLeft: (camera) => camera.pan(-0.25, 0),
  ArrowRight: (camera) => camera.pan(0.25, 0),
  ArrowUp: (camera) => camera.pan(0, -0.25),
  ArrowDown: (camera) => camera.pan(0, 0.25),
  "+": (camera) => camera.zoom(0.5),
  "=": (camera) => camera.zoom(0.5),
  "-": (camera) => camera.zoom(2),
  0: (camera) => camera.go(WHOLE),
};

function listen(stage, plot, camera, readout, model) {
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") model.selection = null;
    else if (!KEYS[event.key]) return;
    else KEYS[event.key](camera);
    event.preventDefault();
  });
  stage.addEventListener("pointerdown", () => stage.focus({ preventScroll: true }));
  stage.addEventListener("pointermove", (event) => {
    if (!camera.place) return;
    const rect = plot.el.getBoundingClientRect();
    const { left, top } = plot.frame.bbox;
    readout.pointer = [event.clientX - rect.left - left, event.clientY - rect.top - top];
    readout.show(camera);
  });
}

const alive = new WeakMap(); // figure to what ends its last rendering

function buildStage(model) {
  const stage = document.createElement("div");
  stage.className = "stage";
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");
  stage.setAttribute("aria-label", "Slide. Arrow keys move, plus and minus zoom, 0 shows the whole slide.");
  stage.append(model.get_child("figure"));
  return stage;
}

/** Tell Python where one looks, not more often than it can use. */
function publisher(model, current) {
  let timer = null;
  const tell = () => {
    timer = null;
    const { place, box } = current();
    model.seen = { ...place, box: [box.x0, box.y0, box.x1, box.y1] };
  };
  return () => {
    timer ??= setTimeout(tell, PUBLISH_MS);
  };
}

export function render({ model, view }) {
  const stage = buildStage(model);
  const figure = view.model.data.figure;
  const plot = view.get_child_view(figure);
  alive.get(figure)?.();

  const stack = new TileStack(stage, model.size);
  const readout = new Readout(stage, model.mpp);
  const publish = publisher(model, () => camera);
  const camera = new Camera(figure, plot, model.size, () => {
    readout.show(camera);
    publish();
    leadLocked(camera);
  });
  const swipe = new Swipe(stage, () => stack.changed(), (at) => {
    model.swipe = at;
  });
  stack.clip = (frame, swiped) => swipe.clip(frame, swiped);
  const selection = new Selection(figure, figure.select_one("selection"), (box) => {
    model.selection = box;
  });
  const end = () => {
    camera.closed = true;
    lockTo("", camera);
    stack.close();
  };
  alive.set(figure, end);
  let taps = 0;
  figure.on_event("tap", ({ x, y }) => {
    if (!camera.closed) model.tapped = { x, y, number: ++taps };
  });
  listen(stage, plot, camera, readout, model);

  const answers = {
    layers: () => stack.update(model.layers),
    goal: () => Object.keys(model.goal).length && camera.go(model.goal),
    selection: () => selection.show(model.selection),
    mode: () => {
      figure.select_one(model.mode).active = true;
    },
    swipe: () => swipe.show(model.swipe),
    lock: () => lockTo(model.lock, camera, model.mpp ?? 1),
    mpp: () => {
      readout.mpp = model.mpp;
      if (camera.place) readout.show(camera);
    },
  };
  // Drawn anew, it shows what it showed; shown first, what Python asks for.
  if (model.seen.box) camera.go(model.seen);
  for (const [name, answer] of Object.entries(answers)) {
    model.on(name, answer);
    if (name !== "goal" || !model.seen.box) answer();
  }
  model.on("remove", end);

  const host = figure.select_one("tiles");
  rendererView(plot, host).then((renderer) => {
    if (adopt(renderer, camera, stack)) host.visible = true;
    camera.touched();
  });
  return stage;
}
