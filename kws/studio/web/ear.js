/* Sound in: the browser's microphone or one of the server's, handed on as 16 kHz mono samples from -1 to 1. */

import { RATE_HZ } from "./pcm.js";
import { Resampler } from "./resample.js";
import { S } from "./strings.js";

const FULL_SCALE = 32768;

/** What the person has to know of each way in which a browser refuses its microphone. */
const REFUSALS = {
  NotAllowedError: S.listen.notAllowed, SecurityError: S.listen.notAllowed, NotFoundError: S.listen.noMicrophone,
  OverconstrainedError: S.listen.noMicrophone, NotReadableError: S.listen.microphoneBusy,
  AbortError: S.listen.microphoneBusy,
};

/** Open the browser's microphone and hand its sound on, until close().

`onTrouble(sentence, isOver)` is told when it is lost. Throws an Error with a sentence that says what to do. */
export async function browserMicrophone(onSamples, onTrouble = () => {}) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(S.listen.insecure);
  const stream = await microphoneStream(), [track] = stream.getAudioTracks();
  const close = () => {
    track.onended = null;
    track.stop();
  };
  try {
    const { context, node } = await captured(stream);
    node.port.onmessage = receiver(context.sampleRate, onSamples);
    const closeAll = () => {
      node.port.onmessage = null;
      close();
      if (context.state !== "closed") context.close();
    };
    track.onended = () => {
      closeAll();
      onTrouble(S.listen.unplugged, true);
    };
    return { close: closeAll, name: track.label || S.listen.browserMicrophone };
  } catch (error) {
    close();
    throw new Error(S.listen.noCapture(error.message));
  }
}

async function microphoneStream() {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? S.listen.noCapture(error.message));
  }
}

/** The stream led into capture.js: at 16 kHz, or at the system's rate where the browser cannot turn that into it. */
async function captured(stream) {
  let context = new AudioContext({ sampleRate: RATE_HZ }), source;
  try {
    source = context.createMediaStreamSource(stream);
  } catch {
    await context.close();
    context = new AudioContext();
    source = context.createMediaStreamSource(stream);
  }
  try {
    await context.audioWorklet.addModule(new URL("capture.js", import.meta.url));
    const node = new AudioWorkletNode(context, "capture");
    source.connect(node).connect(context.destination);
    await context.resume();
    return { context, node };
  } catch (error) {
    context.close();
    throw error;
  }
}

/** What takes a context's samples and hands them on at 16 kHz. */
function receiver(rateHz, onSamples) {
  if (rateHz === RATE_HZ) return ({ data }) => onSamples(data);
  const resampler = new Resampler(rateHz);
  return ({ data }) => {
    const samples = resampler.feed(data);
    if (samples.length) onSamples(samples);
  };
}

/** Open one of the server's microphones and hand its sound on, until close().

`onTrouble(sentence, isOver)` is told of gaps in the sound, and of its end. Throws an Error with a sentence. */
export function serverMicrophone(device, onSamples, onTrouble = () => {}) {
  const url = new URL(`api/microphone?device=${encodeURIComponent(device)}`, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const close = () => {
    socket.onclose = socket.onmessage = null;
    socket.close();
  };
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const fail = (sentence) => {
      close();
      if (isOpen) onTrouble(sentence, true);
      else reject(new Error(sentence));
    };
    socket.onclose = () => fail(isOpen ? S.listen.serverGone : S.listen.noServerSound);
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        const { gap, error } = JSON.parse(data);
        if (error) fail(error);
        else onTrouble(gap, false);
        return;
      }
      if (!isOpen) {
        isOpen = true;
        resolve({ close, name: S.listen.serverMicrophone });
      }
      onSamples(Float32Array.from(new Int16Array(data), (value) => value / FULL_SCALE));
    };
  });
}
