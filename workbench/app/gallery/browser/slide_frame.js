// The viewer over the gallery: a frame with the app, in which slides follow one another with the
// same layers and place. The gallery stays behind it as it was.

import { byId, make } from "./elements.js";
import { isTaken } from "../../viewer/browser/key_focus.js";

/**
 * @typedef {object} Calls
 * @property {(name: string) => void} shown a slide is in view
 * @property {(name: string) => void} chosen another slide was opened in the frame
 * @property {() => void} closed
 * @property {(step: number) => void} step to the next slide or the one before
 * @property {(event: KeyboardEvent, taken: boolean) => boolean} key whether a key was used
 */

const APP = "workbench";
const STEPS = new Map([["n", 1], ["p", -1], ["PageDown", 1], ["PageUp", -1]]);

export class SlideFrame {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.sheet = byId("viewer");
    this.gallery = byId("gallery");
    this.holder = byId("frame");
    this.title = byId("shown");
    this.position = byId("position");
    /** @type {HTMLIFrameElement | null} */
    this.frame = null;
    this.name = "";
    this.awaited = ""; // slide that the frame was asked for and has not shown yet
    byId("back").addEventListener("click", () => this.close());
    byId("before").addEventListener("click", () => calls.step(-1));
    byId("after").addEventListener("click", () => calls.step(1));
    byId("drawer").addEventListener("click", () => this.send({ drawer: true }));
    window.addEventListener("message", (event) => this.hear(event));
    document.addEventListener("keydown", (event) => this.press(event));
  }

  get isOpen() {
    return !this.sheet.hidden;
  }

  /**
   * Show a slide; one after another keeps the layers and the place.
   * @param {string} name
   * @param {string} position such as "3 of 120"
   */
  open(name, position) {
    const wasOpen = this.isOpen;
    this.awaited = name === this.name ? "" : name;
    this.name = name;
    this.title.textContent = this.title.title = name;
    this.position.textContent = position;
    this.sheet.hidden = false;
    this.gallery.inert = true;
    document.title = `${name} · ${document.body.dataset.study}`;
    if (this.frame) this.send({ slide: name });
    else this.begin(name);
    if (!wasOpen) byId("back").focus();
    this.calls.shown(name);
  }

  /** @param {string} name */
  begin(name) {
    const frame = make("iframe");
    frame.title = "Slide";
    frame.src = `${APP}?framed=1&slide=${encodeURIComponent(name)}`;
    frame.addEventListener("load", () => {
      frame.contentWindow?.addEventListener("keydown", (event) => this.press(event));
    });
    this.frame = frame;
    this.holder.replaceChildren(frame);
  }

  /** @param {object} message */
  send(message) {
    this.frame?.contentWindow?.postMessage({ workbench: message }, location.origin);
  }

  /** @param {MessageEvent} event */
  hear(event) {
    if (event.origin !== location.origin || event.source !== this.frame?.contentWindow) return;
    const { ready, shown } = event.data?.workbench ?? {};
    // The app in the frame begins with the slide of its address: the user may have gone on.
    if (ready) this.send({ slide: this.name });
    if (typeof shown !== "string" || !shown) return;
    if (shown === this.name) this.awaited = "";
    else if (!this.awaited) this.calls.chosen(shown);
  }

  /** Give the slide the keys. */
  focus() {
    this.frame?.contentWindow?.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.sheet.hidden = true;
    this.gallery.inert = false;
    document.title = document.body.dataset.study ?? "";
    this.calls.closed();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (!this.isOpen || event.defaultPrevented) return;
    const taken = isTaken(event.key, event.composedPath());
    if (this.calls.key(event, taken)) {
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || taken) return;
    const step = STEPS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    const inFrame = event.view !== window;
    if (step) this.calls.step(step);
    else if (event.key === "Escape" && !inFrame) this.close();
    else if (event.key === "Backspace" && !inFrame) this.close();
    else return;
    event.preventDefault();
  }
}
