// Buttons that move the view: objectives, the whole slide, closer and further.

import { WHOLE } from "./camera.js";
import { button } from "./icons.js";

/** @import {Stage} from "./stage.js" */

const POWERS = [1, 2.5, 5, 10, 20, 40];
const MPP_AT_1X = 10;
const NO_MPP = "The pixel size of this slide is not known";
const NEAR = 0.02; // relative difference within which a view counts as that of an objective

/** @param {Stage} stage */
export function navigation(stage) {
  const { camera, model } = stage;
  const bar = stage.add("div", "bar objectives", { role: "toolbar", "aria-label": "Magnification" });
  // Pressed before the first view, it sets that view.
  const go = (/** @type {number} */ downsample) => camera.go({ ...camera.place, downsample });
  const magnify = (/** @type {number} */ power) => {
    if (model.mpp) go(MPP_AT_1X / power / model.mpp);
  };

  button(bar, { text: "Fit", label: "The whole slide (0)", act: () => camera.go(WHOLE) });
  /** @type {Map<number, HTMLButtonElement>} */
  const objectives = new Map();
  POWERS.forEach((power, number) => {
    const label = `As at ${power}x (${number + 1})`;
    objectives.set(power, button(bar, { text: `${power}x`, label, act: () => magnify(power) }));
    stage.actions.add({
      label: `Magnification ${power}x`,
      group: "View",
      keys: [String(number + 1)],
      act: () => magnify(power),
      reason: () => (model.mpp ? "" : NO_MPP),
    });
  });
  const scanned = () => go(1 / devicePixelRatio);
  const native = button(bar, { text: "1:1", label: "As scanned: a pixel of the slide on a pixel of the screen", act: scanned });
  stage.actions.add({ label: "Magnification as scanned (1:1)", group: "View", act: scanned });

  const mark = (/** @type {HTMLButtonElement} */ made, /** @type {boolean} */ near) => {
    made.setAttribute("aria-pressed", String(near));
  };
  const show = () => {
    const downsample = camera.place?.downsample ?? 0;
    const is = (/** @type {number} */ wanted) => Math.abs(downsample / wanted - 1) < NEAR;
    for (const [power, made] of objectives) mark(made, model.mpp ? is(MPP_AT_1X / power / model.mpp) : false);
    mark(native, is(1 / devicePixelRatio));
  };
  stage.onMoved(show);
  stage.watch("mpp", () => {
    for (const [power, made] of objectives) {
      made.disabled = !model.mpp;
      made.title = model.mpp ? `As at ${power}x (${POWERS.indexOf(power) + 1})` : NO_MPP;
    }
    show();
  });

  const tools = stage.tools;
  button(tools, { picture: "plus", label: "Closer (+)", act: () => camera.zoom(0.5) });
  button(tools, { picture: "minus", label: "Further away (-)", act: () => camera.zoom(2) });
}
