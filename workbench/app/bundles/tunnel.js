// Made by "make bundles"; change the modules instead. sha256 of them: 0e257b0c8dbedfc397edb1b6ef63b8d63d59931c6bcd058dae727edff50b2121
// workbench/app/jupyter/cell.js
function* connections(facts) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent ?? "").baseUrl : document.body.dataset.baseUrl || facts.hub;
  if (base) yield ["proxy", `${base.replace(/\/?$/, "/")}proxy/${facts.port}/${facts.prefix}`];
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
  if (here || ["vscode-webview:", "file:"].includes(location.protocol)) yield ["direct", facts.root];
}
async function findServer(facts) {
  for (const [connection, root] of connections(facts)) {
    try {
      const answer = await fetch(`${root}/here?connection=${connection}&cell=${facts.cell}`);
      if (answer.ok && await answer.text() === facts.answer) return root;
    } catch {
    }
  }
  return null;
}
async function showApp(frame, facts) {
  const root = await findServer(facts);
  if (root) frame.src = `${root}/${facts.page}`;
  return Boolean(root);
}

// workbench/app/jupyter/tunnel.js
var CSS_URL = /url\(\s*["']?([^"')]+)["']?\s*\)/g;
var kept = window.workbenchParts ??= /* @__PURE__ */ new Map();
var Relay = class {
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
    this.waiting = /* @__PURE__ */ new Map();
    this.outbox = [];
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
    const buffers = [];
    const calls = this.outbox.map(([call, buffer]) => buffer ? { ...call, buffer: buffers.push(buffer) - 1 } : call);
    this.outbox = [];
    this.model.send({ calls }, void 0, buffers);
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
    const text = await answer.text();
    const inner = /* @__PURE__ */ new Map();
    for (const [, url] of text.matchAll(CSS_URL)) {
      const found = url.startsWith("data:") ? null : this.path(url, new URL(path, this.root));
      if (found) inner.set(url, await this.part(found));
    }
    const moved = text.replace(CSS_URL, (whole, url) => inner.has(url) ? `url("${inner.get(url)}")` : whole);
    return URL.createObjectURL(new Blob([moved], { type }));
  }
  close() {
    for (const [id, take] of this.waiting) take({ id, kind: "closed", code: 1001, status: 503 });
    this.model.off("msg:custom", this.taken);
  }
};
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
        this.tell(new CloseEvent("close", { code, wasClean: code === 1e3 }));
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
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}
function adoptElements({ prototype }, name, relay) {
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
  const { setAttribute } = prototype;
  const assign = function(url) {
    const found = relay.path(url);
    if (found) relay.part(found).then((own) => set?.call(this, own));
    else set?.call(this, url);
  };
  Object.defineProperty(prototype, name, { get, set: assign, configurable: true });
  prototype.setAttribute = function(key, value) {
    if (key === name) assign.call(this, value);
    else setAttribute.call(this, key, value);
  };
}
function adopt(page, relay) {
  const fetch2 = page.fetch.bind(page);
  page.fetch = (input, options = {}) => {
    const found = relay.path(typeof input === "object" && "url" in input ? input.url : input);
    return found ? relay.fetch(found, options.signal) : fetch2(input, options);
  };
  Object.assign(page, { WebSocket: socketsOver(relay) });
  adoptElements(page.HTMLLinkElement, "href", relay);
  adoptElements(page.HTMLScriptElement, "src", relay);
  adoptElements(page.HTMLImageElement, "src", relay);
  let importShim;
  const load = async (url, ...more) => {
    const found = relay.path(url);
    return importShim?.(found ? await relay.part(found) : url, ...more);
  };
  Object.defineProperty(page, "importShim", {
    get: () => importShim && Object.assign(load, importShim),
    set(value) {
      importShim = value;
    }
  });
}
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
  const relay = await showApp(frame, facts) ? null : await openTunnel(model, frame, facts);
  return () => relay?.close();
}
var tunnel_default = { render };
export {
  tunnel_default as default
};
