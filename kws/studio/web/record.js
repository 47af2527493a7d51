/* Saying the word oneself: takes that the server judges, talk without the word, and sound of one's own rooms. */

import { post, wordPath } from "./api.js";
import { complaints, doer, tried } from "./attempt.js";
import { Backgrounds } from "./backgrounds.js";
import { fill, h } from "./dom.js";
import { Microphone } from "./microphone.js";
import { pcm, RATE_HZ } from "./pcm.js";
import { clip } from "./player.js";
import { RecordingsList, recordingsOf } from "./recordings.js";
import { S } from "./strings.js";
import { takeWord } from "./take.js";
import { Talk } from "./talk.js";

/** What is folded away until the person wants it. */
const more = (heading, ...inside) => h("details", {}, h("summary", {}, heading), h("div", { class: "stack" }, inside));

export class Recorder {
  #order = null;
  #kept = 0;

  /** `onChange` is called when recordings came or went. */
  constructor(onChange) {
    this.onChange = onChange;
    const changed = () => this.changed();
    this.microphone = new Microphone();
    this.talk = new Talk(this.microphone, (order) => this.changed(order));
    this.backgrounds = new Backgrounds(onChange);
    this.lists = { positives: new RecordingsList("positives", changed),
      negatives: new RecordingsList("negatives", changed) };
    this.#makeTaking();
    this.element = h("div", { class: "stack" }, h("p", { class: "soft" }, S.record.why), this.microphone.element,
      h("h3", {}, S.record.takes), this.booth, this.lists.positives.element,
      more(S.record.talk, this.talk.element, this.lists.negatives.element),
      more(S.record.backgrounds, this.backgrounds.element));
  }

  #makeTaking() {
    this.place = complaints();
    this.prompt = h("p", { class: "prompt", "aria-hidden": "true" });
    this.time = h("span");
    this.status = h("p", { role: "status", class: "take-told" });
    this.result = h("div");
    this.take = doer(S.record.take, this.place, () => this.#take(), { class: "primary" });
    this.anyway = doer(S.record.anyway, this.place, () => this.#keepAnyway(), { hidden: true });
    this.booth = h("div", { class: "booth stack" }, this.prompt, h("div", { class: "meter" }, this.time),
      h("div", { class: "row" }, this.take, this.anyway), this.status, this.result, this.place);
  }

  /** Record for a word from now on, which the server knows already or not. */
  async show(order, isKnown) {
    this.#order = order;
    this.microphone.close();
    this.talk.show(order);
    this.backgrounds.show(order, isKnown);
    this.#rest();
    fill(this.result);
    [this.take.textContent, this.status.textContent, this.anyway.hidden] = [S.record.take, "", true];
    await tried(this.place, () => this.#load(isKnown));
  }

  /** Let go of the microphone; talk that is being recorded is kept. */
  leave() {
    this.microphone.close();
  }

  async #load(isKnown) {
    const { name } = this.#order, found = await recordingsOf(name, isKnown);
    if (name !== this.#order.name) return;
    this.#kept = found.positives.length;
    for (const [kind, list] of Object.entries(this.lists)) list.show(name, found[kind]);
    this.#rest();
  }

  /** Recordings of a word came or went. */
  async changed(order = this.#order) {
    if (order === this.#order) await this.#load(true);
    await this.onChange();
  }

  /** The booth as it is between takes: how to say it next. */
  #rest() {
    this.prompt.className = "prompt";
    this.prompt.textContent = S.record.next(this.#order.word, S.record.hints[this.#kept % S.record.hints.length]);
    this.time.style.width = "0";
  }

  async #take() {
    const order = this.#order;
    this.anyway.hidden = true;
    fill(this.result);
    try {
      await this.microphone.open();
      this.status.className = "hidden-text";
      this.status.textContent = S.record.ready;
      const samples = await takeWord(this.microphone, (sinceS, share) => this.#prompted(order, sinceS, share));
      this.status.textContent = S.record.judging;
      await this.#handIn(order, samples);
    } catch (error) {
      this.status.textContent = "";
      if (order === this.#order) throw error;
    } finally {
      this.#rest();
    }
  }

  #prompted(order, sinceS, share) {
    const isNow = sinceS >= 0;
    this.prompt.className = isNow ? "prompt now" : "prompt ready";
    this.prompt.textContent = isNow ? S.record.now(order.word) : S.record.ready;
    this.time.style.width = `${100 * share}%`;
  }

  /** Let the server judge a take, and tell what it says. */
  async #handIn(order, samples, keep = null) {
    const query = new URLSearchParams({ kind: "positives", word: order.word, ...(keep && { keep }) });
    const answer = await post(`${wordPath(order.name, "recordings")}?${query}`, pcm(samples));
    if (order !== this.#order) return;
    this.#tell(answer, samples);
    if (answer.kept) await this.changed();
  }

  #tell({ kept, fault, told, heard }, samples) {
    this.faulty = kept ? null : samples;
    this.anyway.hidden = Boolean(kept) || !heard;
    this.take.textContent = kept ? S.record.takeNext : S.record.retake;
    this.status.textContent = kept ? S.record.kept(told) : S.record.noGood(fault, heard ? told : "");
    this.status.className = kept ? "take-told good" : "take-told bad";
    fill(this.result, kept
      ? clip({ url: kept.url, seconds: kept.seconds, label: kept.file })
      : clip({ samples, seconds: samples.length / RATE_HZ, label: S.record.thisTake }));
  }

  async #keepAnyway() {
    await this.#handIn(this.#order, this.faulty, "anyway");
    this.take.focus();
  }
}
