"""What a report lets one listen to: the misses and the false accepts that tell most, each cut out of its file.

S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from kws.audio import RATE_HZ, Samples, encoded, read_audio
from kws.report import FalseAccept, Report, Trial

Found = TypeVar("Found", Trial, FalseAccept)

MOST = 40
"""Misses and false accepts of a report together."""
MOST_ALIKE = 10
"""Of what sounds like the word, beside those."""
MOST_BYTES = 3_000_000
"""Of their encoded sound together, so that a phone can open the page."""


@dataclass(frozen=True, kw_only=True)
class Excerpt(Generic[Found]):
    """A few seconds of a file around a miss or a false accept, and the scores there."""

    of: Found
    start_s: float
    """Where the sound begins in the file."""
    flac: bytes


@dataclass(frozen=True, kw_only=True)
class Excerpts:
    """What can be listened to, and of how much it is the choice."""

    misses: tuple[Excerpt[Trial], ...] = ()
    accepts: tuple[Excerpt[FalseAccept], ...] = ()
    alike: tuple[Excerpt[Trial], ...] = ()
    """What sounds like the word and was taken for it."""
    all_misses: int = 0
    all_accepts: int = 0
    all_alike: int = 0


def cut_excerpts(
    report: Report, positives: Path | None, negatives: Path | None, *, most: int = MOST, most_bytes: int = MOST_BYTES
) -> Excerpts:
    """Cut the excerpts of a report out of the folders that were measured on, until so many bytes are full.

    Raises Failure if a file that was there is no longer.
    """
    misses = report.positives.misses if report.positives else []
    accepts = report.negatives.accepts if report.negatives else []
    alike = report.positives.ranked_alike if report.positives else []
    taken = [trial for trial in alike if trial.detected is not None]
    few = most // 2
    shown_misses = both_ends(misses, max(few, most - len(accepts)))
    surest = sorted(accepts, key=lambda accept: -accept.score)[: max(few, most - len(misses))]
    cutter = _Cutter(most_bytes)
    return Excerpts(
        accepts=tuple(cutter.cut(surest, negatives)) if negatives else (),
        misses=tuple(cutter.cut(shown_misses, positives)) if positives else (),
        alike=tuple(cutter.cut(taken[:MOST_ALIKE], positives)) if positives else (),
        all_misses=len(misses),
        all_accepts=len(accepts),
        all_alike=len(taken),
    )


def both_ends(ranked: Sequence[Trial], most: int) -> list[Trial]:
    """So many of the misses: half of them the nearly heard, half those of which least was heard."""
    if len(ranked) <= most:
        return list(ranked)
    near = (most + 1) // 2
    return [*ranked[:near], *ranked[len(ranked) - (most - near) :]]


class _Cutter:
    """Cuts files one after the other, each read once, and keeps account of the bytes."""

    def __init__(self, left: int) -> None:
        self._left = left

    def cut(self, chosen: Sequence[Found], folder: Path) -> list[Excerpt[Found]]:
        """The excerpts that still find room, in the order given."""
        by_file: dict[str, list[int]] = {}
        for number, one in enumerate(chosen):
            by_file.setdefault(one.file, []).append(number)
        made: dict[int, Excerpt[Found]] = {}
        for file, numbers in by_file.items():
            samples = read_audio(folder / file)
            made |= {number: _excerpt(chosen[number], samples) for number in numbers}
        return [made[number] for number in range(len(chosen)) if self._has_room(made[number])]

    def _has_room(self, excerpt: Excerpt[Any]) -> bool:
        fits = len(excerpt.flac) <= self._left
        self._left -= len(excerpt.flac) if fits else 0
        return fits


def _excerpt(one: Found, samples: Samples) -> Excerpt[Found]:
    start = min(max(round(one.curve.start * RATE_HZ), 0), len(samples))
    end = min(max(round(one.curve.end * RATE_HZ), start), len(samples))
    return Excerpt(of=one, start_s=start / RATE_HZ, flac=encoded(samples[start:end], ".flac"))
