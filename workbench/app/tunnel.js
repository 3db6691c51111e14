// The browser's end of `tunnel.py`: gives the app's page what it takes for the network.
//
// The page is put into a frame that has no address of its own. What it asks of the
// server (scripts, styles, tiles, its websocket) goes over the notebook's comm.

const CSS_URL = /url\(\s*["']?([^"')]+)["']?\s*\)/g;

/** Parts of the app that do not change, by path: fetched once for all cells of a notebook. */
const kept = (window.workbenchParts ??= new Map());

class Relay {
  constructor(model, facts) {
    this.model = model;
    this.root = new URL(facts.root);
    this.page = new URL(`${facts.root}/${facts.page}`);
    this.name = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    this.number = 0;
    this.waiting = new Map(); // id to what takes the answer
    this.outbox = [];
    this.taken = (message, buffers) => this.take(message, buffers);
    model.on("msg:custom", this.taken);
  }

  /** Say something to the other end; what is said at once goes in one message. */
  say(call, buffer = null) {
    if (!this.outbox.length) setTimeout(() => this.flush(), 0);
    this.outbox.push([call, buffer]);
  }

  flush() {
    const buffers = [];
    const calls = this.outbox.map(([call, buffer]) => (buffer ? { ...call, buffer: buffers.push(buffer) - 1 } : call));
    this.outbox = [];
    this.model.send({ calls }, undefined, buffers);
  }

  take({ calls }, buffers) {
    for (const call of calls) this.waiting.get(call.id)?.(call, buffers[call.buffer]);
  }

  newId() {
    return `${this.name}-${++this.number}`;
  }

  /** The path of a URL of our server, else null. */
  path(url, base = this.page) {
    const { origin, pathname, search } = new URL(url, base);
    const ours = origin === this.root.origin && pathname.startsWith(`${this.root.pathname}/`);
    return ours ? pathname + search : null;
  }

  fetch(path, signal = null) {
    return new Promise((resolve, reject) => {
      const id = this.newId();
      const cancel = () => {
        this.waiting.delete(id);
        this.say({ kind: "cancel", id });
        reject(new DOMException("Not wanted any more.", "AbortError"));
      };
      if (signal?.aborted) return cancel();
      signal?.addEventListener("abort", cancel, { once: true });
      this.waiting.set(id, ({ status, type, gzip }, buffer) => {
        this.waiting.delete(id);
        signal?.removeEventListener("abort", cancel);
        const body = new Blob([buffer ?? ""]).stream();
        const plain = gzip ? body.pipeThrough(new DecompressionStream("gzip")) : body;
        resolve(new Response(plain, { status, headers: { "Content-Type": type ?? "text/plain" } }));
      });
      this.say({ kind: "get", id, path });
    });
  }

  /** A part of the app as a URL that this page can load. */
  part(path) {
    if (!kept.has(path)) {
      const loaded = this.load(path);
      kept.set(path, loaded);
      loaded.catch(() => kept.delete(path));
    }
    return kept.get(path);
  }

  async load(path) {
    const answer = await this.fetch(path);
    if (!answer.ok) throw new Error(`workbench: HTTP ${answer.status} for ${path}`);
    const type = answer.headers.get("Content-Type");
    if (!type.startsWith("text/css")) return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type }));
    // Addresses in a style sheet are relative to its own, which it is about to lose.
    const text = await answer.text();
    const inner = new Map();
    for (const [, url] of text.matchAll(CSS_URL)) {
      const found = url.startsWith("data:") ? null : this.path(url, new URL(path, this.root));
      if (found) inner.set(url, await this.part(found));
    }
    const moved = text.replace(CSS_URL, (whole, url) => (inner.has(url) ? `url("${inner.get(url)}")` : whole));
    return URL.createObjectURL(new Blob([moved], { type }));
  }

  close() {
    for (const answer of this.waiting.values()) answer({ kind: "closed", code: 1001, status: 503 });
    this.model.off("msg:custom", this.taken);
  }
}

