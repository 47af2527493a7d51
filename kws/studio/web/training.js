/* Making the detector: how long it may take, where it is, stopping and going on, and what came of it. */

import { post, wordPath } from "./api.js";
import { complain, complaints, doer } from "./attempt.js";
import { h } from "./dom.js";
import { S } from "./strings.js";

const DRAFT_MINUTES = 3;

/** Go to the view Listen by loading the page anew, so that it learns of the detector that was just made. */
function listenAnew(event) {
  event.preventDefault();
  history.pushState(null, "", event.currentTarget.hash);
  location.reload();
}

/** Where the server is with a word: a heading, a bar and figures; and apart, the last lines of what it said. */
class Progress {
  constructor() {
    this.stage = h("p", { class: "strong" });
    this.bar = h("progress", { max: 1, "aria-label": S.make.progress });
    this.figures = h("p", { class: "soft small number" });
    this.log = h("pre", { class: "log", tabindex: 0, "aria-label": S.make.log });
    this.details = h("details", {}, h("summary", {}, S.make.log), this.log);
    this.running = h("div", { class: "stack tight" }, this.stage, this.bar, this.figures);
  }

  show({ state, progress, log }) {
    this.running.hidden = state !== "running";
    this.stage.textContent = progress ? S.make.stage(progress) : S.make.beginning;
    if (progress?.total) this.bar.value = progress.done / progress.total;
    else this.bar.removeAttribute("value");
    this.figures.textContent = progress ? S.make.figures(progress) : "";
    this.details.hidden = !log.length;
    const isAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
    this.log.textContent = log.join("\n");
    if (isAtEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** How long it may take: a draft, minutes of one's own, or as long as it takes. */
class Minutes {
  constructor() {
    const radio = (value, label, isChecked) => h("label", { class: "chip" },
      h("input", { type: "radio", name: "minutes", value, checked: isChecked }), label);
    this.own = h("input", { type: "number", min: 1, max: 600, step: "any", value: 10, "aria-label": S.make.ownMinutes,
      oninput: () => this.#choose("own") });
    this.element = h("fieldset", {}, h("legend", { class: "soft" }, S.make.minutes), h("div", { class: "row" },
      radio("draft", S.make.draft(DRAFT_MINUTES), true),
      h("span", { class: "own-minutes" }, radio("own", S.make.own), this.own), radio("whole", S.make.whole)));
  }

  /** Minutes, or null for as long as it takes. Throws an Error if they are no number of minutes. */
  get value() {
    const chosen = this.element.querySelector("input:checked").value;
    if (chosen === "own" && (!this.own.value || !this.own.validity.valid)) throw new Error(S.make.badMinutes);
    return { draft: DRAFT_MINUTES, own: this.own.valueAsNumber, whole: null }[chosen];
  }

  /** Choose minutes, or null for as long as it takes. */
  set value(minutes) {
    if (minutes !== null && minutes !== DRAFT_MINUTES) this.own.value = minutes;
    this.#choose(minutes === null ? "whole" : minutes === DRAFT_MINUTES ? "draft" : "own");
  }

  #choose(which) {
    this.element.querySelector(`[value=${which}]`).checked = true;
  }
}

export class Training {
  #order = null;

  /** `onWord` is called when the server was told to begin, to stop or to go on. */
  constructor(onWord) {
    this.onWord = onWord;
    this.place = complaints();
    this.minutes = new Minutes();
    this.basis = h("p", { class: "soft" });
    this.state = h("p", { role: "status", class: "strong" });
    this.failure = h("p", { class: "error", hidden: true });
    this.progress = new Progress();
    this.start = doer(S.make.start, this.place, () => this.begin(), { class: "primary" });
    this.goOn = doer(S.make.goOn, this.place, () => this.#tell("go_on"), { class: "primary" });
    this.stop = doer(S.make.stop, this.place, () => this.#tell("stop"), { class: "danger" });
    this.verdict = h("pre", { class: "log verdict", tabindex: 0, "aria-label": S.make.verdict });
    this.listen = h("a", { class: "button", href: "#listen", onclick: listenAnew }, S.make.listen);
    this.outcome = h("div", { class: "stack" }, h("h3", {}, S.make.verdict), this.verdict, h("div", {}, this.listen));
    this.element = h("div", { class: "stack" }, this.basis, this.minutes.element,
      h("div", { class: "row" }, this.goOn, this.start, this.stop), this.place, this.state, this.failure,
      this.progress.running, this.outcome, this.progress.details);
  }

  /** Make this word from now on; `known` is what the server knows of it, or null. */
  show(order, known) {
    this.#order = order;
    complain(this.place, null);
    this.state.textContent = "";
    this.minutes.value = known && known.state !== "none" ? known.minutes : DRAFT_MINUTES;
    this.update(known);
  }

  /** Show where the server is with it. */
  update(known) {
    const word = known ?? { state: "none", log: [], recordings: { positives: 0, negatives: 0, backgrounds: 0 } };
    const { state } = word, isRunning = state === "running", hadFocus = document.activeElement;
    const { language } = this.#order;
    this.basis.textContent = S.make.basis(this.#order.word, S.make.languages[language] ?? language, word.recordings);
    this.minutes.element.hidden = isRunning;
    this.stop.hidden = !isRunning;
    this.start.hidden = isRunning;
    this.goOn.hidden = !["stopped", "failed"].includes(state);
    this.start.textContent = S.make.starts[state] ?? S.make.start;
    this.start.classList.toggle("primary", this.goOn.hidden);
    if (this.state.textContent !== S.make.states[state]) this.state.textContent = S.make.states[state];
    this.failure.hidden = !word.error;
    this.failure.textContent = word.error ?? "";
    this.progress.show(word);
    this.outcome.hidden = isRunning || !word.verdict;
    this.verdict.textContent = word.verdict ?? "";
    this.listen.hidden = !word.detector;
    if (hadFocus?.hidden) [this.stop, this.goOn, this.start].find((button) => !button.hidden).focus();
  }

  /** Tell the server to make the word, anew if it was made. */
  async begin() {
    const { word, language, say } = this.#order;
    await post("api/words", { word, language, say, minutes: this.minutes.value });
    await this.onWord();
  }

  async #tell(what) {
    await post(wordPath(this.#order.name, what));
    await this.onWord();
  }
}
