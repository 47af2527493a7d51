/* A detector over a whole sound, as the page hears it: for tests, and for whoever wants the figures. */

import { Engine } from "./engine.js";
import { metadata } from "./onnxfile.js";

const CHUNK = 1600;

/** The raw scores of 16 kHz samples by a detector file (its bytes or its URL), from a fresh state. */
export async function scoresOf(file, samples, runtime = "runtime/") {
  return (await heardOf(file, samples, runtime)).raw;
}

/** All that is made of 16 kHz samples: {frames, raw, means, fired}; frames is one array of frames x bands. */
export async function heardOf(file, samples, runtime = "runtime/") {
  const bytes = typeof file === "string" ? new Uint8Array(await (await fetch(file)).arrayBuffer()) : file;
  const { threshold } = metadata(bytes).decision, all = { frames: [], raw: [], means: [], fired: [] };
  let take = () => {}, fail = () => {};
  const engine = await Engine.open(runtime, [{ bytes, threshold }],
    (message) => take(message), (reason) => fail(new Error(reason)));
  try {
    for (let at = 0; at < samples.length; at += CHUNK) {
      const { frames, found: [{ raw, means, fired }] } = await new Promise((resolve, reject) => {
        [take, fail] = [resolve, reject];
        engine.feed(samples.slice(at, at + CHUNK));
        if (at + CHUNK >= samples.length) engine.rest();
      });
      all.frames.push(...frames);
      all.raw.push(...raw);
      all.means.push(...means);
      all.fired.push(...fired);
    }
  } finally {
    engine.close();
  }
  return all;
}
