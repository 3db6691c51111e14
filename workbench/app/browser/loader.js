// Fetching tiles: what is wanted now, and nothing else.

const CONNECTIONS = 6; // what a browser opens to one HTTP/1.1 server
const RETRIES = 4;
const RETRY_MS = 250; // doubled each time

/** Fetches what is wanted now, most wanted first; lets go of what no longer is. */
export class Loader {
  constructor(arrived) {
    this.arrived = arrived;
    this.running = new Map(); // URL to {abort, layer}
    this.queue = [];
  }

  want(requests) {
    // What was asked for in an older version still comes, and the newer one after it:
    // layers that change faster than tiles arrive would otherwise never be seen.
    const wanted = new Set(requests.map((request) => tileOf(request.url)));
    for (const [url, { abort }] of this.running) if (!wanted.has(tileOf(url))) abort.abort();
    const coming = new Set([...this.running.keys()].map(tileOf));
    this.queue = requests.filter((request) => !coming.has(tileOf(request.url)));
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
    let come = [];
    const abort = new AbortController();
    const version = layer.version(place[0]);
    this.running.set(url, { abort, layer });
    try {
      const response = await fetch(url, { credentials: "same-origin", signal: abort.signal });
      if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
      const made = await layer.decode(response, place);
      if (abort.signal.aborted) return made.image.close();
      const tile = layer.entry(...place);
      tile.image?.close();
      Object.assign(tile, made, { version, failures: 0, retryAt: 0 });
      come = [layer, place];
    } catch (error) {
      if (error.name !== "AbortError") this.failed(layer.entry(...place), version, error);
    } finally {
      this.running.delete(url);
      this.pump();
      this.arrived(...come);
    }
  }

  failed(tile, version, error) {
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

/** The URL of a tile, whatever its version. */
function tileOf(url) {
  return url.split("?", 1)[0];
}
