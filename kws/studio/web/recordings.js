/* What a person recorded for a word, as lists to hear and to delete from. */

import { get, remove, wordPath } from "./api.js";
import { complaints, doer } from "./attempt.js";
import { fill, h } from "./dom.js";
import { clip } from "./player.js";
import { S } from "./strings.js";

const NOTHING = { positives: [], negatives: [], backgrounds: [] };

/** All recordings of a word by kind; none of one that the server does not know yet. */
export const recordingsOf = (name, isKnown) => (isKnown ? get(wordPath(name, "recordings")) : NOTHING);

/** A list of one kind; `onChange` is called when something was deleted. */
export class RecordingsList {
  constructor(kind, onChange) {
    Object.assign(this, { kind, onChange });
    this.place = complaints();
    this.heading = h("h4", { tabindex: "-1" });
    this.items = h("ul", { class: "recordings plain-list" });
    this.element = h("div", { class: "stack tight" }, this.heading, this.place, this.items);
  }

  /** Show the recordings of the word of that name. */
  show(name, recordings) {
    this.heading.textContent = S.record.listed[this.kind](recordings.length);
    fill(this.items, recordings.map((recording) => this.#item(name, recording)));
  }

  #item(name, { file, seconds, url }) {
    return h("li", {},
      h("div", { class: "recording-name" }, file, " ", h("span", { class: "soft" }, S.record.seconds(seconds))),
      clip({ url, seconds, label: file, isDrawn: this.kind === "positives" }),
      doer(S.record.delete, this.place, () => this.#delete(name, file),
        { class: "quiet", "aria-label": S.record.deleteNamed(file) }));
  }

  async #delete(name, file) {
    if (!window.confirm(S.record.sure(file))) return;
    await remove(wordPath(name, "recordings", this.kind, ...file.split("/")));
    await this.onChange();
    this.heading.focus();
  }
}
