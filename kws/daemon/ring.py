"""The latest sound, kept for what begins before it is known to matter.

S samples.
"""

from __future__ import annotations

import math

import numpy as np

from kws.audio import RATE_HZ, Samples


class Ring:
    """The last seconds of a stream, on the clock of its audio."""

    def __init__(self, seconds: float, heard: int = 0) -> None:
        """`heard`: samples that went by before it began."""
        self._sound = np.zeros(max(1, math.ceil(seconds * RATE_HZ)), np.float32)
        self.heard = self._oldest = heard
        """Samples since the clock began."""

    def add(self, samples: Samples) -> None:
        """Take in the next (S,) samples, however many."""
        size = len(self._sound)
        self.heard += len(samples)
        latest = samples[-size:]
        first = (self.heard - len(latest)) % size
        fits = min(len(latest), size - first)
        self._sound[first : first + fits] = latest[:fits]
        self._sound[: len(latest) - fits] = latest[fits:]

    def since(self, time_s: float) -> Samples:
        """A copy (S,) of the sound from a time on the audio's clock up to now, as far back as there is some."""
        size = len(self._sound)
        oldest = max(self._oldest, self.heard - size)
        wanted = min(max(round(time_s * RATE_HZ), oldest), self.heard)
        first, count = wanted % size, self.heard - wanted
        return np.concatenate((self._sound[first : first + count], self._sound[: max(0, first + count - size)]))

    def forget(self) -> None:
        """Hold nothing of what was heard, as is right after a gap; the clock goes on."""
        self._oldest = self.heard
