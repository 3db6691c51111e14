// The browser's end of `tunnel.py`: it replaces the network of the app's page.
//
// The page is in a frame without a URL of its own. Its requests to the server (scripts,
// styles, tiles, its websocket) go through the notebook's comm.

import { showApp } from "./cell.js";

/** @import {Facts} from "./cell.js" */

/**
 * What goes to the other end; `buffer` is the index of what goes along in bytes.
 * @typedef {{kind: string, id: string, path?: string, protocols?: string[], text?: string, buffer?: number}} Call
 */

/**
 * What comes back: of a request (`status`, `type`, `gzip`) or of a socket.
 * @typedef {object} Answer
 * @property {string} kind "opened", "frame" and "closed" for sockets
 * @property {string} id of the call
 * @property {number} [buffer] index of its bytes
 * @property {number} [status]
 * @property {string} [type]
 * @property {boolean} [gzip]
 * @property {string} [text]
 * @property {string} [protocol]
 * @property {number} [code]
 */

/**
 * What the notebook's comm gives: `AnyModel` of anywidget.
 * @typedef {object} WidgetModel
 * @property {(name: "facts") => Facts} get
 * @property {(event: "msg:custom", hear: Hear) => void} on
 * @property {(event: "msg:custom", hear: Hear) => void} off
 * @property {(message: {calls: Call[]}, callbacks: undefined, buffers: BufferSource[]) => void} send
 */

/** @typedef {(message: {calls: Answer[]}, buffers: DataView<ArrayBuffer>[]) => void} Hear */
/** @typedef {(answer: Answer, buffer?: DataView<ArrayBuffer>) => void} Take */
/** @typedef {Window & typeof globalThis} Page */

const CSS_URL = /url\(\s*["']?([^"')]+)["']?\s*\)/g;

/** Parts of the app that do not change, by path: fetched once for all cells of a notebook. */
const kept = (window.workbenchParts ??= new Map());

class Relay {
  /**
   * @param {WidgetModel} model
   * @param {Facts} facts
   */
  constructor(model, facts) {
    this.model = model;
    this.root = new URL(facts.root);
    this.page = new URL(`${facts.root}/${facts.page}`);
    this.name = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    this.number = 0;
    /** @type {Map<string, Take>} */
    this.waiting = new Map(); // what takes the answer, by id
    /** @type {[Call, BufferSource | null][]} */
    this.outbox = [];
    /** @type {Hear} */
    this.taken = (message, buffers) => this.take(message, buffers);
    model.on("msg:custom", this.taken);
  }

  /**
   * Send a call to the other end; calls of the same moment go in one message.
   * @param {Call} call
   * @param {BufferSource | null} buffer
   */
  say(call, buffer = null) {
    if (!this.outbox.length) setTimeout(() => this.flush(), 0);
    this.outbox.push([call, buffer]);
  }

  flush() {
    /** @type {BufferSource[]} */
    const buffers = [];
    const calls = this.outbox.map(([call, buffer]) => (buffer ? { ...call, buffer: buffers.push(buffer) - 1 } : call));
    this.outbox = [];
    this.model.send({ calls }, undefined, buffers);
  }

  /** @type {Hear} */
  take({ calls }, buffers) {
    for (const call of calls) this.waiting.get(call.id)?.(call, buffers[call.buffer ?? -1]);
  }

  newId() {
    return `${this.name}-${++this.number}`;
  }

  /**
   * The path of a URL of our server, else null.
   * @param {string | URL} url
   * @param {URL} base
   */
  path(url, base = this.page) {
    const { origin, pathname, search } = new URL(url, base);
    const ours = origin === this.root.origin && pathname.startsWith(`${this.root.pathname}/`);
    return ours ? pathname + search : null;
  }

  /**
   * @param {string} path
   * @param {AbortSignal | null | undefined} signal
   * @returns {Promise<Response>}
   */
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

  /**
   * A part of the app as a URL that this page can load.
   * @param {string} path
   * @returns {Promise<string>}
   */
  part(path) {
    const known = kept.get(path);
    if (known) return known;
    const loaded = this.load(path);
    kept.set(path, loaded);
    loaded.catch(() => kept.delete(path));
    return loaded;
  }

  /** @param {string} path */
  async load(path) {
    const answer = await this.fetch(path);
    if (!answer.ok) throw new Error(`workbench: HTTP ${answer.status} for ${path}`);
    const type = answer.headers.get("Content-Type") ?? "";
    if (!type.startsWith("text/css")) return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type }));
    // Addresses in a style sheet are relative to its own, which a blob URL replaces.
    const text = await answer.text();
    /** @type {Map<string, string>} */
    const inner = new Map();
    for (const [, url] of text.matchAll(CSS_URL)) {
      const found = url.startsWith("data:") ? null : this.path(url, new URL(path, this.root));
      if (found) inner.set(url, await this.part(found));
    }
    const moved = text.replace(CSS_URL, (whole, url) => (inner.has(url) ? `url("${inner.get(url)}")` : whole));
    return URL.createObjectURL(new Blob([moved], { type }));
  }

  close() {
    for (const [id, take] of this.waiting) take({ id, kind: "closed", code: 1001, status: 503 });
    this.model.off("msg:custom", this.taken);
  }
}

