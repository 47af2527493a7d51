/* The view Datasets: scenes of a training set to hear and see, and sound of one's own rooms to train with. */

import { get } from "./api.js";
import { complaints, tried } from "./attempt.js";
import { Backgrounds } from "./backgrounds.js";
import { fill, h } from "./dom.js";
import { silence } from "./player.js";
import { Scenes } from "./scenes.js";
import { S } from "./strings.js";

const COUNT = 24;

/** One dataset, page by page. */
class Browser {
  #first = 0;
  #total = 0;
  #asked = null;

  constructor() {
    this.place = complaints();
    this.datasets = h("select", { onchange: () => this.#open(0) });
    this.scenes = new Scenes();
    this.where = h("p", { role: "status", class: "number" });
    this.before = h("button", { type: "button", onclick: () => this.#open(this.#first - COUNT) }, S.datasets.before);
    this.after = h("button", { type: "button", onclick: () => this.#open(this.#first + COUNT) }, S.datasets.after);
    this.number = h("input", { id: "scene-number", type: "number", min: 0, step: 1, value: 0, required: true });
    this.paging = h("form", { class: "row", onsubmit: (event) => this.#jump(event) }, this.before, this.after,
      this.where, h("span", { class: "row jump" }, h("label", { class: "soft", for: "scene-number" }, S.datasets.from),
        this.number, h("button", {}, S.datasets.go)));
    this.shown = h("div", { class: "stack", hidden: true }, h("label", { class: "field" },
      h("span", {}, S.datasets.dataset), this.datasets), this.paging, this.scenes.element);
    this.empty = h("div", { class: "empty", hidden: true }, h("p", {}, S.datasets.empty), h("p", {},
      h("code", {}, S.datasets.command)));
    this.element = h("div", { class: "stack" }, this.place, this.empty, this.shown);
    tried(this.place, () => this.#list());
  }

  async #list() {
    const found = await get("api/datasets");
    this.empty.hidden = found.length > 0;
    this.shown.hidden = !found.length;
    fill(this.datasets, found.map(({ name, clips, seconds }) =>
      h("option", { value: name }, S.datasets.option(name, clips, seconds))));
    if (found.length) await this.#load(0);
  }

  #open(first) {
    return tried(this.place, () => this.#load(first));
  }

  async #load(first) {
    silence();
    const name = this.datasets.value, query = new URLSearchParams({ name, first: Math.max(0, first), count: COUNT });
    this.#asked = query;
    const { total, scenes } = await get(`api/datasets/scenes?${query}`);
    if (query !== this.#asked) return;
    [this.#first, this.#total] = [Math.max(0, first), total];
    this.scenes.show(scenes);
    this.where.textContent = S.datasets.where(this.#first, this.#first + scenes.length - 1, total);
    this.number.max = Math.max(0, total - 1);
    this.number.value = this.#first;
    this.before.disabled = this.#first === 0;
    this.after.disabled = this.#first + scenes.length >= total;
  }

  #jump(event) {
    event.preventDefault();
    this.#open(Math.min(this.number.valueAsNumber, Math.max(0, this.#total - 1)));
  }
}

/** Background sound for a word that the person chooses. */
class Rooms {
  constructor() {
    this.place = complaints();
    this.words = h("select", { onchange: () => this.#chosen() });
    this.backgrounds = new Backgrounds(() => {});
    this.shown = h("div", { class: "stack", hidden: true },
      h("label", { class: "field" }, h("span", {}, S.datasets.word), this.words), this.backgrounds.element);
    this.empty = h("div", { class: "empty", hidden: true },
      h("p", {}, S.datasets.noWords), h("a", { href: "#make" }, S.datasets.makeOne));
    this.element = h("div", { class: "stack" }, this.place, this.empty, this.shown);
    tried(this.place, () => this.#list());
  }

  async #list() {
    this.known = await get("api/words");
    this.empty.hidden = this.known.length > 0;
    this.shown.hidden = !this.known.length;
    fill(this.words, this.known.map(({ name, word }) => h("option", { value: name }, word)));
    if (this.known.length) this.#chosen();
  }

  #chosen() {
    this.backgrounds.show(this.known.find(({ name }) => name === this.words.value), true);
  }
}

/** The view, made of `standing`: `leave` stops what is heard. */
export function view() {
  const element = h("div", { class: "view" },
    h("h1", { tabindex: -1 }, S.datasets.title), h("p", { class: "lead" }, S.datasets.lead),
    h("details", { class: "card" }, h("summary", {}, S.datasets.rooms), new Rooms().element),
    h("section", { class: "card plain" }, h("h2", {}, S.datasets.scenes), new Browser().element));
  return { element, leave: silence };
}
