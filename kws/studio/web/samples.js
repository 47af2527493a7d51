/* How the voices that a detector is trained with will say the word. */

import { post } from "./api.js";
import { complain, complaints, doer } from "./attempt.js";
import { fill, h } from "./dom.js";
import { clip } from "./player.js";
import { S } from "./strings.js";

export class Samples {
  constructor() {
    this.place = complaints();
    this.status = h("p", { role: "status", class: "soft" });
    this.list = h("ul", { class: "samples plain-list" });
    this.element = h("div", { class: "stack" }, h("p", { class: "soft" }, S.make.samplesWhy),
      h("div", {}, doer(S.make.speak, this.place, () => this.#speak())), this.status, this.place, this.list);
  }

  /** Speak this word from now on. */
  show(order) {
    this.order = order;
    this.status.textContent = "";
    complain(this.place, null);
    fill(this.list);
  }

  async #speak() {
    const { word, language, say } = this.order;
    this.status.textContent = S.make.speaking;
    fill(this.list);
    try {
      const samples = await post("api/samples", { word, language, say });
      if (word !== this.order.word) return;
      this.status.textContent = S.make.spoken(samples.length);
      fill(this.list, samples.map(({ engine, voice, url }) => h("li", {},
        clip({ url, label: S.make.voice(engine, voice), isDrawn: false }),
        h("span", {}, voice, " ", h("span", { class: "soft" }, engine)))));
    } catch (error) {
      this.status.textContent = "";
      throw error;
    }
  }
}
