// Fetching the tiles that are wanted now.

import { framesOf } from "./frames.js";

const LANES = 3; // requests at once
const GROUP = 16; // tiles for each of them at most
const LEAST = 2;
const PATIENCE_MS = 60; // for a request, besides the way there and back
const RETRIES = 4;
const RETRY_MS = 250; // doubled each time

/**
 * @import {TilePlace} from "./messages.js"
 * @import {TileLayer} from "./tile_layer.js"
 */

/** @typedef {Pick<TileLayer, "decode" | "entry" | "groupUrl" | "version">} Source */

/**
 * A tile that is wanted.
 * @template {Source} L
 * @typedef {object} TileRequest
 * @property {string} url
 * @property {L} layer
 * @property {TilePlace} place
 */

/**
 * Tiles of one layer and zoom that are asked for together.
 * @template {Source} L
 * @typedef {object} Group
 * @property {L} layer
 * @property {string} version
 * @property {Set<TileRequest<L>>} left those that have not come
 * @property {AbortController} abort
 */

/**
 * Fetches the tiles that are wanted now, most wanted first, and cancels those that no longer are.
 * @template {Source} L
 */
export class Loader {
  /** @param {(layer?: L, place?: TilePlace) => void} arrived */
  constructor(arrived) {
    this.arrived = arrived;
    /** @type {Set<Group<L>>} */
    this.running = new Set();
    /** @type {TileRequest<L>[]} */
    this.queue = [];
    this.most = GROUP; // tiles for a request: as many as come in time
    this.delay = Infinity; // ms until the first comes, if nothing else is to be done
  }

  /** @param {TileRequest<L>[]} requests */
  want(requests) {
    // A request for an older version goes on, and the newer version is asked for after it:
    // a layer that changes faster than its tiles arrive would otherwise never be shown.
    const wanted = new Set(requests.map((request) => tileOf(request.url)));
    const coming = new Set();
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
      for await (const { number, status, blob } of this.answers(group, requests)) {
        last = performance.now();
        first ||= last;
        works.push(this.take(group, requests[number], status, blob));
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
    const most = Math.floor((tiles * (PATIENCE_MS + 2 * this.delay)) / (last - asked));
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
    /** @type {RequestInit} */
    const options = { credentials: "same-origin", signal: abort.signal };
    if (requests.length === 1) {
      const response = await fetch(url, options); // which may be in the browser's cache
      yield { number: 0, status: response.status, blob: await response.blob() };
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
  async take(group, request, status, blob) {
    const { layer, version, left, abort } = group;
    try {
      if (status !== 200) throw new StatusError(status);
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
    // The server is busy, or the rate limit is exceeded.
    const waits = error instanceof StatusError && (error.status >= 500 || error.status === 429);
    if (!waits || tile.failures > RETRIES) {
      Object.assign(tile, { refused: version, failures: 0 });
      return;
    }
    const wait = RETRY_MS * 2 ** tile.failures;
    tile.retryAt = performance.now() + wait;
    setTimeout(() => this.arrived(), wait + 1);
  }
}

class StatusError extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/**
 * The URL of a tile, whatever its version.
 * @param {string} url
 */
function tileOf(url) {
  return url.split("?", 1)[0];
}
