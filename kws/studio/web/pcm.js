/* Samples as bytes: 16 kHz mono, 16 bits, little-endian, as the server takes them and as WAV files hold them. */

export const RATE_HZ = 16000;
const FULL = 32767, HEADER = 44;

/** Chunks of samples as one. */
export function joined(chunks) {
  const whole = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Samples from -1 to 1 as s16le, written from a byte on. */
function write(view, at, samples) {
  samples.forEach((sample, number) => {
    view.setInt16(at + 2 * number, Math.round(Math.max(-1, Math.min(1, sample)) * FULL), true);
  });
}

/** Samples as raw s16le bytes. */
export function pcm(samples) {
  const bytes = new ArrayBuffer(2 * samples.length);
  write(new DataView(bytes), 0, samples);
  return bytes;
}

/** Samples as a WAV file, which a page can play. */
export function wav(samples) {
  const bytes = new ArrayBuffer(HEADER + 2 * samples.length), view = new DataView(bytes);
  const text = (at, letters) => [...letters].forEach((letter, by) => view.setUint8(at + by, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, bytes.byteLength - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  write(view, HEADER, samples);
  return new Blob([bytes], { type: "audio/wav" });
}
