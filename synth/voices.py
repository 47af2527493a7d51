"""What every speech engine takes and gives, the voices we may use, and which split each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kws.errors import Failure

Split = Literal["train", "validation", "test"]

KOKORO_VALIDATION = ("af_sky", "am_eric", "bf_isabella", "bm_lewis", "if_sara", "zm_yunxi")
KOKORO_TEST = ("af_jessica", "am_michael", "bm_fable", "hf_beta", "pm_alex", "jf_nezumi")
KOKORO_TRAIN = (
    "af_alloy", "af_aoede", "af_bella", "af_heart", "af_nicole", "af_sarah",
    "am_adam", "am_fenrir", "am_santa",
    "bf_emma", "bm_george",
    "ef_dora", "em_santa", "hf_alpha", "hm_omega", "im_nicola",
    "jf_alpha", "jf_gongitsune", "jf_tebukuro", "jm_kumo",
    "pf_dora", "pm_santa",
    "zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxia", "zm_yunyang",
)  # fmt: skip
"""The 29 training voices: the reserved ones and those of the other two splits are not here."""

ESPEAK_ACCENTS = (
    "en-us", "en-us-nyc", "en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
)  # fmt: skip
ESPEAK_VARIANTS: dict[Split, tuple[str, ...]] = {
    "train": ("m2", "m4", "m6", "m8", "f2", "f4"),
    "validation": (),
    "test": ("m1", "m3", "m5", "m7", "f1", "f3", "f5"),
}
"""Even-numbered variants train, odd-numbered ones are test material reported apart."""


_ALSO_CALLED = {"en-gb": "en", "es-mx": "es-419", "no": "nb", "zh": "cmn"}


def espeak_name(language: str) -> str:
    """A language as eSpeak names it."""
    return _ALSO_CALLED.get(language.lower(), language.lower())


def primary_tag(language: str) -> str:
    """The language without its accent: es for es-419."""
    return espeak_name(language).partition("-")[0]


class EngineMissing(Failure):
    """A speech engine is not installed; the message says how to get it."""


@dataclass(frozen=True, kw_only=True)
class Saying:
    """What is to be said."""

    text: str
    language: str = "en-us"
    """As eSpeak names it: en-us, en, de, fr, es …"""
    ipa: str = ""
    """Phonemes to be said instead of the text's own, as eSpeak writes them (letters of one phoneme tied by ^)."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What an engine said."""

    samples: NDArray[np.float32]
    """(S,) in [-1, 1]."""
    rate_hz: int
    voice: str
    """`engine:voice`, with `+` between the parents of a blend."""


class Engine(Protocol):
    """Says a text in a voice.

    Making one opens nothing and it can be pickled until it first speaks, so that worker processes can be given it.
    """

    @property
    def name(self) -> str:
        """What stands before the colon in `engine:voice`."""

    @property
    def identity(self) -> str:
        """What its sound depends on besides text, voice and seed: model, version. Part of the cache's key."""

    @property
    def licence(self) -> str:
        """One sentence for what is made with it: whose it is and under which terms."""

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        """Those of a split that can speak a language; empty if none can."""

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        """Say it; the seed draws the manner: pace, pitch, ending. Raises EngineMissing, or ValueError if it cannot."""

    def close(self) -> None:
        """End what was opened."""
