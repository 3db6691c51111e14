// Edits that Python has not answered yet, in the storage of the tab: if the server of a page
// is gone, the next page sends them again. Their key holds no name.

/** @import {NumberedEdit} from "./messages.js" */

const PREFIX = "workbench-unsaved:";
const MOST = 200;

/** A random id in the form of a UUID; pages without TLS have no crypto.randomUUID. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export class Unsaved {
  /** @param {string} slot names the slide; empty: nothing is kept */
  constructor(slot) {
    this.key = slot && PREFIX + slot;
    /** @type {NumberedEdit[]} */
    this.edits = this.read();
  }

  /** @returns {NumberedEdit[]} */
  read() {
    try {
      return this.key ? JSON.parse(sessionStorage.getItem(this.key) ?? "[]") : [];
    } catch {
      return []; // no storage in a frame of no origin, or not ours
    }
  }

  write() {
    try {
      if (!this.key) return;
      if (this.edits.length) sessionStorage.setItem(this.key, JSON.stringify(this.edits));
      else sessionStorage.removeItem(this.key);
    } catch {
      // Full or forbidden: they are kept as long as the page is.
    }
  }

  /** @param {NumberedEdit} edit */
  keep(edit) {
    this.edits = [...this.edits.slice(1 - MOST), edit];
    this.write();
  }

  /**
   * Drop the edits up to a number, which Python has done or refused.
   * @param {number} number
   */
  answered(number) {
    this.edits = this.edits.filter((edit) => edit.number > number);
    this.write();
  }
}
