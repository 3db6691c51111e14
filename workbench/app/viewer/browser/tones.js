// Brightness, contrast and gamma of the slide's picture: only of what is painted, tile by tile.

import { clamp } from "./numbers.js";

/** @import {Tones} from "./messages.js" */

/** @type {Readonly<Tones>} */
export const PLAIN = Object.freeze({ brightness: 0, contrast: 1, gamma: 1 });

/**
 * Whether tones leave a picture as it is.
 * @param {Tones} tones
 */
export const isPlain = ({ brightness, contrast, gamma }) => brightness === 0 && contrast === 1 && gamma === 1;

/**
 * The new value of each of 256: ((v ** (1 / gamma)) - 0.5) * contrast + 0.5 + brightness, v of 0 to 1.
 * @param {Tones} tones
 */
export function tableOf({ brightness, contrast, gamma }) {
  return Uint8ClampedArray.from({ length: 256 }, (_, value) => {
    const shown = ((value / 255) ** (1 / gamma) - 0.5) * contrast + 0.5 + brightness;
    return Math.round(255 * clamp(shown, 0, 1));
  });
}

/**
 * Replace the red, green and blue of RGBA pixels; the opacity stays.
 * @param {Uint8ClampedArray} pixels
 * @param {Uint8ClampedArray} table
 */
export function applyTable(pixels, table) {
  for (let at = 0; at < pixels.length; at += 4) {
    pixels[at] = table[pixels[at]];
    pixels[at + 1] = table[pixels[at + 1]];
    pixels[at + 2] = table[pixels[at + 2]];
  }
}

/** Pictures of tiles with other tones; each is made when it is first painted. */
export class Toner {
  /** Increases with each change. */
  version = 0;

  /** @type {Uint8ClampedArray | null} */
  table = null;

  /** @type {WeakMap<ImageBitmap, OffscreenCanvas>} */
  made = new WeakMap();

  /** @param {Tones} tones */
  set(tones) {
    this.version += 1;
    this.table = isPlain(tones) ? null : tableOf(tones);
    this.made = new WeakMap();
  }

  /**
   * A picture with the present tones.
   * @param {ImageBitmap} image
   * @returns {ImageBitmap | OffscreenCanvas}
   */
  toned(image) {
    if (!this.table || !image.width) return image;
    const canvas = this.made.get(image) ?? this.make(image, this.table);
    this.made.set(image, canvas);
    return canvas;
  }

  /**
   * @param {ImageBitmap} image
   * @param {Uint8ClampedArray} table
   */
  make(image, table) {
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("workbench: this browser has no context to paint on");
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, image.width, image.height);
    applyTable(data.data, table);
    context.putImageData(data, 0, 0);
    return canvas;
  }
}
