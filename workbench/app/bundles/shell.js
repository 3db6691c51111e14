// Made by "make bundles"; change the modules instead. sha256 of them: 269ff32c8a66bcb52f2297c136975086b7bce4725125e916beed11540ff20eae
"use strict";
(() => {
  // workbench/app/viewer/browser/numbers.js
  var clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // workbench/app/viewer/browser/frames.js
  var HEAD = 12;
  async function* framesOf(body) {
    const reader = new ByteReader(body.getReader());
    for (let head; head = await reader.take(HEAD); ) {
      const view = new DataView(head.buffer, head.byteOffset, HEAD);
      const [number, status2] = [view.getUint16(0), view.getUint16(2)];
      const type = await reader.take(view.getUint32(4));
      const bytes = type && await reader.take(view.getUint32(8));
      if (!bytes) return;
      yield { number, status: status2, blob: new Blob([bytes], { type: new TextDecoder().decode(type) }) };
    }
  }
  var ByteReader = class {
    /** @param {ReadableStreamDefaultReader<Bytes>} source */
    constructor(source) {
      this.source = source;
      this.parts = [];
      this.length = 0;
    }
    /**
     * The next `count` bytes; null if the stream ends before.
     * @param {number} count
     */
    async take(count) {
      while (this.length < count) {
        const { done, value } = await this.source.read();
        if (done) return null;
        this.parts.push(value);
        this.length += value.length;
      }
      const whole = this.parts.length === 1 ? this.parts[0] : joined(this.parts, this.length);
      this.parts = [whole.subarray(count)];
      this.length -= count;
      return whole.subarray(0, count);
    }
  };
  function joined(parts, length) {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  // workbench/app/viewer/browser/loader.js
  var LANES = 3;
  var GROUP = 16;
  var LEAST = 2;
  var PATIENCE_MS = 60;
  var RETRIES = 4;
  var RETRY_MS = 250;
  var Loader = class {
    /** @param {(layer?: L, place?: TilePlace) => void} arrived */
    constructor(arrived) {
      this.arrived = arrived;
      this.running = /* @__PURE__ */ new Set();
      this.queue = [];
      this.most = GROUP;
      this.delay = Infinity;
    }
    /** @param {TileRequest<L>[]} requests */
    want(requests) {
      const wanted = new Set(requests.map((request) => tileOf(request.url)));
      const coming = /* @__PURE__ */ new Set();
      for (const { left, abort } of this.running) {
        const tiles = [...left].map(({ url }) => tileOf(url));
        if (tiles.length && !tiles.some((tile) => wanted.has(tile))) abort.abort();
        for (const tile of tiles) coming.add(tile);
      }
      this.queue = requests.filter((request) => !coming.has(tileOf(request.url)));
      this.pump();
    }
    /**
     * Cancel all requests for a layer.
     * @param {L} layer
     */
    forget(layer) {
      this.queue = this.queue.filter((request) => request.layer !== layer);
      for (const { abort, layer: other } of this.running) if (other === layer) abort.abort();
    }
    get idle() {
      return this.running.size === 0 && this.queue.length === 0;
    }
    pump() {
      while (this.running.size < LANES && this.queue.length) this.load(this.nextGroup());
    }
    /**
     * Take the most wanted tile off the queue, with others of its layer and zoom.
     * @returns {Group<L>}
     */
    nextGroup() {
      const [{ layer, place: [z] }] = this.queue;
      const version = layer.version(z);
      const alike = this.queue.filter((request) => request.layer === layer && request.place[0] === z);
      const requests = new Set(alike.slice(0, this.most));
      this.queue = this.queue.filter((request) => !requests.has(request));
      return { layer, version, left: requests, abort: new AbortController() };
    }
    /** @param {Group<L>} group */
    async load(group) {
      this.running.add(group);
      const requests = [...group.left];
      const works = [];
      const asked = performance.now();
      let [first, last] = [0, 0];
      try {
        for await (const { number, status: status2, blob } of this.answers(group, requests)) {
          last = performance.now();
          first ||= last;
          works.push(this.take(group, requests[number], status2, blob));
        }
        if (works.length) this.learn(works.length, asked, first, last);
        await Promise.all(works);
        if (group.left.size) throw new Error("the answer was cut off");
      } catch (error) {
        for (const request of group.left) this.failed(group, request, error);
      } finally {
        this.running.delete(group);
        this.pump();
        this.arrived();
      }
    }
    /**
     * Adapt the number of tiles in a request to their speed: what is wanted changes before a slow
     * answer is complete. An answer may take twice the latency beyond `PATIENCE_MS`.
     * @param {number} tiles
     * @param {number} asked
     * @param {number} first when the first came
     * @param {number} last when the last came
     */
    learn(tiles, asked, first, last) {
      this.delay = Math.min(1.1 * this.delay, first - asked);
      const most = Math.floor(tiles * (PATIENCE_MS + 2 * this.delay) / (last - asked));
      this.most = Math.max(LEAST, Math.min(GROUP, this.most + 2, most));
    }
    /**
     * Request the tiles of a group; yields the responses.
     * @param {Group<L>} group
     * @param {TileRequest<L>[]} requests
     * @returns {AsyncGenerator<{number: number, status: number, blob: Blob}>}
     */
    async *answers({ layer, abort }, requests) {
      const [{ url, place }] = requests;
      const options = { credentials: "same-origin", signal: abort.signal };
      if (requests.length === 1) {
        const response2 = await fetch(url, options);
        yield { number: 0, status: response2.status, blob: await response2.blob() };
        return;
      }
      const response = await fetch(layer.groupUrl(place[0], requests.map((request) => request.place)), options);
      if (!response.ok || !response.body) throw new StatusError(response.status);
      yield* framesOf(response.body);
    }
    /**
     * Decode a tile of a group and put it into its layer.
     * @param {Group<L>} group
     * @param {TileRequest<L>} request
     * @param {number} status
     * @param {Blob} blob
     */
    async take(group, request, status2, blob) {
      const { layer, version, left, abort } = group;
      try {
        if (status2 !== 200) throw new StatusError(status2);
        const made = await layer.decode(blob, request.place);
        if (abort.signal.aborted) return made.image.close();
        const tile = layer.entry(...request.place);
        tile.image?.close();
        Object.assign(tile, made, { version, failures: 0, retryAt: 0 });
      } catch (error) {
        this.failed(group, request, error);
      }
      left.delete(request);
      this.arrived(layer, request.place);
    }
    /**
     * @param {Group<L>} group
     * @param {TileRequest<L>} request
     * @param {unknown} error
     */
    failed({ layer, version, abort }, { place }, error) {
      if (abort.signal.aborted) return;
      const tile = layer.entry(...place);
      tile.failures += 1;
      const waits = error instanceof StatusError && (error.status >= 500 || error.status === 429);
      if (!waits || tile.failures > RETRIES) {
        Object.assign(tile, { refused: version, failures: 0 });
        return;
      }
      const wait = RETRY_MS * 2 ** tile.failures;
      tile.retryAt = performance.now() + wait;
      setTimeout(() => this.arrived(), wait + 1);
    }
  };
  var StatusError = class extends Error {
    /** @param {number} status */
    constructor(status2) {
      super(`HTTP ${status2}`);
      this.status = status2;
    }
  };
  function tileOf(url) {
    return url.split("?", 1)[0];
  }

  // workbench/app/viewer/browser/dom.js
  function contextOf(canvas2) {
    const context = canvas2.getContext("2d");
    if (!context) throw new Error("workbench: this browser has no context to paint on");
    return context;
  }
  function newContext() {
    return contextOf(document.createElement("canvas"));
  }

  // workbench/app/viewer/browser/painted.js
  var SAME = 1e-9;
  var Painted = class {
    front = newContext();
    back = newContext();
    /** @type {SlidePlace} */
    place = { left: 0, top: 0, across: 1, down: 1 };
    /**
     * What is to be painted; null: everything.
     * @type {Corners[] | null}
     */
    stale = null;
    /** All of it is to be painted anew. */
    spoil() {
      this.stale = null;
    }
    /**
     * A box of the slide, in level-0 pixels, is to be painted anew.
     * @param {number} x0
     * @param {number} y0
     * @param {number} x1
     * @param {number} y1
     */
    spoilBox(x0, y0, x1, y1) {
      if (!this.stale) return;
      const [left, top] = this.toPicture(x0, y0).map(Math.round);
      const [right, bottom] = this.toPicture(x1, y1).map(Math.round);
      this.stale.push([left, top, right, bottom]);
    }
    /**
     * Move the picture with the slide, in a frame of a size; parts that are still right are kept.
     * @param {SlidePlace} place
     * @param {number} width
     * @param {number} height
     */
    moveTo(place, width, height) {
      const { canvas: canvas2 } = this.front;
      const near = (a, b) => Math.abs(a - b) <= SAME * Math.abs(b);
      const kept = canvas2.width === width && canvas2.height === height && near(place.across, this.place.across) && near(place.down, this.place.down);
      const [dx, dy] = [Math.round(place.left - this.place.left), Math.round(place.top - this.place.top)];
      const away = Math.abs(dx) >= width || Math.abs(dy) >= height;
      if (!this.stale || !kept || away) this.begin(place, width, height);
      else if (dx || dy) this.stale = this.shifted(this.stale, dx, dy);
    }
    /**
     * @param {SlidePlace} place
     * @param {number} width
     * @param {number} height
     */
    begin(place, width, height) {
      for (const { canvas: canvas2 } of [this.front, this.back]) {
        if (canvas2.width !== width || canvas2.height !== height) Object.assign(canvas2, { width, height });
      }
      this.place = { ...place };
      this.stale = [[0, 0, width, height]];
    }
    /**
     * Shift the picture; return what of it is out of date then.
     * @param {Corners[]} stale
     * @param {number} dx
     * @param {number} dy
     * @returns {Corners[]}
     */
    shifted(stale, dx, dy) {
      const { width, height } = this.front.canvas;
      [this.front, this.back] = [this.back, this.front];
      this.front.globalCompositeOperation = "copy";
      this.front.drawImage(this.back.canvas, dx, dy);
      this.front.globalCompositeOperation = "source-over";
      this.place.left += dx;
      this.place.top += dy;
      const next = stale.map(([x0, y0, x1, y1]) => [x0 + dx, y0 + dy, x1 + dx, y1 + dy]);
      if (dx) next.push(dx > 0 ? [0, 0, dx, height] : [width + dx, 0, width, height]);
      if (dy) next.push(dy > 0 ? [0, 0, width, dy] : [0, height + dy, width, height]);
      return next;
    }
    /**
     * Have what is out of date painted.
     * @param {(ctx: CanvasRenderingContext2D, box: Box) => void} paint takes a context, clipped, and its box of the slide
     */
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
    /**
     * What is out of date within the frame; as one where the parts are as much as the whole.
     * @returns {Corners[]}
     */
    parts() {
      const { width, height } = this.front.canvas;
      if (!this.stale) return [[0, 0, width, height]];
      const inside = [];
      for (const [x0, y0, x1, y1] of this.stale) {
        if (x1 > Math.max(0, x0) && y1 > Math.max(0, y0) && x0 < width && y0 < height) {
          inside.push([Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)]);
        }
      }
      const area = inside.reduce((sum, [x0, y0, x1, y1]) => sum + (x1 - x0) * (y1 - y0), 0);
      return area < width * height ? inside : [[0, 0, width, height]];
    }
    /**
     * @param {number} x
     * @param {number} y
     * @returns {Point}
     */
    toPicture(x, y) {
      const { left, top, across, down } = this.place;
      return [left + x * across, top + y * down];
    }
    /**
     * @param {number} x
     * @param {number} y
     * @returns {Point}
     */
    toSlide(x, y) {
      const { left, top, across, down } = this.place;
      return [(x - left) / across, (y - top) / down];
    }
  };

  // workbench/app/viewer/browser/tile_layer.js
  var SHARPNESS = 0.35;
  var STAND_IN_DEPTH = 2;
  var TileLayer = class {
    /**
     * @param {LayerSpec} spec
     * @param {() => void} changed called when it would be painted otherwise
     */
    constructor(spec, changed) {
      this.spec = spec;
      this.changed = changed;
      this.tiles = /* @__PURE__ */ new Map();
    }
    get shown() {
      return this.spec.visible && this.spec.opacity > 0;
    }
    /**
     * Level-0 pixels for each pixel of zoom z.
     * @param {number} z
     */
    resolution(z) {
      return 2 ** (this.spec.max_zoom - z);
    }
    /**
     * Level-0 pixels [x0, y0, x1, y1] that a tile covers, beyond the slide too.
     * @param {number} z
     * @param {number} x
     * @param {number} y
     * @returns {Corners}
     */
    boxOf(z, x, y) {
      const side = this.spec.tile_px * this.resolution(z);
      return [x * side, y * side, (x + 1) * side, (y + 1) * side];
    }
    /**
     * The zoom that is sharp on a screen of so many level-0 pixels per pixel.
     * @param {number} resolution
     */
    zoomFor(resolution) {
      const z = this.spec.max_zoom - Math.log2(resolution) - SHARPNESS;
      return clamp(Math.ceil(z), 0, this.spec.max_zoom);
    }
    /**
     * Whether the layer is drawn on a screen of so many level-0 pixels per pixel.
     * @param {number} resolution
     */
    isDrawn(resolution) {
      return this.shown && this.zoomFor(resolution) <= this.spec.drawn_to_zoom;
    }
    /**
     * Tiles [z, x, y] that touch a box of level-0 pixels, centre first.
     * @param {number} z
     * @param {Box} box
     * @param {number[]} size of the slide
     * @param {number} border tiles around the box
     * @returns {Generator<TilePlace>}
     */
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
    /**
     * @param {number} z
     * @param {number} x
     * @param {number} y
     */
    at(z, x, y) {
      return this.tiles.get(`${z}/${x}/${y}`);
    }
    /**
     * @param {number} z
     * @param {number} x
     * @param {number} y
     */
    entry(z, x, y) {
      const key = `${z}/${x}/${y}`;
      const tile = this.tiles.get(key) ?? this.blankTile();
      this.tiles.set(key, tile);
      return tile;
    }
    /** @returns {Tile} */
    blankTile() {
      return { image: null, version: null, used: 0, failures: 0, retryAt: 0 };
    }
    /**
     * Whether a tile is missing, or has another version.
     * @param {number} z
     * @param {number} x
     * @param {number} y
     */
    lacks(z, x, y) {
      const tile = this.at(z, x, y);
      if (tile === void 0) return true;
      return tile.version !== this.version(z) && tile.refused !== this.version(z);
    }
    /**
     * @param {number} z
     * @param {number} x
     * @param {number} y
     */
    isRefused(z, x, y) {
      return this.at(z, x, y)?.refused === this.version(z);
    }
    forgive() {
      for (const tile of this.tiles.values()) tile.refused = void 0;
    }
    /**
     * Whether a tile may be asked for now; one that has failed waits.
     * @param {number} z
     * @param {number} x
     * @param {number} y
     * @param {number} now
     */
    isDue(z, x, y, now) {
      return (this.at(z, x, y)?.retryAt ?? 0) <= now;
    }
    /** The version that tiles of a zoom must have. */
    version(_z) {
      return this.spec.version;
    }
    /** Where tiles of a zoom are served. */
    address(_z) {
      return this.spec.url;
    }
    /**
     * @param {number} z
     * @param {number} x
     * @param {number} y
     */
    url(z, x, y) {
      return `${this.address(z)}/${z}/${x}/${y}?v=${encodeURIComponent(this.version(z))}`;
    }
    /**
     * The URL of several tiles of one zoom together.
     * @param {number} z
     * @param {TilePlace[]} places
     */
    groupUrl(z, places) {
      const tiles = places.map(([, x, y]) => `${x}.${y}`).join(",");
      return `${this.address(z)}/${z}?v=${encodeURIComponent(this.version(z))}&tiles=${tiles}`;
    }
    /**
     * What is kept of a tile that has come: its image at least.
     * @param {Blob} blob
     * @param {TilePlace} _place
     * @returns {Promise<Decoded>}
     */
    async decode(blob, _place) {
      return { image: await createImageBitmap(blob) };
    }
    /** Fetch what tiles of a zoom need besides themselves. */
    bring(_z) {
    }
    /** Bring the image of a tile up to date, before it is painted. */
    prepare(_tile) {
    }
    /**
     * The instance that is painted at a level-0 point, with its size; null: none, or not known.
     * @param {number} _x
     * @param {number} _y
     * @param {number} _resolution
     * @returns {{id: number, size: number} | null}
     */
    instanceAt(_x, _y, _resolution) {
      return null;
    }
    /**
     * What to draw for one tile: itself, or what stands in for it, never two at once.
     * @param {number} z
     * @param {number} x
     * @param {number} y
     * @param {number[]} size
     * @returns {Piece[]}
     */
    pieces(z, x, y, size) {
      const finer = this.finer(z, x, y, size, STAND_IN_DEPTH);
      if (finer) return finer;
      for (let up = 1; up <= z; up++) {
        const [px, py] = [x >> up, y >> up];
        if (this.at(z - up, px, py)?.image) return [[z, x, y, z - up, px, py]];
      }
      return [];
    }
    /**
     * The tile, or finer ones that cover all of it; null if there are not.
     * @param {number} z
     * @param {number} x
     * @param {number} y
     * @param {number[]} size
     * @param {number} depth
     * @returns {Piece[] | null}
     */
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
    /**
     * Take a new description; tiles stay until those of the new version have come.
     * @param {LayerSpec} spec
     */
    describe(spec) {
      const { tile_px, max_zoom } = this.spec;
      if (spec.tile_px !== tile_px || spec.max_zoom !== max_zoom) this.drop();
      this.spec = spec;
    }
    drop() {
      for (const tile of this.tiles.values()) tile.image?.close();
      this.tiles.clear();
    }
  };

  // workbench/app/viewer/browser/instance_layer.js
  var HEAD2 = 2;
  var HALO = 3357219615;
  var FILL = 1476395008;
  async function inflate(blob) {
    const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
  function numbersIn(data) {
    const [count, wide] = new Uint32Array(data, 0, HEAD2);
    const ids = new Uint32Array(data, 4 * HEAD2, count);
    const Cells = wide ? Uint32Array : Uint16Array;
    return { ids, cells: new Cells(data, 4 * (HEAD2 + count)) };
  }
  function outlineWidely(pixels, cells, borders, halo) {
    const side = Math.sqrt(cells.length);
    for (let at = 0; at < cells.length; at++) {
      const number = cells[at] >> 1;
      if (!borders[number] || !(cells[at] & 1)) continue;
      const [x0, y0] = [at % side, Math.floor(at / side)];
      for (let y = Math.max(0, y0 - 1); y <= Math.min(side - 1, y0 + 1); y++) {
        for (let x = Math.max(0, x0 - 1); x <= Math.min(side - 1, x0 + 1); x++) {
          const near = y * side + x;
          if (cells[near] >> 1 === number) pixels[near] = borders[number];
          else if (!borders[cells[near] >> 1]) pixels[near] = halo;
        }
      }
    }
  }
  var InstanceTileLayer = class extends TileLayer {
    /** @type {OutlineForm} */
    form = "thin";
    /** Colour of each instance, by id. */
    table = (
      /** @type {Uint8Array | null} */
      null
    );
    /** URL of the table that is here. */
    colouring = (
      /** @type {string | null} */
      null
    );
    /** URL of the table that was asked for last. */
    asked = (
      /** @type {string | null} */
      null
    );
    /** Inside and border of each colour, as pixels. */
    palette = new Uint32Array(0);
    canvas = (
      /** @type {OffscreenCanvas | null} */
      null
    );
    /**
     * The description of instances, for a zoom whose tiles hold instance numbers; else null.
     * @param {number} z
     */
    instancesOf(z) {
      const { instances } = this.spec;
      return instances && z >= instances.from_zoom ? instances : null;
    }
    /**
     * @override
     * @param {number} z
     */
    version(z) {
      return this.instancesOf(z)?.version ?? super.version(z);
    }
    /**
     * @override
     * @param {number} z
     */
    address(z) {
      return this.instancesOf(z)?.url ?? super.address(z);
    }
    /**
     * Fetch the colour table of the tiles of a zoom, unless it is here.
     * @override
     * @param {number} z
     */
    bring(z) {
      const instances = this.instancesOf(z);
      if (instances && this.asked !== instances.colours_url) this.fetchColours(instances);
    }
    /**
     * Fetch a colour table; until it is here, the old one is used.
     * @param {InstancesSpec} instances
     */
    async fetchColours({ colours_url: url, palette }) {
      this.asked = url;
      try {
        const response = await fetch(url, { credentials: "same-origin" });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const table = new Uint8Array(await inflate(await response.blob()));
        if (this.asked !== url) return;
        this.palette = new Uint32Array(Uint8Array.from(palette).buffer);
        this.table = table;
        this.colouring = url;
        this.changed();
      } catch (error) {
        console.warn("workbench: the colours of instances did not come", error);
        if (this.asked === url) this.asked = null;
      }
    }
    /**
     * @override
     * @param {Blob} blob
     * @param {TilePlace} place
     * @returns {Promise<Decoded & Partial<Numbers>>}
     */
    async decode(blob, place) {
      if (!this.instancesOf(place[0])) return { ...await super.decode(blob, place), cells: null };
      const data = await inflate(blob);
      if (data.byteLength <= 4 * HEAD2) return { ...this.blank(), ids: new Uint32Array(0) };
      const tile = { ...this.blank(), ...numbersIn(data) };
      this.prepare(tile);
      return tile;
    }
    /**
     * A tile on which nothing is painted yet.
     * @returns {Decoded & Numbers}
     */
    blank() {
      const canvas2 = new OffscreenCanvas(1, 1);
      canvas2.getContext("2d");
      return { image: canvas2.transferToImageBitmap(), ids: null, cells: null, colouring: null };
    }
    /**
     * Paint a tile in the colours that hold now, unless it is.
     * @override
     * @param {Pick<InstanceTile, "image" | "ids" | "cells" | "colouring">} tile
     */
    prepare(tile) {
      const { cells, ids } = tile;
      if (!cells || !ids || !this.table || tile.colouring === this.painting) return;
      const { colours, wide } = this.coloursOf(ids, this.table);
      const side = this.spec.tile_px;
      const picture = new ImageData(side, side);
      const pixels = new Uint32Array(picture.data.buffer);
      for (let i = 0; i < cells.length; i++) pixels[i] = colours[cells[i]];
      if (wide.some(Boolean)) outlineWidely(pixels, cells, wide, HALO);
      this.canvas ??= new OffscreenCanvas(side, side);
      contextOf(this.canvas).putImageData(picture, 0, 0);
      tile.image?.close();
      tile.image = this.canvas.transferToImageBitmap();
      tile.colouring = this.painting;
    }
    /** What tiles are painted with: the table, and the form of the outlines. */
    get painting() {
      return `${this.form} ${this.colouring}`;
    }
    /**
     * The colour of what a cell may hold, and of each instance that has a wide outline.
     * @param {Uint32Array} ids
     * @param {Uint8Array} table
     */
    coloursOf(ids, table) {
      const colours = new Uint32Array(2 * ids.length + 2);
      const wide = new Uint32Array(ids.length + 1);
      const last = this.palette.length / 2 - 1;
      for (let i = 0; i < ids.length; i++) {
        const colour = table[ids[i]];
        if (!colour) continue;
        const [inside, border] = this.palette.subarray(2 * colour, 2 * colour + 2);
        const isFilled = this.form === "filled" && colour !== last;
        colours[2 * i + 2] = isFilled ? border & 16777215 | FILL : inside;
        colours[2 * i + 3] = border;
        if (this.form === "wide" || colour === last) wide[i + 1] = border;
      }
      return { colours, wide };
    }
    /**
     * The instance that is painted at a level-0 point, and its level-0 pixels on that tile; null:
     * none, or not known.
     * @override
     * @param {number} x
     * @param {number} y
     * @param {number} resolution
     */
    instanceAt(x, y, resolution) {
      const z = this.zoomFor(resolution);
      if (!this.shown || !this.table || !this.instancesOf(z)) return null;
      const [column, row] = [x, y].map((at) => Math.floor(at / this.resolution(z)));
      const side = this.spec.tile_px;
      const tile = (
        /** @type {InstanceTile | undefined} */
        this.at(z, Math.floor(column / side), Math.floor(row / side))
      );
      if (!tile?.cells || !tile.ids || column < 0 || row < 0) return null;
      const number = tile.cells[row % side * side + column % side] >> 1;
      const id = number ? tile.ids[number - 1] : null;
      if (id === null || !this.table[id]) return null;
      let cells = 0;
      for (const cell of tile.cells) if (cell >> 1 === number) cells += 1;
      return { id, size: cells * this.resolution(z) ** 2 };
    }
  };

  // workbench/app/viewer/browser/tones.js
  var PLAIN = Object.freeze({ brightness: 0, contrast: 1, gamma: 1 });
  var isPlain = ({ brightness, contrast, gamma }) => brightness === 0 && contrast === 1 && gamma === 1;
  function tableOf({ brightness, contrast, gamma }) {
    return Uint8ClampedArray.from({ length: 256 }, (_, value) => {
      const shown = ((value / 255) ** (1 / gamma) - 0.5) * contrast + 0.5 + brightness;
      return Math.round(255 * clamp(shown, 0, 1));
    });
  }
  function applyTable(pixels, table) {
    for (let at = 0; at < pixels.length; at += 4) {
      pixels[at] = table[pixels[at]];
      pixels[at + 1] = table[pixels[at + 1]];
      pixels[at + 2] = table[pixels[at + 2]];
    }
  }
  var Toner = class {
    /** Increases with each change. */
    version = 0;
    /** @type {Uint8ClampedArray | null} */
    table = null;
    /** @type {WeakMap<ImageBitmap, OffscreenCanvas>} */
    made = /* @__PURE__ */ new WeakMap();
    /** @param {Tones} tones */
    set(tones) {
      this.version += 1;
      this.table = isPlain(tones) ? null : tableOf(tones);
      this.made = /* @__PURE__ */ new WeakMap();
    }
    /**
     * A picture with the present tones.
     * @param {ImageBitmap} image
     * @returns {ImageBitmap | OffscreenCanvas}
     */
    toned(image) {
      if (!this.table || !image.width) return image;
      const canvas2 = this.made.get(image) ?? this.make(image, this.table);
      this.made.set(image, canvas2);
      return canvas2;
    }
    /**
     * @param {ImageBitmap} image
     * @param {Uint8ClampedArray} table
     */
    make(image, table) {
      const canvas2 = new OffscreenCanvas(image.width, image.height);
      const context = canvas2.getContext("2d", { willReadFrequently: true });
      if (!context) throw new Error("workbench: this browser has no context to paint on");
      context.drawImage(image, 0, 0);
      const data = context.getImageData(0, 0, image.width, image.height);
      applyTable(data.data, table);
      context.putImageData(data, 0, 0);
      return canvas2;
    }
  };

  // workbench/app/viewer/browser/tile_stack.js
  var CACHE_BYTES = 256 * 2 ** 20;
  var GATHER_MS = 60;
  var SETTLE_MS = 20;
  var IDLE_MS = 150;
  var PREFETCHED = 48;
  function lookOf({ id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom }) {
    return [id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom].join(" ");
  }
  var TileStack = class {
    /** @type {TileLayer[]} */
    layers = [];
    painted = new Painted();
    toner = new Toner();
    /** What is in view: a box of the slide, level-0 pixels for each device pixel. */
    view = { box: { x0: 0, y0: 0, x1: 0, y1: 0 }, resolution: 0 };
    /** Whether overlays are hidden. */
    bare = false;
    /** @type {OutlineForm} */
    outlines = "thin";
    /** How often it has painted. */
    frame = 0;
    paintTimer = (
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      void 0
    );
    askTimer = (
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      void 0
    );
    idleTimer = (
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      void 0
    );
    /** Called when it would be painted otherwise. */
    changed = () => {
    };
    /**
     * Corners of what of the frame a layer may be painted on; null: all of it.
     * @type {(frame: Frame, swiped: boolean) => Point[] | null}
     */
    clip = () => null;
    /**
     * Whether a box of level-0 pixels that is on the figure is seen.
     * @type {(x0: number, y0: number, x1: number, y1: number) => boolean}
     */
    sees = () => true;
    /**
     * Whether no layer that is swiped is painted at a place across the browser's window.
     * @type {(clientX: number) => boolean}
     */
    uncovers = () => false;
    /**
     * @param {HTMLElement} stage
     * @param {[width: number, height: number]} size of the slide
     */
    constructor(stage, size) {
      this.stage = stage;
      this.size = size;
      this.loader = new Loader((layer, place) => this.arrived(layer, place));
    }
    /** Layers that are painted, bottom first. */
    get shown() {
      const visible = this.layers.filter((layer) => layer.shown);
      return this.bare ? visible.filter((layer) => !layer.spec.overlay) : visible;
    }
    /**
     * Paint the slide alone, or all layers again.
     * @param {boolean} bare
     */
    bareSlide(bare) {
      this.bare = bare;
      this.repaint();
    }
    /**
     * Paint the slide with other tones.
     * @param {Tones} tones
     */
    setTones(tones) {
      const before = this.toner.table;
      this.toner.set(tones);
      if (before || this.toner.table) this.repaint();
    }
    /**
     * Draw instances in another form.
     * @param {OutlineForm} form
     */
    setOutlines(form) {
      this.outlines = form;
      for (const layer of this.layers) if (layer instanceof InstanceTileLayer) layer.form = form;
      this.repaint();
    }
    /**
     * The picture of a tile: with the present tones if it is of the slide itself, whose colours stand for no values.
     * @param {TileLayer} layer
     * @param {ImageBitmap} image
     */
    pictureOf({ spec }, image) {
      return spec.overlay || spec.legend ? image : this.toner.toned(image);
    }
    /** @param {LayerSpec[]} specs */
    update(specs) {
      const before = this.layers.map(({ spec }) => lookOf(spec));
      const known = new Map(this.layers.map((layer) => [layer.spec.id, layer]));
      this.layers = specs.map((spec) => {
        const layer = known.get(spec.id) ?? this.layerOf(spec);
        known.delete(spec.id);
        layer.describe(spec);
        return layer;
      });
      for (const layer of known.values()) {
        this.loader.forget(layer);
        layer.drop();
      }
      if (specs.map(lookOf).join() === before.join()) this.changed();
      else this.repaint();
      if (this.frame) this.fetch();
    }
    /** Paint all of it anew. */
    repaint() {
      this.painted.spoil();
      this.changed();
    }
    /**
     * @param {LayerSpec} spec
     * @returns {TileLayer}
     */
    layerOf(spec) {
      if (!spec.instances) return new TileLayer(spec, () => this.repaint());
      const layer = new InstanceTileLayer(spec, () => this.repaint());
      layer.form = this.outlines;
      return layer;
    }
    /**
     * Paint what has come: at once if nothing else is to come, else with what follows it.
     * @param {TileLayer} [layer]
     * @param {TilePlace} [place]
     */
    arrived(layer, place) {
      if (layer && place) this.painted.spoilBox(...layer.boxOf(...place));
      if (this.loader.idle) this.paintArrived();
      else this.paintTimer ??= setTimeout(() => this.paintArrived(), GATHER_MS);
    }
    paintArrived() {
      clearTimeout(this.paintTimer);
      this.paintTimer = void 0;
      this.changed();
    }
    /**
     * Paint on a canvas.
     * @param {CanvasRenderingContext2D} ctx
     * @param {Box} box of the slide, in view
     * @param {Frame} frame
     * @param {SlidePlace} place
     */
    paint(ctx, box, [left, top, width, height], place) {
      this.frame += 1;
      this.view = { box, resolution: 1 / place.across };
      const { painted } = this;
      const whole = [0, 0, width, height];
      if (this.shown.some(({ spec }) => this.clip(whole, spec.swiped))) painted.spoil();
      painted.moveTo(place, width, height);
      painted.refresh((onto, part) => this.paintPart(onto, part, whole));
      ctx.save();
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.drawImage(painted.front.canvas, left, top);
      ctx.restore();
      this.keepShown();
      const missing = this.missing().length;
      this.stage.dataset.state = missing ? "loading" : "ready";
      this.stage.dispatchEvent(new CustomEvent("painted", { detail: { missing, refused: this.refused() } }));
      this.ask();
    }
    /**
     * Paint all layers within a box of the slide.
     * @param {CanvasRenderingContext2D} ctx
     * @param {Box} box
     * @param {Frame} whole
     */
    paintPart(ctx, box, whole) {
      for (const layer of this.shown) {
        ctx.save();
        const corners = this.clip(whole, layer.spec.swiped);
        if (corners) {
          ctx.beginPath();
          for (const corner of corners) ctx.lineTo(...corner);
          ctx.clip();
        }
        this.paintLayer(ctx, layer, box);
        ctx.restore();
      }
    }
    /**
     * @param {CanvasRenderingContext2D} ctx
     * @param {TileLayer} layer
     * @param {Box} box
     */
    paintLayer(ctx, layer, box) {
      const { resolution } = this.view;
      ctx.globalAlpha = layer.spec.opacity;
      ctx.imageSmoothingEnabled = layer.spec.smooth && resolution > 0.75;
      ctx.imageSmoothingQuality = "low";
      for (const place of layer.touching(layer.zoomFor(resolution), box, this.size)) {
        for (const piece of layer.pieces(...place, this.size)) this.paintPiece(ctx, layer, piece);
      }
    }
    /**
     * Paint the part of tile (sz, sx, sy) that lies in tile (z, x, y) and the slide.
     * @param {CanvasRenderingContext2D} ctx
     * @param {TileLayer} layer
     * @param {Piece} piece
     */
    paintPiece(ctx, layer, [z, x, y, sz, sx, sy]) {
      const tile = layer.at(sz, sx, sy);
      if (tile) layer.prepare(tile);
      if (!tile?.image) return;
      const image = this.pictureOf(layer, tile.image);
      const [x0, y0, right0, bottom0] = layer.boxOf(z, x, y);
      const [x1, y1] = [Math.min(right0, this.size[0]), Math.min(bottom0, this.size[1])];
      const [sourceX, sourceY, sourceEnd] = layer.boxOf(sz, sx, sy);
      const scale = image.width / (sourceEnd - sourceX);
      const [left, top] = this.painted.toPicture(x0, y0).map(Math.round);
      const [right, bottom] = this.painted.toPicture(x1, y1).map(Math.round);
      if (right <= left || bottom <= top) return;
      ctx.drawImage(
        image,
        (x0 - sourceX) * scale,
        (y0 - sourceY) * scale,
        (x1 - x0) * scale,
        (y1 - y0) * scale,
        left,
        top,
        right - left,
        bottom - top
      );
    }
    /** Mark what is in view as used, however long ago it was painted. */
    keepShown() {
      const { box, resolution } = this.view;
      for (const layer of this.shown) {
        for (const place of layer.touching(layer.zoomFor(resolution), box, this.size)) {
          for (const [, , , sz, sx, sy] of layer.pieces(...place, this.size)) layer.entry(sz, sx, sy).used = this.frame;
        }
      }
    }
    ask() {
      clearTimeout(this.idleTimer);
      this.idleTimer = setTimeout(() => this.prefetch(), IDLE_MS);
      this.askTimer ??= setTimeout(() => {
        this.askTimer = void 0;
        this.fetch();
      }, SETTLE_MS);
    }
    fetch() {
      const now = performance.now();
      for (const layer of this.shown) layer.bring(layer.zoomFor(this.view.resolution));
      const missing = this.missing();
      if (missing.length) this.loader.want(missing.filter(({ layer, place }) => layer.isDue(...place, now)));
      this.evict();
    }
    /**
     * The tiles of a layer that are seen, centre first.
     * @param {TileLayer} layer
     */
    seen(layer) {
      const { box, resolution } = this.view;
      return [...layer.touching(layer.zoomFor(resolution), box, this.size)].filter((place) => this.sees(...layer.boxOf(...place)));
    }
    /**
     * What is in view and not here, most wanted first.
     * @returns {TileRequest<TileLayer>[]}
     */
    missing() {
      const requests = [];
      for (const layer of this.shown) {
        const wanted = this.seen(layer);
        if (!layer.at(0, 0, 0)) wanted.unshift([0, 0, 0]);
        else if (layer.zoomFor(this.view.resolution)) wanted.push([0, 0, 0]);
        this.collect(requests, layer, wanted);
      }
      return requests;
    }
    /**
     * @param {TileRequest<TileLayer>[]} requests
     * @param {TileLayer} layer
     * @param {Iterable<TilePlace>} places
     */
    collect(requests, layer, places) {
      for (const place of places) {
        if (layer.lacks(...place)) requests.push({ url: layer.url(...place), layer, place });
      }
    }
    /** Number of tiles in view that the server has refused, or has not sent in several tries. */
    refused() {
      return this.shown.reduce((count, layer) => count + this.seen(layer).filter((place) => layer.isRefused(...place)).length, 0);
    }
    /** Request refused tiles again. */
    retry() {
      for (const layer of this.layers) layer.forgive();
      this.changed();
    }
    /** Prefetch the tiles that a step of the wheel or a pan would show next, once none is missing. */
    prefetch() {
      if (!this.loader.idle || this.missing().length) return;
      for (const layer of this.shown) layer.bring(layer.spec.max_zoom);
      const { box, resolution } = this.view;
      const [dx, dy] = [(box.x1 - box.x0) / 4, (box.y1 - box.y0) / 4];
      const middle2 = { x0: box.x0 + dx, y0: box.y0 + dy, x1: box.x1 - dx, y1: box.y1 - dy };
      const around = { x0: box.x0 - 2 * dx, y0: box.y0 - 2 * dy, x1: box.x1 + 2 * dx, y1: box.y1 + 2 * dy };
      const requests = [];
      for (const layer of this.shown) {
        const z = layer.zoomFor(resolution);
        const near = [];
        if (z < layer.spec.max_zoom) near.push(...layer.touching(z + 1, middle2, this.size));
        if (z > 0) near.push(...layer.touching(z - 1, around, this.size));
        near.push(...layer.touching(z, box, this.size, 1));
        this.collect(requests, layer, near);
      }
      this.loader.want(requests.slice(0, PREFETCHED));
    }
    /** Drop the tiles that were not painted for longest, once there are too many. */
    evict() {
      const held = [];
      for (const layer of this.layers) {
        for (const [key, { image, used }] of layer.tiles) if (image) held.push({ layer, key, image, used });
      }
      let bytes = held.reduce((sum, { image }) => sum + 4 * image.width * image.height, 0);
      if (bytes <= CACHE_BYTES) return;
      held.sort((a, b) => a.used - b.used);
      for (const { layer, key, image, used } of held) {
        if (bytes <= 0.8 * CACHE_BYTES || used === this.frame) break;
        bytes -= 4 * image.width * image.height;
        image.close();
        layer.tiles.delete(key);
      }
    }
    close() {
      clearTimeout(this.askTimer);
      clearTimeout(this.paintTimer);
      clearTimeout(this.idleTimer);
      this.loader.want([]);
      for (const layer of this.layers) layer.drop();
    }
  };

  // workbench/app/server/first_view.js
  var ROOM = 1.04;
  var FINEST = 1 / 32;
  var COARSEST = 2;
  var WHEEL = 15e-4;
  var FirstView = class {
    /** @type {ViewPlace | null} */
    place = null;
    /** Whether the user has moved the slide. */
    moved = false;
    /**
     * Pointers that are down, by their id.
     * @type {Map<number, {x: number, y: number}>}
     */
    pointers = /* @__PURE__ */ new Map();
    waiting = false;
    ended = new AbortController();
    /**
     * @param {HTMLCanvasElement} canvas
     * @param {FirstSlide} slide
     */
    constructor(canvas2, { size, layer }) {
      this.canvas = canvas2;
      this.context = /** @type {CanvasRenderingContext2D} */
      canvas2.getContext("2d");
      this.size = size;
      this.stack = new TileStack(canvas2, size);
      this.stack.changed = () => this.repaint();
      this.stack.prefetch = () => {
      };
      const { signal } = this.ended;
      canvas2.addEventListener("wheel", (event) => this.turned(event), { signal, passive: false });
      canvas2.addEventListener("pointerdown", (event) => this.pressed(event), { signal });
      canvas2.addEventListener("pointermove", (event) => this.dragged(event), { signal });
      for (const name of ["pointerup", "pointercancel"]) {
        canvas2.addEventListener(name, (event) => this.pointers.delete(
          /** @type {PointerEvent} */
          event.pointerId
        ), { signal });
      }
      canvas2.addEventListener("dblclick", (event) => this.zoom(0.5, event.offsetX, event.offsetY), { signal });
      new ResizeObserver(() => this.repaint()).observe(canvas2);
      this.stack.update([layer]);
    }
    /** Width and height, in CSS pixels. */
    get stage() {
      return [this.canvas.clientWidth, this.canvas.clientHeight];
    }
    /** The downsample at which the whole slide is seen. */
    get fit() {
      return Math.max(this.size[0] / this.stage[0], this.size[1] / this.stage[1]);
    }
    /** The view: the whole slide until it was moved. */
    get view() {
      const [x, y] = this.size.map((side) => side / 2);
      return this.moved && this.place ? this.place : { x, y, downsample: ROOM * this.fit };
    }
    /** Paint in the next frame. */
    repaint() {
      if (this.waiting || this.ended.signal.aborted) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.paint();
      });
    }
    paint() {
      const { canvas: canvas2, context, view: { x, y, downsample } } = this;
      const [width, height] = this.stage.map((side) => Math.round(side * devicePixelRatio));
      if (this.ended.signal.aborted || width < 8 || height < 8) return;
      if (canvas2.width !== width || canvas2.height !== height) Object.assign(canvas2, { width, height });
      const scale = devicePixelRatio / downsample;
      const [left, top] = [width / 2 - x * scale, height / 2 - y * scale];
      const box = { x0: -left / scale, y0: -top / scale, x1: (width - left) / scale, y1: (height - top) / scale };
      canvas2.dataset.at = [x, y, downsample].join(",");
      context.clearRect(0, 0, width, height);
      this.stack.paint(context, box, [0, 0, width, height], { left, top, across: scale, down: scale });
    }
    /**
     * Move so that a point of the slide lies at a point of the stage.
     * @param {number} downsample
     * @param {[x: number, y: number]} point level-0 pixels
     * @param {[x: number, y: number]} at CSS pixels
     */
    put(downsample, [x, y], at) {
      const [width, height] = this.stage;
      const within = clamp(downsample, FINEST, Math.max(COARSEST * this.fit, 1));
      this.place = {
        x: clamp(x + (width / 2 - at[0]) * within, 0, this.size[0]),
        y: clamp(y + (height / 2 - at[1]) * within, 0, this.size[1]),
        downsample: within
      };
      this.moved = true;
      this.repaint();
    }
    /**
     * The point of the slide at a point of the stage.
     * @param {number} left
     * @param {number} top
     * @returns {[x: number, y: number]}
     */
    at(left, top) {
      const { x, y, downsample } = this.view;
      const [width, height] = this.stage;
      return [x + (left - width / 2) * downsample, y + (top - height / 2) * downsample];
    }
    /**
     * @param {number} factor of the downsample
     * @param {number} left
     * @param {number} top the point that stays
     */
    zoom(factor, left, top) {
      this.put(this.view.downsample * factor, this.at(left, top), [left, top]);
    }
    /** @param {WheelEvent} event */
    turned(event) {
      event.preventDefault();
      this.zoom(Math.exp(WHEEL * event.deltaY), event.offsetX, event.offsetY);
    }
    /** @param {PointerEvent} event */
    pressed(event) {
      if (event.button) return;
      this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      this.canvas.setPointerCapture(event.pointerId);
    }
    /** @param {PointerEvent} event */
    dragged(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = { x: event.offsetX, y: event.offsetY };
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
      const factor = other ? distance(before, other) / Math.max(1, distance(now, other)) : 1;
      const [from, to] = other ? [middle(before, other), middle(now, other)] : [before, now];
      this.pointers.set(event.pointerId, now);
      this.put(this.view.downsample * factor, this.at(from.x, from.y), [to.x, to.y]);
    }
    /**
     * Let the viewer move on; what is painted stays.
     * @returns {ViewPlace | null} the view, if the user has moved the slide
     */
    end() {
      this.ended.abort();
      this.stack.close();
      return this.moved ? this.place : null;
    }
  };
  var distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
  var middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });

  // workbench/app/server/shell.js
  var POLL_MS = 100;
  var LONGEST_MS = 6e4;
  var PICTURE_MS = 1e4;
  function isDrawn() {
    const bokeh = Reflect.get(globalThis, "Bokeh");
    return bokeh?.index?.roots?.[0]?.is_idle ?? false;
  }
  var shell = document.getElementById("shell");
  var status = shell?.querySelector("[role=status]");
  var canvas = shell?.querySelector("canvas");
  function begin(said) {
    if (!shell || !canvas || !said || shell.classList.contains("drawn")) return;
    const slide = JSON.parse(said);
    const view = new FirstView(canvas, slide);
    canvas.addEventListener("painted", (event) => {
      if (
        /** @type {CustomEvent} */
        event.detail.missing
      ) return;
      shell.querySelector("img")?.remove();
      shell.dataset.state = "painted";
    });
    Reflect.set(shell, "handOver", () => ({ place: view.end(), size: slide.size }));
  }
  begin(canvas?.dataset.slide ?? "");
  Reflect.set(globalThis, "workbenchSlide", begin);
  function follow() {
    document.head.append(...document.querySelectorAll("body > link[rel=stylesheet], body > style"));
    if (document.querySelector("[data-root-id]")) {
      const began = performance.now();
      const timer = setInterval(() => {
        if (isDrawn() || performance.now() - began > LONGEST_MS) {
          clearInterval(timer);
          shell?.classList.add("drawn");
          status?.remove();
          const shows = shell?.dataset.state === "painted" || shell?.querySelector("img");
          setTimeout(() => shell?.remove(), shows ? PICTURE_MS : 0);
        }
      }, POLL_MS);
    } else if (status) {
      status.textContent = "The app could not be opened. Reload this page to try again.";
    }
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", follow, { once: true });
  else follow();
})();
