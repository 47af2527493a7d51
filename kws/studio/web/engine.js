/* The page's side of worker.js: chosen detectors that listen to whatever sound they are fed. */

import { RATE_HZ } from "./pcm.js";

/** Sound that may wait for the worker; what comes on top is dropped and counted. */
const MOST_WAITING_S = 2;

export class Engine {
  /** Load the runtime and open the files ({bytes, threshold} each); `onHeard` gets each message of what was heard.

  Throws an Error whose `at` is the number of the file that cannot be opened, if that is why. */
  static async open(runtime, files, onHeard, onFailed) {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    const engine = new Engine(worker);
    try {
      await new Promise((resolve, reject) => {
        worker.onerror = () => reject(new Error("the runtime could not be loaded"));
        worker.onmessage = ({ data }) =>
          data.kind === "ready" ? resolve() : reject(Object.assign(new Error(data.reason), { at: data.at }));
        const sent = files.map(({ bytes, threshold }) => ({ bytes: bytes.slice(), threshold }));
        worker.postMessage({ kind: "open", runtime: new URL(runtime, document.baseURI).href, files: sent },
          sent.map(({ bytes }) => bytes.buffer));
      });
    } catch (error) {
      engine.close();
      throw error;
    }
    worker.onerror = ({ message }) => onFailed(message);
    worker.onmessage = ({ data }) => {
      if (data.kind === "failed") return onFailed(data.reason);
      engine.waitingS -= data.seconds;
      onHeard(data);
    };
    return engine;
  }

  constructor(worker) {
    Object.assign(this, { worker, waitingS: 0, droppedS: 0, lacks: false });
  }

  /** Further 16 kHz samples; dropped where the worker has fallen behind, after which it begins anew. */
  feed(samples) {
    const seconds = samples.length / RATE_HZ;
    if (this.waitingS + seconds > MOST_WAITING_S) {
      this.droppedS += seconds;
      this.lacks = true;
      return;
    }
    if (this.lacks) this.gap();
    this.lacks = false;
    this.waitingS += seconds;
    this.worker.postMessage({ kind: "sound", samples });
  }

  /** Some sound is missing here: what came before says nothing of what comes. */
  gap() {
    this.worker.postMessage({ kind: "gap" });
  }

  /** Hear what still waits for a whole block. */
  rest() {
    this.worker.postMessage({ kind: "rest" });
  }

  /** Another threshold for the detector of that number, from the next score on. */
  setThreshold(at, threshold) {
    this.worker.postMessage({ kind: "threshold", at, threshold });
  }

  /** End the worker, and with it all it holds. */
  close() {
    this.worker.terminate();
  }
}
