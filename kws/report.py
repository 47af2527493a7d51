"""What a measurement found: figures with their counts, hours and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kws.breakdown import Breakdown, Share, break_down
from kws.det import Choice, Det, poisson_interval, round_up

PEAK_S = 10.0
"""The highest score is kept of each such stretch of sound without the word."""
CONDITION = "condition"
"""What is known of an utterance that makes the headline: clean, in babble, far."""
SOURCE = "source"
"""Likewise: the recording that an utterance was made from."""
VOICE = "voice"
"""Likewise: who spoke, if it was no person."""
PHONES_APART = "phones_apart"
"""Likewise: how many phones tell what sounds like the word from it."""
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The scores, smoothed as the rule does, over a stretch of a file."""

    start: float = 0.0
    """Seconds from the start of the file; what lies before or behind the file is padding."""
    step: float = 0.0
    scores: tuple[float, ...] = ()

    @property
    def end(self) -> float:
        """Seconds from the start of the file."""
        return self.start + self.step * len(self.scores)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One utterance of the word and whether it was heard."""

    file: str
    start: float
    """Seconds from the start of the file, without the padding."""
    end: float
    detected: float | None
    """When the rule fired, on the same clock; None if it did not."""
    estimated_end: float | None = None
    """Where the detection says that the word ended."""
    best_score: float
    """The highest score in the window in which it would have counted as heard."""
    about: dict[str, Any] = field(default_factory=dict)
    curve: Curve = Curve()
    word: str = ""
    """What was said, where it was not the word."""
    kind: str = "positive"

    @property
    def source(self) -> str:
        """What it was made from, where that is known; else the utterance itself."""
        return str(self.about.get(SOURCE) or f"{self.file} {self.start}")

    @property
    def group(self) -> str:
        """Its kind, and how many phones tell it from the word, where that is known."""
        apart = self.about.get(PHONES_APART)
        return self.kind if apart is None else f"{self.kind}, {'1 phone' if apart == 1 else '2+ phones'}"

    def to_json(self) -> dict[str, Any]:
        """All but the curve."""
        told = {
            "file": self.file, "start": self.start, "end": self.end, "detected": self.detected,
            "estimated_end": self.estimated_end, "best_score": self.best_score, "about": self.about,
        }  # fmt: skip
        return {**told, "said": self.word, "kind": self.kind} if self.word else told


@dataclass(frozen=True, kw_only=True)
class Positives:
    """How well the word is heard."""

    trials: tuple[Trial, ...]
    alike: tuple[Trial, ...] = ()
    """What sounds like the word and was said in these recordings: heard is wrongly heard."""
    stray: int = 0
    """Detections in these recordings that fell on no utterance."""
    copies: frozenset[str] = frozenset()
    """The sources of utterances that are copies of others."""

    @cached_property
    def ranked_alike(self) -> list[Trial]:
        """What sounds like the word, the highest score first."""
        return sorted(self.alike, key=lambda trial: -trial.best_score)

    @property
    def taken(self) -> dict[str, Share]:
        """How much of what sounds like the word was taken for it, by group: `missed` counts those."""
        groups = sorted({trial.group for trial in self.alike})
        members = {group: [trial for trial in self.alike if trial.group == group] for group in groups}
        return {
            group: Share(missed=sum(trial.detected is not None for trial in found), of=len(found))
            for group, found in members.items()
        }

    @property
    def total(self) -> Share:
        """All utterances."""
        return Share(missed=len(self.misses), of=len(self.trials))

    @property
    def distinct(self) -> Share:
        """The utterances without the copies."""
        once = [trial for trial in self.trials if trial.source not in self.copies]
        return Share(missed=sum(trial.detected is None for trial in once), of=len(once))

    @cached_property
    def misses(self) -> list[Trial]:
        """The utterances not heard, those that nearly were first."""
        missed = [trial for trial in self.trials if trial.detected is None]
        return sorted(missed, key=lambda trial: -trial.best_score)

    @property
    def latency_s(self) -> dict[str, float] | None:
        """Median and 90th percentile of detection minus word end; None if nothing was heard."""
        late = [trial.detected - trial.end for trial in self.trials if trial.detected is not None]
        if not late:
            return None
        return {"median": float(np.median(late)), "p90": float(np.percentile(late, 90))}

    @property
    def end_off_s(self) -> float | None:
        """How far from the word's end, early or late, its estimate lies in the median; None if nothing was heard."""
        ends = [abs(trial.estimated_end - trial.end) for trial in self.trials if trial.estimated_end is not None]
        return float(np.median(ends)) if ends else None

    @cached_property
    def breakdown(self) -> Breakdown:
        """Misses by all that is known of the utterances."""
        return break_down([(trial.about, trial.detected is None) for trial in self.trials])

    @property
    def conditions(self) -> dict[str, Share]:
        """Misses by condition, best first; empty where there is but one."""
        found = self.breakdown.groups.get(CONDITION, {})
        return dict(sorted(found.items(), key=lambda pair: pair[1].frr))

    @property
    def sources(self) -> int:
        """From how many recordings the utterances were made; as many as there are where that is not known."""
        known = [trial.about.get(SOURCE) for trial in self.trials]
        return len(set(map(str, known))) if all(known) else len(self.trials)

    def to_json(self) -> dict[str, Any]:
        """Everything, the misses listed."""
        found = self.breakdown
        groups = {key: {name: share.to_json() for name, share in told.items()} for key, told in found.groups.items()}
        return {
            **self.total.to_json(), "distinct": self.distinct.to_json(), "latency_s": self.latency_s,
            "end_off_s": self.end_off_s, "stray_detections": self.stray,
            "worst_group": found.worst.to_json() if found.worst else None, "groups": groups,
            "keys_left_out": list(found.left_out), "misses": [trial.to_json() for trial in self.misses],
            "taken_for_the_word": {group: _taken(share) for group, share in self.taken.items()},
            "alike": [trial.to_json() for trial in self.ranked_alike],
            "best_scores": [round(trial.best_score, _DIGITS) for trial in self.trials],
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FalseAccept:
    """A detection where the word was not said."""

    file: str
    time: float
    """Seconds from the start of the file."""
    score: float
    curve: Curve = Curve()

    def to_json(self) -> dict[str, Any]:
        """All but the curve."""
        return {"file": self.file, "time": self.time, "score": self.score}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Hours of one class of sound without the word, and what was wrongly detected in them."""

    name: str
    speech: bool
    """Whether it is human speech, which alone makes the headline."""
    hours: float
    """Hours in which a detection was possible: without each file's warm-up."""
    accepts: tuple[FalseAccept, ...]
    peaks: tuple[float, ...] = ()
    """The highest smoothed score of each stretch of PEAK_S."""

    @property
    def per_hour(self) -> float:
        """False accepts per hour; 0 where no hour was heard."""
        return len(self.accepts) / self.hours if self.hours else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the rate lies, with 95 % confidence."""
        return poisson_interval(len(self.accepts), self.hours)

    def to_json(self) -> dict[str, Any]:
        """Hours, count, rate, interval and the highest scores."""
        low, high = self.interval
        return {
            "speech": self.speech, "hours": self.hours, "false_accepts": len(self.accepts), "per_hour": self.per_hour,
            "interval_95": [low, high if np.isfinite(high) else None],
            "peaks": [round(peak, _DIGITS) for peak in self.peaks],
        }  # fmt: skip

    def __str__(self) -> str:
        low, high = self.interval
        if not self.accepts:
            return f"0 in {self.hours:.2f} h: fewer than {round_up(high):g} per hour (95 %)"
        return f"{self.per_hour:.2f} per hour  ({low:.2f}-{high:.2f}, {len(self.accepts)} in {self.hours:.2f} h)"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A rate of false accepts that is aimed at, and whether the hours heard show that it is kept."""

    per_hour: float
    heard: Heard

    @property
    def hours_needed(self) -> float:
        """Hours that would show it, were no more heard in them than now."""
        return poisson_interval(len(self.heard.accepts), 1.0)[1] / self.per_hour

    @property
    def is_shown(self) -> bool:
        """Whether the rate is at most the target, with 95 % confidence."""
        return self.heard.interval[1] <= self.per_hour

    @property
    def can_be_shown(self) -> bool:
        """Whether these hours could show it, had nothing been heard in them."""
        return poisson_interval(0, self.heard.hours)[1] <= self.per_hour

    def to_json(self) -> dict[str, Any]:
        """The rate, and what the hours say of it."""
        return {
            "per_hour": self.per_hour, "shown": self.is_shown, "can_be_shown_with_these_hours": self.can_be_shown,
            "hours_needed_at_this_count": self.hours_needed,
        }  # fmt: skip

    def __str__(self) -> str:
        count, hours = len(self.heard.accepts), self.heard.hours
        if self.is_shown:
            return f"{self.per_hour:g} per hour is kept (95 %)"
        if self.heard.interval[0] > self.per_hour:
            return f"{self.per_hour:g} per hour is not kept (95 %)"
        if not self.can_be_shown:
            least = round_up(poisson_interval(0, 1.0)[1] / self.per_hour)
            return (
                f"{self.per_hour:g} per hour cannot be shown by {hours:.2f} h: that takes {least:g} h with none heard"
            )
        needed = f"{count} in {round_up(self.hours_needed):g} h would"
        return f"{self.per_hour:g} per hour is neither shown nor refuted by {count} in {hours:.2f} h; {needed} show it"


@dataclass(frozen=True, kw_only=True)
class Negatives:
    """False accepts by class of sound."""

    classes: tuple[Heard, ...]

    @property
    def speech(self) -> Heard | None:
        """The headline: all classes of human speech together; None if there was none."""
        spoken = [heard for heard in self.classes if heard.speech]
        if not spoken:
            return None
        return Heard(
            name="speech", speech=True, hours=sum(heard.hours for heard in spoken),
            accepts=tuple(accept for heard in spoken for accept in heard.accepts),
            peaks=tuple(peak for heard in spoken for peak in heard.peaks),
        )  # fmt: skip

    @property
    def accepts(self) -> list[FalseAccept]:
        """The false accepts of all classes."""
        return [accept for heard in self.classes for accept in heard.accepts]

    @property
    def loudest_file(self) -> tuple[str, int] | None:
        """The file with the most false accepts, and how many; None if there were none."""
        return next(iter(Counter(accept.file for accept in self.accepts).most_common(1)), None)

    def to_json(self) -> dict[str, Any]:
        """Everything, the false accepts listed."""
        speech = self.speech.to_json() if self.speech else {}
        speech.pop("peaks", None)  # they are told by class
        return {
            "speech": speech or None,
            "classes": {heard.name: heard.to_json() for heard in self.classes},
            "accepts": [accept.to_json() for accept in self.accepts],
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `kws.evaluate.measure` found."""

    word: str
    threshold: float
    positives: Positives | None
    negatives: Negatives | None
    det: Det
    target_per_hour: float
    tuned: Choice | None
    """The threshold that this very set would choose for the target: to be read as a hope, not as a result."""
    skipped: tuple[str, ...] = ()
    """Files that could not be read, and why."""
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> Target | None:
        """The target for human speech; None if there was none."""
        speech = self.negatives.speech if self.negatives else None
        return Target(per_hour=self.target_per_hour, heard=speech) if speech else None

    def to_json(self) -> dict[str, Any]:
        """The whole report as a JSON object."""
        tuned = {**asdict(self.tuned), "chosen_on_this_very_set": True} if self.tuned else None
        return {
            "word": self.word, "threshold": self.threshold,
            "positives": self.positives.to_json() if self.positives else None,
            "negatives": self.negatives.to_json() if self.negatives else None,
            "target": self.target.to_json() if self.target else None,
            "at_threshold_chosen_on_this_very_set": tuned,
            "det": self.det.to_json(), "skipped": list(self.skipped), "notes": list(self.notes),
        }  # fmt: skip


def _taken(share: Share) -> dict[str, Any]:
    return {"taken": share.missed, "of": share.of, "share": share.frr, "interval_95": list(share.interval)}


def histogram(scores: Sequence[float], bins: int) -> list[int]:
    """How many of the scores lie in each of so many equal parts of [0, 1]."""
    counts, _ = np.histogram(np.clip(np.asarray(scores, float), 0, 1), bins=bins, range=(0, 1))
    return [int(count) for count in counts]
