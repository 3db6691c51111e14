// What Python sends, as `tests/support/wire.py` has written it, read by the browser's modules.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { framesOf } from "#browser/frames.js";
import { numbersIn } from "#browser/instance_layer.js";

const read = async (name) => JSON.parse(await readFile(new URL(`wire/${name}`, import.meta.url), "utf8"));
const bytesOf = (text) => new Uint8Array(Buffer.from(text, "base64"));

/** A body that comes in pieces of so many bytes. */
function streamed(bytes, size) {
  return new ReadableStream({
    start(to) {
      for (let at = 0; at < bytes.length; at += size) to.enqueue(bytes.slice(at, at + size));
      to.close();
    },
  });
}

async function framesIn(bytes, size) {
  const found = [];
  for await (const { number, status, blob } of framesOf(streamed(bytes, size))) {
    const data = Buffer.from(await blob.arrayBuffer()).toString("base64");
    found.push({ number, status, type: blob.type, data });
  }
  return found;
}

for (const size of [1, 7, 64, 4096]) {
  test(`frames of a group are read from pieces of ${size} bytes`, async () => {
    const { body, frames } = await read("tile_group.json");
    assert.deepEqual(await framesIn(bytesOf(body), size), frames);
  });
}

test("of an answer that is cut off, the frames before the cut are read", async () => {
  const { body, frames } = await read("tile_group.json");
  const bytes = bytesOf(body);
  for (let length = 0; length < bytes.length; length += 5) {
    const found = await framesIn(bytes.subarray(0, length), 11);
    assert.deepEqual(found, frames.slice(0, found.length));
    assert.ok(found.length < frames.length);
  }
});

for (const name of ["narrow", "wide", "empty"]) {
  test(`instance numbers of a ${name} tile are read`, async () => {
    const { inflated, ids, cells } = (await read("instance_tiles.json"))[name];
    const found = numbersIn(bytesOf(inflated).buffer);
    assert.deepEqual([...found.ids], ids);
    assert.deepEqual([...found.cells], cells);
    assert.equal(found.cells.BYTES_PER_ELEMENT, name === "wide" ? 4 : 2);
  });
}

test("a colour table holds a byte for each instance", async () => {
  const { colours, colours_inflated: inflated } = await read("instance_tiles.json");
  assert.deepEqual([...bytesOf(inflated)], colours);
});
