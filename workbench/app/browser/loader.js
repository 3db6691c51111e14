// Fetching tiles: what is wanted now, and nothing else.

import { framesOf } from "./frames.js";

const LANES = 3; // requests at once
const GROUP = 16; // tiles for each of them at most
const LEAST = 2;
const PATIENCE_MS = 60; // for a request, besides the way there and back
const RETRIES = 4;
const RETRY_MS = 250; // doubled each time

/** Fetches what is wanted now, most wanted first; lets go of what no longer is. */
export class Loader {
  constructor(arrived) {
    this.arrived = arrived;
    this.running = new Set(); // groups {layer, left, abort}
    this.queue = [];
    this.most = GROUP; // tiles for a request: as many as come in time
    this.delay = Infinity; // ms until the first comes, if nothing else is to be done
  }

  want(requests) {
    // What was asked for in an older version still comes, and the newer one after it:
    // layers that change faster than tiles arrive would otherwise never be seen.
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

  /** Let go of all that was asked for a layer. */
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

  /** Take what is wanted most off the queue, with others of its layer and zoom. */
  nextGroup() {
    const [{ layer, place: [z] }] = this.queue;
    const version = layer.version(z);
    const alike = this.queue.filter((request) => request.layer === layer && request.place[0] === z);
    const requests = new Set(alike.slice(0, this.most));
    this.queue = this.queue.filter((request) => !requests.has(request));
    return { layer, version, left: requests, abort: new AbortController() };
  }

  async load(group) {
    this.running.add(group);
    const requests = [...group.left];
    const works = [];
    const asked = performance.now();
    let [first, last] = [null, null];
    try {
      for await (const { number, status, blob } of this.answers(group, requests)) {
        last = performance.now();
        first ??= last;
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

  /** Ask for fewer at once where they come slowly: what is wanted then changes before they
   * have come. But an answer may take as long as its way, so that the way is used. */
  learn(tiles, asked, first, last) {
    this.delay = Math.min(1.1 * this.delay, first - asked);
    const most = Math.floor((tiles * (PATIENCE_MS + 2 * this.delay)) / (last - asked));
    this.most = Math.max(LEAST, Math.min(GROUP, this.most + 2, most));
  }

  /** Ask for the tiles of a group; yields their answers. */
  async *answers({ layer, abort }, requests) {
    const [{ url, place }] = requests;
    const options = { credentials: "same-origin", signal: abort.signal };
    if (requests.length === 1) {
      const response = await fetch(url, options); // which the browser may have
      yield { number: 0, status: response.status, blob: await response.blob() };
      return;
    }
    const response = await fetch(layer.groupUrl(place[0], requests.map((request) => request.place)), options);
    if (!response.ok) throw statusError(response.status);
    yield* framesOf(response.body);
  }

  /** Have a tile of a group: decode it, and hand it on. */
  async take(group, request, status, blob) {
    const { layer, version, left, abort } = group;
    try {
      if (status !== 200) throw statusError(status);
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

  failed({ layer, version, abort }, { place }, error) {
    if (abort.signal.aborted) return;
    const tile = layer.entry(...place);
    tile.failures += 1;
    const waits = error.status >= 500 || error.status === 429; // busy, or asked too often
    if (!waits || tile.failures > RETRIES) {
      Object.assign(tile, { refused: version, failures: 0 });
      return;
    }
    const wait = RETRY_MS * 2 ** tile.failures;
    tile.retryAt = performance.now() + wait;
    setTimeout(() => this.arrived(), wait + 1);
  }
}

function statusError(status) {
  return Object.assign(new Error(`HTTP ${status}`), { status });
}

/** The URL of a tile, whatever its version. */
function tileOf(url) {
  return url.split("?", 1)[0];
}
