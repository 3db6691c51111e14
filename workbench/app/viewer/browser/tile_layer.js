// One layer of a slide: where its tiles lie, and which of them this page has.

import { clamp } from "./numbers.js";

const SHARPNESS = 0.35; // log2 of how far a tile may be enlarged: 2 ** 0.35 = 1.27
const STAND_IN_DEPTH = 2; // zooms below a missing tile that may stand in for it

/** @import {Box, Corners, LayerSpec, TilePlace} from "./messages.js" */

/**
 * A tile that has come, or has been asked for.
 * @typedef {object} Tile
 * @property {ImageBitmap | null} image
 * @property {string | null} version of which it is; null: it has not come
 * @property {string} [refused] the version that the server has refused
 * @property {number} used number of the frame in which it was painted last
 * @property {number} failures since it came last
 * @property {number} retryAt when it may be asked for again; of `performance.now()`
 */

/**
 * A tile to draw, and the tile that is drawn there: itself, or what stands in for it.
 * @typedef {[z: number, x: number, y: number, fromZ: number, fromX: number, fromY: number]} Piece
 */

/** @typedef {{image: ImageBitmap}} Decoded */

/** One layer and the tiles of it that this page has. */
export class TileLayer {
  /**
   * @param {LayerSpec} spec
   * @param {() => void} changed called when it would be painted otherwise
   */
  constructor(spec, changed) {
    this.spec = spec;
    this.changed = changed;
    /** @type {Map<string, Tile>} */
    this.tiles = new Map(); // by "z/x/y"
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
    /** @type {TilePlace[]} */
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
    if (tile === undefined) return true;
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
    for (const tile of this.tiles.values()) tile.refused = undefined;
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
  version(/** @type {number} */ _z) {
    return this.spec.version;
  }

  /** Where tiles of a zoom are served. */
  address(/** @type {number} */ _z) {
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
  bring(/** @type {number} */ _z) {}

  /** Bring the image of a tile up to date, before it is painted. */
  prepare(/** @type {Tile} */ _tile) {}

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
}
