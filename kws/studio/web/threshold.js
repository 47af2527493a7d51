/* One word's threshold: a slider, what the file's own curve says of the place it stands at, and the way back. */

import { Curve } from "./curve.js";
import { choices, detOf, figuresAt, nearest } from "./det.js";
import { h } from "./dom.js";
import { S } from "./strings.js";

export class ThresholdCard {
  /** `word`: {label, about, hue, command}; `onChange(threshold)` is told of each move. */
  constructor(word, onChange) {
    const { about } = word, det = detOf(about);
    this.own = about.decision.threshold;
    this.det = det?.hours > 0 && det.utterances > 0 ? det : null;
    this.choices = choices(det, this.own);
    this.onChange = onChange;
    this.command = word.command;
    this.curve = this.det && new Curve(this.det);
    this.slider = h("input", {
      type: "range", "aria-label": S.listen.thresholdOf(word.label), min: 0, max: this.choices.length - 1, step: 1,
      oninput: () => this.#choose(Number(this.slider.value)),
    });
    this.value = h("output", { class: "number strong" });
    this.misses = h("dd");
    this.accepts = h("dd");
    this.shell = h("code");
    this.element = h("section", { class: "card threshold", "aria-label": word.label }, h("div", { class: "parts" },
      h("div", { class: "stack" },
        h("h2", {}, h("span", { class: "dot" }), word.label),
        h("div", {}, h("div", { class: "row spread" }, h("span", {}, S.listen.threshold, " ", this.value),
          h("button", { type: "button", class: "quiet small", onclick: () => this.move(this.own) },
            S.listen.reset(this.own))),
        this.slider),
        this.det ? this.#figures() : h("p", { class: "notice" }, S.listen.noCurve),
        h("p", { class: "small soft" }, S.listen.elsewhere, this.shell)),
      this.curve ? h("figure", {}, this.curve.element) : null));
    this.element.style.setProperty("--hue", word.hue);
    this.#show(this.own);
  }

  /** Take the nearest threshold there is to choose. */
  move(threshold) {
    this.#choose(nearest(this.choices, threshold));
  }

  #choose(at) {
    this.#show(this.choices[at]);
    this.onChange(this.threshold);
  }

  #figures() {
    const { det } = this;
    return h("div", { class: "stack" },
      h("dl", { class: "figures" }, h("div", {}, h("dt", {}, S.listen.misses), this.misses),
        h("div", {}, h("dt", {}, S.listen.accepts), this.accepts)),
      h("p", { class: "small soft" }, S.listen.measuredOn(det), det.isSpoken ? "" : ` ${S.listen.madeSpeech}`));
  }

  #show(threshold) {
    this.threshold = threshold;
    this.slider.value = nearest(this.choices, threshold);
    this.value.textContent = S.listen.score(threshold);
    this.shell.textContent = S.listen.commandLine(this.command, threshold, threshold === this.own);
    if (!this.det) return this.slider.setAttribute("aria-valuetext", S.listen.score(threshold));
    const figures = figuresAt(this.det, threshold);
    this.misses.replaceChildren(S.listen.missed(figures), h("small", {}, S.listen.missedOf(figures, this.det)));
    this.accepts.replaceChildren(S.listen.accepted(figures), h("small", {}, S.listen.acceptedIn(figures, this.det)));
    this.slider.setAttribute("aria-valuetext", S.listen.spoken(threshold, figures));
    this.curve.show(threshold);
  }
}
