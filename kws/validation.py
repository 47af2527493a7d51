"""Validation while training: the measures of kws.evaluate on frames computed once, through the same rule and sweep.

T frames, M mel bands, N steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kws.audition import WINDOW_S
from kws.config import Decision, FrontEnd, Shape
from kws.decision import moving_mean
from kws.det import Det, Rule, false_accepts, fire, grid, heard, logits

Score = Callable[[Sequence[NDArray[np.float16]]], list[NDArray[np.float32]]]
"""Scores (N,) of each recording's frames (T, M), from a blank state."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A recording with one word to be heard."""

    frames: NDArray[np.float16]
    """(T, M)."""
    start_s: float
    end_s: float

    @property
    def window_s(self) -> tuple[float, float]:
        """Between which seconds a detection counts."""
        return self.start_s + WINDOW_S[0], self.end_s + WINDOW_S[1]


def missed(
    utterances: Sequence[Utterance], scores: Sequence[NDArray[np.float32]], rule: Rule, thresholds: Sequence[float]
) -> NDArray[np.int64]:
    """How many utterances, with their scores (N,), the rule misses at each threshold (K,)."""
    count = np.zeros(len(thresholds), np.int64)
    for utterance, found in zip(utterances, scores, strict=True):
        count += ~heard(found, utterance.window_s, rule, thresholds)
    return count


@dataclass(kw_only=True)
class Validation:
    """Utterances to hear, and sound in which nothing is to be heard."""

    front_end: FrontEnd
    shape: Shape
    hours: float = 0.0
    """Of the negatives."""
    utterances: list[Utterance] = field(default_factory=list)
    negatives: list[NDArray[np.float16]] = field(default_factory=list)
    spoken_by_people: bool = False
    """Whether the negatives are recorded human speech: only then does their rate say anything about homes."""

    def rule(self, decision: Decision) -> Rule:
        """A decision over the scores of such a net."""
        return Rule(
            decision=decision, first_s=self.shape.first_score_s(self.front_end),
            step_s=self.shape.step_s(self.front_end),
        )  # fmt: skip

    def heard_by(self, score: Score) -> Hearing:
        """All of it, scored."""
        return Hearing(
            validation=self, utterances=score([utterance.frames for utterance in self.utterances]),
            negatives=score(self.negatives),
        )  # fmt: skip

    def add_negatives(self, tracks: Sequence[NDArray[np.float16]]) -> None:
        """Take in frames (T, M) of sound without the word."""
        self.negatives += tracks
        self.hours += sum(len(frames) for frames in tracks) * self.front_end.hop_s / 3600


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What a net makes of a validation."""

    validation: Validation
    utterances: list[NDArray[np.float32]]
    """Scores (N,) of each."""
    negatives: list[NDArray[np.float32]]

    def det(self, decision: Decision) -> Det:
        """Misses and false accepts over the grid of thresholds."""
        thresholds, rule = grid(), self.validation.rule(decision)
        misses = missed(self.validation.utterances, self.utterances, rule, thresholds)
        accepts = false_accepts(self.negatives, rule, thresholds)
        return Det(
            thresholds=thresholds, misses=tuple(misses.tolist()), utterances=len(self.utterances),
            false_accepts=tuple(accepts.tolist()), hours=self.validation.hours,
        )  # fmt: skip

    def shortfall(self, decision: Decision, thresholds: Sequence[float]) -> float:
        """How far below the mean threshold utterances stay: the mean of ln(1 + e^(threshold - highest)), in logits.

        It tells nets apart that miss as few of made voices, and of people not. 0 where all are far above; infinite
        where there are none.
        """
        rule = self.validation.rule(decision)
        asked = logits(np.array(thresholds)).mean()
        short = []
        for utterance, scores in zip(self.validation.utterances, self.utterances, strict=True):
            first_s, last_s = utterance.window_s
            times_s = rule.first_s + rule.step_s * np.arange(len(scores))
            within = moving_mean(scores, decision.smoothing)[(times_s >= first_s) & (times_s <= last_s)]
            short.append(np.logaddexp(0.0, asked - logits(within.max(initial=0.0))))
        return float(np.mean(short)) if short else math.inf

    def lag_s(self, decision: Decision) -> float:
        """Median time from a word's end to its detection; the decision's own where none is heard."""
        lags = []
        for utterance, scores in zip(self.validation.utterances, self.utterances, strict=True):
            first_s, last_s = utterance.window_s
            times = fire(scores, self.validation.rule(decision))
            lags += [time_s - utterance.end_s for time_s in times if first_s <= time_s <= last_s][:1]
        return float(np.median(lags)) if lags else decision.lag_s
