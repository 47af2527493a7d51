/* In the audio thread: hands what the microphone gives on to whoever holds the other end of its port. */

/** Samples to a message: a message has its price however little it carries. */
const BATCH = 512;

class Capture extends AudioWorkletProcessor {
  batch = new Float32Array(BATCH);
  filled = 0;

  process([channels]) {
    const count = channels?.[0]?.length ?? 0;
    for (let at = 0; at < count; at++) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.batch[this.filled++] = sum / channels.length;
      if (this.filled === BATCH) this.send();
    }
    return true;
  }

  send() {
    this.port.postMessage(this.batch, [this.batch.buffer]);
    this.batch = new Float32Array(BATCH);
    this.filled = 0;
  }
}

registerProcessor("capture", Capture);
