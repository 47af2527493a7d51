/* Pictures of sound: a live spectrogram that scrolls, and a still one with events and a score curve. */

import { colour, loudnessMap } from "./colours.js";
import { FRONT_END, LogMelStream } from "./logmel.js";
import { joined, RATE_HZ } from "./pcm.js";
import { clock, SPAN_S } from "./timeline.js";

/** The nats from silent to loud, and the least that counts as loud: a quiet room is not drawn as a storm. */
const RANGE = 11, LEAST_TOP = 4;

/** Seconds from one label to the next. */
const STEPS_S = [0.5, 1, 2, 5, 10, 20, 60, 300];

/** How much the top of the scale falls from frame to frame of a live picture. */
const FALL = 0.003;

/** CSS pixels for the seconds below a picture, and how round its corners are. */
const AXIS = 18, ROUND = 8;

/** Columns of the live picture's ring, of one frame each: more than are shown. */
const RING = 1024;

/** A canvas made as fine as the screen; gives its context, scaled to CSS pixels, and its size in them. */
export function fitted(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth || 600, height = canvas.clientHeight || 160;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** How loud, 0 to 255, where `top` is as loud as is shown. */
const loudness = (value, top) => Math.max(0, Math.min(255, Math.round(255 * (1 + (value - top) / RANGE))));

export class Scroller {
  constructor(canvas, timeline) {
    Object.assign(this, { canvas, timeline, bands: FRONT_END.bands });
    this.hopS = FRONT_END.hop_s;
    this.ring = new OffscreenCanvas(RING, this.bands);
    this.brush = this.ring.getContext("2d");
    this.levels = new Uint8Array(RING * this.bands);
    this.silence = new Float32Array(this.bands).fill(Math.log(FRONT_END.floor));
    this.recolour();
    this.reset();
  }

  /** Forget what was drawn. */
  reset() {
    this.top = LEAST_TOP;
    this.next = 0;
    this.levels.fill(0);
    this.colourAll();
  }

  /** Take the theme's colours for all that is shown. */
  recolour() {
    this.map = loudnessMap();
    this.colourAll();
  }

  colourAll() {
    for (let column = 0; column < RING; column++) this.colourColumn(column);
  }

  colourColumn(column) {
    const picture = this.brush.createImageData(1, this.bands);
    for (let band = 0; band < this.bands; band++) {
      const level = this.levels[column * this.bands + band], pixel = 4 * (this.bands - 1 - band);
      picture.data.set(this.map.subarray(4 * level, 4 * level + 4), pixel);
    }
    this.brush.putImageData(picture, column, 0);
  }

  /** Further frames (an array of frames x bands), the first of which ends at that second; silence where some lack. */
  add(frames, framesS) {
    const first = Math.round(framesS / this.hopS), past = first + frames.length / this.bands;
    for (let number = Math.max(this.next, past - RING); number < past; number++) {
      const column = number % RING, from = (number - first) * this.bands;
      const values = number < first ? this.silence : frames.subarray(from, from + this.bands);
      this.top = Math.max(LEAST_TOP, this.top - FALL, ...values);
      values.forEach((value, band) => (this.levels[column * this.bands + band] = loudness(value, this.top)));
      this.colourColumn(column);
    }
    this.next = Math.max(this.next, past);
  }

  /** Draw what the timeline shows. */
  draw() {
    const { context, width, height } = fitted(this.canvas), { leftS, shownS } = this.timeline, tall = height - AXIS;
    const first = Math.max(0, leftS / this.hopS), past = Math.min(this.next, shownS / this.hopS);
    const scale = width / (SPAN_S / this.hopS), x0 = this.timeline.x(first * this.hopS, width);
    context.save();
    frame(context, this.canvas, width, tall);
    for (let from = first; from < past;) {
      const to = Math.min(past, (Math.floor(from / RING) + 1) * RING);
      context.drawImage(this.ring, from % RING, 0, to - from, this.bands,
        x0 + (from - first) * scale, 0, (to - from) * scale, tall);
      from = to;
    }
    context.restore();
    axis(context, this.canvas, { width, top: tall, fromS: Math.max(0, leftS), untilS: leftS + SPAN_S,
      x: (timeS) => this.timeline.x(timeS, width) });
  }
}

/** The ground that a picture of sound is drawn on, from here on within its round corners. */
function frame(context, canvas, width, height) {
  context.beginPath();
  context.roundRect(0, 0, width, height, ROUND);
  context.clip();
  context.fillStyle = colour(canvas, "--sunk");
  context.fillRect(0, 0, width, height);
}

/** The seconds below a picture. */
function axis(context, canvas, { width, top, fromS, untilS, x }) {
  const spacing = x(fromS + 1) - x(fromS), step = STEPS_S.find((each) => each * spacing >= 60) ?? STEPS_S.at(-1);
  const ink = colour(canvas, "--soft");
  Object.assign(context, { fillStyle: ink, font: "11px system-ui, sans-serif", textBaseline: "top" });
  for (let number = Math.ceil(fromS / step); number * step <= untilS; number++) {
    const at = x(number * step), label = clock(number * step, step < 1 ? 1 : 0);
    context.fillRect(at, top + 1, 1, 5);
    if (at + 4 + context.measureText(label).width < width) context.fillText(label, at + 4, top + 4);
  }
}

/** A sound file as 16 kHz samples, its channels averaged. Throws an Error where it cannot be had or read. */
export async function decoded(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await answer.arrayBuffer());
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  return channels[0].map((_, at) => channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length);
}

