"""The one rule that turns scores into detections, for listening, calibration and measuring alike.

N steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kws.config import Decision

_FAR_BELOW = 0.99
"""Of the threshold: where no score reaches this, means need not be looked at."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The word was heard."""

    word: str
    time: float
    """Seconds of audio heard since reset when the rule fired."""
    end: float
    """Estimated end of the word on the same clock."""
    score: float
    """The score that fired, in [0, 1]."""


class Decider:
    """Applies the rule to scores as they come; scores are numbered from 0 since reset."""

    def __init__(self, decision: Decision, first_s: float, step_s: float) -> None:
        """`first_s`: seconds of audio behind the first score; `step_s`: seconds from one score to the next."""
        self.decision = decision
        self._first_s, self._step_s = first_s, step_s
        self.reset()

    def reset(self) -> None:
        """Forget all scores."""
        self._count = 0
        self._recent = np.zeros(0, np.float32)
        self._quiet_until_s = self.decision.warm_up_s

    def may_wait(self, count: int) -> bool:
        """Whether none of the next so many scores can fire, whatever they are."""
        width = self.decision.smoothing
        if count >= width:
            return False
        return float(self._recent[count - width :].sum()) + count < (_FAR_BELOW * self.decision.threshold * width)

    def feed(self, scores: NDArray[np.float32]) -> list[tuple[float, float]]:
        """(time in seconds, score) of each detection among the next (N,) scores."""
        width, fired = self.decision.smoothing, list[tuple[float, float]]()
        heard = np.concatenate((self._recent, scores))
        self._recent = heard[max(0, len(heard) - width + 1) :]
        if heard.max(initial=0.0) < _FAR_BELOW * self.decision.threshold:  # nor is any mean of them high
            self._count += len(scores)
            return fired
        smoothed = moving_mean(heard, width)[len(heard) - len(scores) :]
        high = np.flatnonzero(smoothed >= self.decision.threshold)
        times_s = self._first_s + (self._count + high) * self._step_s
        at = int(np.searchsorted(times_s, self._quiet_until_s))
        while at < len(high):
            time_s = float(times_s[at])
            fired.append((time_s, float(smoothed[high[at]])))
            self._quiet_until_s = time_s + self.decision.cooldown_s
            at = max(at + 1, int(np.searchsorted(times_s, self._quiet_until_s)))
        self._count += len(scores)
        return fired


def moving_mean(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The mean (N,) of each score and those before it, `width` in all; what lies before the first counts as 0."""
    if width <= 1 or len(scores) == 0:
        return scores
    padded = np.concatenate((np.zeros(width - 1, np.float32), scores))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, width).mean(axis=1), np.float32)
