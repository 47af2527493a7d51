/* What a detector gets wrong: misses and false accepts to hear and see, and the latter to teach it. */

import { get, post, wordPath } from "./api.js";
import { complaints, doer, tried } from "./attempt.js";
import { fill, h } from "./dom.js";
import { clip } from "./player.js";
import { S } from "./strings.js";

export class Report {
  #shown = null;

  /** `onAnew` trains the word anew, `onTaught` is called when a false accept was put with the negatives. */
  constructor(onAnew, onTaught) {
    this.onTaught = onTaught;
    this.place = complaints();
    this.whole = h("a", { class: "button", target: "_blank", rel: "noopener" }, S.report.whole);
    this.taught = h("p", { role: "status" });
    this.anew = doer(S.report.anew, this.place, onAnew, { class: "primary", hidden: true });
    this.excerpts = h("div", { class: "stack" });
    this.element = h("div", { class: "stack" }, h("div", {}, this.whole), this.place, this.excerpts, this.taught,
      h("div", {}, this.anew));
  }

  /** Show what the server has on a word; whether there is anything. */
  show(known) {
    const report = known?.state === "running" ? null : known?.report, key = report && `${known.name} ${known.verdict}`;
    if (key === this.#shown) return Boolean(report);
    this.#shown = key;
    fill(this.excerpts);
    this.anew.hidden = true;
    this.taught.textContent = "";
    if (!report) return false;
    this.whole.href = report;
    tried(this.place, () => this.#load(known.name, key));
    return true;
  }

  async #load(name, key) {
    const { misses, accepts } = await get(wordPath(name, "excerpts"));
    if (key !== this.#shown) return;
    this.taughtCount = accepts.filter(({ is_negative: isNegative }) => isNegative).length;
    fill(this.excerpts, this.#part(S.report.misses, S.report.noMisses, misses, () => null),
      this.#part(S.report.accepts, S.report.noAccepts, accepts, (excerpt) => this.#teaching(name, excerpt)));
    this.#offerAnew();
  }

  #part(heading, none, excerpts, below) {
    return h("div", { class: "stack" }, h("h3", {}, heading), excerpts.length
      ? h("ul", { class: "grid plain-list" }, excerpts.map((excerpt) => this.#item(excerpt, below(excerpt))))
      : h("p", { class: "soft" }, none));
  }

  #item({ title, score, threshold, seconds, url, curve }, below) {
    return h("li", { class: "stack tight" }, h("p", { class: "strong" }, title),
      h("p", { class: "soft small number" }, S.report.score(score, threshold)),
      clip({ url, seconds, label: title, curve, threshold }), below);
  }

  #teaching(name, { id, title, is_negative: isNegative }) {
    const done = () => h("p", { class: "taught" }, S.report.isTaught);
    if (isNegative) return done();
    const teach = doer(S.report.teach, this.place, async () => {
      await post(wordPath(name, "excerpts", id, "negative"));
      const told = done();
      told.tabIndex = -1;
      teach.replaceWith(told);
      told.focus();
      this.taughtCount += 1;
      this.#offerAnew();
      await this.onTaught();
    }, { "aria-label": S.report.teachNamed(title) });
    return teach;
  }

  #offerAnew() {
    this.anew.hidden = !this.taughtCount;
    this.taught.textContent = this.taughtCount ? S.report.taught(this.taughtCount) : "";
  }
}
