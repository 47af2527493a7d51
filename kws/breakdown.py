"""Misses by what is known of the utterances: who spoke, how fast, how loud, from how far, over what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kws.det import wilson

WIDEST = 0.4
"""A group whose 95 % interval is wider is too small to judge."""
FEWEST = 10
"""Utterances of a group that may be called the worst."""
_FEW_GROUPS = 8
"""So many are always told, more only if there are FEWEST utterances for each."""
_MANY_VALUES = 6
"""More different numbers than these are put in bins."""
_MOST_BINS = 5


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many missed of so many, with its 95 % interval (Wilson)."""

    missed: int
    of: int

    @property
    def frr(self) -> float:
        """The share missed; 0 where there was none to hear."""
        return self.missed / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share lies, with 95 % confidence."""
        return wilson(self.missed, self.of)

    @property
    def is_judged(self) -> bool:
        """Whether there were enough utterances to say anything."""
        low, high = self.interval
        return high - low <= WIDEST

    def to_json(self) -> dict[str, Any]:
        """Counts, share and interval."""
        return {
            "missed": self.missed, "of": self.of, "frr": self.frr, "interval_95": list(self.interval),
            "enough_to_judge": self.is_judged,
        }  # fmt: skip

    def told(self, verb: str) -> str:
        """The share with its interval and counts, of whatever was done to them."""
        low, high = self.interval
        return f"{100 * self.frr:5.1f} %  ({100 * low:.1f}-{100 * high:.1f} %, {self.missed} of {self.of} {verb})"

    def __str__(self) -> str:
        return self.told("missed")


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The group that is heard worst, against all."""

    key: str
    name: str
    share: Share
    mean: Share
    groups: int
    """Of how many groups it is the worst: the worst of many is so partly by chance."""

    @property
    def ratio(self) -> float | None:
        """How many times the mean it misses; None where nothing is missed."""
        return self.share.frr / self.mean.frr if self.mean.missed else None

    def to_json(self) -> dict[str, Any]:
        """The group, its share and how it compares."""
        return {
            "key": self.key, "group": self.name, **self.share.to_json(), "times_the_mean": self.ratio,
            "of_groups": self.groups,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Shares by key and group."""

    groups: dict[str, dict[str, Share]] = field(default_factory=dict)
    """The key with the worst group first; in each the worst group first, those too small to judge last."""
    left_out: tuple[str, ...] = ()
    """Keys that tell each utterance from nearly every other, which says nothing."""
    worst: Worst | None = None


def break_down(outcomes: Sequence[tuple[Mapping[str, Any], bool]]) -> Breakdown:
    """Part (what is known, whether it was missed) of each utterance by all that is known."""
    keys = dict.fromkeys(key for about, _ in outcomes for key, value in about.items() if _is_told(value))
    found = {key: _ranked(_by_key(outcomes, key)) for key in keys}
    most = min(max(_FEW_GROUPS, len(outcomes) // FEWEST), len(outcomes) // 2)
    told = {key: groups for key, groups in found.items() if 1 < len(groups) <= most}
    ordered = dict(sorted(told.items(), key=lambda pair: _rank(next(iter(pair[1].values())))))
    total = Share(missed=sum(missed for _, missed in outcomes), of=len(outcomes))
    return Breakdown(
        groups=ordered,
        left_out=tuple(key for key, groups in found.items() if len(groups) > max(most, 1)),
        worst=_worst(ordered, total),
    )


def _worst(groups: Mapping[str, Mapping[str, Share]], total: Share) -> Worst | None:
    """The worst of the groups that are large enough; None if no two are, or nothing was missed."""
    large = [
        (key, name, share)
        for key, shares in groups.items()
        for name, share in shares.items()
        if share.of >= FEWEST and share.is_judged
    ]
    if len(large) < 2 or not total.missed:
        return None
    key, name, share = max(large, key=lambda group: (group[2].frr, group[2].of))
    return Worst(key=key, name=name, share=share, mean=total, groups=len(large))


def _is_told(value: object) -> bool:
    """Whether a value can be a group: a text, a number, yes or no."""
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _by_key(outcomes: Sequence[tuple[Mapping[str, Any], bool]], key: str) -> dict[str, Share]:
    known = [(about[key], missed) for about, missed in outcomes if key in about and _is_told(about[key])]
    names = _names([value for value, _ in known])
    groups: dict[str, list[bool]] = {name: [] for name in names.values()}
    for value, missed in known:
        groups[names[value]].append(missed)
    return {name: Share(missed=sum(found), of=len(found)) for name, found in groups.items()}


def _names(values: Sequence[Any]) -> dict[Any, str]:
    """The group of each value, in rising order if they are numbers; many numbers are put in bins with round edges."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    different = dict.fromkeys(values)
    if len(numbers) < len(values):
        return {value: str(value) for value in different}
    if len(different) <= _MANY_VALUES:
        return {value: f"{value:g}" for value in sorted(different)}
    low, high = np.quantile(numbers, [0.05, 0.95])
    if low == high:
        low, high = min(numbers), max(numbers)
    step = _round_step(float(high - low))
    first, last = _bin(low, step), _bin(high, step)
    return {
        value: _bin_name(min(max(_bin(value, step), first), last), first, last, step) for value in sorted(different)
    }


def _round_step(span: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that parts a span into few bins."""
    power = 10.0 ** math.floor(math.log10(span / _MOST_BINS))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if span / (factor * power) <= _MOST_BINS)


def _bin(value: float, step: float) -> int:
    return math.floor(value / step + 1e-9)


def _bin_name(at: int, first: int, last: int, step: float) -> str:
    low, high = f"{at * step:.6g}", f"{(at + 1) * step:.6g}"
    if at == first:
        return f"below {high}"
    return f"{low} and more" if at == last else f"{low} to {high}"


def _ranked(groups: dict[str, Share]) -> dict[str, Share]:
    return dict(sorted(groups.items(), key=lambda pair: _rank(pair[1])))


def _rank(share: Share) -> tuple[bool, float]:
    return not share.is_judged, -share.frr
