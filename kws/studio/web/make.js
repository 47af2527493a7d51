/* The view Make a word: from its text by way of the person's own voice to a detector, and what it gets wrong. */

import { complain, complaints } from "./attempt.js";
import { fill, h } from "./dom.js";
import { Phrase } from "./phrase.js";
import { silence } from "./player.js";
import { Recorder } from "./record.js";
import { Report } from "./report.js";
import { Samples } from "./samples.js";
import { S } from "./strings.js";
import { Training } from "./training.js";
import { Words } from "./words.js";

const HASH = "#make", KEPT = "studio.orders";
const STATES = { running: "busy", stopped: "fair", failed: "poor", done: "good" };
let lastName = null;

/** What was asked for of each word in this browser, for the server learns it only when a word is made. */
function orders() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(order) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...orders(), [order.name]: order }));
  } catch {
    // A browser that keeps nothing asks for the language again after a reload.
  }
}

/** The order of a word of that name as far as it is known; null if it is not. */
function orderOf(name, known) {
  const kept = orders()[name];
  if (kept && (known?.state ?? "none") === "none") return kept;
  return known && { name, word: known.word, language: known.language, say: known.say };
}

function hashName() {
  const [view, name] = location.hash.split("/");
  if (view !== HASH || !name) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}

class Make {
  #order = null;

  constructor() {
    const changed = () => this.words.refresh();
    this.words = new Words((known) => this.#told(known), (trouble) => complain(this.place, trouble));
    this.place = complaints();
    this.list = h("ul", { class: "row plain-list" });
    this.mine = h("section", { class: "card", hidden: true, "aria-labelledby": "words-heading" },
      h("h2", { id: "words-heading" }, S.make.mine), this.list);
    this.phrase = new Phrase((order) => this.#choose(order));
    this.samples = new Samples();
    this.recorder = new Recorder(changed);
    this.training = new Training(changed);
    this.report = new Report(() => this.#anew(), () => this.recorder.changed());
    const [how, said, own, make, wrong] = [this.phrase, this.samples, this.recorder, this.training, this.report].map(
      ({ element }, number) => h("section", { class: "card", "aria-labelledby": `step-${number}` },
        h("h2", { id: `step-${number}` }, h("span", { class: "step" }, number + 1), S.make.steps[number]), element));
    [this.makeCard, this.wrongCard] = [make, wrong];
    this.steps = h("div", { class: "view", hidden: true }, said, own, make, wrong);
    this.element = h("div", { class: "view" }, h("h1", { tabindex: -1 }, S.make.title),
      h("p", { class: "lead" }, S.make.lead), this.place, this.mine, how, this.steps);
    this.onHash = () => this.#pickUp(hashName());
    window.addEventListener("hashchange", this.onHash);
    this.#begin();
  }

  /** Pick up the word of the hash, or the one chosen last, or the one that is being made. */
  async #begin() {
    await this.words.refresh();
    this.#pickUp(hashName() ?? lastName ?? this.words.running?.name ?? null);
  }

  #pickUp(name) {
    const order = name && name !== this.#order?.name ? orderOf(name, this.words.named(name)) : null;
    if (!order) return;
    this.phrase.show(order);
    this.#choose(order);
  }

  /** Go on with this word. */
  #choose(order) {
    const isOther = order.name !== this.#order?.name, known = this.words.named(order.name);
    this.#order = order;
    lastName = order.name;
    keep(order);
    history.replaceState(history.state, "", `${HASH}/${encodeURIComponent(order.name)}`);
    this.steps.hidden = false;
    this.samples.show(order);
    if (isOther) this.recorder.show(order, Boolean(known));
    this.training.show(order, known);
    this.#told(this.words.known);
  }

  /** The server told of all words: show those, and how far this one is. */
  #told(known) {
    this.mine.hidden = !known.length;
    const shown = JSON.stringify([known.map(({ name, state }) => [name, state]), this.#order?.name]);
    if (shown !== this.shown) fill(this.list, known.map((word) => this.#listed(word)));
    this.shown = shown;
    if (!this.#order) return;
    const mine = this.words.named(this.#order.name);
    this.training.update(mine);
    this.wrongCard.hidden = !this.report.show(mine);
  }

  #listed({ name, word, state }) {
    const button = h("button", { type: "button", "aria-pressed": String(name === this.#order?.name) }, word, " ",
      h("span", { class: `chip ${STATES[state] ?? ""}` }, S.make.shortStates[state]));
    button.addEventListener("click", () => {
      this.#pickUp(name);
      this.list.querySelector("[aria-pressed=true]")?.focus();
    });
    return h("li", {}, button);
  }

  async #anew() {
    await this.training.begin();
    this.makeCard.scrollIntoView({ block: "start" });
    this.training.stop.focus({ preventScroll: true });
  }

  leave() {
    window.removeEventListener("hashchange", this.onHash);
    this.words.leave();
    this.recorder.leave();
    silence();
  }
}

/** The view, made of `standing`: `leave` lets go of the microphone and asks the server no more. */
export function view() {
  const make = new Make();
  return { element: make.element, leave: () => make.leave() };
}
