import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "#gallery/outbox.js";
import { Refusal } from "#gallery/server.js";

/** A server that takes what `answers` says, in turn: true, "lost", "refused". */
function made(answers, kept = new Map()) {
  const taken = [];
  const later = [];
  const said = [];
  const door = {
    tell: async (message) => {
      const answer = answers.shift() ?? true;
      if (answer === "lost") throw new TypeError("no connection");
      if (answer === "refused") throw new Refusal("No.");
      taken.push(message.id);
    },
    storage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) },
    later: (call) => later.push(call),
  };
  const outbox = new Outbox(door, (state, refusal) => said.push(refusal || state));
  return { outbox, taken, later, said, kept };
}

const message = (id, more = {}) => ({ id, user: "ann", worklist: "first", slide: "S1", answers: {}, state: "done", seconds: 1, ...more });

test("answers go in order, each once", async () => {
  const { outbox, taken, said, kept } = made([]);
  await Promise.all([outbox.put(message("a")), outbox.put(message("b", { slide: "S2" })), outbox.put(message("c"))]);
  while (outbox.waiting.length) await new Promise((done) => setTimeout(done));
  assert.deepEqual(taken, ["a", "b", "c"]);
  assert.equal(said.at(-1), "saved");
  assert.deepEqual([...kept.values()], ["[]"]);
});

test("what is not confirmed is sent again, with the same id", async () => {
  const { outbox, taken, later, said } = made(["lost", "lost", true]);
  await outbox.put(message("a"));
  assert.deepEqual([taken, said], [[], ["sending", "waiting"]]);
  await later.shift()();
  await later.shift()();
  assert.deepEqual(taken, ["a"]);
  assert.equal(later.length, 0);
});

test("it outlives the page", async () => {
  const first = made(["lost"]);
  await first.outbox.put(message("a", { answers: { grade: "low" } }));
  const second = made([], first.kept);
  assert.deepEqual(second.outbox.last("first", "S1").answers, { grade: "low" });
  await second.outbox.send();
  assert.deepEqual(second.taken, ["a"]);
});

test("what is refused is said and not sent again; the next one goes", async () => {
  const { outbox, taken, said } = made(["refused", true]);
  await Promise.all([outbox.put(message("a")), outbox.put(message("b"))]);
  while (outbox.waiting.length) await new Promise((done) => setTimeout(done));
  assert.deepEqual(taken, ["b"]);
  assert.ok(said.includes("No."));
});

test("an answer in work that waits is replaced by the next one on the slide", async () => {
  const { outbox, taken, later } = made(["lost"]);
  await outbox.put(message("a", { state: "in work" }));
  const typing = [outbox.put(message("b", { state: "in work", slide: "S2" })), outbox.put(message("c", { state: "in work" })), outbox.put(message("d"))];
  await Promise.all(typing);
  for (const call of later) await call();
  assert.deepEqual(taken, ["a", "b", "d"]);
});

test("a damaged store is an empty one", () => {
  assert.deepEqual(made([], new Map([["workbench-answers", "{"]])).outbox.waiting, []);
});
