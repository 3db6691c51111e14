// Made by "make bundles"; change the modules instead. sha256 of them: 5e2f7a02e6b4340d7eceb8d27fda034875fb7d1a23ed64f9b6b27b8e585d95a9
// workbench/app/gallery/browser/elements.js
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
function button(text, act, className = "") {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}
function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`workbench: the page has no #${id}`);
  return element;
}
function selectById(id) {
  return (
    /** @type {HTMLSelectElement} */
    byId(id)
  );
}
function inputById(id) {
  return (
    /** @type {HTMLInputElement} */
    byId(id)
  );
}
function offer(select, choices) {
  const { value } = select;
  const headings = /* @__PURE__ */ new Map();
  select.replaceChildren();
  for (const choice of choices) {
    let into = (
      /** @type {HTMLElement} */
      select
    );
    if (choice.heading) {
      let heading = headings.get(choice.heading);
      if (!heading) {
        heading = make("optgroup");
        heading.setAttribute("label", choice.heading);
        headings.set(choice.heading, heading);
        select.append(heading);
      }
      into = heading;
    }
    into.append(new Option(choice.text, choice.value));
  }
  select.value = choices.some((each) => each.value === value) ? value : choices[0]?.value ?? "";
}

// workbench/app/gallery/browser/server.js
async function ask(path) {
  return told(await fetch(`study/${path}`));
}
async function tell(path, message) {
  const headers = { "Content-Type": "application/json", "X-Workbench": "1" };
  return told(await fetch(`study/${path}`, { method: "POST", headers, body: JSON.stringify(message) }));
}
function save(path, query, name) {
  const link = make("a");
  link.href = `study/${path}?${new URLSearchParams(query)}`;
  link.download = name;
  link.click();
}
var Refusal = class extends Error {
};
async function told(response) {
  const message = await response.json().catch(() => ({}));
  if (message.error) throw response.status < 500 ? new Refusal(message.error) : new Error(message.error);
  if (response.status === 403) throw new Error("You may not do this, or your login has ended: reload this page.");
  if (!response.ok) throw new Error(`The server answers with status ${response.status}.`);
  return message;
}

// workbench/app/gallery/browser/assigning.js
var PERCENT = 100;
var Assigning = class {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.dialog = /** @type {HTMLDialogElement} */
    byId("assign");
    this.said = byId("assign-said");
    this.readers = byId("assign-readers");
    this.scope = selectById("assign-slides");
    this.each = selectById("assign-each");
    this.button = /** @type {HTMLButtonElement} */
    byId("assign-start");
    byId("assign-close").addEventListener("click", () => this.dialog.close());
    this.button.addEventListener("click", () => this.start());
    this.dialog.addEventListener("input", () => this.preview());
    this.slides = { shown: [], selected: [], all: 0 };
  }
  async open() {
    this.said.textContent = "";
    this.slides = this.calls.slides();
    this.offerSlides();
    this.dialog.showModal();
    try {
      this.fill(await ask("worklists"));
    } catch (error) {
      this.tell(error);
    }
  }
  offerSlides() {
    const { shown, selected, all } = this.slides;
    const choices = [{ value: "all", text: `All ${count(all)}` }];
    if (shown.length < all) choices.unshift({ value: "shown", text: `The ${count(shown.length)} shown by filters and search` });
    if (selected.length) choices.unshift({ value: "selected", text: `The ${count(selected.length)} selected` });
    offer(this.scope, choices);
    this.scope.value = choices[0].value;
  }
  /** @param {Offer} message */
  fill({ forms, readers, progress }) {
    offer(selectById("assign-form"), forms.map(({ name: name2, title, questions }) => ({ value: name2, text: `${title} (${questions} questions)` })));
    byId("no-forms").hidden = forms.length > 0;
    const chosen = new Set(this.named);
    this.readers.replaceChildren(...readers.map(({ name: name2, role }) => this.reader(name2, role, chosen.has(name2))));
    const taken = new Set(progress.map(({ worklist }) => worklist));
    const name = inputById("assign-name");
    for (let n = 1; !name.value || taken.has(name.value); n += 1) name.value = `reading ${n}`;
    this.preview();
  }
  /**
   * @param {string} name
   * @param {string} role
   * @param {boolean} checked
   */
  reader(name, role, checked) {
    const label = make("label", "choice");
    const box = make("input");
    Object.assign(box, { type: "checkbox", value: name, checked });
    label.append(box, make("span", "text", role === "lead" ? `${name} (lead, blind to nothing)` : name));
    return label;
  }
  /** Names of the readers that are chosen or typed. */
  get named() {
    const boxes = (
      /** @type {NodeListOf<HTMLInputElement>} */
      this.readers.querySelectorAll("input:checked")
    );
    const typed = inputById("assign-others").value.split(",").map((name) => name.trim());
    return [.../* @__PURE__ */ new Set([...[...boxes].map(({ value }) => value), ...typed])].filter(Boolean);
  }
  /** Names of the slides; null: all. */
  get chosen() {
    const { value } = this.scope;
    return value === "selected" ? this.slides.selected : value === "shown" ? this.slides.shown : null;
  }
  /** Mean number of readers of a slide; 0: all. */
  get number() {
    const { value } = this.each;
    return value === "share" ? 1 + Number(inputById("assign-share").value) / PERCENT : Number(value);
  }
  /** Say what will be assigned. */
  preview() {
    byId("assign-second").hidden = this.each.value !== "share";
    const slides = this.chosen?.length ?? this.slides.all;
    byId("assign-preview").textContent = sentence(slides, this.named.length, this.number);
    this.button.disabled = !this.named.length || !slides || !selectById("assign-form").value;
  }
  async start() {
    const name = inputById("assign-name").value.trim();
    const blind = [.../** @type {NodeListOf<HTMLInputElement>} */
    byId("assign-blind").querySelectorAll("input:checked")].map(({ value }) => value);
    const message = { name, form: selectById("assign-form").value, readers: this.named, slides: this.chosen, each: this.number, blind };
    this.button.disabled = true;
    try {
      this.said.textContent = "";
      await tell("worklists", message);
      this.dialog.close();
      inputById("assign-name").value = "";
      this.calls.assigned(name);
    } catch (error) {
      this.tell(error);
    } finally {
      this.button.disabled = false;
    }
  }
  /** @param {unknown} error */
  tell(error) {
    this.said.textContent = error instanceof Error ? error.message : String(error);
  }
};
function sentence(slides, readers, each) {
  if (!readers) return "Choose who reads.";
  const total = Math.round(slides * (each || readers));
  const [low, high] = [Math.floor(total / readers), Math.ceil(total / readers)];
  const share2 = low === high ? count(low) : `${low.toLocaleString("en")} or ${count(high)}`;
  const twice = each > 1 && each < 2 ? `, ${(total - slides).toLocaleString("en")} of them read twice` : "";
  return `${count(slides)}${twice}; ${share2} for ${readers === 1 ? "the reader" : `each of ${readers} readers`}.`;
}
function count(slides) {
  return `${slides.toLocaleString("en")} ${slides === 1 ? "slide" : "slides"}`;
}

