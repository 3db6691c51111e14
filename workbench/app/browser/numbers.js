// Numbers, as several parts of the stage need them.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const NICE = [1, 2, 5];

/** The longest round length of at most `longest` (any unit). */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return Math.max(...NICE.map((digit) => digit * power).filter((length) => length <= longest * 1.0001));
}
