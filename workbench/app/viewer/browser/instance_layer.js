// A layer of instances: its tiles hold the instance of each pixel, a table the colour of each instance.
//
// `InstanceNumberLayer` and `InstanceColourTable` in Python say how both are made. Another table, and
// the tiles of this page are coloured anew, without another request. At coarse
// zooms, where a pixel holds many instances, tiles are pictures as those of any layer.

import { contextOf } from "./dom.js";
import { TileLayer } from "./tile_layer.js";

/**
 * @import {InstancesSpec, TilePlace} from "./messages.js"
 * @import {OutlineForm} from "./outlines.js"
 * @import {Decoded, Tile} from "./tile_layer.js"
 */

/**
 * A tile of instance numbers; `ids` and `cells` as of `numbersIn`, null where it is a picture.
 * @typedef {object} Numbers
 * @property {Uint32Array | null} ids
 * @property {Uint16Array | Uint32Array | null} cells
 * @property {string | null} colouring what it is painted with, as of `painting`
 */

/** @typedef {Tile & Partial<Numbers>} InstanceTile */

const HEAD = 2; // numbers of 32 bits before the ids
const HALO = 0xc81b1b1f; // nearly black; as 0xAABBGGRR
const FILL = 0x58000000; // opacity of what is filled

/**
 * The bytes of what was compressed with zlib.
 * @param {Blob} blob
 */
async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/**
 * The ids of the instances on a tile, and what each of its cells holds: 0, or twice the number
 * of an instance among them (from 1), plus 1 on its border.
 * @param {ArrayBuffer} data
 */
export function numbersIn(data) {
  const [count, wide] = new Uint32Array(data, 0, HEAD);
  const ids = new Uint32Array(data, 4 * HEAD, count);
  const Cells = wide ? Uint32Array : Uint16Array;
  return { ids, cells: new Cells(data, 4 * (HEAD + count)) };
}

/**
 * Draw outlines of instances two pixels wide, within a halo that is seen on any colour.
 * @param {Uint32Array} pixels of a square tile
 * @param {Uint16Array | Uint32Array} cells as of `numbersIn`
 * @param {Uint32Array} borders colour of the outline of each instance, by its number (from 1); 0: none
 * @param {number} halo
 */
export function outlineWidely(pixels, cells, borders, halo) {
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

export class InstanceTileLayer extends TileLayer {
  /** @type {OutlineForm} */
  form = "thin";

  /** Colour of each instance, by id. */
  table = /** @type {Uint8Array | null} */ (null);

  /** URL of the table that is here. */
  colouring = /** @type {string | null} */ (null);

  /** URL of the table that was asked for last. */
  asked = /** @type {string | null} */ (null);

  /** Inside and border of each colour, as pixels. */
  palette = new Uint32Array(0);

  canvas = /** @type {OffscreenCanvas | null} */ (null);

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
      if (this.asked !== url) return; // another one is wanted by now
      this.palette = new Uint32Array(Uint8Array.from(palette).buffer);
      this.table = table;
      this.colouring = url;
      this.changed();
    } catch (error) {
      console.warn("workbench: the colours of instances did not come", error);
      if (this.asked === url) this.asked = null; // with the next paint, again
    }
  }

  /**
   * @override
   * @param {Blob} blob
   * @param {TilePlace} place
   * @returns {Promise<Decoded & Partial<Numbers>>}
   */
  async decode(blob, place) {
    if (!this.instancesOf(place[0])) return { ...(await super.decode(blob, place)), cells: null };
    const data = await inflate(blob);
    if (data.byteLength <= 4 * HEAD) return { ...this.blank(), ids: new Uint32Array(0) };
    const tile = { ...this.blank(), ...numbersIn(data) };
    this.prepare(tile);
    return tile;
  }

  /**
   * A tile on which nothing is painted yet.
   * @returns {Decoded & Numbers}
   */
  blank() {
    const canvas = new OffscreenCanvas(1, 1);
    canvas.getContext("2d"); // without one it has no image
    return { image: canvas.transferToImageBitmap(), ids: null, cells: null, colouring: null };
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
    const last = this.palette.length / 2 - 1; // the colour of selected instances
    for (let i = 0; i < ids.length; i++) {
      const colour = table[ids[i]];
      if (!colour) continue;
      const [inside, border] = this.palette.subarray(2 * colour, 2 * colour + 2);
      const isFilled = this.form === "filled" && colour !== last;
      colours[2 * i + 2] = isFilled ? (border & 0xffffff) | FILL : inside;
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
    const tile = /** @type {InstanceTile | undefined} */ (this.at(z, Math.floor(column / side), Math.floor(row / side)));
    if (!tile?.cells || !tile.ids || column < 0 || row < 0) return null;
    const number = tile.cells[(row % side) * side + (column % side)] >> 1;
    const id = number ? tile.ids[number - 1] : null;
    if (id === null || !this.table[id]) return null;
    let cells = 0;
    for (const cell of tile.cells) if (cell >> 1 === number) cells += 1;
    return { id, size: cells * this.resolution(z) ** 2 };
  }
}
