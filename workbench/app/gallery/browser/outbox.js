// Answers on their way to the server: sent in order, again and again until the server confirms
// that they are on its disk. They outlive a reload of the page. Each has an id of its own, by
// which the server keeps it once.

import { Refusal } from "./server.js";

/**
 * @typedef {object} Sent
 * @property {string} id
 * @property {string} user who has answered
 * @property {string} worklist
 * @property {string} slide
 * @property {Record<string, string | number>} answers
 * @property {string} state
 * @property {number} seconds
 * @property {boolean} [consensus]
 *
 * @typedef {object} Door
 * @property {(message: Sent) => Promise<unknown>} tell throws a `Refusal` if it will never be taken
 * @property {Pick<Storage, "getItem" | "setItem">} storage
 * @property {(call: () => void, ms: number) => unknown} later
 */

const KEY = "workbench-answers";
const AGAIN_MS = 2000;

export class Outbox {
  /**
   * @param {Door} door
   * @param {(state: "saved" | "sending" | "waiting", refusal: string) => void} changed
   */
  constructor(door, changed) {
    this.door = door;
    this.changed = changed;
    /** @type {Sent[]} */
    this.waiting = this.kept();
    this.busy = false;
  }

  /** @returns {Sent[]} */
  kept() {
    try {
      return JSON.parse(this.door.storage.getItem(KEY) ?? "[]");
    } catch {
      return [];
    }
  }

  keep() {
    try {
      this.door.storage.setItem(KEY, JSON.stringify(this.waiting));
    } catch {
      // A private window may refuse: what is not sent yet is then lost with the tab.
    }
  }

  /**
   * The last answer on a slide that is not confirmed yet.
   * @param {string} worklist
   * @param {string} slide
   */
  last(worklist, slide) {
    return this.waiting.findLast((each) => each.worklist === worklist && each.slide === slide);
  }

  /** @param {Sent} message */
  put(message) {
    // An answer in work that was not sent yet is replaced by the next one.
    const sending = this.busy ? 1 : 0;
    const same = (/** @type {Sent} */ each, /** @type {number} */ n) =>
      n >= sending && each.state === "in work" && each.worklist === message.worklist && each.slide === message.slide && !each.consensus;
    this.waiting = [...this.waiting.filter((each, n) => !same(each, n)), message];
    this.keep();
    return this.send();
  }

  async send() {
    if (this.busy || !this.waiting.length) return;
    this.busy = true;
    this.changed("sending", "");
    const [message] = this.waiting;
    let refusal = "";
    try {
      await this.door.tell(message);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        this.busy = false;
        this.changed("waiting", "");
        this.door.later(() => this.send(), AGAIN_MS);
        return;
      }
      refusal = error.message;
    }
    this.waiting = this.waiting.slice(1);
    this.keep();
    this.busy = false;
    this.changed(this.waiting.length ? "sending" : "saved", refusal);
    await this.send();
  }
}
