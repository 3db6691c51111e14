// Shows for some seconds what was done, with a button that undoes it.

const SHOWN_MS = 8000;

/** @import {Stage} from "./stage.js" */

/** @param {Stage} stage */
export function toast(stage) {
  const { model } = stage;
  const line = stage.add("div", "toast", { role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const leave = () => {
    clearTimeout(timer);
    line.replaceChildren();
  };
  stage.say = (text, undo = false) => {
    leave();
    if (!text) return;
    line.append(text);
    if (undo) {
      const back = line.appendChild(document.createElement("button"));
      Object.assign(back, { type: "button", textContent: "Undo" });
      back.addEventListener("click", () => {
        leave();
        stage.undo();
      });
    }
    timer = setTimeout(leave, SHOWN_MS);
  };
  model.on("toast", () => stage.say(model.toast.text ?? "", model.toast.undo));
  stage.onClose(() => clearTimeout(timer));
}
