/* The microphone to record with, this browser's or the server's, its level, and who is handed its sound. */

import { get } from "./api.js";
import { attempt, complain, complaints, tried } from "./attempt.js";
import { h } from "./dom.js";
import { browserMicrophone, serverMicrophone } from "./ear.js";
import { S } from "./strings.js";

const LOWEST_DB = -60, FULL = 0.99, FALL = 0.92, TOLD_EVERY_MS = 500, SILENT_MS = 4000;

/** The loudest of a chunk's samples. */
const peak = (chunk) => chunk.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

const decibels = (level) => Math.max(LOWEST_DB, 20 * Math.log10(level + 1e-9));

export class Microphone {
  #ear = null;
  #isOpen = false;
  #hearing = null;
  #loudest = 0;
  #most = 0;
  #cameMs = 0;

  constructor() {
    this.place = complaints();
    this.choice = h("select", { onchange: () => this.close() }, h("option", { value: "" }, S.record.browsers));
    this.toggle = h("button", { type: "button", onclick: () => this.#toggled() }, S.record.open);
    this.bar = h("span");
    this.meter = h("div", {
      class: "meter grow", role: "meter", "aria-label": S.record.level, "aria-valuemin": LOWEST_DB, "aria-valuemax": 0,
      "aria-valuenow": LOWEST_DB,
    }, this.bar);
    this.told = h("span", { class: "soft small number level-told" }, S.record.closed);
    this.element = h("div", { class: "stack tight" },
      h("div", { class: "row microphone-row" },
        h("label", { class: "field grow" }, h("span", {}, S.record.microphone), this.choice), this.toggle),
      h("div", { class: "row" }, this.meter, this.told), this.place);
    tried(this.place, () => this.#list());
  }

  /** Offer the server's microphones too. */
  async #list() {
    for (const { index, name, is_default: isDefault } of await get("api/microphones")) {
      this.choice.append(h("option", { value: index }, S.record.servers(name, isDefault)));
    }
  }

  #toggled() {
    if (this.#isOpen) this.close();
    else attempt(this.toggle, this.place, () => this.open());
  }

  /** Open it unless it is open. Throws an Error that says why it cannot be. */
  async open() {
    const opening = (this.#ear ??= this.#connect());
    try {
      await opening;
    } catch (error) {
      if (this.#ear === opening) this.#ear = null;
      throw error;
    }
    if (this.#ear !== opening) throw new Error(S.record.wasClosed);
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#cameMs = performance.now();
    this.toggle.textContent = S.record.close;
    this.#follow(opening, 0, 0);
  }

  #connect() {
    const device = this.choice.value, onSamples = (chunk) => this.#came(chunk);
    const onTrouble = (sentence, isOver) => (isOver ? this.#failed(sentence) : this.#gap(sentence));
    complain(this.place, null);
    return device ? serverMicrophone(device, onSamples, onTrouble) : browserMicrophone(onSamples, onTrouble);
  }

  /** Let go of it; whoever hears it is told that it was closed. */
  close(error = new Error(S.record.wasClosed)) {
    this.#ear?.then((ear) => ear.close(), () => {});
    [this.#ear, this.#isOpen] = [null, false];
    this.toggle.textContent = S.record.open;
    this.told.textContent = S.record.closed;
    this.bar.style.width = "0";
    this.#endHearing(error);
  }

  /** Hand chunks to a function until it returns true. Throws an Error if the microphone fails or is closed before,
  and for what `isWhole` also if sound is lost. */
  hear(feed, isWhole = false) {
    if (this.#hearing) throw new Error(S.record.busy);
    return new Promise((resolve, reject) => {
      this.#hearing = { feed, isWhole, resolve, reject };
    });
  }

  /** Whoever hears it is done, or is told what went wrong. */
  #endHearing(error = null) {
    const hearing = this.#hearing;
    this.#hearing = null;
    if (error) hearing?.reject(error);
    else hearing?.resolve();
  }

  #came(chunk) {
    this.#cameMs = performance.now();
    this.#loudest = Math.max(this.#loudest, peak(chunk));
    if (this.#hearing?.feed(chunk)) this.#endHearing();
  }

  #gap(sentence) {
    const error = new Error(S.record.lost(sentence));
    complain(this.place, error);
    if (this.#hearing?.isWhole) this.#endHearing(error);
  }

  #failed(sentence) {
    const error = new Error(sentence);
    this.close(error);
    complain(this.place, error);
  }

  /** Show the level for as long as the microphone is open. */
  #follow(opening, shown, toldMs) {
    if (this.#ear !== opening) return;
    const nowMs = performance.now(), level = Math.max(this.#loudest, shown * FALL);
    if (nowMs - this.#cameMs > SILENT_MS) {
      this.#failed(S.record.nothingComes);
      return;
    }
    this.#loudest = 0;
    this.#most = Math.max(this.#most, level);
    this.bar.style.width = `${100 * (1 - decibels(level) / LOWEST_DB)}%`;
    this.meter.classList.toggle("loud", level >= FULL);
    const isDue = nowMs - toldMs > TOLD_EVERY_MS;
    if (isDue) this.#tell();
    requestAnimationFrame(() => this.#follow(opening, level, isDue ? nowMs : toldMs));
  }

  /** Tell in figures how loud it got since that was told. */
  #tell() {
    const db = Math.round(decibels(this.#most));
    this.meter.setAttribute("aria-valuenow", db);
    this.told.textContent = this.#most >= FULL ? S.record.clipped : S.record.decibels(db);
    this.#most = 0;
  }
}
