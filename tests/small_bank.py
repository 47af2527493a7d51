"""A bank of made sounds that stand for words, for tests that need no speech engine."""

from __future__ import annotations

import numpy as np

from kws.audio import RATE_HZ, Samples
from synth.bank import Bank, Clip

_VOICES = {"train": 4, "validation": 2, "test": 2}


def tone_word(pitch_hz: float, seconds: float, rising: float) -> Samples:
    """A gliding tone with overtones between two short silences: the glide is the word, the pitch the voice."""
    silence = np.zeros(RATE_HZ // 20, np.float32)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * pitch_hz * np.cumsum(2 ** (rising * time_s / seconds)) / RATE_HZ
    tone = sum(np.sin(order * phase) / order for order in (1, 2, 3, 5)) * 0.2 * np.hanning(len(time_s)) ** 0.3
    return np.concatenate((silence, tone.astype(np.float32), silence))


def small_bank(word: str = "activate") -> Bank:
    """A few voices a split; the word glides up two octaves, other words glide otherwise."""
    glides = {"near-miss": ("active", 1.0), "negative": ("kettle", -1.5), "sentence": ("a long sentence", -0.3)}
    clips = []
    for split, voices in _VOICES.items():
        for voice in range(voices):
            pitch_hz = 180 + 60 * voice
            said = {"split": split, "voice": f"tone:{split}{voice}", "speed": 1.0}
            clips.append(Clip(text=word, kind="positive", samples=tone_word(pitch_hz, 0.6, 2.0), **said))
            for kind, (text, rising) in glides.items():
                seconds = 2.0 if kind == "sentence" else 0.5
                clips.append(Clip(text=text, kind=kind, samples=tone_word(pitch_hz, seconds, rising), **said))
            longer = np.concatenate((tone_word(pitch_hz, 0.6, 2.0), tone_word(pitch_hz, 0.2, 0.0)))
            clips.append(Clip(text=f"{word}d", kind="near-miss", samples=longer, **said))
    return Bank(word=word, general=True, clips=tuple(clips))
