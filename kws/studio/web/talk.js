/* Talk and room sound without the word, recorded in files of a minute until the person stops. */

import { post, wordPath } from "./api.js";
import { attempt, complaints } from "./attempt.js";
import { h } from "./dom.js";
import { pcm, RATE_HZ } from "./pcm.js";
import { S } from "./strings.js";
import { Gathering } from "./take.js";

/** These are kws/recorder.py's. */
const MINUTE_S = 60, LEAST_S = 1;

export class Talk {
  #isWanted = false;

  /** `onChange` is told for which word a file was kept. */
  constructor(microphone, onChange) {
    Object.assign(this, { microphone, onChange });
    this.place = complaints();
    this.told = h("p", { role: "status" });
    this.time = h("span", { class: "soft number" });
    this.toggle = h("button", { type: "button", onclick: () => this.#toggled() }, S.record.talkStart);
    this.says = h("p", {});
    this.element = h("div", { class: "stack" },
      this.says, h("div", { class: "row" }, this.toggle, this.time), this.told, this.place);
  }

  /** For which word talk is recorded from now on. */
  show(order) {
    this.stop();
    this.order = order;
    this.says.textContent = S.record.talkSays(order.word);
    this.told.textContent = "";
  }

  /** End the file that is being recorded; what there is of it is kept. */
  stop() {
    this.#isWanted = false;
  }

  #toggled() {
    if (this.#isWanted) this.stop();
    else attempt(this.toggle, this.place, () => this.#record(this.order));
  }

  async #record(order) {
    await this.microphone.open();
    this.#isWanted = true;
    this.toggle.textContent = S.record.talkStop;
    this.told.textContent = S.record.talkOn;
    let kept = 0;
    try {
      while (this.#isWanted) kept += await this.#file(order);
    } finally {
      this.stop();
      this.toggle.textContent = S.record.talkStart;
      this.time.textContent = "";
      this.told.textContent = S.record.talkKept(kept);
    }
  }

  /** Record one file and hand it in, even if the microphone fails meanwhile; how many were kept. */
  async #file(order) {
    const gathering = new Gathering(MINUTE_S, (timeS) => (this.time.textContent = S.record.talkTime(timeS, MINUTE_S)));
    let failure = null;
    try {
      await this.microphone.hear((chunk) => gathering.feed(chunk) || !this.#isWanted);
    } catch (error) {
      failure = error;
    }
    const kept = gathering.count >= LEAST_S * RATE_HZ ? await this.#hand(order, gathering.samples) : 0;
    if (failure && this.#isWanted) throw failure;
    return kept;
  }

  async #hand(order, samples) {
    const query = new URLSearchParams({ kind: "negatives", word: order.word });
    const { kept, fault } = await post(`${wordPath(order.name, "recordings")}?${query}`, pcm(samples));
    if (!kept) throw new Error(fault);
    await this.onChange(order);
    return 1;
  }
}
