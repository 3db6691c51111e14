// The panel of filters: a fold for each column, with its texts or the range of its numbers.

import { button, make } from "./elements.js";

/**
 * @import {Column, Filter, SlideTable} from "./table.js"
 */

const MOST_TEXTS = 40;
const BARS = 24;
const FEW_TEXTS = 8;
const MOST_OPENED = 3; // folds that are open at first
/** @type {[kind: string, heading: string][]} */
const HEADINGS = [["reading", "Reading"], ["label", "Labels"], ["result", "Results"], ["run", "Runs"], ["flag", "Flags"], ["slide", "Slide"]];

export class Filters {
  /**
   * @param {HTMLElement} panel
   * @param {() => void} changed
   */
  constructor(panel, changed) {
    this.panel = panel;
    this.changed = changed;
    /** @type {Map<string, Filter>} */
    this.chosen = new Map();
    /** @type {Set<string> | undefined} names of the folds that are open */
    this.opened = undefined;
  }

  /**
   * Offer the columns of a table; filters of columns that are gone end.
   * @param {SlideTable} table
   */
  offer(table) {
    this.opened ??= new Set(table.columns.filter(({ kind, levels }) => kind === "label" && levels && levels.length > 1 && levels.length <= FEW_TEXTS).slice(0, MOST_OPENED).map(({ name }) => name));
    for (const name of [...this.chosen.keys()]) if (!table.byName.has(name)) this.chosen.delete(name);
    const parts = HEADINGS.flatMap(([kind, heading]) => {
      const columns = table.columns.filter((column) => column.kind === kind && isUseful(column));
      return columns.length ? [make("h2", "", heading), ...columns.map((column) => this.fold(column))] : [];
    });
    this.clear = button("Clear all filters", () => this.reset(table), "quiet");
    this.panel.replaceChildren(this.clear, ...parts);
    this.mark();
  }

  /** @param {SlideTable} table */
  reset(table) {
    this.chosen.clear();
    this.offer(table);
    this.changed();
  }

  /** @param {Column} column */
  fold(column) {
    const fold = make("details", "filter");
    fold.dataset.column = column.name;
    fold.append(make("summary", "", column.name));
    const build = () => {
      if (!fold.open || fold.childElementCount > 1) return;
      fold.append(column.numbers ? this.range(column) : this.texts(column));
    };
    fold.addEventListener("toggle", () => {
      if (fold.open) this.opened?.add(column.name);
      else this.opened?.delete(column.name);
      build();
    });
    fold.open = this.opened?.has(column.name) || this.chosen.has(column.name);
    build();
    return fold;
  }

  /** @param {Column} column */
  texts(column) {
    const levels = column.levels ?? [];
    const counts = new Uint32Array(levels.length);
    for (const code of column.codes) counts[code] += 1;
    const order = [...levels.keys()].sort((a, b) => counts[b] - counts[a]).slice(0, MOST_TEXTS);
    if (levels.length <= MOST_TEXTS) order.sort((a, b) => a - b);
    const choices = make("div", "choices");
    choices.append(...order.map((level) => this.choice(column.name, levels[level], counts[level])));
    if (levels.length > order.length) choices.append(make("p", "more", `${(levels.length - order.length).toLocaleString("en")} more: search for them.`));
    return choices;
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {number} count
   */
  choice(name, text, count) {
    const label = make("label", "choice");
    const box = make("input");
    box.type = "checkbox";
    box.checked = this.chosen.get(name)?.texts?.has(text) ?? false;
    box.addEventListener("change", () => {
      const texts = new Set(this.chosen.get(name)?.texts);
      if (box.checked) texts.add(text);
      else texts.delete(text);
      this.set(name, texts.size ? { texts } : null);
    });
    label.append(box, make("span", "text", text || "(none)"), make("span", "count", count.toLocaleString("en")));
    return label;
  }

  /** @param {Column} column */
  range(column) {
    const values = /** @type {number[]} */ ((column.numbers ?? []).filter((value) => value !== null));
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const range = make("div", "range");
    const ends = make("div", "ends");
    const kept = this.chosen.get(column.name);
    const [from, to] = [this.end("from", low, kept?.low), this.end("to", high, kept?.high)];
    const change = () => {
      const [least, most] = [from, to].map(({ value }) => (value.trim() === "" ? NaN : Number(value)));
      const limits = { ...(Number.isNaN(least) ? {} : { low: least }), ...(Number.isNaN(most) ? {} : { high: most }) };
      this.set(column.name, Object.keys(limits).length ? limits : null);
    };
    for (const end of [from, to]) {
      end.setAttribute("aria-label", `${column.name} ${end.name}`);
      end.addEventListener("input", change);
    }
    ends.append(from, make("span", "", "to"), to);
    range.append(bars(values, low, high), ends);
    return range;
  }

  /**
   * @param {string} name
   * @param {number} limit
   * @param {number | undefined} value
   */
  end(name, limit, value) {
    const end = make("input");
    Object.assign(end, { type: "number", step: "any", name, placeholder: String(Number(limit.toPrecision(3))) });
    if (value !== undefined) end.value = String(value);
    return end;
  }

  /**
   * @param {string} name
   * @param {Filter | null} filter
   */
  set(name, filter) {
    if (filter) this.chosen.set(name, filter);
    else this.chosen.delete(name);
    this.mark();
    this.changed();
  }

  /** Show which columns are filtered. */
  mark() {
    if (this.clear) this.clear.hidden = !this.chosen.size;
    for (const fold of /** @type {NodeListOf<HTMLElement>} */ (this.panel.querySelectorAll(".filter"))) {
      fold.classList.toggle("used", this.chosen.has(fold.dataset.column ?? ""));
    }
  }
}

/**
 * Whether there is something to choose between.
 * @param {Column} column
 */
function isUseful(column) {
  if (column.levels) return column.levels.length > 1;
  return column.numbers !== null && new Set(column.numbers.slice(0, 1000)).size > 1;
}

/**
 * How values are distributed.
 * @param {number[]} values
 * @param {number} low
 * @param {number} high
 */
function bars(values, low, high) {
  const counts = new Uint32Array(BARS);
  for (const value of values) counts[Math.min(BARS - 1, Math.floor((BARS * (value - low)) / (high - low || 1)))] += 1;
  const most = Math.max(1, ...counts);
  const element = make("div", "bars");
  element.setAttribute("aria-hidden", "true");
  for (const count of counts) {
    const bar = make("span");
    bar.style.height = `${(100 * count) / most}%`;
    element.append(bar);
  }
  return element;
}
