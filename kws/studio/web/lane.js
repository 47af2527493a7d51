/* One word's scores as they run along below the spectrogram, its threshold, which can be dragged, and what it heard. */

import { colour } from "./colours.js";
import { h } from "./dom.js";
import { curveLine, fitted } from "./spectrogram.js";
import { S } from "./strings.js";
import { SPAN_S } from "./timeline.js";

/** CSS pixels between the canvas's edges and the scores 1 and 0. */
const PAD = 8;

export class Lane {
  /** `onDrag(threshold)` is told where the threshold's line is dragged to. */
  constructor({ label, hue }, timeline, onDrag) {
    Object.assign(this, { timeline, onDrag });
    this.score = h("span", { class: "number" });
    this.canvas = h("canvas", { role: "img", "aria-label": S.listen.laneLabel(label) });
    this.value = h("span", { class: "number" });
    this.handle = h("div", { class: "handle", "aria-hidden": "true", title: S.listen.drag,
      onpointerdown: (event) => this.handle.setPointerCapture(event.pointerId),
      onpointermove: (event) => this.#dragged(event) }, this.value);
    this.element = h("div", { class: "lane" },
      h("div", { class: "row spread small" },
        h("span", { class: "strong" }, h("span", { class: "dot" }), label), this.score),
      h("div", { class: "plot" }, this.canvas, this.handle));
    this.element.style.setProperty("--hue", hue);
    this.reset();
  }

  /** Forget scores and detections. */
  reset() {
    this.means = [];
    this.fired = [];
    this.score.textContent = "";
  }

  /** Show where the threshold is. */
  setThreshold(threshold) {
    this.handle.style.top = `calc(${PAD}px + ${1 - threshold} * (100% - ${2 * PAD}px))`;
    this.value.textContent = S.listen.score(threshold);
  }

  #dragged({ pointerId, clientY }) {
    if (!this.handle.hasPointerCapture(pointerId)) return;
    const { top, height } = this.canvas.getBoundingClientRect();
    this.onDrag(Math.max(0, Math.min(1, 1 - (clientY - top - PAD) / (height - 2 * PAD))));
  }

  /** Further mean scores and detections. */
  add({ means, fired }) {
    const past = this.timeline.heardS - 2 * SPAN_S;
    this.means = [...this.means.filter(({ timeS }) => timeS > past), ...means];
    this.fired = [...this.fired.filter(({ timeS }) => timeS > past), ...fired];
    if (means.length) this.score.textContent = S.listen.score(means.at(-1).score);
  }

  /** Draw what the timeline shows. */
  draw() {
    const { context, width, height } = fitted(this.canvas), { timeline } = this, ground = height - PAD;
    const hue = colour(this.element, "--hue"), y = (score) => ground - score * (ground - PAD);
    const isShown = ({ timeS }) => timeS >= timeline.leftS - 0.1 && timeS <= timeline.shownS;
    context.fillStyle = colour(this.canvas, "--line");
    context.fillRect(0, ground, width, 1);
    const points = this.means.filter(isShown).map(({ timeS, score }) => [timeline.x(timeS, width), y(score)]);
    curveLine(context, points, ground, hue);
    for (const { timeS, score } of this.fired.filter(isShown)) {
      const x = timeline.x(timeS, width);
      context.fillStyle = hue;
      context.globalAlpha = 0.5;
      context.fillRect(x - 0.75, 0, 1.5, height);
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, y(score), 4.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
