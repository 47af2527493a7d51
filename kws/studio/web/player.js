/* Sounds to listen to: a button, a picture of the sound, and where in it one is. One sound is heard at a time. */

import { complain, complaints } from "./attempt.js";
import { onTheme } from "./colours.js";
import { h } from "./dom.js";
import { wav } from "./pcm.js";
import { decoded, paint } from "./spectrogram.js";
import { S } from "./strings.js";

const MARGIN_S = 0.1;
const audio = new Audio();
let heard = null;

/** Stop what is heard. */
export function silence() {
  audio.pause();
  if (!heard) return;
  const { shown, made } = heard;
  heard = null;
  if (made) URL.revokeObjectURL(made);
  shown(null);
}

/** Move the playhead for as long as this is what is heard. */
function follow(sound) {
  if (heard !== sound) return;
  if (audio.ended || audio.currentTime >= sound.untilS) return silence();
  sound.shown(audio.currentTime);
  requestAnimationFrame(() => follow(sound));
}

function play({ url, samples, shown, place }, fromS, untilS) {
  silence();
  complain(place, null);
  const made = samples && URL.createObjectURL(wav(samples)), sound = { shown, made, untilS };
  heard = sound;
  audio.src = made ?? url;
  audio.currentTime = fromS;
  audio.play().then(() => follow(sound), () => {
    if (heard !== sound) return;
    silence();
    complain(place, new Error(S.record.unplayable));
  });
}

const draws = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    draws.get(target)();
  }
}, { rootMargin: "200px" });

onTheme(() => {
  for (const canvas of document.querySelectorAll("canvas.picture")) if (draws.has(canvas)) seen.observe(canvas);
});

/** A canvas that is painted once it comes into sight, and again when the theme changes. */
function picture({ url, samples, events, curve, threshold, label }, place) {
  const canvas = h("canvas", { class: "picture", role: "img", "aria-label": S.record.spectrogram(label) });
  draws.set(canvas, async () => {
    try {
      paint(canvas, samples ?? (await decoded(url)), { events, curve, threshold });
    } catch {
      complain(place, new Error(S.record.undrawable));
    }
  });
  seen.observe(canvas);
  return canvas;
}

/** Buttons that play events alone. */
const eventButtons = (events, start) => h("ul", { class: "row events plain-list" }, events.map((event) =>
  h("li", {}, h("button", {
    type: "button", class: "event", "data-kind": event.kind,
    onclick: () => start(event.start - MARGIN_S, event.end + MARGIN_S),
  }, event.word, " ", h("span", { class: "soft small number" }, S.datasets.event(event))))));

/** A picture to click on, where one wants to begin, with a playhead over it. */
function sight(sound, place, start) {
  const head = h("div", { class: "head", hidden: true });
  const view = h("div", { class: sound.curve ? "sound-view with-curve" : "sound-view" }, picture(sound, place), head);
  view.addEventListener("click", ({ clientX }) => {
    const box = view.getBoundingClientRect();
    start(((clientX - box.left) / box.width) * sound.seconds);
  });
  const point = (timeS) => {
    head.hidden = timeS === null;
    head.style.left = `${Math.min(100, (100 * timeS) / sound.seconds)}%`;
  };
  return { view, point };
}

/** A sound by its URL or its 16 kHz samples, with a label of its own; drawn too if `isDrawn`.

Events become buttons that play them alone; a click on the picture plays from there. */
export function clip(sound) {
  const { label, events = [], isDrawn = true } = sound, place = complaints();
  const start = (fromS, untilS = Infinity) => play({ ...sound, shown, place }, Math.max(0, fromS), untilS);
  const { view, point } = isDrawn ? sight(sound, place, start) : { view: null, point() {} };
  const toggle = h("button", { type: "button", class: "play", onclick: () => (isHeard ? silence() : start(0)) });
  let isHeard = false;
  function shown(timeS) {
    isHeard = timeS !== null;
    point(timeS);
    toggle.toggleAttribute("data-heard", isHeard);
    toggle.textContent = isHeard ? S.record.stopShort : S.record.playShort;
    toggle.setAttribute("aria-label", isHeard ? S.record.stop(label) : S.record.play(label));
  }
  shown(null);
  return h("div", { class: isDrawn ? "clip stack tight" : "clip" }, view,
    h("div", { class: "row clip-row" }, toggle, events.length ? eventButtons(events, start) : null), place);
}
