// The table of slides in the browser: columns, and which rows are shown in which order.

/**
 * @typedef {object} ColumnMessage
 * @property {string} name
 * @property {string} kind "slide", "label", "result", "run", "flag" or "reading"
 * @property {(number | null)[]} [numbers]
 * @property {string[]} [texts]
 * @property {string[]} [levels] different texts, with `codes`
 * @property {number[]} [codes] of each row, its text in `levels`
 *
 * @typedef {object} TableMessage
 * @property {string} stamp changes with the table
 * @property {string[]} names of the slides
 * @property {ColumnMessage[]} columns
 * @property {{analysis: string, classes: string[]}[]} layers results that can be drawn
 *
 * @typedef {object} Filter of a column: chosen texts, or ends of a range of numbers
 * @property {Set<string>} [texts]
 * @property {number} [low]
 * @property {number} [high]
 *
 * @typedef {object} Question
 * @property {string} words
 * @property {Map<string, Filter>} filters by column
 * @property {string} sort column; empty: the order of the table
 * @property {boolean} descending
 * @property {string} group column; empty: none
 *
 * @typedef {object} Group
 * @property {string} name
 * @property {number} start of its slides in `rows`
 * @property {number} count
 *
 * @typedef {object} Answer
 * @property {Uint32Array} rows of the table, in order
 * @property {Group[]} groups one without a name if there are none
 */

const DIGITS = 12;
export const NAME = "slide";

/**
 * A text that sorts as people do: 2 before 10, without regard to case.
 * @param {string} text
 */
export function naturalKey(text) {
  return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(DIGITS, "0"));
}

/** @param {string[]} texts */
function order(texts) {
  const keys = texts.map(naturalKey);
  const sorted = [...keys.keys()].sort((a, b) => (keys[a] < keys[b] ? -1 : Number(keys[a] > keys[b])));
  const ranks = new Float64Array(texts.length);
  sorted.forEach((row, rank) => {
    const before = sorted[rank - 1];
    ranks[row] = rank && keys[before] === keys[row] ? ranks[before] : rank;
  });
  return ranks;
}

/**
 * @param {number} value
 * @returns {string} with four digits, at most
 */
export function numberText(value) {
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return size < 0.001 ? value.toPrecision(2) : String(Number(value.toPrecision(3)));
}

export class Column {
  /** @param {ColumnMessage} message */
  constructor(message) {
    this.name = message.name;
    this.kind = message.kind;
    this.numbers = message.numbers ?? null;
    this.levels = message.levels ?? null;
    this.codes = message.codes ?? [];
    this.texts = message.texts ?? [];
    /** @type {Float64Array | null} */
    this.kept = null;
  }

  /** @param {number} row */
  text(row) {
    if (this.numbers) {
      const value = this.numbers[row];
      return value === null ? "" : numberText(value);
    }
    return this.levels ? this.levels[this.codes[row]] : this.texts[row];
  }

  /** A number for each row by which they sort; NaN where there is no value. */
  get ranks() {
    this.kept ??= this.rank();
    return this.kept;
  }

  rank() {
    if (this.numbers) return Float64Array.from(this.numbers, (value) => value ?? NaN);
    const { levels } = this;
    const ranks = order(levels ?? this.texts);
    const found = levels ? Float64Array.from(this.codes, (code) => ranks[code]) : ranks;
    for (let row = 0; row < found.length; row += 1) if (this.text(row) === "") found[row] = NaN;
    return found;
  }

  /**
   * Whether a row passes a filter.
   * @param {Filter} filter
   * @returns {(row: number) => boolean}
   */
  passes({ texts, low = -Infinity, high = Infinity }) {
    const { numbers, levels, codes } = this;
    if (numbers) return (row) => numbers[row] !== null && /** @type {number} */ (numbers[row]) >= low && /** @type {number} */ (numbers[row]) <= high;
    if (!texts?.size) return () => true;
    if (!levels) return (row) => texts.has(this.texts[row]);
    const chosen = levels.map((level) => texts.has(level));
    return (row) => chosen[codes[row]];
  }
}

export class SlideTable {
  /** @param {TableMessage} message */
  constructor(message) {
    this.stamp = message.stamp;
    this.layers = message.layers;
    this.names = message.names;
    this.columns = message.columns.map((each) => new Column(each));
    this.byName = new Map([[NAME, new Column({ name: NAME, kind: "slide", texts: message.names })]]);
    for (const column of this.columns) this.byName.set(column.name, column);
    /** @type {Map<string, number>} */
    this.rowOf = new Map(message.names.map((name, row) => [name, row]));
    /** @type {string[] | null} */
    this.searched = null;
  }

  /** All texts of each row, to search in. */
  get haystack() {
    const texts = this.columns.filter(({ numbers }) => !numbers);
    this.searched ??= this.names.map((name, row) => [name, ...texts.map((column) => column.text(row))].join("\n").toLowerCase());
    return this.searched;
  }

  /**
   * Which slides are shown, and in which order.
   * @param {Question} question
   * @returns {Answer}
   */
  ask({ words, filters, sort, descending, group }) {
    let rows = Uint32Array.from(this.names.keys());
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length) {
      const hay = this.haystack;
      rows = rows.filter((row) => wanted.every((word) => hay[row].includes(word)));
    }
    for (const [name, filter] of filters) {
      const column = this.byName.get(name);
      if (column) rows = rows.filter(column.passes(filter));
    }
    const by = this.byName.get(sort);
    if (by) sortBy(rows, by.ranks, descending);
    return grouped(rows, this.byName.get(group));
  }
}

/**
 * Sort rows by their ranks; those without one come last in both directions.
 * @param {Uint32Array} rows
 * @param {Float64Array} ranks
 * @param {boolean} descending
 */
function sortBy(rows, ranks, descending) {
  const sign = descending ? -1 : 1;
  rows.sort((a, b) => {
    const [left, right] = [ranks[a], ranks[b]];
    if (left === right) return a - b;
    if (Number.isNaN(left)) return Number.isNaN(right) ? a - b : 1;
    return Number.isNaN(right) ? -1 : sign * (left - right);
  });
}

/**
 * Put the rows of each group together; groups come in the order of their first rows.
 * @param {Uint32Array} rows
 * @param {Column | undefined} column
 * @returns {Answer}
 */
function grouped(rows, column) {
  if (!column) return { rows, groups: rows.length ? [{ name: "", start: 0, count: rows.length }] : [] };
  /** @type {Map<string, number[]>} */
  const members = new Map();
  for (const row of rows) {
    const name = column.text(row);
    const group = members.get(name);
    if (group) group.push(row);
    else members.set(name, [row]);
  }
  const ordered = new Uint32Array(rows.length);
  let start = 0;
  const groups = [...members].map(([name, group]) => {
    ordered.set(group, start);
    start += group.length;
    return { name: name || "–", start: start - group.length, count: group.length };
  });
  return { rows: ordered, groups };
}
