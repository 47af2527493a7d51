/* Scenes of a dataset on a page: each heard and seen, with what is said in it and how it was made. */

import { fill, h } from "./dom.js";
import { clip } from "./player.js";
import { S } from "./strings.js";

/** Endings of keys that name a unit, as synth/preview.py tells them. */
const UNITS = { _db: "dB", _hz: "Hz", _m: "m", _s: "s" };

const unit = (key) => Object.keys(UNITS).find((ending) => key.endsWith(ending)) ?? "";
const label = (key) => key.slice(0, key.length - unit(key).length).replaceAll("_", " ");

/** A value in words, with the unit that its key names. */
function told(key, value) {
  if (value === null || value === "" || (Array.isArray(value) && !value.length)) return S.datasets.none;
  if (Array.isArray(value)) return value.map((each) => told(key, each)).join("; ");
  if (typeof value === "object") {
    return Object.entries(value).map(([inner, each]) => `${label(inner)} ${told(inner, each)}`).join(", ");
  }
  if (typeof value === "boolean") return value ? S.datasets.yes : S.datasets.no;
  const number = typeof value === "number" ? Number(value.toPrecision(4)) : value;
  return [number, UNITS[unit(key)]].filter((part) => part !== undefined).join(" ");
}

function scene({ number, url, seconds, events, about }) {
  const facts = Object.entries(about ?? {}), name = S.datasets.scene(number);
  return h("li", { class: "card stack tight" },
    h("h3", {}, name, h("span", { class: "soft small number" }, S.record.seconds(seconds))),
    clip({ url, seconds, label: name, events }),
    events.length ? null : h("p", { class: "soft small" }, S.datasets.nothingSaid),
    facts.length ? h("details", {}, h("summary", {}, S.datasets.about), h("dl", { class: "figures facts small" },
      facts.map(([key, value]) => h("div", {}, h("dt", {}, label(key)), h("dd", {}, told(key, value)))))) : null);
}

/** A page of scenes below buttons that leave only those that hold a kind of event. */
export class Scenes {
  #kind = null;

  constructor() {
    this.kinds = h("div", { class: "row kinds", role: "group", "aria-label": S.datasets.filter });
    this.list = h("ul", { class: "grid plain-list scenes" });
    this.element = h("div", { class: "stack" }, this.kinds, this.list);
  }

  /** Show these scenes, of the kind chosen last if they have it. */
  show(scenes) {
    const counts = {};
    for (const { events } of scenes) for (const kind of new Set(events.map((event) => event.kind))) {
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    this.items = scenes.map((each) => ({ element: scene(each), kinds: each.events.map(({ kind }) => kind) }));
    fill(this.list, this.items.map(({ element }) => element));
    fill(this.kinds, this.#button(null, S.datasets.all(scenes.length)),
      Object.keys(S.datasets.kinds).filter((kind) => counts[kind]).map((kind) =>
        this.#button(kind, S.datasets.kinds[kind], counts[kind])));
    this.#filter(counts[this.#kind] ? this.#kind : null);
  }

  #button(kind, text, count = null) {
    const attributes = { type: "button", class: kind && "event", "data-kind": kind ?? "" };
    return h("button", { ...attributes, onclick: () => this.#filter(kind) }, text, " ",
      count && h("span", { class: "soft number" }, count));
  }

  #filter(kind) {
    this.#kind = kind;
    for (const { element, kinds } of this.items) element.hidden = kind !== null && !kinds.includes(kind);
    for (const button of this.kinds.children) {
      button.setAttribute("aria-pressed", String(button.dataset.kind === (kind ?? "")));
    }
  }
}
