// Limits, and lengths and areas as text.

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const NICE = [1, 2, 5];

/**
 * The longest round length of at most `longest` (any unit).
 * @param {number} longest
 */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return Math.max(...NICE.map((digit) => digit * power).filter((length) => length <= longest * 1.0001));
}

/** @param {number} value */
const figures = (value) => (value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3))));

/**
 * A length of level-0 pixels for people; in pixels where their size is not known.
 * @param {number} pixels
 * @param {number | null} mpp
 */
export function lengthText(pixels, mpp) {
  if (!mpp) return `${figures(pixels)} px`;
  const um = pixels * mpp;
  return um < 1000 ? `${figures(um)} µm` : `${figures(um / 1000)} mm`;
}

/**
 * @param {number} pixels
 * @param {number | null} mpp
 */
export function areaText(pixels, mpp) {
  if (!mpp) return `${figures(pixels)} px²`;
  const um2 = pixels * mpp * mpp;
  return um2 < 1e5 ? `${figures(um2)} µm²` : `${figures(um2 / 1e6)} mm²`;
}
