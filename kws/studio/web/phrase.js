/* The word's text, language and respelling, and how good a phrase it is to wake by. */

import { post, slug } from "./api.js";
import { attempt, complain, complaints } from "./attempt.js";
import { fill, h } from "./dom.js";
import { S } from "./strings.js";

const IN_SIGHT = 16;
const percent = (share) => `${Math.round(100 * share)} %`;

const graded = (grade) => h("span", { class: `chip ${grade}` }, S.make.grades[grade]);

/** Things in a row under a heading; nothing without any. */
function row(heading, all) {
  return all.length ? h("div", { class: "stack tight" }, heading && h("h3", {}, heading),
    h("ul", { class: "row plain-list" }, all.map((each) => h("li", {}, each)))) : null;
}

/** What the server says of a phrase. */
function diagnosis(found, onBetter) {
  const { phones, syllables, seconds, reasons, better, neighbours, expected } = found;
  return [
    h("p", { class: "soft" }, h("code", {}, phones.join(" ")), ` ${S.make.sound(phones.length, syllables, seconds)}`),
    reasons.length ? h("ul", { class: "reasons" }, reasons.map((reason) => h("li", {}, reason))) : null,
    expected && h("p", {}, S.make.expected(percent(expected.middle), percent(expected.low), percent(expected.high))),
    row(S.make.better, better.map((other) => h("button", { type: "button", onclick: () => onBetter(other.phrase) },
      other.phrase, " ", graded(other.grade)))),
    ...alike(neighbours),
  ];
}

/** What sounds like the word: the first few in sight, the others and whole sentences folded away. */
function alike(neighbours) {
  const first = neighbours.filter(({ kind }) => kind !== "sentence").slice(0, IN_SIGHT);
  const others = neighbours.filter((each) => !first.includes(each));
  const chip = ({ text, kind }) => h("span", { class: "chip" }, text, " ", h("span", { class: "soft" }, kind));
  return [row(S.make.neighbours, first.map(chip)), others.length ? h("details", {},
    h("summary", {}, S.make.otherNeighbours(others.length)), row(null, others.map(chip))) : null];
}

export class Phrase {
  /** `onChosen` is told the order {name, word, language, say} when the person has settled on a text. */
  constructor(onChosen) {
    this.onChosen = onChosen;
    this.place = complaints();
    this.word = h("input", { required: true, autocomplete: "off", spellcheck: "false", maxlength: 60 });
    this.language = h("select", {}, Object.entries(S.make.languages).map(([tag, name]) =>
      h("option", { value: tag }, name)));
    this.say = h("input", { autocomplete: "off", spellcheck: "false", "aria-describedby": "say-hint" });
    this.examine = h("button", { class: "primary" }, S.make.examine);
    this.status = h("p", { role: "status", class: "row" });
    this.found = h("div", { class: "stack" });
    const field = (label, input, className = "field") => h("label", { class: className }, h("span", {}, label), input);
    this.form = h("form", { class: "stack", onsubmit: (event) => this.#submitted(event) },
      h("div", { class: "row word-row" },
        field(S.make.word, this.word, "field grow"), field(S.make.language, this.language)),
      h("details", {}, h("summary", {}, S.make.respell), field(S.make.say, this.say),
        h("p", { class: "hint", id: "say-hint" }, S.make.sayHint)),
      h("div", {}, this.examine));
    this.element = h("div", { class: "stack" }, this.form, this.status, this.place, this.found);
  }

  /** Show another word's text; what was said of the last one is gone. */
  show({ word, language, say }) {
    this.word.value = word;
    this.#speak(language);
    this.say.value = say.join(", ");
    if (say.length) this.say.closest("details").open = true;
    this.status.textContent = "";
    complain(this.place, null);
    fill(this.found);
  }

  /** Choose a language, one that the list lacks too. */
  #speak(language) {
    if (![...this.language.options].some(({ value }) => value === language)) {
      this.language.append(h("option", { value: language }, language));
    }
    this.language.value = language;
  }

  get #order() {
    const word = this.word.value.trim(), say = this.say.value.split(",").map((each) => each.trim()).filter(Boolean);
    return { name: slug(word), word, language: this.language.value, say };
  }

  #submitted(event) {
    event.preventDefault();
    const order = this.#order;
    if (order.word) attempt(this.examine, this.place, () => this.#examine(order));
    else this.word.focus();
  }

  async #examine(order) {
    this.onChosen(order);
    fill(this.found);
    this.status.textContent = S.make.examining(order.word);
    try {
      const { word, language, say } = order, found = await post("api/phrase", { word, language, say });
      if (word !== this.#order.word) return;
      fill(this.found, diagnosis(found, (phrase) => this.#takeOver(phrase)));
      const { grade, means } = found;
      const sentence = S.make.examined(word, S.make.grades[grade], means);
      fill(this.status, graded(grade), h("span", { class: "strong" }, sentence));
    } catch (error) {
      this.status.textContent = "";
      throw error;
    }
  }

  /** Examine a better phrase instead; how the old one was respelt does not hold for it. */
  #takeOver(phrase) {
    this.show({ word: phrase, language: this.language.value, say: [] });
    this.word.focus();
    this.form.requestSubmit();
  }
}
