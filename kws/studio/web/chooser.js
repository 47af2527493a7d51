/* Which words to listen for: those that stand behind the page, and detector files from the person's own disk. */

import { h } from "./dom.js";
import { metadata } from "./onnxfile.js";
import { S } from "./strings.js";

const HUES = 6;

export class Chooser {
  #chosen = new Map();
  #count = 0;

  /** `onChoice(words)` is told of each change: {label, about, bytes, hue, command} of each word chosen. */
  constructor(detectors, onChoice) {
    this.onChoice = onChoice;
    this.chips = h("div", { class: "row chips" });
    this.trouble = h("p", { class: "error", role: "alert", hidden: true });
    this.input = h("input", { type: "file", accept: ".onnx", multiple: true, hidden: true,
      onchange: () => this.open([...this.input.files]) });
    const button = h("button", { type: "button", onclick: () => this.input.click() }, S.listen.openFile);
    this.chips.append(button, this.input);
    this.element = h("fieldset", { class: "stack" }, h("legend", { class: "hidden-text" }, S.listen.words), this.chips,
      this.trouble);
    const check = detectors.map(({ word, name, file, shipped }) =>
      this.#add(word, shipped ? "" : S.listen.yours, shipped ? name : file, () => fetched(file)));
    check[0]?.();
  }

  /** The words chosen, in the order of their chips. */
  get words() {
    return [...this.#chosen.values()].sort((a, b) => a.number - b.number);
  }

  /** Whether words may be chosen now. */
  set isOpen(value) {
    this.element.disabled = !value;
  }

  /** Open detector files from disk and choose them. */
  async open(files) {
    this.trouble.hidden = true;
    for (const file of files) {
      try {
        const bytes = new Uint8Array(await file.arrayBuffer());
        await this.#add(metadata(bytes).word, file.name, file.name, async () => bytes)();
      } catch (error) {
        this.#complain(file.name, error);
      }
    }
    this.input.value = "";
  }

  /** Another word to choose from; gives what chooses it. `read` gets its bytes once it is chosen. */
  #add(word, note, command, read) {
    const number = this.#count++, hue = `var(--word-${1 + (number % HUES)})`;
    const changed = async () => {
      if (!box.checked) this.#chosen.delete(number);
      else await this.#choose({ number, label: word, hue, command }, read, box);
      this.onChoice(this.words);
    };
    const toggled = () => {
      this.trouble.hidden = true;
      return changed();
    };
    const box = h("input", { type: "checkbox", onchange: toggled });
    const chip = h("label", { class: "chip" }, box, word, note ? h("span", { class: "soft small" }, note) : null);
    chip.style.setProperty("--hue", hue);
    this.chips.insertBefore(chip, this.chips.querySelector("button"));
    return () => {
      box.checked = true;
      return changed();
    };
  }

  async #choose(word, read, box) {
    try {
      const bytes = await read(), about = metadata(bytes);
      if (box.checked) this.#chosen.set(word.number, { ...word, bytes, about });
    } catch (error) {
      box.checked = false;
      this.#complain(word.label, error);
    }
  }

  #complain(name, { message }) {
    this.trouble.textContent = S.listen.unopened(name, message);
    this.trouble.hidden = false;
  }
}

async function fetched(file) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Let files be dropped anywhere on an element. */
export function droppable(element, onFiles) {
  const over = (isOver) => element.classList.toggle("over", isOver);
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  element.addEventListener("dragleave", (event) => over(element.contains(event.relatedTarget)));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    onFiles([...event.dataTransfer.files]);
  });
}
