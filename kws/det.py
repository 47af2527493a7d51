"""How misses trade against false accepts as the threshold moves, and how sure each figure is.

N steps of one recording, K thresholds. The sweep runs the very rule that listens (kws.decision.Decider), once for each
threshold.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kws.config import Decision
from kws.decision import Decider

_Z_95 = 1.959963984540054
"""Standard deviations of the normal distribution that hold 95 %."""
SPOKEN = "human speech"
"""What a detector file calls negatives that people spoke."""
_LOGIT_RANGE = (-6.0, 14.0)
_PEOPLE_LOGIT, _MADE_LOGIT, _PER_HOUR, _SLOPE = 3.2, 4.2, 0.5, 0.35
"""The logit of the threshold at so many false accepts per hour of people's talk, no scores averaged, and how much lower
for twice as many; twice the scores averaged lower it by 1. What detectors needed that learnt from people's talk and
what those did that learnt from made talk (scripts/lab/LOG.md, ninth and tenth session).
"""

_TAIL = 8
"""Highest false accepts that a line is laid through, where fewer are to be allowed."""

Scores = NDArray[np.float32]


def grid(count: int = 200) -> tuple[float, ...]:
    """The thresholds (K,) of a sweep, rising, equally spaced in logits: dense near 0 and denser near 1."""
    logits = np.linspace(*_LOGIT_RANGE, count)
    return tuple((1 / (1 + np.exp(-logits))).tolist())


def logits(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of scores in [0, 1], which are taken for a millionth and for all but that where they are less or more."""
    inner = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    return np.log(inner / (1 - inner))


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share `count / of`; (0, 1) if nothing was counted.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if of == 0:
        return 0.0, 1.0
    share, spread = count / of, _Z_95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half) if count else 0.0, min(1.0, middle + half) if count < of else 1.0


def poisson_interval(count: int, hours: float) -> tuple[float, float]:
    """The exact 95 % interval of a rate per hour; (0, infinity) for no hours.

    None counted bounds the rate from above only, so that bound is one-sided: 3.0 / hours. Source: F. Garwood,
    Fiducial limits for the Poisson distribution, 1936.
    """
    if hours <= 0:
        return 0.0, math.inf
    if count == 0:
        return 0.0, -math.log(0.05) / hours
    low = _bisect(lambda mean: 1 - _poisson_at_most(count - 1, mean) < 0.025, count)
    high = _bisect(lambda mean: _poisson_at_most(count, mean) > 0.025, count)
    return low / hours, high / hours


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The rule over a detector's scores, and the clock they are on."""

    decision: Decision
    first_s: float
    """Seconds of sound behind the first score."""
    step_s: float
    """Seconds from one score to the next."""

    def at(self, threshold: float) -> Rule:
        """The same rule at another threshold."""
        return replace(self, decision=replace(self.decision, threshold=threshold))


def fire(scores: Scores, rule: Rule) -> list[float]:
    """The times at which the rule fires over (N,) scores from a fresh reset."""
    return [time_s for time_s, _ in Decider(rule.decision, rule.first_s, rule.step_s).feed(scores)]


def round_up(value: float) -> float:
    """Two significant digits, never below `value`: what is shown to be fewer than that."""
    if not 0 < value < math.inf:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")


