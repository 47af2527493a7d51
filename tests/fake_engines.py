"""Speech engines that sing tones for words, for tests that need none installed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from small_bank import tone_word

from kws.audio import RATE_HZ
from synth.voices import EngineMissing, Saying, Speech, Split


@dataclass
class ToneEngine:
    """A voice is a pitch; a text is a glide."""

    name: str = "tone"
    language: str = "en"
    speakers: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"train": ("a", "b", "c", "d"), "validation": ("v",), "test": ("t",)}
    )
    broken: bool = False

    @property
    def identity(self) -> str:
        return f"{self.name}-1"

    @property
    def licence(self) -> str:
        return f"{self.name}: ours"

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        return self.speakers[split] if language.split("-", maxsplit=1)[0] == self.language else ()

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        if self.broken:
            raise EngineMissing(f"{self.name} is not installed: pip install {self.name}")
        if "ʘ" in saying.ipa:
            raise ValueError(f"{self.name} cannot say {saying.ipa!r}")
        digest = hashlib.sha256(f"{saying.text}{saying.ipa}".encode()).digest()
        glide = 1 + digest[0] / 128
        pitch_hz = 150 + 20 * (ord(voice[0]) - ord("a")) + seed % 40
        return Speech(samples=tone_word(pitch_hz, 0.6, glide), rate_hz=RATE_HZ, voice=f"{self.name}:{voice}")

    def close(self) -> None:
        pass


def spelled(text: str, language: str) -> str:
    """Phonemes of a text: its letters, near enough for tests."""
    return np.str_(text.casefold()).replace("c", "k").replace("x", "ks")