/** Draw a still spectrogram of 16 kHz samples.

`events`: {word, kind, start, end} each; `curve`: {start, step, scores} is drawn below, with a line at `threshold`. */
export function paint(canvas, samples, { events = [], curve = null, threshold = null } = {}) {
  const { context, width, height } = fitted(canvas), seconds = samples.length / RATE_HZ;
  const x = (timeS) => (timeS / seconds) * width, tall = Math.round(curve ? height * 0.7 : height) - AXIS;
  const stream = new LogMelStream(FRONT_END), frames = stream.feed(joined([samples, new Float32Array(stream.window)]));
  context.save();
  frame(context, canvas, width, tall);
  context.drawImage(picture(frames, stream.bands), 0, 0, width, tall);
  for (const event of events) bracket(context, canvas, event, x, tall);
  context.restore();
  axis(context, canvas, { width, top: tall, fromS: 0, untilS: seconds, x });
  if (curve) drawCurve(context, canvas, { ...curve, threshold, x, from: tall + AXIS + 2, to: height - 1, width });
}

/** Frames as a picture of one pixel a frame and band. */
function picture(frames, bands) {
  const count = Math.max(1, frames.length / bands), canvas = new OffscreenCanvas(count, bands);
  const top = frames.reduce((most, value) => Math.max(most, value), LEAST_TOP - 4), map = loudnessMap();
  const image = new ImageData(count, bands);
  frames.forEach((value, at) => {
    const level = loudness(value, top), pixel = (bands - 1 - (at % bands)) * count + Math.floor(at / bands);
    image.data.set(map.subarray(4 * level, 4 * level + 4), 4 * pixel);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** What was said from when to when: a veil, a bar above it and the word. */
function bracket(context, canvas, { word, kind, start, end }, x, height) {
  const hue = colour(canvas, `--kind-${kind}`) || colour(canvas, "--accent"), from = x(start), wide = x(end) - from;
  context.fillStyle = hue;
  context.globalAlpha = 0.16;
  context.fillRect(from, 0, wide, height);
  context.globalAlpha = 1;
  context.fillRect(from, 0, Math.max(2, wide), 3);
  Object.assign(context, { font: "600 11px system-ui, sans-serif", textBaseline: "top" });
  const shown = shortened(context, word, wide - 8);
  if (!shown) return;
  context.fillStyle = colour(canvas, "--card");
  context.globalAlpha = 0.8;
  context.fillRect(from, 3, context.measureText(shown).width + 8, 16);
  context.globalAlpha = 1;
  context.fillStyle = hue;
  context.fillText(shown, from + 4, 6);
}

/** As much of a text as fits; empty where that would say nothing. */
function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let kept = text.length;
  while (kept > 0 && context.measureText(`${text.slice(0, kept)}…`).width > width) kept--;
  return kept > 2 ? `${text.slice(0, kept)}…` : "";
}

/** A score curve between two heights, and the threshold through it. */
function drawCurve(context, canvas, { start, step, scores, threshold, x, from, to, width }) {
  const y = (score) => to - score * (to - from);
  context.fillStyle = colour(canvas, "--line");
  context.fillRect(0, to, width, 1);
  curveLine(context, scores.map((score, at) => [x(start + at * step), y(score)]), to, colour(canvas, "--accent"));
  if (threshold === null) return;
  context.strokeStyle = colour(canvas, "--ink");
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(0, y(threshold));
  context.lineTo(width, y(threshold));
  context.stroke();
  context.setLineDash([]);
}

/** A curve through points [x, y], the ground below it tinted. */
export function curveLine(context, points, ground, hue) {
  if (!points.length) return;
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  Object.assign(context, { strokeStyle: hue, lineWidth: 1.5, lineJoin: "round" });
  context.stroke();
  context.lineTo(points.at(-1)[0], ground);
  context.lineTo(points[0][0], ground);
  context.fillStyle = hue;
  context.globalAlpha = 0.18;
  context.fill();
  context.globalAlpha = 1;
}
