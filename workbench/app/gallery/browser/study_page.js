// The gallery of a study: the table of slides, what of it is shown, and the viewer over it.

import { Assigning } from "./assigning.js";
import { byId, inputById, offer, selectById } from "./elements.js";
import { Filters } from "./filters.js";
import { SlideList } from "./list.js";
import { Pictures } from "./pictures.js";
import { Readers } from "./readers.js";
import { Reading } from "./reading.js";
import { Runs } from "./runs.js";
import { Selection } from "./selected_slides.js";
import { ask } from "./server.js";
import { SlideFrame } from "./slide_frame.js";
import { NAME, SlideTable } from "./table.js";
import { isText } from "../../viewer/browser/key_focus.js";

/**
 * @import {Answer, Question} from "./table.js"
 * @import {Look} from "./list.js"
 */

const TYPED_MS = 150;
const MOST_CAPTIONS = 2;
const MOST_COLUMNS = 14;
const KEPT = "workbench-gallery";
const FIELDS = ["sort", "group", "layer"];
const SLIDE = "#slide=";

class Gallery {
  constructor() {
    this.pictures = new Pictures();
    /** @type {SlideTable | null} */
    this.table = null;
    /** @type {Answer} */
    this.answer = { rows: new Uint32Array(0), groups: [] };
    this.descending = false;
    this.layout = "pictures";
    this.filters = new Filters(byId("filters"), () => this.find());
    this.list = new SlideList(byId("list"), this.pictures, {
      open: (place) => this.open(place),
      url: (row) => this.url(row),
      sort: (column) => this.sortBy(column),
      mark: (row) => this.marks?.text(row) ?? "",
      pick: (place, extending) => this.pick(place, extending),
      isPicked: (row) => this.selection.names.has(this.table?.names[row] ?? ""),
    });
    this.selection = new Selection(() => this.selected());
    this.assigning = new Assigning({ slides: () => this.slides, assigned: (worklist) => this.assigned(worklist) });
    this.readers = new Readers(() => this.assigning.open());
    this.reading = new Reading({
      open: (name) => this.openNamed(name),
      changed: () => this.load(),
      leave: () => this.frame.focus(),
    });
    this.frame = new SlideFrame({
      shown: (name) => this.reading.show(name),
      chosen: (name) => this.openNamed(name),
      closed: () => this.closed(),
      step: (step) => this.step(step),
      key: (event, taken) => this.reading.key(event, taken),
    });
    this.restore();
    this.listen();
    this.runs = new Runs((stamp) => this.seen(stamp));
    this.load();
  }

