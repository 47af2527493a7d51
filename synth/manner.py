"""How a thing is said: drawn from a seed, apart from the engine that then says it so."""

from __future__ import annotations

import hashlib

import numpy as np

from synth.voices import Saying

PACES = (0.7, 1.35)
"""Slowest and quickest, as a factor of an engine's usual pace."""


def manner(saying: Saying, voice: str, seed: int) -> np.random.Generator:
    """The generator that everything about one utterance is drawn from, the pace first.

    Saying and voice stir it, so that many voices given one seed do not all speak in the one manner.
    """
    told = "\0".join((saying.text, saying.language, saying.ipa, voice, str(seed)))
    return np.random.default_rng(np.frombuffer(hashlib.sha256(told.encode()).digest(), np.uint32))


def draw_pace(draw: np.random.Generator) -> float:
    """A pace, as likely so many times slower as so many times quicker."""
    slow, quick = np.log(PACES)
    return float(np.exp(draw.uniform(slow, quick)))


def pace(saying: Saying, voice: str, seed: int) -> float:
    """The pace at which every engine of ours says this."""
    return draw_pace(manner(saying, voice, seed))
