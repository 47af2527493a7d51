"""Where neighbours of a word come from: lists, dictionary, texts, parts, slips of the tongue, sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from synth.neighbours.dictionary import dictionary
from synth.neighbours.judge import Judge, floor
from synth.neighbours.slips import Sounds, Words, doubled, parts, slips, sounds, swapped
from synth.phones import distance, phones, spelt, spoken_words
from synth.phrases import affixes, carriers, near_misses, sentences, words
from synth.voices import Saying, primary_tag

LISTED = "listed"
_SECOND_LONG = 16
"""Phones that take more than a second to say (at its usual speed eSpeak says 14)."""
_POOL = 120
"""Made-up words to choose from, of each kind."""
_MARGIN = 0.15
"""What made-up words and pairs must be beyond the floor: nobody means them, so nothing is lost where it is doubtful."""
_PUNCTUATION = ".,;:!?¿¡…।"


@dataclass(frozen=True)
class Proposal:
    """Something to be said."""

    saying: Saying
    how: str
    kind: Literal["near-miss", "containing", "sentence"] | None = None
    """What it must turn out to be (a sentence: to hold near-misses only); None: anything but the word."""


class Origins:
    """Where neighbours come from; each proposes in the order in which it would have its own taken."""

    def __init__(self, judge: Judge, sayings: Sequence[Saying], rng: np.random.Generator) -> None:
        self.judge, self.sayings, self.rng = judge, sayings, rng
        self.language = sayings[0].language
        self.spoken: list[Words] = [spoken_words(judge.ipa(saying)) for saying in sayings]
        self.english = dictionary() if primary_tag(self.language) == "en" else None

    def listed(self) -> Iterator[Proposal]:
        """Those written down for the word."""
        for saying in self.sayings:
            for text, kind in near_misses(saying.text.lower()).items():
                yield Proposal(self._text(text), LISTED, "containing" if kind == "containing" else "near-miss")

    def dictionary(self, count: int) -> Iterator[Proposal]:
        """Two thirds the nearest words, a third spread over those that follow."""
        for word in self._american():
            near = [text for text, _ in self.english.nearest(word, 4 * count)] if self.english else []
            rest = near[count:]
            spread = [rest[int(place)] for place in np.linspace(0, len(rest) - 1, count // 3)] if rest else []
            for text in [*near[: count - len(spread)], *spread, *near[count - len(spread) :]]:
                yield Proposal(self._text(text), "dictionary")

    def everyday(self) -> Iterator[Proposal]:
        """The nearest of the words that our texts are made of."""
        sayings = {word: self._text(word) for word in self._vocabulary if self._transcribed(word)}
        costs = {word: self.judge.verdict(saying).distance for word, saying in sayings.items()}
        for word in sorted(costs, key=lambda word: costs[word]):
            yield Proposal(sayings[word], "everyday word")

    def two_words(self, count: int) -> Iterator[Proposal]:
        """Two words of the dictionary that together sound like the word, none of them in more than two pairs."""
        for word in self._american():
            uses: Counter[str] = Counter()
            for text, _ in self.english.pairs(word, 20 * count) if self.english else []:
                proposal = Proposal(self._text(text), "two words", "near-miss")
                if max(uses[half] for half in text.split()) < 2 and self._is_clear(proposal):
                    uses.update(text.split())
                    yield proposal

    def parts(self) -> Iterator[Proposal]:
        """Beginnings and ends of the word or phrase, and each of its words alone."""
        for saying, spoken in zip(self.sayings, self.spoken, strict=True):
            words_of = self._words(saying)
            for count in range(1, len(words_of)):
                for first in range(len(words_of) - count + 1):
                    yield Proposal(self._text(" ".join(words_of[first : first + count])), "part of the phrase")
            for said, how in parts(spoken):
                yield self._made(said, how)

    def swapped(self) -> Iterator[Proposal]:
        """The parts in another order."""
        for saying, spoken in zip(self.sayings, self.spoken, strict=True):
            words_of = self._words(saying)
            for cut in range(1, len(words_of)):
                yield Proposal(self._text(" ".join(words_of[cut:] + words_of[:cut])), "parts swapped")
            for said, how in swapped(spoken):
                yield self._made(said, how)

    def replaced(self) -> Iterator[Proposal]:
        """A phrase with one of its words replaced, by one that sounds like it and by any other, in turn."""
        for saying in self.sayings:
            words_of = self._words(saying) if len(self._words(saying)) > 1 else []
            near = [self._like(word) for word in words_of]
            for number in range(len(self._vocabulary)):
                for place in range(len(words_of)):
                    other = near[place][number // 2] if number % 2 == 0 and number // 2 < len(near[place]) else None
                    other = other or str(self.rng.choice(self._vocabulary))
                    text = " ".join([*words_of[:place], other, *words_of[place + 1 :]])
                    yield Proposal(self._text(text), "one word replaced")

    def made_up(self, count: int) -> Iterator[Proposal]:
        """Words that nobody says, as many of one making as of another, each spread evenly over its distances."""
        pools: dict[str, dict[float, Proposal]] = {}
        for spoken in self.spoken:
            for said, how in [*slips(spoken, self._sounds, self.rng, _POOL), *doubled(spoken)]:
                proposal = self._made(said, how, "near-miss")
                if self._is_clear(proposal):
                    pools.setdefault(how, {}).setdefault(self.judge.verdict(proposal.saying).distance, proposal)
        for pool in pools.values():
            ranked = [pool[near] for near in sorted(pool)]
            share = min(count // len(pools), len(ranked))
            yield from [ranked[int(place)] for place in np.linspace(0, len(ranked) - 1, share)]

    def containing(self, count: int) -> Iterator[Proposal]:
        """Longer words with the word in them: of the dictionary, by affixes, and run together with an everyday word."""
        for word in self._american():
            for text, _ in self.english.containing(word, self.judge.floor, count // 2) if self.english else []:
                yield Proposal(self._text(text), "dictionary", "containing")
        for saying, spoken in zip(self.sayings, self.spoken, strict=True):
            for affix in affixes(self.language) if self._words(saying) else []:
                if affix.startswith("{}") or len(spoken) == 1:
                    yield Proposal(self._text(_affixed(saying.text, affix)), "longer form", "containing")
            for word in self.rng.permutation(self._vocabulary)[:2]:
                run_on = self._transcribed(str(word))
                yield self._made([*spoken[:-1], (*spoken[-1], *run_on[0])], "run together", "containing")

    def long(self, near: Sequence[Saying]) -> Iterator[Proposal]:
        """Near-misses and everyday words in turn, for over a second."""
        for first in self.rng.permutation(len(near)):
            chain = [near[first]]
            while len(phones(self.judge.ipa(self._joined(chain)))) < _SECOND_LONG:
                everyday = self._text(str(self.rng.choice(self._vocabulary)))
                chain.append(everyday if len(chain) % 2 == 1 else near[int(self.rng.integers(len(near)))])
            yield Proposal(self._joined(chain), "several words", "near-miss")

    def sentences(self, near: Sequence[Saying]) -> Iterator[Proposal]:
        """Sentences with a near-miss in them."""
        frames = carriers(self.language)
        for number, place in enumerate(self.rng.permutation(len(near)) if frames else []):
            before, after = frames[number % len(frames)].split("{}")
            yield Proposal(
                self._joined([self._text(before), near[place], self._text(after)]), "in a sentence", "sentence"
            )

    @cached_property
    def _vocabulary(self) -> list[str]:
        """The words that our texts of this language are made of."""
        texts = [*words(self.language), *sentences(self.language)]
        return sorted({word.strip(_PUNCTUATION) for text in texts for word in text.split()} - {""})

    @cached_property
    def _sounds(self) -> Sounds:
        own = [self.judge.ipa(saying) for saying in self.sayings]
        return sounds([*own, *own, *map(self._transcribed, self._vocabulary)])

    def _american(self) -> list[tuple[str, ...]]:
        """The pronunciations as the dictionary would give them; none if there is no dictionary."""
        said = [saying.ipa or self.judge.transcribe(saying.text, "en-us") for saying in self.sayings if self.english]
        return list(dict.fromkeys(map(phones, said)))

    def _is_clear(self, proposal: Proposal) -> bool:
        return self.judge.verdict(proposal.saying).distance > self.judge.floor + _MARGIN

    def _like(self, word: str) -> list[str]:
        """Words that sound like one of a phrase, the nearest first."""
        own = phones(self._transcribed(word))
        if self.english:
            return [text for text, cost in self.english.nearest(own, 20) if cost > floor(own)]
        costs = {other: distance(own, phones(self._transcribed(other))) for other in self._vocabulary}
        return [other for other in sorted(costs, key=lambda other: costs[other]) if costs[other] > floor(own)]

    def _words(self, saying: Saying) -> list[str]:
        """The words of a text that is said as it is written."""
        return [] if saying.ipa else saying.text.split()

    def _transcribed(self, text: str) -> str:
        return self.judge.transcribe(text, self.language)

    def _text(self, text: str) -> Saying:
        return Saying(text=text, language=self.language)

    def _made(self, said: Words, how: str, kind: Literal["near-miss", "containing"] | None = None) -> Proposal:
        ipa = spelt(said)
        return Proposal(Saying(text=f"/{ipa.replace('^', '')}/", language=self.language, ipa=ipa), how, kind)

    def _joined(self, sayings: Sequence[Saying]) -> Saying:
        """One after the other; by phonemes if one of them is."""
        text = " ".join(saying.text.strip() for saying in sayings if saying.text)
        text = re.sub(r" ([.,])", r"\1", text)
        if not any(saying.ipa for saying in sayings):
            return self._text(text)
        return Saying(text=text, language=self.language, ipa=" ".join(self.judge.ipa(saying) for saying in sayings))


def _affixed(word: str, affix: str) -> str:
    """A word with an affix; a letter that would stand twice at the seam stands once."""
    before, after = affix.split("{}")
    word = word[0].lower() + word[1:] if before else word
    return before + (word[:-1] if after and word.endswith(after[0]) else word) + after