  listen() {
    const search = inputById("search");
    search.addEventListener("input", () => {
      clearTimeout(this.timer);
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      this.timer = setTimeout(() => this.find(), TYPED_MS);
    });
    for (const id of FIELDS) selectById(id).addEventListener("change", () => this.find());
    byId("direction").addEventListener("click", () => {
      this.descending = !this.descending;
      this.find();
    });
    for (const layout of ["pictures", "table"]) {
      byId(`as-${layout}`).addEventListener("click", () => {
        this.layout = layout;
        this.find();
      });
    }
    inputById("size").addEventListener("input", () => this.find());
    byId("next-open").addEventListener("click", () => this.reading.next());
    byId("unselect").addEventListener("click", () => this.selection.clear());
    byId("fold").addEventListener("click", () => this.fold());
    window.addEventListener("popstate", () => this.follow());
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** Read the table again once it has changed. */
  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      const message = await ask("table");
      this.table = new SlideTable(message);
      this.marks = this.table.columns.find(({ kind, name }) => kind === "reading" && /(^|: )state$/.test(name));
      this.leads = message.role === "lead";
      this.selection.keep((name) => this.table?.rowOf.has(name) ?? false);
      this.reading.offer(message);
      this.readers.offer(message);
      this.offer(this.table);
      this.find();
      if (!this.followed) this.follow();
    } catch (error) {
      byId("said").textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.loading = false;
    }
  }

  /** @param {string} stamp */
  seen(stamp) {
    if (this.table && stamp !== this.table.stamp) this.load();
  }

  /** @param {SlideTable} table */
  offer(table) {
    /** @type {Record<string, string>} */
    const headings = { slide: "Slide", label: "Labels", result: "Results", run: "Runs", flag: "Flags", reading: "Reading" };
    const columns = table.columns.map(({ name, kind }) => ({ value: name, text: name, heading: headings[kind] }));
    offer(selectById("sort"), [{ value: "", text: "Table order" }, { value: NAME, text: "Name" }, ...columns]);
    const grouping = table.columns.filter(({ levels }) => levels && levels.length > 1).map(({ name }) => ({ value: name, text: name }));
    offer(selectById("group"), [{ value: "", text: "No groups" }, ...grouping]);
    const layers = table.layers.flatMap(({ analysis, classes }) =>
      classes.map((name) => ({ value: JSON.stringify([analysis, name]), text: name, heading: analysis })),
    );
    offer(selectById("layer"), [{ value: "", text: "Slides" }, ...layers]);
    selectById("layer").parentElement?.toggleAttribute("hidden", !layers.length);
    this.filters.offer(table);
    if (this.wanted) {
      for (const id of FIELDS) {
        const select = selectById(id);
        if ([...select.options].some(({ value }) => value === this.wanted?.[id])) select.value = this.wanted[id];
      }
      this.wanted = undefined;
    }
  }

  /** @returns {Question} */
  get question() {
    const [sort, group] = ["sort", "group"].map((id) => selectById(id).value);
    return { words: inputById("search").value, filters: this.filters.chosen, sort, group, descending: this.descending };
  }

  /** Find what is asked for, and show it. */
  find() {
    const { table } = this;
    if (!table) return;
    const { question } = this;
    this.answer = table.ask(question);
    this.list.show(table, this.answer, this.look(table, question));
    const [found, all] = [this.answer.rows.length, table.names.length].map((number) => number.toLocaleString("en"));
    const groups = question.group ? ` in ${this.answer.groups.length.toLocaleString("en")} groups` : "";
    const slides = `${all} ${table.names.length === 1 ? "slide" : "slides"}`;
    byId("count").textContent = found === all ? `${slides}${groups}` : `${found} of ${slides}${groups}`;
    const direction = byId("direction");
    direction.textContent = question.descending ? "↓" : "↑";
    direction.setAttribute("aria-label", question.descending ? "Descending: sort ascending" : "Ascending: sort descending");
    for (const layout of ["pictures", "table"]) byId(`as-${layout}`).setAttribute("aria-pressed", String(layout === this.layout));
    byId("sizes").hidden = this.layout === "table";
    this.keep();
  }

  /**
   * @param {SlideTable} table
   * @param {Question} question
   * @returns {Look}
   */
  look(table, { sort, group, descending }) {
    const size = Number(inputById("size").value);
    const layout = this.layout === "table" ? "table" : "pictures";
    const sorted = table.byName.get(sort);
    const named = sorted && sorted.name !== NAME ? [sorted] : [];
    const readings = table.columns.filter(({ kind }) => kind === "reading");
    const rest = table.columns.filter((each) => each !== sorted && each.name !== group && each.kind !== "reading");
    const order = ["label", "result", "run", "flag", "slide"];
    rest.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    const cased = rest.filter(({ name }) => name === "case");
    const all = layout === "table"
      ? [...cased, ...readings, ...named, ...rest.filter(({ name }) => name !== "case")].slice(0, MOST_COLUMNS)
      : [...named, ...readings, ...rest.filter(({ levels, kind }) => levels && kind === "label"), ...cased].slice(0, MOST_CAPTIONS);
    return { layout, size, columns: all, sort, descending };
  }

  /** @param {number} row */
  url(row) {
    const { table } = this;
    if (!table) return "";
    const query = new URLSearchParams({ slide: table.names[row] });
    const chosen = selectById("layer").value;
    if (chosen) {
      const [analysis, name] = JSON.parse(chosen);
      query.set("analysis", analysis);
      query.set("class", name);
      query.set("v", table.stamp);
    }
    return `study/thumbnail?${query}`;
  }

  /** @param {string} column */
  sortBy(column) {
    const select = selectById("sort");
    this.descending = select.value === column && !this.descending;
    select.value = column;
    this.find();
  }

  /** @param {number} place in the order of the list */
  open(place) {
    const row = this.answer.rows[place];
    if (row === undefined || !this.table) return;
    const name = this.table.names[row];
    const isFirst = !this.frame.isOpen;
    this.list.go(place);
    const total = this.answer.rows.length.toLocaleString("en");
    this.frame.open(name, `${(place + 1).toLocaleString("en")} of ${total}`);
    const address = `${location.pathname}${location.search}${SLIDE}${encodeURIComponent(name)}`;
    if (isFirst && !location.hash.startsWith(SLIDE)) history.pushState({ opened: true }, "", address);
    else history.replaceState(history.state, "", address);
  }

  /**
   * Select a slide; only leads do something with a selection.
   * @param {number} place
   * @param {boolean} extending
   */
  pick(place, extending) {
    const { table } = this;
    if (!table || !this.leads) return false;
    const order = [...this.answer.rows].map((row) => table.names[row]);
    this.selection.pick(order[place], extending, order);
    return true;
  }

  selected() {
    const { size } = this.selection.names;
    byId("unselect").hidden = !size;
    byId("unselect").textContent = `${size.toLocaleString("en")} selected ✕`;
    this.list.mark();
  }

  /** Slides that can be assigned. */
  get slides() {
    const names = this.table?.names ?? [];
    const shown = [...this.answer.rows].map((row) => names[row]);
    return { shown, selected: [...this.selection.names], all: names.length };
  }

  /** @param {string} worklist that was made */
  async assigned(worklist) {
    this.selection.clear();
    await this.load();
    this.readers.open(worklist);
  }

  /** @param {number} step */
  step(step) {
    const place = this.list.place + step;
    if (place >= 0 && place < this.answer.rows.length) this.open(place);
  }

  closed() {
    this.reading.flush();
    byId("list").focus({ preventScroll: true });
    if (history.state?.opened) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }

  /** Show what the address names: a slide, or the gallery. */
  follow() {
    this.followed = true;
    const name = location.hash.startsWith(SLIDE) ? decodeURIComponent(location.hash.slice(SLIDE.length)) : "";
    if (this.table?.rowOf.has(name)) {
      if (!this.frame.isOpen || this.frame.name !== name) this.openNamed(name);
    } else if (this.frame.isOpen) {
      this.frame.close();
    }
  }

  /** @param {string} name of a slide */
  openNamed(name) {
    const row = this.table?.rowOf.get(name) ?? -1;
    if (row >= 0 && !this.answer.rows.includes(row)) {
      inputById("search").value = "";
      if (this.table) this.filters.reset(this.table);
    }
    const place = this.answer.rows.indexOf(row);
    if (place >= 0) this.open(place);
  }

  fold() {
    const isOpen = byId("filters").hidden;
    byId("filters").hidden = !isOpen;
    byId("fold").setAttribute("aria-expanded", String(isOpen));
    this.keep();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (this.frame.isOpen || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
      event.preventDefault();
      inputById("search").focus();
    } else if (event.key === "Escape" && event.target === inputById("search")) {
      byId("list").focus();
    } else if (event.key.toLowerCase() === "n" && !isText(event.composedPath())) {
      this.reading.next();
    }
  }

  /** Keep what is asked for until the tab is closed. */
  keep() {
    const state = {
      ...Object.fromEntries(FIELDS.map((id) => [id, selectById(id).value])),
      words: inputById("search").value,
      size: inputById("size").value,
      layout: this.layout,
      descending: this.descending,
      folded: byId("filters").hidden,
    };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(state));
    } catch {
      // Private windows may refuse; then a reload begins anew.
    }
  }

  restore() {
    try {
      const state = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      if (!state) return;
      this.wanted = state;
      inputById("search").value = state.words;
      inputById("size").value = state.size;
      this.layout = state.layout;
      this.descending = state.descending;
      byId("filters").hidden = state.folded;
      byId("fold").setAttribute("aria-expanded", String(!state.folded));
    } catch {
      // As above.
    }
  }
}

new Gallery();
