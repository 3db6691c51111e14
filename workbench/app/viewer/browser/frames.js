// Several tiles in one answer, each in a frame: uint16 which tile of those asked for, uint16
// status, uint32 bytes of its media type, uint32 bytes of the tile, in network order; then
// both. `tileserver/batch_handler.py` writes them; `tests/js/wire` holds examples for both sides.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const HEAD = 12; // bytes before the media type

/**
 * Yield {number, status, blob} for each tile of a body, as soon as it has come.
 * @param {ReadableStream<Bytes>} body
 */
export async function* framesOf(body) {
  const reader = new ByteReader(body.getReader());
  for (let head; (head = await reader.take(HEAD)); ) {
    const view = new DataView(head.buffer, head.byteOffset, HEAD);
    const [number, status] = [view.getUint16(0), view.getUint16(2)];
    const type = await reader.take(view.getUint32(4));
    const bytes = type && (await reader.take(view.getUint32(8)));
    if (!bytes) return; // cut off
    yield { number, status, blob: new Blob([bytes], { type: new TextDecoder().decode(type) }) };
  }
}

/** Reads a stream by given numbers of bytes. */
class ByteReader {
  /** @param {ReadableStreamDefaultReader<Bytes>} source */
  constructor(source) {
    this.source = source;
    /** @type {Bytes[]} */
    this.parts = [];
    this.length = 0;
  }

  /**
   * The next `count` bytes; null if the stream ends before.
   * @param {number} count
   */
  async take(count) {
    while (this.length < count) {
      const { done, value } = await this.source.read();
      if (done) return null;
      this.parts.push(value);
      this.length += value.length;
    }
    const whole = this.parts.length === 1 ? this.parts[0] : joined(this.parts, this.length);
    this.parts = [whole.subarray(count)];
    this.length -= count;
    return whole.subarray(0, count);
  }
}

/**
 * @param {Bytes[]} parts
 * @param {number} length
 */
function joined(parts, length) {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
