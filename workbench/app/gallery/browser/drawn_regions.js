// What the readers of a slide have drawn, side by side, each in a colour: for leads.

import { byId, make } from "./elements.js";
import { ask } from "./server.js";

/**
 * @typedef {object} Drawn
 * @property {string} class
 * @property {number} shapes
 * @property {number | null} mm2
 *
 * @typedef {object} ReaderOfSlide
 * @property {string} name
 * @property {string} colour
 * @property {number} shapes
 * @property {Drawn[]} drawn
 */

export class Regions {
  constructor() {
    this.dialog = /** @type {HTMLDialogElement} */ (byId("regions"));
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
    const figure = (/** @type {string} */ reader, /** @type {HTMLElement[]} */ captions) => {
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
    this.body.replaceChildren(pictures, ...(rows.length ? [tableOf(["class", "readers", "Dice"], rows)] : []));
  }
}

/** @param {ReaderOfSlide} reader */
function key({ name, colour }) {
  const element = make("span", "key", name);
  element.style.setProperty("--reader", colour);
  return element;
}

/** @param {Drawn} drawn */
function line(drawn) {
  const area = drawn.mm2 === null || !drawn.mm2 ? "" : `, ${drawn.mm2} mm²`;
  return make("span", "drawn", `${drawn.class}: ${drawn.shapes}${area}`);
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
function tableOf(head, rows) {
  const table = make("table", "plain");
  const lines = [head, ...rows].map((cells, n) => {
    const row = make("tr");
    row.append(...cells.map((text) => make(n ? "td" : "th", "", text)));
    return row;
  });
  table.append(...lines);
  return table;
}