def false_accepts(tracks: Sequence[Scores], rule: Rule, thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Detections (K,) at each threshold over the scores (N,) of recordings without the word, each from a fresh reset.

    The rule fires at the first step it may, which packs as many detections as the cooldown allows; fewer steps above
    the threshold never pack more. So counts only fall as thresholds rise, and where two are equal so are all between.
    Raises ValueError unless the thresholds rise.
    """
    if any(high <= low for low, high in itertools.pairwise(thresholds)):
        raise ValueError("the thresholds must rise from each to the next")
    counts = np.zeros(len(thresholds), np.int64)

    def count(at: int) -> None:
        counts[at] = sum(len(fire(track, rule.at(thresholds[at]))) for track in tracks)

    def fill(low: int, high: int) -> None:
        if counts[low] == counts[high]:
            counts[low:high] = counts[low]
        elif high - low > 1:
            count(middle := (low + high) // 2)
            fill(low, middle)
            fill(middle, high)

    if len(thresholds):
        count(0)
        count(len(thresholds) - 1)
        fill(0, len(thresholds) - 1)
    return counts


def heard(scores: Scores, window_s: tuple[float, float], rule: Rule, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Whether (K,) an utterance is heard at each threshold: the rule over (N,) scores fires within the window.

    Not simply whether a score lies above: at a low threshold an earlier false fire may mask the word by its cooldown.
    """
    first, last = window_s
    within = scores[: max(0, math.floor((last - rule.first_s) / rule.step_s) + 2)]
    loudest = float(within.max()) + 1e-6 if len(within) else -1.0
    return np.array([
        threshold <= loudest and any(first <= time_s <= last for time_s in fire(within, rule.at(threshold)))
        for threshold in thresholds
    ], bool)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Det:
    """Misses and false accepts counted at each of K rising thresholds."""

    thresholds: tuple[float, ...]
    misses: tuple[int, ...]
    """Utterances not heard; all 0 where there were none to hear."""
    utterances: int
    false_accepts: tuple[int, ...]
    hours: float
    """Hours of human speech without the word; 0 where none was listened to."""

    @cached_property
    def frr(self) -> NDArray[np.float64]:
        """The share (K,) of utterances missed; NaN where there were none."""
        return np.array(self.misses, float) / (self.utterances or math.nan)

    @cached_property
    def false_accepts_per_hour(self) -> NDArray[np.float64]:
        """False accepts per hour (K,); NaN where no hours were heard."""
        return np.array(self.false_accepts, float) / (self.hours or math.nan)

    def to_json(self) -> dict[str, Any]:
        """The counts as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build from what `to_json` gave."""
        columns = {name: tuple(values[name]) for name in ("thresholds", "misses", "false_accepts")}
        return cls(utterances=values["utterances"], hours=values["hours"], **columns)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self:
        """Build from what a detector file says of itself; older ones tell rates instead of counts.

        Raises KeyError if it says nothing of the kind.
        """
        det = metadata["det"]
        if "false_accepts" in det:
            return cls.from_json(det)
        hours, utterances = metadata["evaluation"]["hours"], metadata["evaluation"]["utterances"]
        return cls(
            thresholds=tuple(det["thresholds"]), hours=hours, utterances=utterances,
            misses=_counts(det["frr"], utterances), false_accepts=_counts(det["false_accepts_per_hour"], hours),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A threshold chosen for a target of false accepts per hour."""

    target_per_hour: float
    threshold: float
    false_accepts_per_hour: float
    frr: float | None
    """Share of utterances missed there; None where there were none."""
    reached: bool = True
    """Whether any threshold reaches the target."""
    caveat: str = ""
    """What the hours heard do not support, in one sentence; empty if they support the target."""


def least_threshold(target_per_hour: float, smoothing: int, *, spoken_by_people: bool) -> float:
    """What detectors of other words needed on talk of people they had not heard, with so many scores averaged.

    Hours that choose a threshold are few, and it fits them: on others it lets through twice as many and more. Of made
    talk no hours suffice: its voices, though nobody trained on them, set a detector off several times less often than
    people do.
    """
    rarer = math.log2(target_per_hour / _PER_HOUR)
    logit = (_PEOPLE_LOGIT if spoken_by_people else _MADE_LOGIT) - math.log2(smoothing) - _SLOPE * rarer
    return 1 / (1 + math.exp(-logit))


def tail_threshold(det: Det, target_per_hour: float) -> float:
    """Where a line through the highest false accepts reaches the target; 0 where there are none.

    The single false accept that a count would stop at is drawn by lot. So each of the highest eight foretells the
    logit, which falls by so much for each doubling of their rate, and they weigh as their ranks do.
    """
    counts, thresholds = np.asarray(det.false_accepts), np.asarray(det.thresholds)
    ranks = np.arange(1, min(_TAIL, counts.max(initial=0)) + 1)
    if len(ranks) == 0:
        return 0.0
    highest = np.array([thresholds[counts >= rank].max() for rank in ranks])
    rarer = np.log2((ranks - 0.5) / (det.hours * target_per_hour))
    logit = np.average(logits(highest) + _SLOPE * rarer, weights=ranks)
    return float(1 / (1 + np.exp(-logit)))


def choose_threshold(det: Det, target_per_hour: float = 0.5) -> Choice:
    """The lowest threshold with at most so many false accepts per hour; where none has, the highest and a caveat.

    To be chosen on a validation split, never on the one reported. Raises ValueError if no hours were heard.
    """
    return _lowest(det, target_per_hour, det.hours * target_per_hour)


def calibrated_threshold(det: Det, target_per_hour: float, smoothing: int, *, spoken_by_people: bool) -> Choice:
    """As `choose_threshold`, but not below `least_threshold` with so many scores averaged; and where the target allows
    so few false accepts that their count says little, not below `tail_threshold` instead of by that count.
    """
    least = least_threshold(target_per_hour, smoothing, spoken_by_people=spoken_by_people)
    allowed = det.hours * target_per_hour
    if 0 < allowed < _TAIL:
        least, allowed = max(least, tail_threshold(det, target_per_hour)), _TAIL
    return _lowest(det, target_per_hour, allowed, least)


def _lowest(det: Det, target_per_hour: float, allowed: float, least: float = 0.0) -> Choice:
    """The lowest threshold from `least` on with at most so many false accepts in all hours."""
    if det.hours <= 0:
        raise ValueError("a threshold for false accepts per hour needs hours of speech without the word")
    met = np.flatnonzero((np.asarray(det.false_accepts) <= allowed + 1e-9) & (np.asarray(det.thresholds) >= least))
    at = int(met[0]) if len(met) else len(det.thresholds) - 1
    caveat = ""
    if not len(met):
        caveat = f"no threshold reaches {target_per_hour:g} false accepts per hour"
    elif det.hours * target_per_hour < 3:
        caveat = (
            f"{det.hours:.2f} h of speech are too few for {target_per_hour:g} per hour: "
            f"none heard in them would only show fewer than {round_up(poisson_interval(0, det.hours)[1]):g}"
        )
    return Choice(
        target_per_hour=target_per_hour,
        threshold=det.thresholds[at],
        false_accepts_per_hour=float(det.false_accepts_per_hour[at]),
        frr=float(det.frr[at]) if det.utterances else None,
        reached=bool(len(met)),
        caveat=caveat,
    )


def _counts(shares: Sequence[float], of: float) -> tuple[int, ...]:
    """What was counted, from shares or rates that are NaN where there was nothing to count."""
    return tuple(round(share * of) if of else 0 for share in shares)


def _poisson_at_most(count: int, mean: float) -> float:
    """The chance of at most `count` where `mean` are expected."""
    if mean <= 0:
        return 1.0
    counts = np.arange(count + 1)
    log_factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    return float(np.exp(counts * math.log(mean) - mean - log_factorials).sum())


def _bisect(holds: Callable[[float], bool], count: int) -> float:
    """The mean up to which `holds`."""
    low, high = 0.0, count + 10 * math.sqrt(count) + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2