/** The class of sockets that a page is given in place of WebSocket. */
function socketsOver(relay) {
  return class extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    constructor(url, protocols = []) {
      super();
      Object.assign(this, { url, readyState: 0, binaryType: "blob", protocol: "", bufferedAmount: 0 });
      this.id = relay.newId();
      relay.waiting.set(this.id, (call, buffer) => this.answer(call, buffer));
      // A page without an address of its own cannot name that of its socket.
      const path = `${relay.page.pathname}/ws${new URL(url, relay.page).search}`;
      relay.say({ kind: "open", id: this.id, path, protocols: [protocols].flat() });
    }

    answer({ kind, text, protocol, code }, buffer) {
      if (kind === "opened") {
        Object.assign(this, { readyState: 1, protocol });
        this.tell(new Event("open"));
      } else if (kind === "frame") {
        // A DataView may lie anywhere in a larger buffer.
        const data = text ?? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice().buffer;
        this.tell(new MessageEvent("message", { data }));
      } else {
        this.readyState = 3;
        relay.waiting.delete(this.id);
        this.tell(new CloseEvent("close", { code, wasClean: code === 1000 }));
      }
    }

    tell(event) {
      this[`on${event.type}`]?.(event);
      this.dispatchEvent(event);
    }

    send(data) {
      if (typeof data === "string") relay.say({ kind: "frame", id: this.id, text: data });
      else relay.say({ kind: "frame", id: this.id }, ArrayBuffer.isView(data) ? data.slice().buffer : data);
    }

    close() {
      this.readyState = 2;
      relay.say({ kind: "close", id: this.id });
    }
  };
}

/** Let whatever a page loads come over the relay; called before its first script. */
function adopt(page, relay) {
  const path = (url) => relay.path(url);
  const fetch = page.fetch.bind(page);
  page.fetch = (input, options = {}) => {
    const found = path(input.url ?? input);
    return found ? relay.fetch(found, options.signal) : fetch(input, options);
  };
  page.WebSocket = socketsOver(relay);
  for (const [kind, name] of [["HTMLLinkElement", "href"], ["HTMLScriptElement", "src"], ["HTMLImageElement", "src"]]) {
    const { prototype } = page[kind];
    const { get, set } = Object.getOwnPropertyDescriptor(prototype, name);
    const { setAttribute } = prototype;
    const assign = function (url) {
      const found = path(url);
      if (found) relay.part(found).then((own) => set.call(this, own));
      else set.call(this, url);
    };
    Object.defineProperty(prototype, name, { get, set: assign, configurable: true });
    prototype.setAttribute = function (key, value) {
      if (key === name) assign.call(this, value);
      else setAttribute.call(this, key, value);
    };
  }
  let importShim;
  const load = async (url, ...more) => importShim((path(url) && (await relay.part(path(url)))) ?? url, ...more);
  Object.defineProperty(page, "importShim", {
    get: () => importShim && Object.assign(load, importShim),
    set: (value) => (importShim = value),
  });
}

/** The page's own markup, with the parts that it names already here. */
async function pageOf(relay) {
  const answer = await relay.fetch(relay.page.pathname + relay.page.search);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const [selector, name] of [["script[src]", "src"], ["link[href]", "href"]]) {
    for (const element of page.querySelectorAll(selector)) {
      const found = relay.path(element.getAttribute(name));
      if (found) element.setAttribute(name, await relay.part(found));
    }
  }
  const base = page.createElement("base");
  base.href = relay.page.href;
  const first = page.createElement("script");
  first.textContent = `parent.workbenchRelays[${JSON.stringify(relay.name)}](window);`;
  page.head.prepend(base, first);
  return `<!DOCTYPE html>${page.documentElement.outerHTML}`;
}

async function openTunnel(model, frame, facts) {
  const relay = new Relay(model, facts);
  (window.workbenchRelays ??= {})[relay.name] = (page) => adopt(page, relay);
  frame.srcdoc = await pageOf(relay);
  return relay;
}

async function render({ model, el }) {
  const facts = model.get("facts");
  const frame = el.appendChild(document.createElement("iframe"));
  Object.assign(frame, { title: "Slide Workbench", height: facts.height, allow: "fullscreen" });
  frame.style.cssText = "width:100%;border:0;border-radius:8px;display:block";
  const relay = (await showApp(frame, facts)) ? null : await openTunnel(model, frame, facts);
  return () => relay?.close();
}

export default { render };
