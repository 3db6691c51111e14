// The layers of a slide, painted one over the other.

import { Loader } from "./loader.js";
import { Painted } from "./painted.js";
import { InstanceTileLayer } from "./instance_layer.js";
import { TileLayer } from "./tile_layer.js";
import { Toner } from "./tones.js";

const CACHE_BYTES = 256 * 2 ** 20; // of decoded pixels
const GATHER_MS = 60; // after the first tile that has come, others are painted with it: painting takes longer than a tile
const SETTLE_MS = 20; // tiles that are in view for less time are not requested
const IDLE_MS = 150;
const PREFETCHED = 48; // tiles at most, each time the view rests

/**
 * @import {TileRequest} from "./loader.js"
 * @import {Box, LayerSpec, Point, TilePlace, Tones} from "./messages.js"
 * @import {OutlineForm} from "./outlines.js"
 * @import {SlidePlace} from "./painted.js"
 * @import {Piece} from "./tile_layer.js"
 */

/** @typedef {number[]} Frame left, top, width and height, in device pixels */

/**
 * What of a layer's description decides how the tiles that are here are painted.
 * @param {LayerSpec} spec
 */
function lookOf({ id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom }) {
  return [id, opacity, visible, smooth, swiped, overlay, tile_px, max_zoom].join(" ");
}

/** Paints the layers, bottom first, and requests missing tiles. */
export class TileStack {
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

  paintTimer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  askTimer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  idleTimer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /** Called when it would be painted otherwise. */
  changed = () => {};

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
    /** @type {Loader<TileLayer>} */
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
    // Another version alone changes nothing that is painted until its tiles are here.
    if (specs.map(lookOf).join() === before.join()) this.changed();
    else this.repaint();
    if (this.frame) this.fetch(); // the view rests, so there is nothing to wait for
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
    this.paintTimer = undefined;
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
    // A divider stays where it is while the slide moves under it.
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
    // Beyond the scanned resolution, pixels are shown as pixels.
    ctx.imageSmoothingEnabled = layer.spec.smooth && resolution > 0.75;
    ctx.imageSmoothingQuality = "low"; // of images that are at most halved
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
    // Whole device pixels: neighbours meet without a gap and without an overlap.
    const [left, top] = this.painted.toPicture(x0, y0).map(Math.round);
    const [right, bottom] = this.painted.toPicture(x1, y1).map(Math.round);
    if (right <= left || bottom <= top) return;
    ctx.drawImage(
      image,
      (x0 - sourceX) * scale, (y0 - sourceY) * scale, (x1 - x0) * scale, (y1 - y0) * scale,
      left, top, right - left, bottom - top,
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
      this.askTimer = undefined;
      this.fetch();
    }, SETTLE_MS);
  }

  fetch() {
    const now = performance.now();
    for (const layer of this.shown) layer.bring(layer.zoomFor(this.view.resolution));
    const missing = this.missing();
    // If nothing is missing, prefetching goes on.
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
    /** @type {TileRequest<TileLayer>[]} */
    const requests = [];
    for (const layer of this.shown) {
      const wanted = this.seen(layer);
      // The tile of the whole slide stands in for any other; a new version of it is for the map.
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
    const middle = { x0: box.x0 + dx, y0: box.y0 + dy, x1: box.x1 - dx, y1: box.y1 - dy };
    const around = { x0: box.x0 - 2 * dx, y0: box.y0 - 2 * dy, x1: box.x1 + 2 * dx, y1: box.y1 + 2 * dy };
    /** @type {TileRequest<TileLayer>[]} */
    const requests = [];
    for (const layer of this.shown) {
      const z = layer.zoomFor(resolution);
      const near = [];
      if (z < layer.spec.max_zoom) near.push(...layer.touching(z + 1, middle, this.size));
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
}
