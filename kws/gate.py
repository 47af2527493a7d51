"""A voice-activity gate: it lets the nets rest while nothing is to be heard, and never cuts what they hear.

T frames, M mel bands. Frames that were held back are handed on as soon as it opens, so that a word is heard from before
its beginning. What the gate costs in words, and saves in processor time, `scripts/bench_gate` measures.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from kws.config import FrontEnd
from kws.features import Frames, band_centres_hz


@dataclass(frozen=True, kw_only=True)
class GateRule:
    """When the gate opens and closes."""

    low_hz: float = 200.0
    high_hz: float = 4000.0
    """The bands in which voices are sought."""
    rise_db: float = 5.0
    """A frame so far above the quietest of late may be a voice."""
    quiet_s: float = 4.0
    """How late."""
    hold_s: float = 1.0
    """It stays open for so long after the last such frame."""
    before_s: float = 2.0
    """Frames handed on from before it opened."""


class Gate:
    """The gate on one stream of frames; open at first, since what quiet is must be learnt."""

    def __init__(self, front_end: FrontEnd, rule: GateRule | None = None) -> None:
        self._rule = rule or GateRule()
        centres_hz = band_centres_hz(front_end)
        self._bands = np.flatnonzero((centres_hz >= self._rule.low_hz) & (centres_hz <= self._rule.high_hz))
        self._rise = self._rule.rise_db * np.log(10) / 10
        self._hold = round(self._rule.hold_s / front_end.hop_s)
        self._before = round(self._rule.before_s / front_end.hop_s)
        self._part = round(self._rule.quiet_s / 4 / front_end.hop_s)
        self._quietest: deque[float] = deque(maxlen=4)
        self._part_left = 0
        self._still = 0
        self._held: deque[Frames] = deque()
        self.waiting = 0
        """Frames that are held back."""
        self.rested = 0
        """Frames that no net has heard, nor ever will."""

    def feed(self, frames: Frames) -> Frames:
        """Of (T, M) more frames, those that are to be heard now: none while it is shut, what was held back as well when
        it opens.
        """
        if len(frames) == 0:
            return frames
        levels = frames[:, self._bands].mean(axis=1)
        self._learn(levels)
        loud = np.flatnonzero(levels > min(self._quietest) + self._rise)
        self._still = len(frames) - 1 - int(loud[-1]) if len(loud) else self._still + len(frames)
        if self._still > self._hold:
            self._hold_back(frames)
            return frames[:0]
        if not self._held:
            return frames
        heard = np.concatenate((*self._held, frames))
        self._held.clear()
        self.waiting = 0
        return heard

    def _learn(self, levels: Frames) -> None:
        """Keep the quietest level of each of the latest parts; the newest part is still growing."""
        for level in levels.tolist():
            if self._part_left == 0:
                self._quietest.append(level)
                self._part_left = self._part
            self._quietest[-1] = min(self._quietest[-1], level)
            self._part_left -= 1

    def _hold_back(self, frames: Frames) -> None:
        self._held.append(frames)
        self.waiting += len(frames)
        while self.waiting - len(self._held[0]) >= self._before:
            gone = self._held.popleft()
            self.waiting -= len(gone)
            self.rested += len(gone)
