// What the stage says in a corner: how long a stretch is, where the pointer is.

import { roundLength } from "./numbers.js";

const LONGEST_PX = 140;

/** Scale bar and coordinates. */
export function readout(stage) {
  const bar = stage.add("div", "scale-bar");
  const text = stage.add("div", "coordinates");
  let pointer = null; // client coordinates

  const show = () => {
    if (!stage.camera.place) return;
    const { mpp } = stage.model;
    const unit = stage.camera.place.downsample * (mpp ?? 1);
    const length = roundLength(LONGEST_PX * unit);
    bar.style.width = `${length / unit}px`;
    if (!mpp) bar.textContent = `${length} px`;
    else bar.textContent = length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
    if (!pointer) return;
    const [x, y] = stage.toSlide(...pointer);
    const scale = mpp ? `${unit.toPrecision(3)} µm/px` : `1:${unit.toPrecision(3)}`;
    text.textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}  ·  ${scale}`;
  };
  stage.element.addEventListener("pointermove", (event) => {
    pointer = [event.clientX, event.clientY];
    show();
  });
  stage.onMoved(show);
  stage.watch("mpp", show);
}
