"""What was ever spoken, kept on disk by content and shared by all words.

One file for each utterance, `speech/ab/abcdef….flac`, named by a digest of engine, its identity, saying, voice and
seed; an empty `.silent` file where the engine said nothing audible.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kws.audio import (
    Samples,
    amplitude,
    around,
    frame_levels,
    read_audio,
    resample,
    word_edges,
)
from kws.files import cache_folder
from synth.kept import SoundCache
from synth.voices import Engine, Saying

PEAK_DB = -6.0
_SHORTEST_FRAMES = 5
_FAINTEST = 1e-3


class SpeechCache(SoundCache):
    """Speaks what was not spoken before, and gives the rest from disk."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(cache_folder() / "speech" if folder is None else folder)

    def spoken(self, engine: Engine, saying: Saying, voice: str, seed: int) -> Samples | None:
        """(S,) at 16 kHz, cut to the word with a margin, peak -6 dB; None if the engine said nothing audible.

        Raises what the engine raises, and Failure if the folder cannot be written to.
        """
        path = self._path(engine, saying, voice, seed)
        silent = path.with_suffix(".silent")
        if silent.exists():
            return None
        if (before := self.kept(path)) is not None:
            return before
        speech = engine.speak(saying, voice, seed)
        samples = trimmed(resample(speech.samples, speech.rate_hz))
        self.keep(path if samples is not None else silent, samples)
        return None if samples is None else read_audio(path)

    def has(self, engine: Engine, saying: Saying, voice: str, seed: int) -> bool:
        """Whether this was spoken before."""
        path = self._path(engine, saying, voice, seed)
        return path.exists() or path.with_suffix(".silent").exists()

    def _path(self, engine: Engine, saying: Saying, voice: str, seed: int) -> Path:
        told = [engine.name, engine.identity, saying.text, saying.language, saying.ipa, voice, seed]
        return self.path(json.dumps(told).encode())


def trimmed(samples: Samples) -> Samples | None:
    """Cut (S,) at 16 kHz to the word with a margin and set its peak; None if there is nothing to be heard."""
    levels = frame_levels(samples)
    if len(levels) < _SHORTEST_FRAMES or levels.max() < _FAINTEST:
        return None
    start_s, end_s = word_edges(samples)
    cut = samples[around(start_s, end_s)]
    return np.asarray(cut * (amplitude(PEAK_DB) / np.abs(cut).max()), np.float32)
