/* A small picture of how misses trade against false accepts, with the present threshold's point on it. */

import { figuresAt } from "./det.js";
import { S } from "./strings.js";

const WIDTH = 320, HEIGHT = 190, LEFT = 40, RIGHT = 8, TOP = 24, BOTTOM = 36;
const MOST_PER_HOUR = 100, RATES = [0.1, 1, 10, 100], SHARES = [0.003, 0.01, 0.03, 0.1, 0.3, 1];

/** An element of a drawing. */
function s(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Where a value lies from `from` to `to` on a logarithmic scale of two values; what is beyond lies at the edge. */
function along(value, [least, most], from, to) {
  const share = Math.log(Math.max(value, least) / least) / Math.log(most / least);
  return from + Math.min(1, share) * (to - from);
}

export class Curve {
  constructor(det) {
    this.det = det;
    this.least = 0.3 / det.hours;
    this.leastShare = SHARES.findLast((share) => share * det.utterances <= Math.min(...det.misses)) ?? SHARES[0];
    this.mark = s("circle", { class: "point", r: 5 });
    this.cross = s("path", { class: "cross" });
    this.element = s("svg", { class: "det", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" },
      ...this.#axes(), ...this.#lines(), this.cross, this.mark);
  }

  /** Show the point of a threshold. */
  show(threshold) {
    const { perHour, share } = figuresAt(this.det, threshold), [x, y] = this.#place(perHour, share);
    this.mark.setAttribute("cx", x);
    this.mark.setAttribute("cy", y);
    this.cross.setAttribute("d", `M${x} ${HEIGHT - BOTTOM}V${y}H${LEFT}`);
    this.element.setAttribute("aria-label", S.listen.curveLabel(threshold));
  }

  #place(perHour, share) {
    return [along(perHour, [this.least, MOST_PER_HOUR], LEFT, WIDTH - RIGHT),
      along(share, [this.leastShare, 1], HEIGHT - BOTTOM, TOP)];
  }

  /** The counted part as a line; where no false accept was counted, a broken one along the left edge. */
  #lines() {
    const { thresholds, falseAccepts, misses, hours, utterances } = this.det;
    const places = thresholds.map((_, at) => this.#place(falseAccepts[at] / hours, misses[at] / utterances));
    const first = falseAccepts.findLastIndex((count) => count / hours > MOST_PER_HOUR) + 1;
    const none = falseAccepts.findIndex((count) => count === 0), end = none < 0 ? places.length : none;
    const path = (part) => part.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return [s("path", { class: "line", d: path(places.slice(first, end)) }),
      s("path", { class: "line none", d: path(places.slice(Math.max(first, end - 1))) })];
  }

  #axes() {
    const base = HEIGHT - BOTTOM, rates = RATES.filter((rate) => rate > 2 * this.least);
    const columns = [[LEFT, S.listen.axisNone], ...rates.map((rate) => [this.#place(rate, 1)[0], `${rate}`])];
    const shares = SHARES.filter((share) => share >= this.leastShare);
    const rows = shares.map((share) => [this.#place(1, share)[1], `${Number((100 * share).toPrecision(1))} %`]);
    return [
      s("path", { class: "grid-lines", d: [...columns.map(([x]) => `M${x} ${TOP}V${base}`),
        ...rows.map(([y]) => `M${LEFT} ${y}H${WIDTH - RIGHT}`)].join("") }),
      ...columns.map(([x, label], at) => s("text",
        { x, y: base + 15, "text-anchor": at === columns.length - 1 ? "end" : "middle" }, label)),
      ...rows.map(([y, label]) => s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, label)),
      s("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, S.listen.axisRates),
      s("text", { x: 0, y: 11 }, S.listen.axisShares),
    ];
  }
}
