// The legend of the layers that are seen: classes with their colours, and bars of colours with
// their values. A click folds it; how it was left is kept in the browser.

import { button } from "./icons.js";

/**
 * @import {LegendSpec, LayerSpec} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

const KEPT = "workbench-legend";

/** @typedef {"open" | "folded" | "off"} Fold */

/**
 * Legends of layers, those of the topmost first, each once.
 * @param {LayerSpec[]} specs bottom first
 * @returns {LegendSpec[]}
 */
export function legendsOf(specs) {
  /** @type {Map<string, LegendSpec>} */
  const found = new Map();
  for (const { legend: one } of [...specs].reverse()) {
    if (one && (one.ramp.length || one.entries.length)) found.set(JSON.stringify(one), one);
  }
  return [...found.values()];
}

/**
 * Values at the ends of a bar of colours, as text.
 * @param {LegendSpec} legend
 * @returns {[low: string, high: string]}
 */
export function endsOf({ ramp, unit }) {
  const [low, high] = [ramp[0][0], ramp[ramp.length - 1][0]].map((value) => value.toLocaleString(undefined, { maximumSignificantDigits: 4 }));
  return [low, unit ? `${high} ${unit}` : high];
}

/**
 * The colours of a bar, as a background.
 * @param {LegendSpec} legend
 */
export function gradientOf({ ramp }) {
  const [low, high] = [ramp[0][0], ramp[ramp.length - 1][0]];
  const at = (/** @type {number} */ value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  return `linear-gradient(to right, ${ramp.map(([value, colour]) => `${colour} ${at(value)}`).join(", ")})`;
}

/**
 * @param {string} className
 * @param {(Node | string)[]} children
 */
function made(className, ...children) {
  const box = document.createElement("div");
  box.className = className;
  box.append(...children);
  return box;
}

/** @param {LegendSpec} one */
function element(one) {
  const parts = one.entries.map(([name, colour]) => {
    const swatch = made("swatch");
    swatch.style.background = colour;
    return made("entry", swatch, name);
  });
  if (one.ramp.length) {
    const bar = made("ramp");
    bar.style.background = gradientOf(one);
    parts.push(bar, made("ends", ...endsOf(one).map((text) => made("", text))));
  }
  return made("layer", made("title", one.title), ...parts);
}

/** @returns {Fold} */
function kept() {
  try {
    const fold = localStorage.getItem(KEPT);
    return fold === "folded" || fold === "off" ? fold : "open";
  } catch {
    return "open"; // a frame of no origin has no storage
  }
}

/** @param {Fold} fold */
function keep(fold) {
  try {
    localStorage.setItem(KEPT, fold);
  } catch {
    // It holds for this page alone.
  }
}

/** @param {Stage} stage */
export function legend(stage) {
  const { stack } = stage;
  const box = stage.add("section", "legend", { "aria-label": "Legend" });
  const body = made("body");
  let fold = kept();
  let shown = "";
  const change = (/** @type {Fold} */ next) => {
    fold = next;
    keep(fold);
    show();
  };
  const head = button(box, { text: "Legend", label: "Fold or unfold the legend", act: () => change(fold === "open" ? "folded" : "open") });
  box.append(body);
  const show = () => {
    const drawn = stack.shown.filter((layer) => layer.isDrawn(stack.view.resolution || 1));
    const legends = legendsOf(drawn.map(({ spec }) => spec));
    box.hidden = !legends.length || fold === "off";
    body.hidden = fold !== "open";
    head.setAttribute("aria-expanded", String(fold === "open"));
    const now = JSON.stringify(legends);
    if (now === shown) return;
    shown = now;
    body.replaceChildren(...legends.map(element));
  };
  stage.watch("layers", show);
  stage.onPainted(show); // hidden and shown again by a key
  stage.actions.add({ label: "Show or hide the legend", group: "Layers", keys: ["l"], act: () => change(fold === "off" ? "open" : "off") });
}
