// Several tiles in one answer: `tileserver/group.py` says how they are framed.

const HEAD = 12; // bytes before the media type

/** Yields {number, status, blob} for each tile of a body, as soon as it is here. */
export async function* framesOf(body) {
  const reader = new ByteReader(body.getReader());
  for (let head; (head = await reader.take(HEAD)); ) {
    const view = new DataView(head.buffer, head.byteOffset, HEAD);
    const [number, status] = [view.getUint16(0), view.getUint16(2)];
    const type = new TextDecoder().decode(await reader.take(view.getUint32(4)));
    const bytes = await reader.take(view.getUint32(8));
    if (!bytes) return; // cut off
    yield { number, status, blob: new Blob([bytes], { type }) };
  }
}

/** Takes so many bytes of a stream at a time, however they come. */
class ByteReader {
  constructor(source) {
    this.source = source;
    this.parts = [];
    this.length = 0;
  }

  /** The next `count` bytes; null if there are not so many any more. */
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

function joined(parts, length) {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
