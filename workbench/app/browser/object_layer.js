// A layer of objects: its tiles say whose each pixel is, a table which colour each has.
//
// `NumberLayer` and `ColourTable` in Python say how both are made. Another table, and
// all tiles that are here are coloured anew: none of them has to come again. At coarse
// zooms, where a pixel holds many objects, tiles are pictures as those of any layer.

import { TileLayer } from "./tile_layer.js";

const HEAD = 2; // numbers of 32 bits before the ids

/** The bytes of what was compressed with zlib. */
async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

export class ObjectTileLayer extends TileLayer {
  constructor(spec, changed) {
    super(spec, changed);
    this.table = null; // colour of each object, by id
    this.colouring = null; // URL of the table that is here
    this.asked = null;
    this.palette = null;
  }

  holdsObjects(z) {
    return z >= this.spec.objects.from_zoom;
  }

  version(z) {
    return this.holdsObjects(z) ? this.spec.objects.version : this.spec.version;
  }

  address(z) {
    return this.holdsObjects(z) ? this.spec.objects.url : super.address(z);
  }

  /** Bring what tiles of a zoom are coloured with. */
  bring(z) {
    if (this.holdsObjects(z) && this.asked !== this.spec.objects.colours_url) this.fetchColours(this.spec.objects);
  }

  /** Bring the table that is wanted now; until it is here, the old one holds. */
  async fetchColours({ colours_url: url, palette }) {
    this.asked = url;
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const table = new Uint8Array(await inflate(await response.blob()));
      if (this.asked !== url) return; // another one is wanted by now
      this.palette = new Uint32Array(Uint8Array.from(palette).buffer);
      Object.assign(this, { table, colouring: url });
      this.changed();
    } catch (error) {
      console.warn("workbench: the colours of objects did not come", error);
      if (this.asked === url) this.asked = null; // with the next paint, again
    }
  }

  async decode(blob, place) {
    if (!this.holdsObjects(place[0])) return { ...(await super.decode(blob)), cells: null };
    const data = await inflate(blob);
    if (data.byteLength <= 4 * HEAD) return { ...this.blank(), ids: new Uint32Array(0) };
    const [count, wide] = new Uint32Array(data, 0, HEAD);
    const ids = new Uint32Array(data, 4 * HEAD, count);
    const Cells = wide ? Uint32Array : Uint16Array;
    const tile = { ...this.blank(), ids, cells: new Cells(data, 4 * (HEAD + count)) };
    this.prepare(tile);
    return tile;
  }

  /** A tile on which nothing is painted yet. */
  blank() {
    const canvas = new OffscreenCanvas(1, 1);
    canvas.getContext("2d"); // without one it has no image
    return { image: canvas.transferToImageBitmap(), ids: null, cells: null, colouring: null };
  }

  /** Paint a tile in the colours that hold now, unless it is. */
  prepare(tile) {
    if (!tile.cells || !this.table || tile.colouring === this.colouring) return;
    const { cells, ids } = tile;
    const colours = new Uint32Array(2 * ids.length + 2); // by what a cell holds
    for (let i = 0; i < ids.length; i++) {
      const colour = this.table[ids[i]];
      if (!colour) continue;
      colours[2 * i + 2] = this.palette[2 * colour];
      colours[2 * i + 3] = this.palette[2 * colour + 1];
    }
    const side = this.spec.tile_px;
    const picture = new ImageData(side, side);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < cells.length; i++) pixels[i] = colours[cells[i]];
    this.canvas ??= new OffscreenCanvas(side, side);
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
    tile.image?.close();
    tile.image = this.canvas.transferToImageBitmap();
    tile.colouring = this.colouring;
  }

  /** The object that is painted at a level-0 point, and its level-0 pixels on that tile;
   * null: none, or not known. */
  objectAt(x, y, resolution) {
    const z = this.zoomFor(resolution);
    if (!this.shown || !this.table || !this.holdsObjects(z)) return null;
    const [column, row] = [x, y].map((at) => Math.floor(at / this.resolution(z)));
    const side = this.spec.tile_px;
    const tile = this.at(z, Math.floor(column / side), Math.floor(row / side));
    if (!tile?.cells || column < 0 || row < 0) return null;
    const number = tile.cells[(row % side) * side + (column % side)] >> 1;
    const id = number ? tile.ids[number - 1] : null;
    if (id === null || !this.table[id]) return null;
    let cells = 0;
    for (const cell of tile.cells) cells += cell >> 1 === number;
    return { id, size: cells * this.resolution(z) ** 2 };
  }
}
