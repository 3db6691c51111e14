// A table whose rows can be sorted and chosen, by mouse and keys.

/**
 * @typedef {object} Column
 * @property {string} label
 * @property {boolean} number whether it holds numbers, which are aligned right
 */

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} colour of the mark before the first cell; empty: none
 * @property {(string | number | null)[]} cells
 */

/**
 * Of `RowTable` in Python.
 * @typedef {object} Properties
 * @property {string} label
 * @property {Column[]} columns
 * @property {Row[]} rows
 * @property {string} value id of the row that is chosen
 * @property {Partial<{id: string, number: number}>} picked row that was clicked last
 */

const STEPS = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 });
const DIGITS = 3;

/**
 * Rows in the order of a column; what has no value comes last, either way.
 * @param {Row[]} rows
 * @param {number} column
 * @param {1 | -1} way 1: ascending
 */
export function sorted(rows, column, way) {
  const has = (/** @type {Row} */ { cells }) => cells[column] !== null && cells[column] !== "";
  const compare = (/** @type {Row} */ a, /** @type {Row} */ b) => {
    const [one, other] = [a.cells[column], b.cells[column]];
    if (typeof one === "number" && typeof other === "number") return way * (one - other);
    return way * String(one).localeCompare(String(other), undefined, { numeric: true });
  };
  return [...rows.filter(has).sort(compare), ...rows.filter((row) => !has(row))];
}

/** @param {string | number | null} cell */
function textOf(cell) {
  if (cell === null) return "";
  return typeof cell === "number" ? cell.toLocaleString(undefined, { maximumSignificantDigits: DIGITS }) : cell;
}

class RowTable {
  /** @type {{column: number, way: 1 | -1} | null} */
  order = null;

  number = 0;

  /** @param {ComponentModel<Properties>} model */
  constructor(model) {
    this.model = model;
    this.frame = document.createElement("div");
    this.frame.className = "frame";
    const table = this.frame.appendChild(document.createElement("table"));
    table.setAttribute("aria-label", model.label);
    this.head = table.createTHead().insertRow();
    this.body = table.createTBody();
    this.body.addEventListener("click", ({ target }) => target instanceof Element && this.pick(target.closest("tr")));
    this.body.addEventListener("keydown", (event) => this.press(event));
    model.on("columns", () => this.showHead());
    model.on("rows", () => this.showRows());
    model.on("value", () => this.mark());
    this.showHead();
    this.showRows();
  }

  showHead() {
    const cells = this.model.columns.map(({ label, number }, column) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.classList.toggle("number", number);
      const button = cell.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => this.sort(column));
      return cell;
    });
    this.head.replaceChildren(...cells);
    this.showOrder();
  }

  /** @param {number} column */
  sort(column) {
    const isSame = this.order?.column === column;
    this.order = { column, way: isSame && this.order?.way === 1 ? -1 : 1 };
    this.showOrder();
    this.showRows();
  }

  showOrder() {
    [...this.head.cells].forEach((cell, column) => {
      const way = this.order?.column === column ? this.order.way : 0;
      cell.setAttribute("aria-sort", way ? (way > 0 ? "ascending" : "descending") : "none");
    });
  }

  showRows() {
    const { rows } = this.model;
    const shown = this.order ? sorted(rows, this.order.column, this.order.way) : rows;
    this.body.replaceChildren(...shown.map((row) => this.rowOf(row)));
    this.mark();
  }

  /** @param {Row} row */
  rowOf({ id, colour, cells }) {
    const made = document.createElement("tr");
    made.dataset.id = id;
    cells.forEach((cell, column) => {
      const td = made.insertCell();
      td.textContent = textOf(cell);
      td.title = td.textContent;
      td.classList.toggle("number", this.model.columns[column]?.number);
    });
    if (colour) {
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.style.background = colour;
      made.cells[0]?.prepend(mark);
    }
    return made;
  }

  /** Show which row is chosen; that one, else the first, is reached with the Tab key. */
  mark() {
    const rows = [...this.body.rows];
    const chosen = rows.find((row) => row.dataset.id === this.model.value);
    for (const row of rows) {
      row.setAttribute("aria-selected", String(row === chosen));
      row.tabIndex = row === (chosen ?? rows[0]) ? 0 : -1;
    }
    if (chosen) this.reveal(chosen);
  }

  /**
   * Scroll to a row. Not scrollIntoView, which would scroll the drawer around the table, too.
   * @param {HTMLElement} row
   */
  reveal(row) {
    const { frame } = this;
    const head = this.head.offsetHeight;
    const [top, bottom] = [row.offsetTop - head, row.offsetTop + row.offsetHeight];
    if (top < frame.scrollTop) frame.scrollTop = top;
    if (bottom > frame.scrollTop + frame.clientHeight) frame.scrollTop = bottom - frame.clientHeight;
  }

  /** @param {Element | null} row */
  pick(row) {
    const id = row instanceof HTMLElement ? row.dataset.id : undefined;
    if (id) this.model.picked = { id, number: ++this.number };
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const row = event.target instanceof Element ? event.target.closest("tr") : null;
    if (!row) return;
    const step = STEPS[event.key];
    if (step) {
      const next = this.body.rows[row.sectionRowIndex + step];
      if (next) {
        row.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
    } else if (event.key === "Enter" || event.key === " ") this.pick(row);
    else return;
    event.preventDefault();
  }
}

/** @param {RenderArguments<Properties>} component */
export function render({ model, el }) {
  el.append(new RowTable(model).frame);
}
