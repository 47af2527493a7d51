/* The stretch of time that the live pictures show, in seconds of sound heard. */

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

/** Seconds from the left edge to the right. */
export const SPAN_S = 8;

/** Sound comes in blocks; what is shown glides this far behind the newest at most. */
const GLIDE_S = 0.25;

export class Timeline {
  constructor() {
    this.reset();
  }

  /** Back to the beginning. */
  reset() {
    Object.assign(this, { heardS: 0, shownS: 0, tickedMs: null });
  }

  /** Go on with the picture's clock to the present moment. */
  tick(nowMs) {
    const passedS = this.tickedMs === null ? 0 : (nowMs - this.tickedMs) / 1000;
    this.tickedMs = nowMs;
    this.shownS = Math.min(this.heardS, Math.max(this.shownS + passedS, this.heardS - GLIDE_S));
  }

  /** The time at the left edge; where motion is to be reduced, the page is filled and then turned. */
  get leftS() {
    return CALM.matches ? Math.floor(this.shownS / SPAN_S) * SPAN_S : this.shownS - SPAN_S;
  }

  /** Where a time lies in a picture of some width. */
  x(timeS, width) {
    return ((timeS - this.leftS) / SPAN_S) * width;
  }
}

/** Minutes and seconds, to a tenth where asked for. */
export function clock(seconds, digits = 0) {
  const units = 10 ** digits, whole = Math.round(seconds * units), minutes = Math.floor(whole / (60 * units));
  const rest = (whole - minutes * 60 * units) / units;
  return `${minutes}:${rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
}
