"""The sound that is handed on for one wake: cut to the sample out of a stream that comes in chunks.

S samples.
"""

from __future__ import annotations

import struct

import numpy as np

from kws.audio import RATE_HZ, Samples
from kws.daemon.ring import Ring

_UNKNOWN = 0xFFFFFFFF
"""The size that a WAV header states where the end is not known yet; readers then read until there is no more."""


class Handover:
    """From so long before a word's end to so long after it, on the clock of the audio.

    `first` is what the ring held of it; the rest comes of the chunks that are heard from then on, so no sample is lost
    or doubled wherever the chunks were cut.
    """

    def __init__(self, ring: Ring, end_s: float, *, before_s: float, after_s: float) -> None:
        begun = ring.since(end_s - before_s)
        self._left = round((end_s + after_s) * RATE_HZ) - ring.heard
        self.first: Samples = begun if self._left >= 0 else begun[: self._left]
        """(S,) samples up to now."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self._left <= 0

    def take(self, sound: Samples) -> Samples:
        """What of the next chunk (S,) belongs to it."""
        part = sound[: max(0, self._left)]
        self._left -= len(part)
        return part

    def end(self) -> None:
        """Take nothing more: what comes next does not follow on."""
        self._left = 0


def to_pcm(samples: Samples) -> bytes:
    """16-bit little-endian PCM of (S,) samples, what is too loud clipped; the reverse of kws.sources.from_pcm."""
    pcm: bytes = np.clip(np.rint(samples * np.float32(32768)), -32768, 32767).astype("<i2").tobytes()
    return pcm


def wav_header() -> bytes:
    """The header of a 16-bit mono WAV at 16 kHz that goes on until it ends."""
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"".join(
        (
            b"RIFF",
            struct.pack("<I", _UNKNOWN),
            b"WAVEfmt ",
            struct.pack("<I", len(form)),
            form,
            b"data",
            struct.pack("<I", _UNKNOWN),
        )
    )
