/* Sound of another rate turned into 16 kHz as it comes, for browsers that do not do it themselves. */

import { RATE_HZ } from "./pcm.js";

/** Zero crossings of the sinc on either side, and where its pass band ends as a share of the lower Nyquist rate. */
const CROSSINGS = 48, PASS = 0.94;

/** A polyphase filter of windowed sincs: one row of weights for each place that an output may have between inputs. */
export class Resampler {
  constructor(fromHz, toHz = RATE_HZ) {
    const common = divisor(fromHz, toHz);
    this.phases = toHz / common;
    this.step = fromHz / common;
    const cutoff = PASS * Math.min(1, toHz / fromHz), half = Math.ceil(CROSSINGS / cutoff);
    this.width = 2 * half;
    this.weights = Array.from({ length: this.phases }, (_, phase) => {
      const row = Float64Array.from({ length: this.width }, (_, tap) => {
        const distance = tap - (half - 1) - phase / this.phases;
        return cutoff * sinc(cutoff * distance) * blackman(distance / half);
      });
      const sum = row.reduce((total, weight) => total + weight, 0);
      return row.map((weight) => weight / sum);
    });
    this.held = new Float32Array(half - 1);
    this.place = 0;
  }

  /** The samples that further ones complete; the last few wait for what follows them. */
  feed(samples) {
    const { held, phases, step, width, weights } = this, out = [];
    const sound = new Float32Array(held.length + samples.length);
    sound.set(held);
    sound.set(samples, held.length);
    let { place } = this;
    for (let first = Math.floor(place / phases); first + width <= sound.length; first = Math.floor(place / phases)) {
      const row = weights[place % phases];
      let sum = 0;
      for (let tap = 0; tap < width; tap++) sum += row[tap] * sound[first + tap];
      out.push(sum);
      place += step;
    }
    const used = Math.floor(place / phases);
    this.held = sound.slice(used);
    this.place = place - used * phases;
    return Float32Array.from(out);
  }
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

const sinc = (x) => (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1);

/** A Blackman window over -1 to 1; 0 outside. */
function blackman(x) {
  return Math.abs(x) < 1 ? 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x) : 0;
}
