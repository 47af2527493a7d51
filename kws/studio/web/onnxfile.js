/* What a detector file says of itself: the metadata of an ONNX model, which the runtime does not tell a page.

A model is a protocol buffer; its field 14 holds pairs of strings, the key as field 1 and the value as field 2. */

const PAIRS = 14, FORMAT_VERSION = 1;
const VARINT = 0, EIGHT_BYTES = 1, LENGTH_GIVEN = 2, FOUR_BYTES = 5;

/** The fields of one message of a protocol buffer. */
class Message {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  /** The next number, seven bits a byte; throws where the bytes end first. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (this.at >= this.bytes.length || shift > 63) throw new Error("damaged");
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  /** Each field that holds bytes, with them; numbers are passed over. */
  *fields() {
    while (this.at < this.bytes.length) {
      const key = this.number(), kind = key % 8, field = Math.floor(key / 8);
      if (kind === VARINT) this.number();
      else if (kind === EIGHT_BYTES) this.at += 8;
      else if (kind === FOUR_BYTES) this.at += 4;
      else if (kind === LENGTH_GIVEN) {
        const length = this.number();
        if (this.at + length > this.bytes.length) throw new Error("damaged");
        yield [field, this.bytes.subarray(this.at, (this.at += length))];
      } else throw new Error("damaged");
    }
  }
}

/** A value as Python writes it: where it had no number to tell, none is told. */
function parsed(text) {
  return JSON.parse(text.replace(/(?<=[:,[{]\s*)-?(NaN|Infinity)\b/g, "null"));
}

/** The metadata of a detector file's bytes, parsed. Throws where it is none. */
export function metadata(bytes) {
  const text = new TextDecoder(), found = {};
  for (const [field, pair] of new Message(bytes).fields()) {
    if (field !== PAIRS) continue;
    const { 1: key, 2: value } = Object.fromEntries(new Message(pair).fields());
    found[text.decode(key)] = parsed(text.decode(value));
  }
  if (found.format_version !== FORMAT_VERSION) throw new Error("no detector, or of a format that is not known here");
  return found;
}
