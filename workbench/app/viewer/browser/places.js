// A place on the slide as text: in µm, in pixels, and as a link.

/**
 * "1525, 1045 µm"; empty where the pixel size is not known.
 * @param {number} x
 * @param {number} y
 * @param {number | null} mpp
 */
export const placeInMicrometres = (x, y, mpp) => (mpp ? `${(x * mpp).toFixed(1)}, ${(y * mpp).toFixed(1)} µm` : "");

/**
 * "3050, 2090", in level-0 pixels; the coordinates' field takes it.
 * @param {number} x
 * @param {number} y
 */
export const placeInPixels = (x, y) => `${Math.floor(x)}, ${Math.floor(y)}`;

/**
 * The address of the page with this place in the centre; empty where the address has no view.
 * @param {string} href
 * @param {number} x
 * @param {number} y
 */
export function linkTo(href, x, y) {
  const url = new URL(href);
  const downsample = url.searchParams.get("at")?.split(",")[2];
  if (!downsample) return "";
  url.searchParams.set("at", `${x.toFixed(1)},${y.toFixed(1)},${downsample}`);
  return url.href;
}
