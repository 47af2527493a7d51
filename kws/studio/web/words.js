/* The words that the server knows, asked for once a second while one of them is being made. */

import { get } from "./api.js";

const EVERY_MS = 1000;

export class Words {
  #timer = null;
  #hasLeft = false;
  known = [];

  /** `onWords` is told all words whenever they were asked for, `onTrouble` the Error if they cannot be, or null. */
  constructor(onWords, onTrouble) {
    Object.assign(this, { onWords, onTrouble });
  }

  /** The word of that name, null if the server does not know it. */
  named(name) {
    return this.known.find((word) => word.name === name) ?? null;
  }

  /** The word that is being made, null if none is. */
  get running() {
    return this.known.find((word) => word.state === "running") ?? null;
  }

  /** Ask now, and go on asking while one is being made. */
  async refresh() {
    clearTimeout(this.#timer);
    let trouble = null;
    try {
      this.known = await get("api/words");
    } catch (error) {
      trouble = error;
    }
    if (this.#hasLeft) return;
    clearTimeout(this.#timer);
    if (this.running) this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
    this.onTrouble(trouble);
    if (!trouble) this.onWords(this.known);
  }

  /** Ask no more. */
  leave() {
    this.#hasLeft = true;
    clearTimeout(this.#timer);
  }
}
