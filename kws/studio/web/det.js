/* What a detector file tells of misses and false accepts at each threshold: the twin of kws/det.py. */

const Z_95 = 1.959963984540054, SPOKEN = "human speech", LEAST = 0.05;

/** The curve in a file's metadata, counts at each of its thresholds, or null where it tells none. */
export function detOf({ det, evaluation = {} }) {
  if (!det) return null;
  const hours = det.hours ?? evaluation.hours, utterances = det.utterances ?? evaluation.utterances;
  const counts = (shares, of) => shares.map((share) => (of ? Math.round(share * of) : 0));
  return {
    thresholds: det.thresholds, hours, utterances,
    misses: det.misses ?? counts(det.frr, utterances),
    falseAccepts: det.false_accepts ?? counts(det.false_accepts_per_hour, hours),
    negatives: evaluation.negatives, set: evaluation.set, isSpoken: evaluation.negatives === SPOKEN,
  };
}

/** The thresholds that a person may choose from: the curve's, but for those where it hears all or nothing. */
export function choices(det, own) {
  const grid = det?.thresholds ?? Array.from({ length: 99 }, (_, at) => (at + 1) / 100);
  const deaf = det?.utterances ? det.misses.indexOf(det.utterances) : -1;
  const within = grid.filter((threshold, at) => threshold >= LEAST && (deaf < 0 || at <= deaf));
  return [...new Set([...within, own])].sort((a, b) => a - b);
}

/** The number of the one among rising values that lies nearest to a value. */
export function nearest(values, value) {
  return values.reduce((best, each, at) => (Math.abs(each - value) < Math.abs(values[best] - value) ? at : best), 0);
}

/** Misses and false accepts at the curve's point nearest to a threshold, each with what its count supports. */
export function figuresAt(det, threshold) {
  const at = nearest(det.thresholds, threshold), missed = det.misses[at], accepted = det.falseAccepts[at];
  return {
    missed, accepted, share: missed / det.utterances, perHour: accepted / det.hours,
    shares: wilson(missed, det.utterances), perHours: poissonInterval(accepted, det.hours),
  };
}

/** The 95 % interval of a share; E. B. Wilson, 1927. */
export function wilson(count, of) {
  if (!of) return [0, 1];
  const share = count / of, spread = Z_95 ** 2 / of, middle = (share + spread / 2) / (1 + spread);
  const half = Math.sqrt((share * (1 - share) * spread) + spread ** 2 / 4) / (1 + spread);
  return [count ? Math.max(0, middle - half) : 0, count < of ? Math.min(1, middle + half) : 1];
}

/** The exact 95 % interval of a rate per hour, one-sided where none was counted; F. Garwood, 1936. */
export function poissonInterval(count, hours) {
  if (!(hours > 0)) return [0, Infinity];
  if (!count) return [0, -Math.log(0.05) / hours];
  const low = bisect((mean) => 1 - atMost(count - 1, mean) < 0.025, count);
  const high = bisect((mean) => atMost(count, mean) > 0.025, count);
  return [low / hours, high / hours];
}

/** Two significant digits, never below the value: what is shown to be fewer than that. */
export function roundUp(value) {
  if (!(value > 0 && value < Infinity)) return value;
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Number((Math.ceil(value / step - 1e-9) * step).toPrecision(2));
}

/** The chance of at most so many where a mean is expected. */
function atMost(count, mean) {
  if (mean <= 0) return 1;
  let logFactorial = 0, chance = Math.exp(-mean);
  for (let each = 1; each <= count; each++) {
    logFactorial += Math.log(each);
    chance += Math.exp(each * Math.log(mean) - mean - logFactorial);
  }
  return chance;
}

/** The mean up to which it holds. */
function bisect(holds, count) {
  let low = 0, high = count + 10 * Math.sqrt(count) + 10;
  for (let turn = 0; turn < 60; turn++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
