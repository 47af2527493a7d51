/* A take as kws/recorder.py takes it, on the clock of the sound itself: wait, prompt, and listen. */

import { joined, RATE_HZ } from "./pcm.js";

/** These are recorder.py's; whoever begins a little before the prompt is heard too. */
const SETTLE_S = 1.5, TAKE_S = 3, EARLY_S = 0.4;

/** Sound gathered until it is `seconds` long; `onTime` is told how long it is. */
export class Gathering {
  chunks = [];
  count = 0;

  constructor(seconds, onTime) {
    Object.assign(this, { seconds, onTime });
  }

  /** Add a chunk; whether that was the last. */
  feed(chunk) {
    this.chunks.push(chunk);
    this.count += chunk.length;
    this.onTime(this.count / RATE_HZ);
    return this.count >= this.seconds * RATE_HZ;
  }

  get samples() {
    return joined(this.chunks);
  }
}

/** Take a word from a microphone; `onTime` is told the seconds since the prompt (negative before) and their share. */
export async function takeWord(microphone, onTime) {
  const gathering = new Gathering(SETTLE_S + TAKE_S, (timeS) => {
    const sinceS = timeS - SETTLE_S;
    onTime(sinceS, sinceS < 0 ? timeS / SETTLE_S : Math.min(1, sinceS / TAKE_S));
  });
  await microphone.hear((chunk) => gathering.feed(chunk), true);
  return gathering.samples.slice(Math.round((SETTLE_S - EARLY_S) * RATE_HZ));
}