// workbench/app/gallery/browser/filters.js
var MOST_TEXTS = 40;
var BARS = 24;
var FEW_TEXTS = 8;
var MOST_OPENED = 3;
var HEADINGS = [["reading", "Reading"], ["label", "Labels"], ["result", "Results"], ["run", "Runs"], ["flag", "Flags"], ["slide", "Slide"]];
var Filters = class {
  /**
   * @param {HTMLElement} panel
   * @param {() => void} changed
   */
  constructor(panel, changed) {
    this.panel = panel;
    this.changed = changed;
    this.chosen = /* @__PURE__ */ new Map();
    this.opened = void 0;
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
    const order2 = [...levels.keys()].sort((a, b) => counts[b] - counts[a]).slice(0, MOST_TEXTS);
    if (levels.length <= MOST_TEXTS) order2.sort((a, b) => a - b);
    const choices = make("div", "choices");
    choices.append(...order2.map((level) => this.choice(column.name, levels[level], counts[level])));
    if (levels.length > order2.length) choices.append(make("p", "more", `${(levels.length - order2.length).toLocaleString("en")} more: search for them.`));
    return choices;
  }
  /**
   * @param {string} name
   * @param {string} text
   * @param {number} count
   */
  choice(name, text, count2) {
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
    label.append(box, make("span", "text", text || "(none)"), make("span", "count", count2.toLocaleString("en")));
    return label;
  }
  /** @param {Column} column */
  range(column) {
    const values = (
      /** @type {number[]} */
      (column.numbers ?? []).filter((value) => value !== null)
    );
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
      const [least, most] = [from, to].map(({ value }) => value.trim() === "" ? NaN : Number(value));
      const limits = { ...Number.isNaN(least) ? {} : { low: least }, ...Number.isNaN(most) ? {} : { high: most } };
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
    if (value !== void 0) end.value = String(value);
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
    for (
      const fold of
      /** @type {NodeListOf<HTMLElement>} */
      this.panel.querySelectorAll(".filter")
    ) {
      fold.classList.toggle("used", this.chosen.has(fold.dataset.column ?? ""));
    }
  }
};
function isUseful(column) {
  if (column.levels) return column.levels.length > 1;
  return column.numbers !== null && new Set(column.numbers.slice(0, 1e3)).size > 1;
}
function bars(values, low, high) {
  const counts = new Uint32Array(BARS);
  for (const value of values) counts[Math.min(BARS - 1, Math.floor(BARS * (value - low) / (high - low || 1)))] += 1;
  const most = Math.max(1, ...counts);
  const element = make("div", "bars");
  element.setAttribute("aria-hidden", "true");
  for (const count2 of counts) {
    const bar = make("span");
    bar.style.height = `${100 * count2 / most}%`;
    element.append(bar);
  }
  return element;
}

