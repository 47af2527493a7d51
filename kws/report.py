"""What a measurement found: figures with their counts, hours and intervals, and how they are told on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kws.det import Choice, Det, poisson_interval, wilson

_BINS = 3
_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many missed of so many, with its 95 % interval (Wilson)."""

    missed: int
    of: int

    @property
    def frr(self) -> float:
        """The share missed; 0 where there was none to hear."""
        return self.missed / self.of if self.of else 0.0

    def to_json(self) -> dict[str, Any]:
        """Counts, share and interval."""
        interval = list(wilson(self.missed, self.of))
        return {"missed": self.missed, "of": self.of, "frr": self.frr, "interval_95": interval}

    def __str__(self) -> str:
        low, high = wilson(self.missed, self.of)
        return f"{100 * self.frr:5.1f} %  ({100 * low:.1f}-{100 * high:.1f} %, {self.missed} of {self.of} missed)"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One utterance of the word and whether it was heard."""

    file: str
    start: float
    """Seconds from the start of the file, without the padding."""
    end: float
    detected: float | None
    """When the rule fired, on the same clock; None if it did not."""
    best_score: float
    """The highest score in the window in which it would have counted as heard."""
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Positives:
    """How well the word is heard."""

    trials: tuple[Trial, ...]
    stray: int = 0
    """Detections in these recordings that fell on no utterance."""

    @property
    def total(self) -> Share:
        """All utterances."""
        return _share(self.trials)

    @property
    def misses(self) -> list[Trial]:
        """The utterances not heard."""
        return [trial for trial in self.trials if trial.detected is None]

    @property
    def latency_s(self) -> dict[str, float] | None:
        """Median and 90th percentile of detection minus word end; None if nothing was heard."""
        late = [trial.detected - trial.end for trial in self.trials if trial.detected is not None]
        if not late:
            return None
        return {"median": float(np.median(late)), "p90": float(np.percentile(late, 90))}

    @property
    def groups(self) -> dict[str, dict[str, Share]]:
        """Misses by all that is known of the utterances, worst group first and the key with the worst group first.

        A key that says nothing is left out: one that all share, or that tells each from nearly every other.
        """
        keys = dict.fromkeys(key for trial in self.trials for key in trial.about)
        found = {key: _by_key(self.trials, key) for key in keys}
        ranked = {key: dict(sorted(groups.items(), key=lambda pair: -pair[1].frr)) for key, groups in found.items()}
        told = {key: groups for key, groups in ranked.items() if 1 < len(groups) <= max(2, len(self.trials) // 2)}
        return dict(sorted(told.items(), key=lambda pair: -next(iter(pair[1].values())).frr))

    def to_json(self) -> dict[str, Any]:
        """Everything, the misses listed."""
        groups = {key: {name: share.to_json() for name, share in found.items()} for key, found in self.groups.items()}
        return {
            **self.total.to_json(), "latency_s": self.latency_s, "stray_detections": self.stray,
            "groups": groups, "misses": [asdict(trial) for trial in self.misses],
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FalseAccept:
    """A detection where the word was not said."""

    file: str
    time: float
    """Seconds from the start of the file."""
    score: float


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Hours of one class of sound without the word, and what was wrongly detected in them."""

    name: str
    speech: bool
    """Whether it is human speech, which alone makes the headline."""
    hours: float
    """Hours in which a detection was possible: without each file's warm-up."""
    accepts: tuple[FalseAccept, ...]

    @property
    def per_hour(self) -> float:
        """False accepts per hour; 0 where no hour was heard."""
        return len(self.accepts) / self.hours if self.hours else 0.0

    def to_json(self) -> dict[str, Any]:
        """Hours, count, rate and interval."""
        low, high = poisson_interval(len(self.accepts), self.hours)
        return {
            "speech": self.speech, "hours": self.hours, "false_accepts": len(self.accepts), "per_hour": self.per_hour,
            "interval_95": [low, high if np.isfinite(high) else None],
        }  # fmt: skip

    def __str__(self) -> str:
        low, high = poisson_interval(len(self.accepts), self.hours)
        if not self.accepts:
            return f"none in {self.hours:.2f} h, so < {high:.2g} per hour"
        return f"{self.per_hour:.2f} per hour  ({low:.2f}-{high:.2f}, {len(self.accepts)} in {self.hours:.2f} h)"


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
        accepts = tuple(accept for heard in spoken for accept in heard.accepts)
        return Heard(name="speech", speech=True, hours=sum(heard.hours for heard in spoken), accepts=accepts)

    @property
    def accepts(self) -> list[FalseAccept]:
        """The false accepts of all classes."""
        return [accept for heard in self.classes for accept in heard.accepts]

    def to_json(self) -> dict[str, Any]:
        """Everything, the false accepts listed."""
        return {
            "speech": self.speech.to_json() if self.speech else None,
            "classes": {heard.name: heard.to_json() for heard in self.classes},
            "accepts": [asdict(accept) for accept in self.accepts],
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `kws.evaluate.measure` found."""

    word: str
    threshold: float
    positives: Positives | None
    negatives: Negatives | None
    det: Det
    tuned: Choice | None
    """The threshold that this very set would choose for the target: to be read as a hope, not as a result."""
    skipped: tuple[str, ...] = ()
    """Files that could not be read, and why."""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The whole report as a JSON object."""
        tuned = {**asdict(self.tuned), "chosen_on_this_very_set": True} if self.tuned else None
        return {
            "word": self.word, "threshold": self.threshold,
            "positives": self.positives.to_json() if self.positives else None,
            "negatives": self.negatives.to_json() if self.negatives else None,
            "at_threshold_chosen_on_this_very_set": tuned,
            "det": self.det.to_json(), "skipped": list(self.skipped), "notes": list(self.notes),
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """The report for a terminal, line by line."""
        yield f'"{self.word}" at threshold {self.threshold:.4g}'
        if self.positives:
            yield from _tell_positives(self.positives)
        if self.negatives:
            yield from _tell_negatives(self.negatives)
        if self.tuned:
            yield from _tell_tuned(self.tuned)
        yield from _listed("Skipped, unreadable", self.skipped)
        yield from _listed("Notes", self.notes)


def _tell_positives(found: Positives) -> Iterator[str]:
    yield f"\n{'misses':<24}{found.total}"
    if found.latency_s:
        median, late = found.latency_s["median"], found.latency_s["p90"]
        yield f"{'latency':<24}median {median:.2f} s, p90 {late:.2f} s after the word's end"
    if found.stray:
        yield f"{'stray detections':<24}{found.stray} in these recordings fell on no utterance"
    for key, groups in found.groups.items():
        yield f"\nmisses by {key}, worst first"
        yield from (f"  {name:<22}{share}" for name, share in groups.items())
    yield from _listed("Missed", [
        f"{trial.file} at {trial.start:.2f} s (best score {trial.best_score:.3f})" for trial in found.misses
    ])  # fmt: skip


def _tell_negatives(found: Negatives) -> Iterator[str]:
    headline = found.speech
    yield f"\n{'false accepts, speech':<24}{headline or 'no human speech was given'}"
    yield from (f"  {heard.name:<22}{heard}" for heard in found.classes)
    yield from _listed("False accepts", [
        f"{accept.file} at {accept.time:.2f} s (score {accept.score:.3f})" for accept in found.accepts
    ])  # fmt: skip


def _tell_tuned(choice: Choice) -> Iterator[str]:
    missed = "" if choice.frr is None else f"{100 * choice.frr:.1f} % missed and "
    yield (
        f"\nAt threshold {choice.threshold:.4g}, chosen on this very set for {choice.target_per_hour:g} false accepts "
        f"per hour:\n{missed}{choice.false_accepts_per_hour:.2f} per hour. Tuned on what it is judged on: not a result."
    )
    if choice.caveat:
        yield f"Caution: {choice.caveat}."


def _listed(title: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"\n{title}: {len(entries)}"
        yield from (f"  {entry}" for entry in entries[:_LISTED])
        if len(entries) > _LISTED:
            yield f"  … and {len(entries) - _LISTED} more: all are in the report of --out DIR or --json"


def _share(trials: Sequence[Trial]) -> Share:
    return Share(missed=sum(trial.detected is None for trial in trials), of=len(trials))


def _by_key(trials: Sequence[Trial], key: str) -> dict[str, Share]:
    """Misses by the value of a key; more than a few numbers are parted into thirds of equal count."""
    known = [(trial.about[key], trial) for trial in trials if trial.about.get(key) is not None]
    values = {value for value, _ in known if isinstance(value, int | float) and not isinstance(value, bool)}
    parted = len(values) > 2 * _BINS and all(value in values for value, _ in known)
    groups: dict[str, list[Trial]] = {}
    if parted:
        known.sort(key=lambda pair: float(pair[0]))
        for part in np.array_split(np.arange(len(known)), _BINS):
            name = f"{known[part[0]][0]:.4g} to {known[part[-1]][0]:.4g}"
            groups.setdefault(name, []).extend(known[index][1] for index in part)
    else:
        for value, trial in known:
            groups.setdefault(str(value), []).append(trial)
    return {name: _share(found) for name, found in groups.items()}
