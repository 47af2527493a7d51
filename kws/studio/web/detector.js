/* One word on one stream: a detector file run by onnxruntime-web, as kws/detector.py runs it. */

import { Decider } from "./decider.js";
import { metadata } from "./onnxfile.js";

export class Detector {
  /** Open a detector from a file's bytes; `threshold` stands in for the file's own. */
  static async open(ort, bytes, threshold) {
    const about = metadata(bytes);
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return new Detector(ort, session, about, threshold);
  }

  constructor(ort, session, about, threshold) {
    const { shape, frontend: frontEnd, decision } = about;
    Object.assign(this, { ort, session, shape, frontEnd });
    const firstS = frontEnd.window_s + (shape.kernel - 1) * frontEnd.hop_s;
    this.decider = new Decider({ ...decision, threshold }, firstS, shape.stride * frontEnd.hop_s);
    this.reset();
  }

  set threshold(value) {
    this.decider.decision.threshold = value;
  }

  /** Forget all sound; it begins anew at that second of the clock. */
  reset(beganS = 0) {
    const { shape, frontEnd } = this, { Tensor } = this.ort;
    const zeros = (...sizes) => new Tensor("float32", new Float32Array(sizes.reduce((a, b) => a * b, 1)), sizes);
    this.state = {
      loud: zeros(1, 1, Math.round(shape.floor_s / frontEnd.hop_s) - 1),
      conv: zeros(1, frontEnd.bands, 0),
      gru: zeros(shape.members * shape.layers, 1, shape.hidden),
    };
    this.decider.reset(beganS);
  }

  /** What further frames (an array of frames x bands) tell: raw scores, their means and the detections. */
  async feed(frames) {
    const { bands } = this.frontEnd;
    if (!frames.length) return { raw: [], means: [], fired: [] };
    const heard = new this.ort.Tensor("float32", frames, [1, frames.length / bands, bands]);
    const found = await this.session.run({ frames: heard, ...this.state });
    this.state = { loud: found.loud_out, conv: found.conv_out, gru: found.gru_out };
    return { raw: Array.from(found.scores.data), ...this.decider.feed(found.scores.data) };
  }
}
