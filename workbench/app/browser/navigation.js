// Getting around by buttons: objectives, the whole slide, closer and further.

import { WHOLE } from "./camera.js";
import { button } from "./icons.js";

const POWERS = [1, 2.5, 5, 10, 20, 40];
const MPP_AT_1X = 10;
const NEAR = 0.02; // of an objective, and it counts as that one

export function navigation(stage) {
  const { camera, model } = stage;
  const bar = stage.add("div", "bar objectives", { role: "toolbar", "aria-label": "Magnification" });
  // Pressed before anything is seen, it is where one begins.
  const go = (downsample) => camera.go({ ...camera.place, downsample });
  const magnify = (power) => model.mpp && go(MPP_AT_1X / power / model.mpp);

  button(bar, { text: "Fit", label: "The whole slide (0)", act: () => camera.go(WHOLE) });
  const objectives = new Map();
  POWERS.forEach((power, number) => {
    const label = `As at ${power}x (${number + 1})`;
    objectives.set(power, button(bar, { text: `${power}x`, label, act: () => magnify(power) }));
    stage.onKey(String(number + 1), () => magnify(power));
  });
  const native = button(bar, { text: "1:1", label: "As scanned: a pixel of the slide on a pixel of the screen", act: () => go(1 / devicePixelRatio) });

  const mark = (made, near) => made.setAttribute("aria-pressed", String(near));
  const show = () => {
    const downsample = camera.place?.downsample ?? 0;
    const is = (wanted) => Math.abs(downsample / wanted - 1) < NEAR;
    for (const [power, made] of objectives) mark(made, Boolean(model.mpp) && is(MPP_AT_1X / power / model.mpp));
    mark(native, is(1 / devicePixelRatio));
  };
  stage.onMoved(show);
  stage.watch("mpp", () => {
    for (const [power, made] of objectives) {
      made.disabled = !model.mpp;
      made.title = model.mpp ? `As at ${power}x (${POWERS.indexOf(power) + 1})` : "The pixel size of this slide is not known";
    }
    show();
  });

  const tools = stage.tools;
  button(tools, { picture: "plus", label: "Closer (+)", act: () => camera.zoom(0.5) });
  button(tools, { picture: "minus", label: "Further away (-)", act: () => camera.zoom(2) });
}