/**
 * The class of sockets that a page is given in place of WebSocket.
 * @param {Relay} relay
 */
function socketsOver(relay) {
  return class extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    readyState = 0;
    binaryType = "blob";
    protocol = "";
    bufferedAmount = 0;

    /**
     * @param {string | URL} url
     * @param {string | string[]} protocols
     */
    constructor(url, protocols = []) {
      super();
      this.url = String(url);
      this.id = relay.newId();
      relay.waiting.set(this.id, (call, buffer) => this.answer(call, buffer));
      // A page without an address of its own cannot name that of its socket.
      const path = `${relay.page.pathname}/ws${new URL(url, relay.page).search}`;
      relay.say({ kind: "open", id: this.id, path, protocols: [protocols].flat() });
    }

    /** @type {Take} */
    answer({ kind, text, protocol, code }, buffer) {
      if (kind === "opened") {
        this.readyState = 1;
        this.protocol = protocol ?? "";
        this.tell(new Event("open"));
      } else if (kind === "frame") {
        this.tell(new MessageEvent("message", { data: text ?? (buffer && bytesOf(buffer).buffer) }));
      } else {
        this.readyState = 3;
        relay.waiting.delete(this.id);
        this.tell(new CloseEvent("close", { code, wasClean: code === 1000 }));
      }
    }

    /** @param {Event} event */
    tell(event) {
      const hear = Reflect.get(this, `on${event.type}`);
      if (typeof hear === "function") hear.call(this, event);
      this.dispatchEvent(event);
    }

    /** @param {string | BufferSource} data */
    send(data) {
      if (typeof data === "string") relay.say({ kind: "frame", id: this.id, text: data });
      else relay.say({ kind: "frame", id: this.id }, ArrayBuffer.isView(data) ? bytesOf(data).buffer : data);
    }

    close() {
      this.readyState = 2;
      relay.say({ kind: "close", id: this.id });
    }
  };
}

/**
 * A copy of what a view shows, which may lie anywhere in a larger buffer.
 * @param {ArrayBufferView} view
 */
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * Let the elements of a kind load what they name over the relay.
 * @param {{prototype: HTMLElement}} kind
 * @param {"href" | "src"} name
 * @param {Relay} relay
 */
function adoptElements({ prototype }, name, relay) {
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
  const { setAttribute } = prototype;
  /**
   * @this {HTMLElement}
   * @param {string} url
   */
  const assign = function (url) {
    const found = relay.path(url);
    if (found) relay.part(found).then((own) => set?.call(this, own));
    else set?.call(this, url);
  };
  Object.defineProperty(prototype, name, { get, set: assign, configurable: true });
  prototype.setAttribute = function (key, value) {
    if (key === name) assign.call(this, value);
    else setAttribute.call(this, key, value);
  };
}

/**
 * Let whatever a page loads come over the relay; called before its first script.
 * @param {Page} page
 * @param {Relay} relay
 */
function adopt(page, relay) {
  const fetch = page.fetch.bind(page);
  page.fetch = (input, options = {}) => {
    const found = relay.path(typeof input === "object" && "url" in input ? input.url : input);
    return found ? relay.fetch(found, options.signal) : fetch(input, options);
  };
  Object.assign(page, { WebSocket: socketsOver(relay) });
  adoptElements(page.HTMLLinkElement, "href", relay);
  adoptElements(page.HTMLScriptElement, "src", relay);
  adoptElements(page.HTMLImageElement, "src", relay);
  /** @type {((url: string, ...more: unknown[]) => Promise<unknown>) | undefined} */
  let importShim;
  const load = async (/** @type {string} */ url, /** @type {unknown[]} */ ...more) => {
    const found = relay.path(url);
    return importShim?.(found ? await relay.part(found) : url, ...more);
  };
  Object.defineProperty(page, "importShim", {
    get: () => importShim && Object.assign(load, importShim),
    set(value) {
      importShim = value;
    },
  });
}

/**
 * The page's own markup, with the parts that it names already here.
 * @param {Relay} relay
 */
async function pageOf(relay) {
  const answer = await relay.fetch(relay.page.pathname + relay.page.search);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const [selector, name] of [["script[src]", "src"], ["link[href]", "href"]]) {
    for (const element of page.querySelectorAll(selector)) {
      const found = relay.path(element.getAttribute(name) ?? "");
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

/**
 * @param {WidgetModel} model
 * @param {HTMLIFrameElement} frame
 * @param {Facts} facts
 */
async function openTunnel(model, frame, facts) {
  const relay = new Relay(model, facts);
  (window.workbenchRelays ??= {})[relay.name] = (page) => adopt(page, relay);
  // eslint-disable-next-line no-restricted-properties -- a page that our own server has made
  frame.srcdoc = await pageOf(relay);
  return relay;
}

/** @param {{model: WidgetModel, el: HTMLElement}} widget */
async function render({ model, el }) {
  const facts = model.get("facts");
  const frame = el.appendChild(document.createElement("iframe"));
  Object.assign(frame, { title: "Slide Workbench", height: facts.height, allow: "fullscreen" });
  frame.style.cssText = "width:100%;border:0;border-radius:8px;display:block";
  const relay = (await showApp(frame, facts)) ? null : await openTunnel(model, frame, facts);
  return () => relay?.close();
}

export default { render };
