// Loads thumbnails of slides in view, a few at a time, once scrolling has slowed down.

const CALM_MS = 90; // what is scrolled past at speed is not asked for
const AT_ONCE = 4; // other requests of the page need a connection, too
const MOST_KNOWN = 4000;

export class Pictures {
  constructor() {
    /** @type {Map<HTMLImageElement, string>} */
    this.wanted = new Map();
    /** @type {Set<HTMLImageElement>} */
    this.loading = new Set();
    /** @type {Set<string>} */
    this.known = new Set(); // URLs that the browser has kept
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Show a picture once its turn has come; what the image showed before goes.
   * @param {HTMLImageElement} image
   * @param {string} url
   */
  show(image, url) {
    if (image.dataset.url === url) return;
    this.forget(image);
    image.dataset.url = url;
    if (this.known.has(url)) {
      image.src = url;
      return;
    }
    this.wanted.set(image, url);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), CALM_MS);
  }

  /** @param {HTMLImageElement} image */
  forget(image) {
    this.wanted.delete(image);
    this.loading.delete(image);
    delete image.dataset.url;
    delete image.dataset.state;
    image.removeAttribute("src");
  }

  load() {
    for (const [image, url] of this.wanted) {
      if (this.loading.size >= AT_ONCE) return;
      this.wanted.delete(image);
      this.loading.add(image);
      const end = (/** @type {boolean} */ loaded) => {
        if (image.dataset.url !== url) return;
        image.dataset.state = loaded ? "shown" : "missing";
        if (loaded) this.keep(url);
        this.loading.delete(image);
        this.load();
      };
      image.onload = () => end(true);
      image.onerror = () => end(false);
      image.src = url;
    }
  }

  /** @param {string} url */
  keep(url) {
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    this.known.add(url);
  }
}