// workbench/app/gallery/browser/lines.js
var Lines = class {
  /**
   * @param {Group[]} groups
   * @param {number} across slides on a line
   * @param {number} height of a line of slides, in px
   * @param {number} head height of the head of a group, in px; 0: groups have none
   */
  constructor(groups, across, height, head) {
    this.groups = groups;
    this.across = across;
    this.lineHeight = height;
    this.headHeight = head;
    this.hasHeads = head > 0 ? 1 : 0;
    this.firsts = new Float64Array(groups.length + 1);
    this.tops = new Float64Array(groups.length + 1);
    groups.forEach(({ count: count2 }, n) => {
      const lines = Math.ceil(count2 / across);
      this.firsts[n + 1] = this.firsts[n] + lines + this.hasHeads;
      this.tops[n + 1] = this.tops[n] + lines * height + head;
    });
  }
  get count() {
    return this.firsts[this.groups.length];
  }
  get height() {
    return this.tops[this.groups.length];
  }
  /**
   * The line of a number, from 0.
   * @param {number} index
   * @returns {Line}
   */
  line(index) {
    const n = last(this.firsts, index, this.groups.length);
    const group = this.groups[n];
    const within = index - this.firsts[n] - this.hasHeads;
    const isHead = within < 0;
    const start = group.start + Math.max(0, within) * this.across;
    return {
      isHead,
      group,
      top: this.tops[n] + (isHead ? 0 : this.headHeight + within * this.lineHeight),
      height: isHead ? this.headHeight : this.lineHeight,
      start,
      end: isHead ? start : Math.min(group.start + group.count, start + this.across)
    };
  }
  /**
   * The number of the line at a height.
   * @param {number} y in px
   */
  at(y) {
    if (!this.groups.length) return 0;
    const n = last(this.tops, Math.max(0, y), this.groups.length);
    const within = Math.floor((y - this.tops[n] - this.headHeight) / this.lineHeight);
    const index = this.firsts[n] + this.hasHeads + Math.max(-this.hasHeads, within);
    return Math.min(this.count - 1, Math.max(0, index));
  }
  /**
   * The number of the line with a slide.
   * @param {number} place of the slide in the order of the list
   */
  of(place) {
    let n = 0;
    let end = this.groups.length;
    while (end - n > 1) {
      const middle = n + end >> 1;
      if (this.groups[middle].start <= place) n = middle;
      else end = middle;
    }
    return this.firsts[n] + this.hasHeads + Math.floor((place - this.groups[n].start) / this.across);
  }
};
function last(values, value, count2) {
  let low = 0;
  let high = count2;
  while (high - low > 1) {
    const middle = low + high >> 1;
    if (values[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}

// workbench/app/gallery/browser/list.js
var SPARE = 3;
var GAP = 10;
var HEAD = 34;
var ROW = 44;
var TITLES = 30;
var CAPTION = 18;
var CARD_EDGE = 30;
var SHAPE = 0.75;
var LONGEST = 26;
var ACROSS_KEYS = { ArrowLeft: -1, ArrowRight: 1 };
var SlideList = class {
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
    this.drawn = /* @__PURE__ */ new Map();
    this.spare = /* @__PURE__ */ new Map();
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
    this.place = before === void 0 ? 0 : Math.max(0, answer.rows.indexOf(before));
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
      const line2 = lines.line(index);
      const kind = line2.isHead ? "head" : this.look?.layout ?? "table";
      const element = this.spare.get(kind)?.pop() ?? this.newLine(kind);
      element.hidden = false;
      element.style.transform = `translateY(${line2.top}px)`;
      element.setAttribute("aria-rowindex", String(index + 1));
      this.fill(element, line2);
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
  fill(element, line2) {
    if (line2.isHead) {
      element.replaceChildren(make("span", "group", line2.group.name), make("span", "count", `${line2.group.count.toLocaleString("en")}`));
      return;
    }
    [...element.children].forEach((cell, n) => {
      const place = line2.start + n;
      this.fillCell(
        /** @type {HTMLElement} */
        cell,
        place,
        place < line2.end
      );
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
    const [image, name, ...texts] = (
      /** @type {HTMLElement[]} */
      [...cell.children]
    );
    cell.hidden = !isThere;
    if (!isThere) {
      cell.removeAttribute("id");
      name.removeAttribute("id");
      this.pictures.forget(
        /** @type {HTMLImageElement} */
        image
      );
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
    this.pictures.show(
      /** @type {HTMLImageElement} */
      image,
      this.calls.url(row)
    );
  }
  /** Show which slide the keys mean. */
  mark() {
    for (const element of this.drawn.values()) {
      for (
        const cell of
        /** @type {Iterable<HTMLElement>} */
        element.children
      ) {
        const isHere = cell.dataset.place === String(this.place) && !cell.hidden;
        cell.classList.toggle("here", isHere);
        const row = this.answer?.rows[Number(cell.dataset.place)];
        cell.classList.toggle("picked", !cell.hidden && row !== void 0 && this.calls.isPicked(row));
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
};

// workbench/app/gallery/browser/pictures.js
var CALM_MS = 90;
var AT_ONCE = 4;
var MOST_KNOWN = 4e3;
var Pictures = class {
  constructor() {
    this.wanted = /* @__PURE__ */ new Map();
    this.loading = /* @__PURE__ */ new Set();
    this.known = /* @__PURE__ */ new Set();
    this.timer = void 0;
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
      const end = (loaded) => {
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
};

// workbench/app/gallery/browser/readers.js
var LOOK_MS = 4e3;
var STATES = ["done", "discuss", "in work", "open"];
var Readers = class {
  /** @param {() => void} assign slides to readers */
  constructor(assign) {
    this.dialog = /** @type {HTMLDialogElement} */
    byId("agreement");
    this.table = byId("progress");
    this.body = byId("agreement-body");
    this.choice = selectById("agreement-worklist");
    byId("agreement-open").addEventListener("click", () => this.open());
    byId("agreement-close").addEventListener("click", () => this.dialog.close());
    byId("assign-open").addEventListener("click", () => {
      this.dialog.close();
      assign();
    });
    this.choice.addEventListener("change", () => this.agree());
  }
  /** @param {{worklists: Worklist[], role: string}} message */
  offer({ worklists, role }) {
    byId("agreement-open").hidden = role !== "lead";
    offer(this.choice, worklists.map(({ name }) => ({ value: name, text: name })));
    byId("agreement-choice").hidden = worklists.length < 2;
  }
  /** @param {string} [worklist] whose agreement is shown */
  async open(worklist) {
    if (worklist) this.choice.value = worklist;
    if (!this.dialog.open) this.dialog.showModal();
    this.look();
    await this.agree();
  }
  /** Show how far all readers are, as long as the dialog is open. */
  async look() {
    clearTimeout(this.timer);
    if (!this.dialog.open) return;
    try {
      const { progress } = await ask("worklists");
      this.show(progress);
    } catch (error) {
      this.table.replaceChildren(make("caption", "failed", error instanceof Error ? error.message : String(error)));
    }
    this.timer = setTimeout(() => this.look(), LOOK_MS);
  }
  /** @param {(ReaderProgress & Record<string, number>)[]} rows */
  show(rows) {
    byId("no-worklists").hidden = rows.length > 0;
    this.table.hidden = !rows.length;
    const top = make("tr");
    top.append(...["worklist", "reader", "", ...STATES, "slides", "last answer"].map((text) => make("th", "", text)));
    const lines = rows.map((row, n) => {
      const line2 = make("tr");
      const ended = row.done + row.discuss;
      const bar = make("progress");
      [bar.value, bar.max] = [ended, row.slides];
      bar.setAttribute("aria-label", `${row.reader}: ${ended} of ${row.slides} slides of ${row.worklist} are read`);
      const cell = make("td");
      cell.append(bar);
      const worklist = rows[n - 1]?.worklist === row.worklist ? "" : row.worklist;
      line2.append(make("td", "", worklist), make("td", "", row.reader), cell);
      line2.append(...[...STATES.map((state) => row[state]), row.slides].map((number) => make("td", "number", number.toLocaleString("en"))));
      line2.append(make("td", "", row.last ? new Date(row.last).toLocaleString() : "–"));
      return line2;
    });
    this.table.replaceChildren(top, ...lines);
  }
  /** Show how far the readers of a worklist agree. */
  async agree() {
    const name = this.choice.value;
    this.body.hidden = !name;
    if (!name) return;
    this.body.replaceChildren(make("p", "", "Computing the agreement…"));
    try {
      const { agreement, method, discuss } = await ask(`agreement?${new URLSearchParams({ worklist: name })}`);
      if (this.choice.value !== name) return;
      const rows = agreement.map((each) => [each.question, each.measure, each.readers, each.slides, share(each.value), `${share(each.low)} to ${share(each.high)}`]);
      this.body.replaceChildren(
        make("h3", "", `Agreement: ${name}`),
        make("p", "", discuss ? `${discuss} ${discuss === 1 ? "slide" : "slides"} to discuss: sort the gallery by "to discuss".` : "No slide is to be discussed."),
        ...rows.length ? [tableOf(["question", "measure", "readers", "slides", "value", "95 %"], rows), make("p", "", method)] : [make("p", "", "No two readers are done with the same slide yet.")],
        button("Save the answers as CSV", () => save("answers.csv", { worklist: name }, `${name}.csv`), "quiet")
      );
    } catch (error) {
      this.body.replaceChildren(make("p", "failed", error instanceof Error ? error.message : String(error)));
    }
  }
};
function share(value) {
  return value === null ? "–" : value.toFixed(2);
}
function tableOf(head, rows) {
  const table = make("table");
  const top = make("tr");
  top.append(...head.map((text) => make("th", "", text)));
  const lines = rows.map((cells) => {
    const row = make("tr");
    row.append(...cells.map((cell) => make("td", typeof cell === "number" ? "number" : "", String(cell ?? ""))));
    return row;
  });
  table.append(top, ...lines);
  return table;
}

// workbench/app/gallery/browser/form.js
var KEYS = 9;
var Form = class {
  /**
   * @param {HTMLElement} panel
   * @param {Calls} calls
   */
  constructor(panel, calls) {
    this.panel = panel;
    this.calls = calls;
    this.questions = [];
    this.answers = {};
    panel.addEventListener("keydown", (event) => this.press(event));
  }
  /**
   * @param {FormMessage} form
   * @param {Answers} answers
   * @param {string[]} ends labels of the buttons that end it: done, and discuss if there is one
   */
  show(form, answers, ends) {
    this.questions = form.questions;
    this.answers = { ...answers };
    this.problem = make("p", "problem");
    this.problem.setAttribute("role", "alert");
    const [done, discuss] = ends;
    const buttons = make("p", "ends");
    buttons.append(button(done, () => this.end("done"), "main"));
    if (discuss) buttons.append(button(discuss, () => this.end("discuss")));
    this.panel.replaceChildren(make("h2", "", form.title), ...form.questions.map((each, n) => this.field(each, n)), this.problem, buttons);
  }
  /** Take the form away: what is typed until the next one comes is of no slide. */
  clear() {
    this.questions = [];
    this.answers = {};
    this.panel.replaceChildren();
  }
  /**
   * @param {Question} question
   * @param {number} number
   */
  field(question, number) {
    const field = make("fieldset", "question");
    field.dataset.number = String(number);
    field.append(make("legend", "", question.required ? `${question.title} *` : question.title));
    if (question.kind === "choice") field.append(...question.choices.map((text, n) => this.choice(question, text, n)));
    else field.append(this.input(question));
    return field;
  }
  /**
   * @param {Question} question
   * @param {string} text
   * @param {number} place
   */
  choice(question, text, place) {
    const label = make("label", "answer");
    const box = make("input");
    Object.assign(box, { type: "radio", name: question.name, value: text });
    box.checked = this.answers[question.name] === text;
    box.addEventListener("change", () => this.set(question, text));
    label.append(box, make("span", "text", text));
    if (place < KEYS) label.append(make("kbd", "", String(place + 1)));
    return label;
  }
  /** @param {Question} question */
  input(question) {
    const isText2 = question.kind === "text";
    const input = make(isText2 ? "textarea" : "input");
    input.setAttribute("aria-label", question.title);
    input.name = question.name;
    if (input instanceof HTMLInputElement) {
      Object.assign(input, { type: "number", step: question.whole ? "1" : "any" });
      if (question.low !== null) input.min = String(question.low);
      if (question.high !== null) input.max = String(question.high);
    } else {
      Object.assign(input, { rows: 3, maxLength: 4e3 });
    }
    input.value = String(this.answers[question.name] ?? "");
    input.addEventListener("input", () => {
      const { value } = input;
      if (isText2 || value === "") this.set(question, value);
      else if (input.checkValidity() && Number.isFinite(Number(value))) this.set(question, Number(value));
    });
    return input;
  }
  /**
   * @param {Question} question
   * @param {string | number} answer
   */
  set(question, answer) {
    if (answer === "") delete this.answers[question.name];
    else this.answers[question.name] = answer;
    if (this.problem) this.problem.textContent = "";
    this.calls.changed({ ...this.answers });
  }
  /** What keeps the slide from being done; empty: nothing. */
  get missing() {
    const wrong = (
      /** @type {HTMLInputElement | null} */
      this.panel.querySelector("input:invalid")
    );
    if (wrong) return `${wrong.getAttribute("aria-label")}: ${wrong.validationMessage}`;
    const open = this.questions.find(({ name, required }) => required && !(name in this.answers));
    return open ? `${open.title}: answer it, or mark the slide to be discussed.` : "";
  }
  /** @param {"done" | "discuss"} state */
  end(state) {
    const { missing } = this;
    if (state === "done" && missing) {
      if (this.problem) this.problem.textContent = missing;
      const wrong = (
        /** @type {HTMLElement | null} */
        this.panel.querySelector("input:invalid")
      );
      if (wrong) wrong.focus();
      else this.focus();
      return;
    }
    this.calls.end(state);
  }
  /** Go to the first question without an answer, else to the first. */
  focus() {
    const open = this.questions.findIndex(({ name }) => !(name in this.answers));
    this.go(Math.max(0, open));
  }
  /** @param {number} number of a question */
  go(number) {
    const field = this.panel.querySelector(`[data-number="${number}"]`);
    const inputs = (
      /** @type {HTMLInputElement[]} */
      [...field?.querySelectorAll("input, textarea") ?? []]
    );
    const target = inputs.find(({ checked }) => checked) ?? inputs[0];
    if (target) target.focus();
    else this.panel.querySelector("button.main")?.focus();
  }
  /** @param {KeyboardEvent} event */
  press(event) {
    const target = (
      /** @type {HTMLInputElement} */
      event.target
    );
    const number = Number(
      /** @type {HTMLElement | null} */
      target.closest?.(".question")?.dataset.number ?? NaN
    );
    const question = this.questions[number];
    if (!question || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(event.key) - 1;
    if (question.kind === "choice" && place >= 0 && place < Math.min(KEYS, question.choices.length)) {
      const box = (
        /** @type {HTMLInputElement} */
        this.panel.querySelectorAll(`[data-number="${number}"] input`)[place]
      );
      box.checked = true;
      this.set(question, question.choices[place]);
    } else if (event.key !== "Enter" || event.shiftKey) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.go(number + 1);
  }
};

// workbench/app/gallery/browser/outbox.js
var KEY = "workbench-answers";
var AGAIN_MS = 2e3;
var Outbox = class {
  /**
   * @param {Door} door
   * @param {(state: "saved" | "sending" | "waiting", refusal: string) => void} changed
   */
  constructor(door, changed) {
    this.door = door;
    this.changed = changed;
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
    const sending = this.busy ? 1 : 0;
    const same = (each, n) => n >= sending && each.state === "in work" && each.worklist === message.worklist && each.slide === message.slide && !each.consensus;
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
};

// workbench/app/gallery/browser/drawn_regions.js
var Regions = class {
  constructor() {
    this.dialog = /** @type {HTMLDialogElement} */
    byId("regions");
    this.body = byId("regions-body");
    byId("regions-close").addEventListener("click", () => this.dialog.close());
  }
  /**
   * @param {string} worklist
   * @param {string} slide
   */
  async open(worklist, slide) {
    byId("regions-title").textContent = `Drawn on ${slide}`;
    this.body.replaceChildren(make("p", "", "Reading…"));
    this.dialog.showModal();
    try {
      const { readers, overlaps } = await ask(`regions?${new URLSearchParams({ worklist, slide })}`);
      this.show(worklist, slide, readers, overlaps);
    } catch (error) {
      this.body.replaceChildren(make("p", "failed", error instanceof Error ? error.message : String(error)));
    }
  }
  /**
   * @param {string} worklist
   * @param {string} slide
   * @param {ReaderOfSlide[]} readers
   * @param {{class: string, readers: string[], dice: number}[]} overlaps
   */
  show(worklist, slide, readers, overlaps) {
    if (!readers.some(({ shapes }) => shapes)) {
      this.body.replaceChildren(make("p", "", "No reader of this slide has drawn anything yet."));
      return;
    }
    const pictures = make("div", "figures");
    const figure = (reader, captions) => {
      const holder = make("figure");
      const image = make("img");
      image.alt = reader ? `What ${reader} has drawn` : "What all readers have drawn";
      image.src = `study/regions.jpg?${new URLSearchParams({ worklist, slide, reader, v: String(Date.now()) })}`;
      const caption = make("figcaption");
      caption.append(...captions);
      holder.append(image, caption);
      return holder;
    };
    pictures.append(figure("", readers.map(key)), ...readers.map((reader) => figure(reader.name, [key(reader), ...reader.drawn.map(line)])));
    const rows = overlaps.map((each) => [each.class, each.readers.join(", "), each.dice.toFixed(2)]);
    this.body.replaceChildren(pictures, ...rows.length ? [tableOf2(["class", "readers", "Dice"], rows)] : []);
  }
};
function key({ name, colour }) {
  const element = make("span", "key", name);
  element.style.setProperty("--reader", colour);
  return element;
}
function line(drawn) {
  const area = drawn.mm2 === null || !drawn.mm2 ? "" : `, ${drawn.mm2} mm²`;
  return make("span", "drawn", `${drawn.class}: ${drawn.shapes}${area}`);
}
function tableOf2(head, rows) {
  const table = make("table", "plain");
  const lines = [head, ...rows].map((cells, n) => {
    const row = make("tr");
    row.append(...cells.map((text) => make(n ? "td" : "th", "", text)));
    return row;
  });
  table.append(...lines);
  return table;
}

// workbench/app/gallery/browser/reading.js
var TYPED_MS = 600;
var AGAIN_MS2 = 2e3;
var SAID = { saved: "Saved", sending: "Saving…", waiting: "Not saved: the server does not answer. Trying again…" };
var Reading = class {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.panel = byId("reading");
    this.said = byId("reading-said");
    this.replies = byId("replies");
    this.form = new Form(byId("form"), { changed: (answers) => this.changed(answers), end: (state) => this.end(state) });
    this.choice = selectById("worklist");
    this.worklists = [];
    this.states = /* @__PURE__ */ new Map();
    this.role = "";
    this.user = "";
    this.slide = "";
    this.pending = null;
    this.opened = 0;
    this.hadFocus = false;
    const door = {
      tell: ({ user: _, ...message }) => tell("reading", message),
      storage: localStorage,
      later: (call, ms) => setTimeout(call, ms)
    };
    this.outbox = new Outbox(door, (state, refusal) => this.saved(state, refusal));
    this.regions = new Regions();
    byId("regions-open").addEventListener("click", () => this.regions.open(this.worklist?.name ?? "", this.slide));
    this.choice.addEventListener("change", () => this.show(this.slide));
    window.addEventListener("pagehide", () => this.flush());
  }
  /**
   * @param {{worklists: Worklist[], role: string, user: string}} message
   */
  offer({ worklists, role, user }) {
    this.worklists = worklists;
    [this.role, this.user] = [role, user];
    offer(this.choice, worklists.map(({ name }) => ({ value: name, text: name })));
    this.choice.hidden = worklists.length < 2;
    byId("next-open").hidden = !worklists.some(({ reads }) => reads);
    for (const { name, slides, states } of worklists) {
      slides.forEach((slide, n) => this.states.set(`${name}
${slide}`, this.outbox.last(name, slide)?.state ?? states[n]));
    }
    this.outbox.waiting = this.outbox.waiting.filter((each) => each.user === user);
    this.outbox.send();
  }
  /** The worklist whose form is shown: the chosen one, if it has the slide. */
  get worklist() {
    const chosen = this.worklists.find(({ name }) => name === this.choice.value);
    const having = this.worklists.filter(({ slides }) => slides.includes(this.slide));
    return chosen && having.includes(chosen) ? chosen : having[0];
  }
  /**
   * Show the form of a slide, if it is in a worklist.
   * @param {string} slide
   */
  async show(slide) {
    this.flush();
    this.slide = slide;
    this.hadFocus ||= this.panel.contains(document.activeElement);
    this.form.clear();
    const { worklist } = this;
    this.panel.hidden = !worklist || !worklist.reads && this.role !== "lead";
    if (!worklist || this.panel.hidden) return;
    this.opened = performance.now();
    this.said.textContent = "";
    const query = new URLSearchParams({ worklist: worklist.name, slide });
    try {
      const found = await ask(`reading?${query}`);
      if (this.slide === slide) this.fill(worklist, found);
    } catch (error) {
      if (this.slide !== slide) return;
      this.said.textContent = error instanceof Error ? error.message : String(error);
      if (!(error instanceof Refusal)) setTimeout(() => this.slide === slide && this.show(slide), AGAIN_MS2);
    }
  }
  /**
   * @param {Worklist} worklist
   * @param {{own?: Reply | null, others?: Reply[], consensus?: Reply | null}} found
   */
  fill(worklist, { own, others = [], consensus }) {
    this.said.textContent = "";
    this.isConsensus = !worklist.reads;
    const known = this.outbox.last(worklist.name, this.slide) ?? (this.isConsensus ? consensus : own);
    const ends = this.isConsensus ? ["Enter the consensus"] : ["Done, next  D", "Discuss, next  T"];
    this.form.show(worklist.form, known?.answers ?? {}, ends);
    this.showReplies(others, consensus, worklist);
    byId("regions-open").hidden = this.role !== "lead";
    this.state = known?.state ?? "open";
    this.tellState(this.isConsensus ? "consensus" : this.state);
    if (this.hadFocus || !this.isConsensus) this.form.focus();
    this.hadFocus = false;
  }
  /**
   * The answers of the readers side by side; those that differ are marked.
   * @param {Reply[]} others
   * @param {Reply | null | undefined} consensus
   * @param {Worklist} worklist
   */
  showReplies(others, consensus, worklist) {
    this.replies.hidden = !others.length;
    const shown = consensus ? [...others, { ...consensus, reader: "consensus" }] : others;
    const head = make("tr");
    head.append(make("td"), ...shown.map(({ reader }) => header(reader)));
    const rows = worklist.form.questions.map(({ name, title }) => {
      const row = make("tr");
      const cells = shown.map(({ answers }) => make("td", "", String(answers[name] ?? "–")));
      if (new Set(others.map(({ answers }) => answers[name])).size > 1) row.className = "differs";
      row.append(header(title), ...cells);
      return row;
    });
    const states = make("tr");
    states.append(header("state"), ...shown.map(({ state }) => make("td", "", state)));
    this.replies.replaceChildren(head, ...rows, states);
  }
  /** @param {Answers} answers */
  changed(answers) {
    if (this.isConsensus) return;
    this.pending = this.message(answers, this.state === "done" ? "done" : "in work");
    if (this.pending.state === "done" && this.form.missing) this.pending.state = "in work";
    this.state = this.pending.state;
    this.tellState(this.state);
    this.said.textContent = "…";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), TYPED_MS);
  }
  /** @param {string} state */
  tellState(state) {
    const { worklist, worklists } = this;
    byId("reading-state").textContent = worklist && worklists.length > 1 ? `${worklist.name}: ${state}` : state;
  }
  /** Send what was answered since the last time. */
  flush() {
    clearTimeout(this.timer);
    const { pending } = this;
    this.pending = null;
    if (pending) this.outbox.put(pending);
  }
  /**
   * @param {Answers} answers
   * @param {string} state
   * @returns {Sent}
   */
  message(answers, state) {
    const seconds = Math.round((performance.now() - this.opened) / 100) / 10;
    const id = crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-");
    return { id, user: this.user, worklist: this.worklist?.name ?? "", slide: this.slide, answers: { ...answers }, state, seconds, ...this.isConsensus ? { consensus: true } : {} };
  }
  /** @param {"done" | "discuss"} state */
  end(state) {
    const { worklist } = this;
    if (!worklist) return;
    clearTimeout(this.timer);
    this.pending = null;
    this.outbox.put(this.message(this.form.answers, state));
    if (!this.isConsensus) this.states.set(`${worklist.name}
${this.slide}`, state);
    this.tellState(state);
    if (!this.isConsensus) this.next(worklist);
  }
  /**
   * Open the next slide that is open or in work.
   * @param {Worklist | undefined} worklist
   */
  next(worklist = this.worklist ?? this.worklists.find(({ reads }) => reads)) {
    if (!worklist) return;
    const { slides, name } = worklist;
    const here = slides.indexOf(this.slide);
    const order2 = [...slides.slice(here + 1), ...slides.slice(0, here + 1)];
    const found = order2.find((slide) => !["done", "discuss"].includes(this.states.get(`${name}
${slide}`) ?? ""));
    if (found) this.calls.open(found);
    else this.said.textContent = "All slides of this worklist are read.";
  }
  /**
   * @param {keyof typeof SAID} state
   * @param {string} refusal
   */
  saved(state, refusal) {
    this.said.textContent = refusal || SAID[state];
    this.said.classList.toggle("failed", refusal !== "" || state === "waiting");
    if (state === "saved") this.calls.changed();
  }
  /**
   * Keys that act on the slide as on the form.
   * @param {KeyboardEvent} event
   * @param {boolean} taken whether a field has it
   */
  key(event, taken) {
    if (this.panel.hidden || taken || event.ctrlKey || event.metaKey || event.altKey) return false;
    const inForm = this.panel.contains(document.activeElement);
    const act = this.actions(inForm)[event.key.toLowerCase()];
    act?.();
    return act !== void 0;
  }
  /**
   * What keys do now.
   * @param {boolean} inForm
   * @returns {Record<string, (() => void) | undefined>}
   */
  actions(inForm) {
    const leave = () => this.calls.leave();
    const reads = this.worklist?.reads;
    return {
      q: inForm ? leave : () => this.form.focus(),
      n: reads ? () => this.next() : void 0,
      d: inForm ? () => this.form.end("done") : void 0,
      t: inForm && reads ? () => this.form.end("discuss") : void 0,
      escape: inForm ? leave : void 0
    };
  }
};
function header(text) {
  const cell = make("th", "", text);
  cell.scope = "row";
  return cell;
}

// workbench/app/gallery/browser/runs.js
var BUSY_MS = 1500;
var IDLE_MS = 5e3;
var Runs = class {
  /** @param {(stamp: string) => void} seen called with the stamp of the table */
  constructor(seen) {
    this.seen = seen;
    this.list = byId("runs");
    this.dialog = /** @type {HTMLDialogElement} */
    byId("run-dialog");
    this.said = byId("run-said");
    this.hasSettings = false;
    byId("run-new").addEventListener("click", () => this.open());
    byId("run-start").addEventListener("click", () => this.start());
    byId("run-close").addEventListener("click", () => this.dialog.close());
    byId("advise").addEventListener("click", () => this.advise(false));
    byId("accept").addEventListener("click", () => this.advise(true));
    this.rows = /* @__PURE__ */ new Map();
    this.look();
  }
  async look() {
    clearTimeout(this.timer);
    let wait = IDLE_MS;
    try {
      const progress = (
        /** @type {Progress} */
        await ask("progress")
      );
      this.show(progress);
      this.seen(progress.stamp);
      if (progress.advice?.busy || progress.runs?.some(({ busy }) => busy)) wait = BUSY_MS;
    } catch (error) {
      this.tell(error);
    }
    this.timer = setTimeout(() => this.look(), wait);
  }
  /** @param {Progress} progress */
  show({ runs, advice }) {
    this.list.parentElement?.toggleAttribute("hidden", !runs);
    if (!runs || !advice) return;
    for (const [name, row] of this.rows) {
      if (runs.some((run) => run.name === name)) continue;
      row.remove();
      this.rows.delete(name);
    }
    for (const run of runs) this.showRun(run);
    byId("advice-said").textContent = advice.sentence;
    byId("reference").textContent = advice.reference ? `Reference of the study: ${advice.reference}` : "The study has no reference of its own.";
    byId("accept").hidden = !advice.proposed || advice.busy;
    byId("accept").textContent = `Set ${advice.proposed} as the reference`;
    byId("advise").disabled = advice.busy;
  }
  /** @param {Run} run */
  showRun(run) {
    let row = this.rows.get(run.name);
    if (!row) {
      row = make("li", "run");
      row.append(make("strong"), make("progress"), make("span", "sentence"), make("span", "buttons"));
      this.rows.set(run.name, row);
      this.list.append(row);
    }
    const [name, bar, sentence2, buttons] = (
      /** @type {HTMLElement[]} */
      [...row.children]
    );
    name.textContent = run.name;
    bar.value = run.fraction;
    bar.setAttribute("aria-label", run.name);
    sentence2.textContent = run.error || `${run.sentence}${run.control === "work" ? "" : ` (${run.control})`}`;
    sentence2.title = run.slides.join("\n");
    sentence2.classList.toggle("failed", run.error !== "");
    const actions = actionsOf(run);
    const key2 = [...actions.map(([text]) => text), run.busy].join();
    if (buttons.dataset.key === key2) return;
    buttons.dataset.key = key2;
    buttons.replaceChildren(...actions.map(([text, action]) => button(text, () => this.control(run.name, action), "quiet")));
    if (!run.busy) buttons.append(button("Report", () => save("report.html", { analysis: run.name }, `${run.name}.html`), "quiet"));
  }
  /**
   * @param {string} name
   * @param {string} action
   */
  async control(name, action) {
    await this.change("run", { name, action });
  }
  async open() {
    this.said.textContent = "";
    this.dialog.showModal();
    if (this.hasSettings) return;
    const { models, methods } = await ask("settings");
    offer(selectById("run-model"), models.map((value) => ({ value, text: value })));
    offer(selectById("run-method"), methods.map((value) => ({ value, text: value })));
    this.hasSettings = true;
  }
  async start() {
    const [model, normalize] = ["run-model", "run-method"].map((id) => selectById(id).value);
    if (await this.change("run", { model, normalize, name: inputById("run-name").value.trim() })) this.dialog.close();
  }
  /** @param {boolean} accept */
  async advise(accept) {
    await this.change("advice", { accept });
  }
  /**
   * @param {string} path
   * @param {object} message
   */
  async change(path, message) {
    try {
      this.said.textContent = "";
      await tell(path, message);
      this.look();
      return true;
    } catch (error) {
      this.tell(error);
      return false;
    }
  }
  /** @param {unknown} error */
  tell(error) {
    const text = error instanceof Error ? error.message : String(error);
    this.said.textContent = text;
    byId("said").textContent = text;
  }
};
function actionsOf({ busy, left, refused, control }) {
  if (busy && control === "pause") return [["Resume", "resume"], ["Cancel", "cancel"]];
  if (busy) return [["Pause", "pause"], ["Cancel", "cancel"]];
  if (left) return [["Resume", "resume"]];
  return refused ? [["Try refused slides again", "retry"]] : [];
}

// workbench/app/gallery/browser/selected_slides.js
var Selection = class {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.names = /* @__PURE__ */ new Set();
    this.last = "";
  }
  /**
   * Select a slide, or no longer.
   * @param {string} name
   * @param {boolean} extending whether all from the last one to this are selected
   * @param {string[]} order names of the slides that are shown
   */
  pick(name, extending, order2) {
    const [from, to] = [order2.indexOf(this.last), order2.indexOf(name)];
    if (extending && from >= 0 && to >= 0) {
      const [low, high] = from < to ? [from, to] : [to, from];
      for (const each of order2.slice(low, high + 1)) this.names.add(each);
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
};

// workbench/app/viewer/browser/key_focus.js
var TEXT = "textarea, select, [contenteditable], input:not([type=button], [type=checkbox], [type=radio], [type=range], [type=file], [type=submit], [type=color])";
var APART = "dialog, [role=dialog], [role=alertdialog], [role=menu], [role=menubar], .MuiModal-root";
var ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
var PRESS = ["Enter", " "];
var USERS = [
  ["input[type=range], [role=slider], [role=spinbutton]", ARROWS],
  ["input[type=radio], [role=radio], [role=tab], [role=tablist]", [...ARROWS, ...PRESS]],
  ["[role=listbox], [role=combobox], [role=grid], [role=tree], .tabulator", [...ARROWS, ...PRESS]],
  ["button, summary, a[href], input, [role=button], [role=checkbox], [role=switch]", PRESS],
  [".MuiChip-deletable", ["Delete", "Backspace"]]
];
function isText(path) {
  return path.some((each) => matches(each, TEXT));
}
function isTaken(key2, path) {
  if (isText(path) || path.some((each) => matches(each, APART))) return true;
  return USERS.some(([selector, keys]) => keys.includes(key2) && path.some((each) => matches(each, selector)));
}
function matches(element, selector) {
  const { matches: is } = (
    /** @type {Partial<Element>} */
    element
  );
  return typeof is === "function" && is.call(element, selector);
}

// workbench/app/gallery/browser/slide_frame.js
var APP = "workbench";
var STEPS = /* @__PURE__ */ new Map([["n", 1], ["p", -1], ["PageDown", 1], ["PageUp", -1]]);
var SlideFrame = class {
  /** @param {Calls} calls */
  constructor(calls) {
    this.calls = calls;
    this.sheet = byId("viewer");
    this.gallery = byId("gallery");
    this.holder = byId("frame");
    this.title = byId("shown");
    this.position = byId("position");
    this.frame = null;
    this.name = "";
    this.awaited = "";
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
};

// workbench/app/gallery/browser/table.js
var DIGITS = 12;
var NAME = "slide";
function naturalKey(text) {
  return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(DIGITS, "0"));
}
function order(texts) {
  const keys = texts.map(naturalKey);
  const sorted = [...keys.keys()].sort((a, b) => keys[a] < keys[b] ? -1 : Number(keys[a] > keys[b]));
  const ranks = new Float64Array(texts.length);
  sorted.forEach((row, rank) => {
    const before = sorted[rank - 1];
    ranks[row] = rank && keys[before] === keys[row] ? ranks[before] : rank;
  });
  return ranks;
}
function numberText(value) {
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size >= 1e3) return Math.round(value).toLocaleString("en");
  return size < 1e-3 ? value.toPrecision(2) : String(Number(value.toPrecision(3)));
}
var Column = class {
  /** @param {ColumnMessage} message */
  constructor(message) {
    this.name = message.name;
    this.kind = message.kind;
    this.numbers = message.numbers ?? null;
    this.levels = message.levels ?? null;
    this.codes = message.codes ?? [];
    this.texts = message.texts ?? [];
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
    if (numbers) return (row) => numbers[row] !== null && /** @type {number} */
    numbers[row] >= low && /** @type {number} */
    numbers[row] <= high;
    if (!texts?.size) return () => true;
    if (!levels) return (row) => texts.has(this.texts[row]);
    const chosen = levels.map((level) => texts.has(level));
    return (row) => chosen[codes[row]];
  }
};
var SlideTable = class {
  /** @param {TableMessage} message */
  constructor(message) {
    this.stamp = message.stamp;
    this.layers = message.layers;
    this.names = message.names;
    this.columns = message.columns.map((each) => new Column(each));
    this.byName = /* @__PURE__ */ new Map([[NAME, new Column({ name: NAME, kind: "slide", texts: message.names })]]);
    for (const column of this.columns) this.byName.set(column.name, column);
    this.rowOf = new Map(message.names.map((name, row) => [name, row]));
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
};
function sortBy(rows, ranks, descending) {
  const sign = descending ? -1 : 1;
  rows.sort((a, b) => {
    const [left, right] = [ranks[a], ranks[b]];
    if (left === right) return a - b;
    if (Number.isNaN(left)) return Number.isNaN(right) ? a - b : 1;
    return Number.isNaN(right) ? -1 : sign * (left - right);
  });
}
function grouped(rows, column) {
  if (!column) return { rows, groups: rows.length ? [{ name: "", start: 0, count: rows.length }] : [] };
  const members = /* @__PURE__ */ new Map();
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

// workbench/app/gallery/browser/study_page.js
var TYPED_MS2 = 150;
var MOST_CAPTIONS = 2;
var MOST_COLUMNS = 14;
var KEPT = "workbench-gallery";
var FIELDS = ["sort", "group", "layer"];
var SLIDE = "#slide=";
var Gallery = class {
  constructor() {
    this.pictures = new Pictures();
    this.table = null;
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
      isPicked: (row) => this.selection.names.has(this.table?.names[row] ?? "")
    });
    this.selection = new Selection(() => this.selected());
    this.assigning = new Assigning({ slides: () => this.slides, assigned: (worklist) => this.assigned(worklist) });
    this.readers = new Readers(() => this.assigning.open());
    this.reading = new Reading({
      open: (name) => this.openNamed(name),
      changed: () => this.load(),
      leave: () => this.frame.focus()
    });
    this.frame = new SlideFrame({
      shown: (name) => this.reading.show(name),
      chosen: (name) => this.openNamed(name),
      closed: () => this.closed(),
      step: (step) => this.step(step),
      key: (event, taken) => this.reading.key(event, taken)
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
      this.timer = setTimeout(() => this.find(), TYPED_MS2);
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
    const headings = { slide: "Slide", label: "Labels", result: "Results", run: "Runs", flag: "Flags", reading: "Reading" };
    const columns = table.columns.map(({ name, kind }) => ({ value: name, text: name, heading: headings[kind] }));
    offer(selectById("sort"), [{ value: "", text: "Table order" }, { value: NAME, text: "Name" }, ...columns]);
    const grouping = table.columns.filter(({ levels }) => levels && levels.length > 1).map(({ name }) => ({ value: name, text: name }));
    offer(selectById("group"), [{ value: "", text: "No groups" }, ...grouping]);
    const layers = table.layers.flatMap(
      ({ analysis, classes }) => classes.map((name) => ({ value: JSON.stringify([analysis, name]), text: name, heading: analysis }))
    );
    offer(selectById("layer"), [{ value: "", text: "Slides" }, ...layers]);
    selectById("layer").parentElement?.toggleAttribute("hidden", !layers.length);
    this.filters.offer(table);
    if (this.wanted) {
      for (const id of FIELDS) {
        const select = selectById(id);
        if ([...select.options].some(({ value }) => value === this.wanted?.[id])) select.value = this.wanted[id];
      }
      this.wanted = void 0;
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
    const order2 = ["label", "result", "run", "flag", "slide"];
    rest.sort((a, b) => order2.indexOf(a.kind) - order2.indexOf(b.kind));
    const cased = rest.filter(({ name }) => name === "case");
    const all = layout === "table" ? [...cased, ...readings, ...named, ...rest.filter(({ name }) => name !== "case")].slice(0, MOST_COLUMNS) : [...named, ...readings, ...rest.filter(({ levels, kind }) => levels && kind === "label"), ...cased].slice(0, MOST_CAPTIONS);
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
    if (row === void 0 || !this.table) return;
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
    const order2 = [...this.answer.rows].map((row) => table.names[row]);
    this.selection.pick(order2[place], extending, order2);
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
      folded: byId("filters").hidden
    };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(state));
    } catch {
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
    }
  }
};
new Gallery();
