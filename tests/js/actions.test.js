import assert from "node:assert/strict";
import { test } from "node:test";
import { Actions, keyOf, keyText } from "#browser/actions.js";
import { isTaken, isText } from "#browser/key_focus.js";
import { rowsOf } from "#browser/key_sheet.js";

const pressed = (key, held = {}) => keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });

test("a letter is the same key with Shift or Caps Lock, and Cmd is Ctrl", () => {
  assert.equal(pressed("G", { shiftKey: true }), "g");
  assert.equal(pressed("?", { shiftKey: true }), "?");
  assert.equal(pressed("z", { metaKey: true }), "Ctrl+z");
  assert.equal(pressed("Z", { ctrlKey: true, shiftKey: true }), "Ctrl+Shift+z");
  assert.equal(pressed("ArrowLeft"), "ArrowLeft");
  assert.equal(pressed("ArrowLeft", { shiftKey: true }), "Shift+ArrowLeft");
  assert.equal(pressed("k", { altKey: true }), "");
});

test("keys are written as on a keyboard", () => {
  assert.deepEqual(["Ctrl+Shift+z", "ArrowUp", "+", "-", "Escape", "Ctrl++"].map(keyText), ["Ctrl+Shift+Z", "↑", "+", "−", "Esc", "Ctrl++"]);
});

test("a key means all actions that have it and can be done now", () => {
  const actions = new Actions();
  const done = [];
  let reason = "Nothing is drawn";
  actions.add(
    { label: "Clear", group: "View", keys: ["Escape"], act: () => done.push("clear") },
    { label: "End", group: "Annotate", keys: ["Escape"], act: () => done.push("end"), reason: () => reason },
    { label: "Wheel", group: "View", mouse: "Wheel", keys: ["Escape"] },
  );
  for (const { act } of actions.meant("Escape")) act();
  assert.deepEqual(done, ["clear"]);
  reason = "";
  assert.deepEqual(actions.meant("Escape").map(({ label }) => label), ["Clear", "End"]);
  assert.deepEqual(actions.meant("q"), []);
  assert.deepEqual(actions.grouped.map(({ group }) => group), ["View", "Annotate"]);
});

test("the sheet joins the keys of one label, and leaves out what has neither key nor mouse", () => {
  const rows = rowsOf([
    { label: "Move", group: "View", keys: ["ArrowLeft"], mouse: "Drag" },
    { label: "As scanned", group: "View" },
    { label: "Move", group: "View", keys: ["ArrowRight"], mouse: "Drag" },
    { label: "Take a corner out", group: "View", mouse: "Double click on it" },
  ]);
  assert.deepEqual(rows, [
    { label: "Move", keys: ["←", "→"], mouse: "Drag" },
    { label: "Take a corner out", keys: [], mouse: "Double click on it" },
  ]);
});

/** An element that a selector matches if it names it. */
const element = (name) => ({ matches: (selector) => selector.split(/,\s*(?![^(]*\))/).includes(name) });
const body = element("body");

for (const [name, taken, free] of [
  ["body", [], ["ArrowUp", "Enter", "4", "Escape", "Delete", " "]],
  ["textarea", ["ArrowUp", "Enter", "4", "Escape", "Delete"], []],
  ["select", ["ArrowUp", "4", "g"], []],
  ["[role=menu]", ["ArrowUp", "4", "Escape"], []],
  ["dialog", ["4", "Escape"], []],
  ["[role=slider]", ["ArrowLeft", "Home"], ["4", "g", "+"]],
  ["[role=listbox]", ["ArrowDown", "Enter", " "], ["4", "g", "Delete"]],
  ["button", [" ", "Enter"], ["ArrowLeft", "4", "Escape"]],
]) {
  test(`keys with the focus on ${name}`, () => {
    const path = [element(name), body, {}];
    assert.deepEqual(taken.filter((key) => !isTaken(key, path)), []);
    assert.deepEqual(free.filter((key) => isTaken(key, path)), []);
    assert.equal(isText(path), name === "textarea" || name === "select");
  });
}
