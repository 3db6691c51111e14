// The list of slides, as pictures or as a table; only the lines in view are elements.

import { make } from "./elements.js";
import { Lines } from "./lines.js";

/**
 * @import {Answer, Column, SlideTable} from "./table.js"
 * @import {Pictures} from "./pictures.js"
 * @import {Line} from "./lines.js"
 *
 * @typedef {object} Look
 * @property {"pictures" | "table"} layout
 * @property {number} size width of a picture in px
 * @property {Column[]} columns of a table; captions of pictures
 * @property {string} sort column by which the list is sorted
 * @property {boolean} descending
 *
 * @typedef {object} Calls
 * @property {(place: number) => void} open a slide
 * @property {(row: number) => string} url of the thumbnail of a slide
 * @property {(column: string) => void} sort
 * @property {(row: number) => string} mark of a slide: its reading state; empty: none
 * @property {(place: number, extending: boolean) => boolean} pick select a slide; false: there is no selection
 * @property {(row: number) => boolean} isPicked
 */

const SPARE = 3; // lines drawn beyond both ends of the view
const GAP = 10;
const HEAD = 34;
const ROW = 44;
const TITLES = 30; // height of the names of columns
const CAPTION = 18;
const CARD_EDGE = 30;
const SHAPE = 0.75; // height of a picture to its width
const LONGEST = 26;

/** @type {Record<string, number>} */
const ACROSS_KEYS = { ArrowLeft: -1, ArrowRight: 1 };

