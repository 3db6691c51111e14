import assert from "node:assert/strict";
import { test } from "node:test";
import { linkTo, placeInMicrometres, placeInPixels } from "#browser/places.js";

test("a place in µm and in pixels", () => {
  assert.equal(placeInMicrometres(3050, 2090, 0.5), "1525.0, 1045.0 µm");
  assert.equal(placeInMicrometres(3050, 2090, null), "");
  assert.equal(placeInPixels(3050.9, 2090.2), "3050, 2090");
});

test("a link has the place and keeps all else of the address", () => {
  const link = new URL(linkTo("https://a.org/workbench?slide=a%26b.svs&at=1,2,0.5&overlay=x", 3050.04, 2090));
  assert.equal(link.searchParams.get("at"), "3050.0,2090.0,0.5");
  assert.equal(link.searchParams.get("slide"), "a&b.svs");
  assert.equal(link.searchParams.get("overlay"), "x");
  assert.equal(linkTo("https://a.org/workbench", 1, 2), "");
});
