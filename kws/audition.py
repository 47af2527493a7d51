"""One recording as a detector hears it: as a microphone would bring it, in chunks of 80 ms from a fresh reset.

S samples.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import numpy as np

from kws.audio import RATE_HZ, Samples, amplitude
from kws.config import Decision
from kws.decision import Detection, moving_mean
from kws.det import Rule, Scores
from kws.report import PEAK_S, Curve, FalseAccept

CHUNK = round(0.08 * RATE_HZ)
PADDING_S = 2.0
PADDING_DB = -60.0
WINDOW_S = (0.1, 1.2)
"""An utterance is heard from so long after its start to so long after its end."""
AROUND_S = (2.2, 0.8)
"""A false accept's curve: so long before the detection, and after."""

Tick = Callable[[float], None]
"""Is told how many more seconds of sound have been heard."""


class Listener(Protocol):
    """What is measured: a kws.Detector, or anything that does as it does.

    An engine of others is wrapped in this. One that only says yes gives `scores` of 1 at the steps where it would and 0
    elsewhere: it is then measured by the same windows, hours and cooldown, and its DET is a single point.
    """

    @property
    def word(self) -> str:
        """The word it listens for."""

    @property
    def threshold(self) -> float:
        """The score from which the word counts as heard."""

    @property
    def decision(self) -> Decision:
        """The rule."""

    @property
    def frame_seconds(self) -> float:
        """Seconds from one score to the next."""

    @property
    def first_score_s(self) -> float:
        """Seconds of sound behind the first score."""

    def reset(self) -> None:
        """Forget all sound."""

    def feed(self, chunk: Samples) -> list[Detection]:
        """The detections in more samples."""

    def scores(self, samples: Samples) -> Scores:
        """All scores of (S,) samples from a fresh state."""


def hear(detector: Listener, samples: Samples, tick: Tick | None = None) -> list[Detection]:
    """All detections in (S,) samples from a fresh reset, fed as a microphone would.

    `tick` is told the seconds of each chunk.
    """
    detector.reset()
    found = []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        found += detector.feed(chunk)
        if tick:
            tick(len(chunk) / RATE_HZ)
    return found


def rule_of(detector: Listener) -> Rule:
    """The rule that a detector applies to its scores."""
    return Rule(decision=detector.decision, first_s=detector.first_score_s, step_s=detector.frame_seconds)


def pad(samples: Samples, name: str) -> Samples:
    """Two seconds of white noise at -60 dBFS on each side of (S,) samples, the same for the same name."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    noise = draw.standard_normal((2, round(PADDING_S * RATE_HZ)), dtype=np.float32) * np.float32(amplitude(PADDING_DB))
    return np.concatenate((noise[0], samples, noise[1]))


def window_of(edge_s: tuple[float, float]) -> tuple[float, float]:
    """When an utterance between two edges counts as heard, in seconds of its padded recording."""
    return PADDING_S + edge_s[0] + WINDOW_S[0], PADDING_S + edge_s[1] + WINDOW_S[1]


class Audition:
    """One recording (S,) as the detector hears it: detections of the stream, and all its scores."""

    def __init__(self, detector: Listener, samples: Samples, tick: Tick | None = None) -> None:
        self.rule = rule_of(detector)
        self.detections = hear(detector, samples, tick)
        self.scores = detector.scores(samples)
        self._judged = moving_mean(self.scores, self.rule.decision.smoothing)
        self._times = self.rule.first_s + np.arange(len(self.scores)) * self.rule.step_s

    def curve(self, window_s: tuple[float, float]) -> Curve:
        """The smoothed scores that fall within a window."""
        first = int(np.searchsorted(self._times, window_s[0], "left"))
        past = int(np.searchsorted(self._times, window_s[1], "right"))
        return Curve(
            start=self.rule.first_s + first * self.rule.step_s, step=self.rule.step_s,
            scores=tuple(self._judged[first:past].tolist()),
        )  # fmt: skip

    def accepts(self, file: str) -> tuple[FalseAccept, ...]:
        """Every detection, none of which is the word."""
        return tuple(
            FalseAccept(file=file, time=hit.time, score=hit.score,
                        curve=self.curve((hit.time - AROUND_S[0], hit.time + AROUND_S[1])))
            for hit in self.detections
        )  # fmt: skip

    def peaks(self) -> tuple[float, ...]:
        """The highest smoothed score of each stretch after the warm-up."""
        awake = self._times >= self.rule.decision.warm_up_s
        stretches = (self._times[awake] // PEAK_S).astype(int)
        starts = np.flatnonzero(np.diff(stretches, prepend=-1))
        return tuple(np.maximum.reduceat(self._judged[awake], starts).tolist()) if len(starts) else ()
