/* What is told while listening: how loud it is, what listening costs, and what was heard. */

import { h } from "./dom.js";
import { S } from "./strings.js";
import { clock } from "./timeline.js";

const LOWEST_DB = -60, LOUD_DB = -3, FALL_DB_S = 30, TOLD_EVERY_MS = 1000, COST_OVER_S = 10, MOST_LINES = 200;

/** How loud it is: the peak of the latest sound, which falls slowly. */
export class Level {
  constructor() {
    this.bar = h("span");
    this.element = h("div", { class: "meter", role: "meter", "aria-label": S.listen.level, "aria-valuemin": LOWEST_DB,
      "aria-valuemax": 0 }, this.bar);
    this.reset();
  }

  reset() {
    Object.assign(this, { db: LOWEST_DB, tickedMs: 0, toldMs: 0 });
    this.tick(0);
  }

  /** Further samples. */
  add(samples) {
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    this.db = Math.max(this.db, 20 * Math.log10(peak + 1e-9));
  }

  /** Show the present moment. */
  tick(nowMs) {
    this.db = Math.max(LOWEST_DB, this.db - (FALL_DB_S * (nowMs - this.tickedMs)) / 1000);
    this.tickedMs = nowMs;
    this.bar.style.width = `${100 * (1 - this.db / LOWEST_DB)}%`;
    this.element.classList.toggle("loud", this.db > LOUD_DB);
    if (nowMs - this.toldMs < TOLD_EVERY_MS && nowMs) return;
    this.toldMs = nowMs;
    this.element.setAttribute("aria-valuenow", Math.round(this.db));
    this.element.setAttribute("aria-valuetext", S.listen.decibels(this.db));
  }
}

/** What listening costs, over the last seconds. */
export class Cost {
  constructor() {
    this.element = h("p", { class: "soft small number" });
    this.reset();
  }

  reset() {
    Object.assign(this, { latest: [], toldMs: 0 });
    this.element.textContent = S.listen.noCost;
  }

  /** What hearing one more stretch of sound took. */
  add({ seconds, tookMs }) {
    this.latest.push({ seconds, tookMs });
    let heard = this.latest.reduce((sum, each) => sum + each.seconds, 0);
    while (heard > COST_OVER_S) heard -= this.latest.shift().seconds;
  }

  /** Tell it, with how much sound was dropped for lack of time. */
  tick(nowMs, droppedS) {
    if (nowMs - this.toldMs < TOLD_EVERY_MS || !this.latest.length) return;
    this.toldMs = nowMs;
    const sum = (name) => this.latest.reduce((total, each) => total + each[name], 0);
    const told = S.listen.cost(sum("tookMs") / sum("seconds"));
    this.element.textContent = droppedS ? `${told} ${S.listen.dropped(droppedS)}` : told;
  }
}

/** What was heard, the latest first. */
export class Detections {
  constructor() {
    this.list = h("ol", { class: "detections", "aria-live": "polite", "aria-relevant": "additions", reversed: true });
    this.empty = h("p", { class: "empty" });
    this.element = h("section", { class: "heard", "aria-label": S.listen.detections },
      h("h2", {}, S.listen.detections), this.empty, this.list);
    this.reset(S.listen.nothingYet);
  }

  /** Forget all; `told` stands there until something is heard. */
  reset(told) {
    this.list.replaceChildren();
    this.empty.hidden = false;
    this.empty.textContent = told;
  }

  /** A word was heard. */
  add({ label, hue }, { timeS, score }) {
    this.empty.hidden = true;
    const line = h("li", {}, h("span", { class: "dot" }), h("span", { class: "strong" }, label),
      h("span", { class: "soft number" }, S.listen.at(clock(timeS, 1))),
      h("span", { class: "number" }, S.listen.score(score)));
    line.style.setProperty("--hue", hue);
    this.list.prepend(line);
    if (this.list.children.length > MOST_LINES) this.list.lastChild.remove();
  }
}
