// Which stage of the page the keys mean: the one that the pointer or the focus has come to last.

/** @import {Stage} from "./stage.js" */

/** The stages of a page: each component may load its own copy of this module, the page is shared. */
const page = (window.workbenchStages ??= { all: new Set(), used: null });

/**
 * Add a stage to the page for as long as it is open.
 * @param {Stage} stage
 */
export function usedStage(stage) {
  page.all.add(stage);
  const use = () => {
    if (!stage.closed) page.used = stage;
  };
  stage.element.addEventListener("pointermove", use, { capture: true });
  stage.element.addEventListener("pointerdown", use, { capture: true });
  stage.element.addEventListener("focusin", use);
  stage.onClose(() => {
    page.all.delete(stage);
    if (page.used === stage) page.used = null;
  });
}

/** The stage that the keys of the page mean; undefined: there is none. */
export function stageInUse() {
  return page.used ?? page.all.values().next().value;
}
