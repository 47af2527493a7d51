/* Listens in a thread of its own: sound in, frames, scores and detections out.

It is told {kind: "open", runtime, files: [{bytes, threshold}]}, {kind: "sound", samples} (16 kHz, -1 to 1),
{kind: "gap"} (sound is missing here), {kind: "rest"} (hear what waits for a whole block) and
{kind: "threshold", at, threshold}; it tells {kind: "ready"}, {kind: "heard", …} for each stretch of sound, and
{kind: "failed", reason, at} with the number of the file that cannot be opened, if that is why. How much may wait is
bounded by who sends it (engine.js): a busy thread cannot count what it has not been handed yet. */

import { Detector } from "./detector.js";
import { LogMelStream } from "./logmel.js";
import { joined, RATE_HZ } from "./pcm.js";

/** Sound is heard in blocks of so many samples: a call of a net has its price however little it hears. */
const BLOCK = 1280;

let detectors = [], stream = null, waiting = [], waitingSamples = 0, heardSamples = 0, nextFrameS = 0;
let working = Promise.resolve();

async function open({ runtime, files }) {
  const ort = await import(new URL("ort.wasm.min.mjs", runtime).href);
  ort.env.wasm.wasmPaths = runtime;
  ort.env.wasm.numThreads = 1;
  for (const [at, { bytes, threshold }] of files.entries()) {
    try {
      detectors.push(await Detector.open(ort, bytes, threshold));
    } catch (error) {
      throw Object.assign(error, { at });
    }
  }
  const odd = detectors.findIndex(({ frontEnd }) => frontEnd.digest !== detectors[0].frontEnd.digest);
  if (odd > 0) throw Object.assign(new Error("trained on another front end than the first word"), { at: odd });
  stream = new LogMelStream(detectors[0].frontEnd);
  begin();
  self.postMessage({ kind: "ready" });
}

/** Forget all sound, as is right where some is missing; the clock goes on. */
function begin() {
  const beganS = heardSamples / RATE_HZ;
  stream.reset();
  detectors.forEach((detector) => detector.reset(beganS));
  nextFrameS = beganS + stream.window / RATE_HZ;
}

async function hear(samples) {
  const beganMs = performance.now(), frames = stream.feed(samples), found = [];
  for (const detector of detectors) found.push(await detector.feed(frames));
  heardSamples += samples.length;
  const message = { kind: "heard", found, frames, framesS: nextFrameS, untilS: heardSamples / RATE_HZ,
    seconds: samples.length / RATE_HZ, tookMs: performance.now() - beganMs };
  nextFrameS += (frames.length / stream.bands) * (stream.hop / RATE_HZ);
  self.postMessage(message, [frames.buffer]);
}

function take({ samples }) {
  waiting.push(samples);
  waitingSamples += samples.length;
  return waitingSamples >= BLOCK ? rest() : null;
}

function rest() {
  const whole = joined(waiting);
  [waiting, waitingSamples] = [[], 0];
  return hear(whole);
}

async function gap() {
  await rest();
  begin();
}

const ACTIONS = {
  open, gap, rest, sound: take,
  threshold: ({ at, threshold }) => (detectors[at].threshold = threshold),
};

self.onmessage = ({ data }) => {
  working = working
    .then(() => ACTIONS[data.kind](data))
    .catch(({ message, at = null }) => self.postMessage({ kind: "failed", reason: message, at }));
};
