/* The view Listen: say a word, watch what its detector makes of it, and place its threshold. */

import { get } from "./api.js";
import { Chooser, droppable } from "./chooser.js";
import { onTheme } from "./colours.js";
import { fill, h } from "./dom.js";
import { browserMicrophone, serverMicrophone } from "./ear.js";
import { Engine } from "./engine.js";
import { Cost, Detections, Level } from "./gauges.js";
import { Lane } from "./lane.js";
import { Scroller } from "./spectrogram.js";
import { S } from "./strings.js";
import { ThresholdCard } from "./threshold.js";
import { Timeline } from "./timeline.js";

/** No sound for so long is told; what has passed is told for as long. */
const SILENT_MS = 4000, TOLD_MS = 6000;

class Listen {
  #timeline = new Timeline();
  #level = new Level();
  #cost = new Cost();
  #detections = new Detections();
  #words = [];
  #engine = null;
  #ear = null;
  #turn = 0;
  #frame = 0;
  #cameMs = 0;
  #passedMs = Infinity;

  constructor(standing) {
    this.runtime = standing.runtime;
    this.canvas = h("canvas", { class: "spectrogram", role: "img", "aria-label": S.listen.spectrogram });
    this.scroller = new Scroller(this.canvas, this.#timeline);
    this.lanes = h("div", { class: "lanes" });
    this.cards = h("div", { class: "cards" });
    this.trouble = h("p", { class: "error", role: "alert", hidden: true });
    this.status = h("p", { class: "soft small", role: "status" });
    this.source = h("select", {}, h("option", { value: "" }, S.listen.browserMicrophone));
    this.toggle = h("button", { type: "button", class: "primary start", onclick: () => this.#toggled() });
    this.chooser = new Chooser(standing.detectors, (words) => this.#choose(words));
    this.element = this.#layout(standing);
    droppable(this.element, (files) => this.#engine || this.chooser.open(files));
    this.sizes = new ResizeObserver(() => this.#draw());
    this.sizes.observe(this.canvas);
    this.endTheme = onTheme(() => {
      this.scroller.recolour();
      this.#draw();
    });
    this.#show("idle");
    if (standing.server) this.#listServers();
  }

  /** Let go of everything. */
  leave() {
    this.#stop();
    this.sizes.disconnect();
    this.endTheme();
  }

  #layout({ runtime }) {
    return h("div", { class: "view listen" }, h("h1", {}, S.listen.title), h("p", { class: "lead" }, S.listen.lead),
      runtime ? null : h("p", { class: "notice" }, S.listen.noRuntime[0], h("code", {}, S.listen.noRuntime[1]),
        S.listen.noRuntime[2]),
      h("section", { class: "card controls", "aria-label": S.listen.controls },
        this.chooser.element,
        h("div", { class: "row source" },
          h("label", { class: "field grow" }, h("span", {}, S.listen.source), this.source), this.toggle),
        this.trouble),
      h("section", { class: "card scope", "aria-label": S.listen.scope },
        h("div", { class: "row spread" }, this.status, h("div", { class: "row level" },
          h("span", { class: "soft small", "aria-hidden": "true" }, S.listen.level), this.#level.element)),
        h("div", { class: "pair" }, h("div", { class: "pictures" }, this.canvas, this.lanes), this.#detections.element),
        this.#cost.element),
      this.cards);
  }

  async #listServers() {
    try {
      for (const { index, name, is_default: isDefault } of await get("api/microphones")) {
        this.source.append(h("option", { value: index }, S.listen.serverNamed(name, isDefault)));
      }
    } catch (error) {
      this.#complain(error.message);
    }
  }

  /** Other words: a lane and a card for each; one that stays keeps its own. */
  #choose(words) {
    const kept = new Map(this.#words.map((each) => [each.word.number, each]));
    this.#words = words.map((word) => kept.get(word.number) ?? this.#fitted(word));
    fill(this.lanes, this.#words.map(({ lane }) => lane.element));
    fill(this.cards, this.#words.map(({ card }) => card.element));
    this.#show(this.#engine ? "listening" : "idle");
    this.#draw();
  }

  #fitted(word) {
    const lane = new Lane(word, this.#timeline, (threshold) => card.move(threshold));
    const card = new ThresholdCard(word, (threshold) => {
      lane.setThreshold(threshold);
      this.#engine?.setThreshold(this.#words.findIndex((each) => each.word === word), threshold);
    });
    lane.setThreshold(card.threshold);
    return { word, lane, card };
  }

  #toggled() {
    if (this.state === "idle") this.#start();
    else this.#stop();
  }

  async #start() {
    const turn = ++this.#turn;
    this.#complain("");
    this.#show("starting");
    this.#begin();
    try {
      const engine = await this.#opened();
      if (turn !== this.#turn) return engine.close();
      this.#engine = engine;
      const ear = await this.#openEar(turn);
      if (turn !== this.#turn) return ear.close();
      this.#ear = ear;
      this.#cameMs = performance.now();
      this.#show("listening", ear.name);
      this.#follow();
    } catch ({ message }) {
      if (turn !== this.#turn) return;
      this.#stop();
      this.#complain(message);
    }
  }

  /** The pictures and lists of a new beginning. */
  #begin() {
    const parts = [this.#timeline, this.scroller, this.#level, this.#cost, ...this.#words.map(({ lane }) => lane)];
    parts.forEach((part) => part.reset());
    this.#detections.reset(S.listen.nothingHeard);
  }

  async #opened() {
    const files = this.#words.map(({ word, card }) => ({ bytes: word.bytes, threshold: card.threshold }));
    try {
      return await Engine.open(this.runtime, files, (heard) => this.#heard(heard), (reason) => {
        this.#stop();
        this.#complain(S.listen.engineFailed(reason));
      });
    } catch ({ message, at }) {
      const name = this.#words[at]?.word.label;
      throw new Error(name ? S.listen.unopened(name, message) : S.listen.engineFailed(message));
    }
  }

  #openEar(turn) {
    const onSamples = (samples) => {
      if (turn !== this.#turn) return;
      this.#cameMs = performance.now();
      this.#level.add(samples);
      this.#engine.feed(samples);
    };
    const onTrouble = (sentence, isOver) => {
      if (turn !== this.#turn) return;
      if (isOver) this.#stop();
      else this.#engine.gap();
      this.#complain(sentence);
      if (!isOver) this.#passedMs = performance.now();
    };
    const device = this.source.value;
    return device ? serverMicrophone(device, onSamples, onTrouble) : browserMicrophone(onSamples, onTrouble);
  }

  #stop() {
    this.#turn++;
    cancelAnimationFrame(this.#frame);
    this.#ear?.close();
    this.#engine?.close();
    this.#ear = this.#engine = null;
    this.#level.reset();
    this.#show("idle");
  }

  #heard(heard) {
    this.#timeline.heardS = heard.untilS;
    this.scroller.add(heard.frames, heard.framesS);
    this.#cost.add(heard);
    this.#words.forEach(({ word, lane }, at) => {
      lane.add(heard.found[at]);
      heard.found[at].fired.forEach((fired) => this.#detections.add(word, fired));
    });
  }

  #follow() {
    this.#frame = requestAnimationFrame((nowMs) => {
      this.#timeline.tick(nowMs);
      this.#level.tick(nowMs);
      this.#cost.tick(nowMs, this.#engine.droppedS);
      this.#draw();
      this.#judge(performance.now());
      this.#follow();
    });
  }

  /** Complain of a microphone that gives nothing, until it does, and of what has passed for a while. */
  #judge(nowMs) {
    if (nowMs - this.#cameMs > SILENT_MS) {
      this.#complain(S.listen.nothingComes);
      this.#passedMs = nowMs;
    } else if (nowMs - this.#passedMs > TOLD_MS) this.#complain("");
  }

  #draw() {
    this.scroller.draw();
    this.#words.forEach(({ lane }) => lane.draw());
  }

  /** Whether it is idle, starting or listening, said and made so in all controls. */
  #show(state, name = "") {
    this.state = state;
    this.toggle.textContent = state === "idle" ? S.listen.start : S.listen.stop;
    this.toggle.disabled = state === "idle" && !(this.runtime && this.#words.length);
    this.chooser.isOpen = state === "idle";
    this.source.disabled = state !== "idle";
    this.status.textContent = S.listen.states[state](name, this.#words.length);
  }

  #complain(sentence) {
    this.#passedMs = Infinity;
    if (this.trouble.textContent === sentence) return;
    this.trouble.textContent = sentence;
    this.trouble.hidden = !sentence;
  }
}

/** The view for app.js. */
export function view(standing) {
  const listen = new Listen(standing);
  return { element: listen.element, leave: () => listen.leave() };
}
