/* Sound of one's own rooms for a word: files dropped or chosen, sent one after the other. */

import { put, wordPath } from "./api.js";
import { complaints, tried } from "./attempt.js";
import { fill, h } from "./dom.js";
import { RecordingsList, recordingsOf } from "./recordings.js";
import { S } from "./strings.js";

const MOST_MB = 64, MB = 2 ** 20;

export class Backgrounds {
  #order = null;

  /** `onChange` is called when files came or went. */
  constructor(onChange) {
    this.onChange = onChange;
    this.place = complaints();
    this.sending = h("ul", { class: "sending plain-list", "aria-live": "polite" });
    this.list = new RecordingsList("backgrounds", () => this.#changed(this.#order));
    this.input = h("input", { type: "file", multiple: true, accept: "audio/*,.flac,.ogg,.opus", class: "file",
      onchange: () => this.#chosen() });
    this.zone = h("label", { class: "drop", ondragover: (event) => this.#over(event), ondragleave: () => this.#out(),
      ondrop: (event) => this.#dropped(event) }, h("span", {}, S.record.drop), this.input);
    this.element = h("div", { class: "stack" },
      h("p", {}, S.record.backgroundsSay), this.zone, this.sending, this.place, this.list.element);
  }

  /** Take files for a word from now on, which the server knows already or not. */
  async show(order, isKnown) {
    this.#order = order;
    fill(this.sending);
    await tried(this.place, () => this.#load(isKnown));
  }

  async #load(isKnown) {
    const { name } = this.#order, { backgrounds } = await recordingsOf(name, isKnown);
    if (name === this.#order.name) this.list.show(name, backgrounds);
  }

  async #changed(order) {
    if (order === this.#order) await this.#load(true);
    await this.onChange();
  }

  #over(event) {
    event.preventDefault();
    this.zone.classList.add("over");
  }

  #out() {
    this.zone.classList.remove("over");
  }

  #dropped(event) {
    event.preventDefault();
    this.#out();
    this.#send([...event.dataTransfer.files]);
  }

  #chosen() {
    this.#send([...this.input.files]);
    this.input.value = "";
  }

  async #send(files) {
    const order = this.#order;
    fill(this.sending);
    const rows = files.map((file) => this.#row(file));
    for (const { file, bar, told } of rows) {
      try {
        if (file.size > MOST_MB * MB) throw new Error(S.record.tooLarge(file.name, MOST_MB));
        const query = new URLSearchParams({ word: order.word });
        await put(`${wordPath(order.name, "backgrounds", file.name)}?${query}`, file, (share) => (bar.value = share));
        [bar.value, told.textContent] = [1, S.record.sent];
      } catch (error) {
        bar.remove();
        [told.className, told.textContent] = ["error", error.message];
      }
    }
    await tried(this.place, () => this.#changed(order));
  }

  #row(file) {
    const bar = h("progress", { value: 0, max: 1, "aria-label": S.record.sending(file.name) }), told = h("span");
    this.sending.append(h("li", {}, h("span", {}, file.name), bar, told));
    return { file, bar, told };
  }
}
