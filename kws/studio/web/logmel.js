/* The log-mel of kws/features.py, for the browser: a twin that a test checks against it to 1e-4. */

import { RATE_HZ } from "./pcm.js";

/** The front end for drawing sound where no detector's own is at hand: FrontEnd of kws/config.py. */
export const FRONT_END = {
  rate_hz: RATE_HZ, window_s: 0.032, hop_s: 0.01, bands: 40, low_hz: 60, high_hz: 7600, floor: 1e-6,
};

const HTK = 2595;
const mel = (hz) => HTK * Math.log10(1 + hz / 700);
const hertz = (mels) => 700 * (10 ** (mels / HTK) - 1);

/** Feet and peaks of the bands' triangles in Hertz: bands + 2 of them. */
function corners(frontEnd) {
  const low = mel(frontEnd.low_hz), high = mel(frontEnd.high_hz), count = frontEnd.bands + 2;
  return Array.from({ length: count }, (_, at) => hertz(low + ((high - low) * at) / (count - 1)));
}

/** Each band's first bin and the weights of the bins from there on; all others are 0. */
function filters(frontEnd, window) {
  const edges = corners(frontEnd), bins = window / 2 + 1;
  return Array.from({ length: frontEnd.bands }, (_, band) => {
    const [foot, peak, end] = edges.slice(band, band + 3);
    const weights = Array.from({ length: bins }, (_, bin) => {
      const hz = (bin * frontEnd.rate_hz) / window;
      return Math.max(0, Math.min((hz - foot) / (peak - foot), (end - hz) / (end - peak)));
    });
    const first = Math.max(0, weights.findIndex((weight) => weight > 0));
    const past = weights.reduce((last, weight, bin) => (weight > 0 ? bin + 1 : last), first);
    return { first, weights: Float64Array.from(weights.slice(first, past)) };
  });
}

/** The power spectrum of real windows of one length, a power of two; J. Cooley and J. Tukey, 1965. */
class Fourier {
  constructor(length) {
    this.length = length;
    this.real = new Float64Array(length);
    this.imaginary = new Float64Array(length);
    this.order = Uint32Array.from({ length }, (_, at) => {
      let turned = 0;
      for (let bit = 1; bit < length; bit <<= 1) turned = (turned << 1) | (at & bit ? 1 : 0);
      return turned;
    });
    this.cosines = Float64Array.from({ length: length / 2 }, (_, at) => Math.cos((2 * Math.PI * at) / length));
    this.sines = Float64Array.from({ length: length / 2 }, (_, at) => -Math.sin((2 * Math.PI * at) / length));
  }

  /** Fills `out` with the power of each bin of so many values. */
  power(values, out) {
    const { length, real, imaginary, order, cosines, sines } = this;
    for (let at = 0; at < length; at++) real[at] = values[order[at]];
    imaginary.fill(0);
    for (let half = 1; half < length; half *= 2) {
      const stride = length / (2 * half);
      for (let start = 0; start < length; start += 2 * half) {
        for (let at = 0; at < half; at++) {
          const a = start + at, b = a + half, cosine = cosines[at * stride], sine = sines[at * stride];
          const x = real[b] * cosine - imaginary[b] * sine, y = real[b] * sine + imaginary[b] * cosine;
          real[b] = real[a] - x;
          imaginary[b] = imaginary[a] - y;
          real[a] += x;
          imaginary[a] += y;
        }
      }
    }
    for (let bin = 0; bin <= length / 2; bin++) out[bin] = real[bin] ** 2 + imaginary[bin] ** 2;
  }
}

/** The log-mel of sound that comes in chunks; keeps what still belongs to a coming window. */
export class LogMelStream {
  constructor(frontEnd) {
    this.bands = frontEnd.bands;
    this.window = Math.round(frontEnd.window_s * frontEnd.rate_hz);
    this.hop = Math.round(frontEnd.hop_s * frontEnd.rate_hz);
    this.floor = frontEnd.floor;
    this.hann = Float64Array.from(
      { length: this.window }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / this.window));
    this.filters = filters(frontEnd, this.window);
    this.fourier = new Fourier(this.window);
    this.windowed = new Float64Array(this.window);
    this.spectrum = new Float64Array(this.window / 2 + 1);
    this.reset();
  }

  /** Forget what was heard. */
  reset() {
    this.held = new Float32Array(0);
  }

  /** The frames that more samples complete: one array of frames x bands. */
  feed(samples) {
    const held = new Float32Array(this.held.length + samples.length);
    held.set(this.held);
    held.set(samples, this.held.length);
    const count = Math.max(0, Math.floor((held.length - this.window) / this.hop) + 1);
    const frames = new Float32Array(count * this.bands);
    for (let frame = 0; frame < count; frame++) {
      for (let at = 0; at < this.window; at++) this.windowed[at] = held[frame * this.hop + at] * this.hann[at];
      this.fourier.power(this.windowed, this.spectrum);
      this.filters.forEach(({ first, weights }, band) => {
        let power = this.floor;
        for (let at = 0; at < weights.length; at++) power += weights[at] * this.spectrum[first + at];
        frames[frame * this.bands + band] = Math.log(power);
      });
    }
    this.held = held.slice(count * this.hop);
    return frames;
  }
}
