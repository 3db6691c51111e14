// Matching what was typed with the names of commands, word by word.

/** @import {Entry} from "./palette.js" */

const WHOLE = 4;
const BEGINS = 3;
const INSIDE = 2;
const SCATTERED = 1;
const GROUP = 0.5; // a word of the heading counts less than one of the name

/** @param {string} text */
const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");

/** @param {string} text */
const wordsOf = (text) => plain(text).split(/[^\p{L}\p{N}.:%]+/u).filter(Boolean);

/**
 * Whether the letters of a word follow each other in a text, others between them.
 * @param {string} word
 * @param {string} text
 */
function isScattered(word, text) {
  let at = -1;
  return [...word].every((letter) => (at = text.indexOf(letter, at + 1)) >= 0);
}

/**
 * How well a typed word fits a text; 0: not.
 * @param {string} word
 * @param {string} text
 */
function fit(word, text) {
  const words = wordsOf(text);
  if (words.includes(word)) return WHOLE;
  if (words.some((each) => each.startsWith(word))) return BEGINS;
  if (words.some((each) => each.includes(word))) return INSIDE;
  return word.length > 1 && words.some((each) => each[0] === word[0] && isScattered(word, each)) ? SCATTERED : 0;
}

/**
 * How well a query fits an entry; 0: a word of it does not.
 * @param {string} query
 * @param {Entry} entry
 */
export function score(query, { label, group }) {
  let sum = 1;
  for (const word of wordsOf(query)) {
    const found = Math.max(fit(word, label), GROUP * fit(word, group));
    if (!found) return 0;
    sum += found;
  }
  return sum;
}

/**
 * The entries that fit a query, best first, those that cannot be used last of their score.
 * @template {Entry} Kind
 * @param {string} query
 * @param {Kind[]} entries
 * @param {number} most
 * @returns {Kind[]}
 */
export function matches(query, entries, most) {
  return entries
    .map((entry) => ({ entry, fits: score(query, entry) }))
    .filter(({ fits }) => fits > 0)
    .sort((a, b) => b.fits - a.fits || Number(Boolean(a.entry.reason)) - Number(Boolean(b.entry.reason)))
    .slice(0, most)
    .map(({ entry }) => entry);
}