export class SlideList {
  /**
   * @param {HTMLElement} scroller
   * @param {Pictures} pictures
   * @param {Calls} calls
   */
  constructor(scroller, pictures, calls) {
    Object.assign(scroller, { tabIndex: 0 });
    scroller.setAttribute("role", "grid");
    this.scroller = scroller;
    this.pictures = pictures;
    this.calls = calls;
    this.titles = make("div", "titles");
    this.titles.setAttribute("role", "row");
    this.sizer = make("div", "sizer");
    this.sizer.setAttribute("role", "rowgroup");
    this.empty = make("p", "empty", "No slide matches.");
    scroller.replaceChildren(this.titles, this.sizer, this.empty);
    this.lines = new Lines([], 1, ROW, 0);
    this.place = 0;
    /** @type {Map<number, HTMLElement>} */
    this.drawn = new Map();
    /** @type {Map<string, HTMLElement[]>} */
    this.spare = new Map();
    this.frame = 0;
    scroller.addEventListener("scroll", () => this.soon(), { passive: true });
    scroller.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.arrange()).observe(scroller);
  }

  /**
   * Show rows of a table.
   * @param {SlideTable} table
   * @param {Answer} answer
   * @param {Look} look
   */
  show(table, answer, look) {
    const before = this.answer?.rows[this.place];
    Object.assign(this, { table, answer, look });
    this.table = table;
    this.answer = answer;
    this.look = look;
    this.place = before === undefined ? 0 : Math.max(0, answer.rows.indexOf(before));
    this.empty.hidden = answer.rows.length > 0;
    this.title();
    this.arrange();
  }

  /** Names of the columns of a table, each a button that sorts by it. */
  title() {
    const { look, titles } = this;
    titles.hidden = look?.layout !== "table";
    if (!look || titles.hidden) return;
    const named = [{ name: "slide", numbers: null }, ...look.columns];
    titles.replaceChildren(make("span", "corner"), ...named.map((column) => this.columnTitle(column)));
  }

  /** @param {{name: string, numbers: unknown}} column */
  columnTitle({ name, numbers }) {
    const title = make("div", numbers ? "title number" : "title");
    title.setAttribute("role", "columnheader");
    const isSorted = this.look?.sort === name;
    const direction = this.look?.descending ? "descending" : "ascending";
    title.setAttribute("aria-sort", isSorted ? direction : "none");
    const sort = make("button", "", name);
    sort.type = "button";
    sort.title = `Sort by ${name}`;
    sort.tabIndex = -1;
    sort.addEventListener("click", () => this.calls.sort(name));
    title.append(sort);
    return title;
  }

  /** Compute the lines for the width of the list, and draw those in view. */
  arrange() {
    const { look, answer, scroller } = this;
    if (!look || !answer) return;
    const top = this.lines.count ? this.lines.line(this.lines.at(scroller.scrollTop)).start : 0;
    const isTable = look.layout === "table";
    const width = scroller.clientWidth - 2 * GAP;
    const across = isTable ? 1 : Math.max(1, Math.floor((width + GAP) / (look.size + GAP)));
    const card = look.size * SHAPE + CARD_EDGE + CAPTION * look.columns.length + GAP;
    const hasHeads = answer.groups.some(({ name }) => name);
    const before = this.lines;
    this.lines = new Lines(answer.groups, across, isTable ? ROW : card, hasHeads ? HEAD : 0);
    if (isTable) this.sizer.style.setProperty("--columns", this.template());
    scroller.style.setProperty("--columns", isTable ? this.template() : "");
    scroller.dataset.layout = look.layout;
    this.sizer.style.height = `${this.lines.height + GAP}px`;
    this.sizer.style.setProperty("--card", `${look.size}px`);
    this.sizer.style.setProperty("--picture", `${Math.round(look.size * SHAPE)}px`);
    scroller.setAttribute("aria-rowcount", String(this.lines.count));
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.spare.clear();
    if (before.across !== across && top) scroller.scrollTop = this.lines.line(this.lines.of(top)).top;
    this.draw();
  }

  /** Widths of the columns of a table. */
  template() {
    const { columns = [] } = this.look ?? {};
    const widths = columns.map(({ name, numbers, levels }) => {
      const longest = numbers ? 8 : Math.max(0, ...(levels ?? ["x".repeat(LONGEST)]).map(({ length }) => length));
      return `${Math.min(LONGEST, Math.max(longest, name.length + 3)) + 2}ch`;
    });
    return ["56px", "minmax(14ch, 24ch)", ...widths].join(" ");
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { lines, scroller, drawn } = this;
    const first = Math.max(0, lines.at(scroller.scrollTop) - SPARE);
    const end = lines.count ? Math.min(lines.count, lines.at(scroller.scrollTop + scroller.clientHeight) + SPARE + 1) : 0;
    for (const [index, element] of drawn) {
      if (index >= first && index < end) continue;
      drawn.delete(index);
      this.put(element);
    }
    for (let index = first; index < end; index += 1) {
      if (drawn.has(index)) continue;
      const line = lines.line(index);
      const kind = line.isHead ? "head" : (this.look?.layout ?? "table");
      const element = this.spare.get(kind)?.pop() ?? this.newLine(kind);
      element.hidden = false;
      element.style.transform = `translateY(${line.top}px)`;
      element.setAttribute("aria-rowindex", String(index + 1));
      this.fill(element, line);
      drawn.set(index, element);
    }
    this.mark();
  }

  /**
   * Keep an element that is out of view for another line.
   * @param {HTMLElement} element
   */
  put(element) {
    const kind = element.dataset.kind ?? "";
    const spare = this.spare.get(kind) ?? [];
    element.hidden = true;
    for (const named of element.querySelectorAll("[id]")) named.removeAttribute("id");
    spare.push(element);
    this.spare.set(kind, spare);
  }

  /** @param {string} kind */
  newLine(kind) {
    const element = make("div", `line ${kind}`);
    element.dataset.kind = kind;
    element.setAttribute("role", "row");
    const cells = kind === "head" ? 0 : this.lines.across;
    for (let n = 0; n < cells; n += 1) element.append(this.newCell(kind));
    this.sizer.append(element);
    return element;
  }

  /** @param {string} kind */
  newCell(kind) {
    const image = make("img", "picture");
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    const columns = this.look?.columns ?? [];
    const texts = columns.map(({ numbers }) => make("span", numbers ? "value number" : "value"));
    const name = make("span", "name");
    const isTable = kind === "table";
    const cell = make("div", isTable ? "row" : "card");
    cell.setAttribute("role", isTable ? "none" : "gridcell");
    if (isTable) for (const part of [name, ...texts]) part.setAttribute("role", "gridcell");
    cell.append(image, name, ...texts);
    cell.addEventListener("click", (event) => {
      this.place = Number(cell.dataset.place);
      const picks = event.ctrlKey || event.metaKey || event.shiftKey;
      if (!picks || !this.calls.pick(this.place, event.shiftKey)) this.calls.open(this.place);
    });
    return cell;
  }

  /**
   * @param {HTMLElement} element
   * @param {Line} line
   */
  fill(element, line) {
    if (line.isHead) {
      element.replaceChildren(make("span", "group", line.group.name), make("span", "count", `${line.group.count.toLocaleString("en")}`));
      return;
    }
    [...element.children].forEach((cell, n) => {
      const place = line.start + n;
      this.fillCell(/** @type {HTMLElement} */ (cell), place, place < line.end);
    });
  }

  /**
   * @param {HTMLElement} cell
   * @param {number} place
   * @param {boolean} isThere
   */
  fillCell(cell, place, isThere) {
    const { table, answer, look } = this;
    if (!table || !answer || !look) return;
    const [image, name, ...texts] = /** @type {HTMLElement[]} */ ([...cell.children]);
    cell.hidden = !isThere;
    if (!isThere) {
      cell.removeAttribute("id");
      name.removeAttribute("id");
      this.pictures.forget(/** @type {HTMLImageElement} */ (image));
      return;
    }
    const row = answer.rows[place];
    (look.layout === "table" ? name : cell).id = `slide-${place}`;
    cell.dataset.place = String(place);
    cell.dataset.state = this.calls.mark(row);
    name.textContent = name.title = table.names[row];
    look.columns.forEach((column, n) => {
      const text = column.text(row);
      texts[n].textContent = text;
      texts[n].title = text && `${column.name}: ${text}`;
    });
    this.pictures.show(/** @type {HTMLImageElement} */ (image), this.calls.url(row));
  }

  /** Show which slide the keys mean. */
  mark() {
    for (const element of this.drawn.values()) {
      for (const cell of /** @type {Iterable<HTMLElement>} */ (element.children)) {
        const isHere = cell.dataset.place === String(this.place) && !cell.hidden;
        cell.classList.toggle("here", isHere);
        const row = this.answer?.rows[Number(cell.dataset.place)];
        cell.classList.toggle("picked", !cell.hidden && row !== undefined && this.calls.isPicked(row));
        const named = cell.role === "none" ? cell.children[1] : cell;
        if (cell.dataset.place) named.setAttribute("aria-selected", String(isHere));
      }
    }
    const id = `slide-${this.place}`;
    if (document.getElementById(id)) this.scroller.setAttribute("aria-activedescendant", id);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { answer, lines, scroller } = this;
    if (!answer?.rows.length || event.ctrlKey || event.metaKey || event.altKey || event.target !== scroller) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / lines.lineHeight) - 1) * lines.across;
    /** @type {Record<string, number>} */
    const steps = { ...ACROSS_KEYS, ArrowUp: -lines.across, ArrowDown: lines.across, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.calls.open(this.place);
    } else if (event.key === "x") {
      this.calls.pick(this.place, false);
    } else if (event.key in steps) {
      event.preventDefault();
      this.go(Math.min(answer.rows.length - 1, Math.max(0, this.place + steps[event.key])));
    }
  }

  /**
   * Mark a slide, and scroll to it if it is out of view.
   * @param {number} place in the order of the list
   */
  go(place) {
    const { lines, scroller } = this;
    this.place = place;
    if (!lines.count) return;
    const { top, height } = lines.line(lines.of(place));
    const titles = this.titles.hidden ? 0 : TITLES;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    const bottom = top + height + GAP + titles;
    if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
    this.draw();
  }
}
