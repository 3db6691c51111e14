// Slides that are selected in the list, by their names, so that they stay selected when it changes.

export class Selection {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {Set<string>} */
    this.names = new Set();
    this.last = "";
  }

  /**
   * Select a slide, or no longer.
   * @param {string} name
   * @param {boolean} extending whether all from the last one to this are selected
   * @param {string[]} order names of the slides that are shown
   */
  pick(name, extending, order) {
    const [from, to] = [order.indexOf(this.last), order.indexOf(name)];
    if (extending && from >= 0 && to >= 0) {
      const [low, high] = from < to ? [from, to] : [to, from];
      for (const each of order.slice(low, high + 1)) this.names.add(each);
    } else if (this.names.has(name)) {
      this.names.delete(name);
    } else {
      this.names.add(name);
    }
    this.last = name;
    this.changed();
  }

  /**
   * Keep those that a table still has.
   * @param {(name: string) => boolean} isThere
   */
  keep(isThere) {
    for (const name of this.names) if (!isThere(name)) this.names.delete(name);
  }

  clear() {
    this.names.clear();
    this.last = "";
    this.changed();
  }
}
