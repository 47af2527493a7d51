"""Slips of the tongue: other phones in a word, fewer, twice, in another order, as far as a language can say them.

A text is a list of words, each the phones of `synth.phones.spoken_words`, stressed ones with their mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synth.phones import STRESS, is_vowel, phone_distance, spoken_words, syllables

Words = Sequence[tuple[str, ...]]

_EXCHANGED, _DROPPED, _TWICE = "made up, one phone", "made up, one dropped", "made up, two phones"
_EDGE = ""
_SIMILAR = 0.75
"""Phones further apart are not exchanged."""
_SHORTEST_PART = 3
"""Phones."""


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """What a language is heard to do."""

    phones: tuple[str, ...]
    """Those heard more than once."""
    clusters: frozenset[tuple[str, str]]
    """Two consonants or two vowels in a row, or a consonant next to the empty phone at a word's edge."""

    def say(self, word: Sequence[str]) -> bool:
        """Whether a word is made as this language makes words."""
        return _clusters(word) <= self.clusters


def sounds(transcriptions: Iterable[str]) -> Sounds:
    """What is heard in some transcriptions."""
    heard = [tuple(phone.strip(STRESS) for phone in word) for said in transcriptions for word in spoken_words(said)]
    counted = Counter(phone for word in heard for phone in word)
    frequent = tuple(sorted(phone for phone, times in counted.items() if times > 1))
    return Sounds(phones=frequent, clusters=frozenset().union(*map(_clusters, heard)))


def slips(words: Words, known: Sounds, draw: np.random.Generator, count: int) -> Iterator[tuple[Words, str]]:
    """Made-up words: all with one phone dropped, so many with one exchanged, so many with two changes; and the how."""
    once = list(_once(words, known))
    yield from (slip for slip in once if slip[1] == _DROPPED)
    for place in draw.permutation(len(once))[:count]:
        yield once[place]
    for place in draw.integers(len(once), size=count if once else 0):
        twice = list(_once(once[place][0], known))
        if twice:
            yield twice[int(draw.integers(len(twice)))][0], _TWICE


def parts(words: Words) -> Iterator[tuple[Words, str]]:
    """What is left of a text if it breaks off after a syllable, or begins with one."""
    pieces = _pieces(words)
    for cut in range(1, len(pieces)):
        for piece, how in ((pieces[:cut], "first part"), (pieces[cut:], "last part")):
            if sum(len(syllable) for _, syllable in piece) >= _SHORTEST_PART:
                yield _together(piece), how


def swapped(words: Words) -> Iterator[tuple[Words, str]]:
    """The parts in swapped order: a word cut after each syllable, several words after each word."""
    pieces = [(number, word) for number, word in enumerate(words)] if len(words) > 1 else _pieces(words)
    for cut in range(1, len(pieces)):
        yield _together(pieces[cut:] + pieces[:cut]), "parts swapped"


def doubled(words: Words) -> Iterator[tuple[Words, str]]:
    """One syllable said twice, of those that have one before and one after them."""
    pieces = _pieces(words)
    for place in range(1, len(pieces) - 1):
        yield _together([*pieces[: place + 1], *pieces[place:]]), "made up, syllable doubled"


def _once(words: Words, known: Sounds) -> Iterator[tuple[Words, str]]:
    """All that one change makes of a text."""
    for number, word in enumerate(words):
        for place, marked in enumerate(word):
            stress, phone = marked[: len(marked) - len(marked.lstrip(STRESS))], marked.lstrip(STRESS)
            if is_vowel(phone) and not stress:
                continue  # many say another one there, or none
            changes: list[tuple[tuple[str, ...], str]] = [
                ((stress + other,), _EXCHANGED) for other in known.phones if _alike(phone, other)
            ]
            if not is_vowel(phone):
                changes.append(((), _DROPPED))
            for change, how in changes:
                new = (*word[:place], *change, *word[place + 1 :])
                if new and known.say(new):
                    yield [*words[:number], new, *words[number + 1 :]], how


def _alike(phone: str, other: str) -> bool:
    return is_vowel(phone) == is_vowel(other) and 0 < phone_distance(phone, other) <= _SIMILAR


def _clusters(word: Sequence[str]) -> set[tuple[str, str]]:
    bare = [phone.strip(STRESS) for phone in word]
    pairs = zip([_EDGE, *bare], [*bare, _EDGE], strict=True)
    return {pair for pair in pairs if len({bool(phone) and is_vowel(phone) for phone in pair}) == 1}


def _pieces(words: Words) -> list[tuple[int, tuple[str, ...]]]:
    return [(number, syllable) for number, word in enumerate(words) for syllable in syllables(word)]


def _together(pieces: Sequence[tuple[int, tuple[str, ...]]]) -> Words:
    """Syllables back in words, those in a row with the same word's number in one; a word alone has a main stress."""
    words: list[tuple[str, ...]] = []
    last = -1
    for number, syllable in pieces:
        words[len(words) - (number == last) :] = [(*(words[-1] if number == last else ()), *syllable)]
        last = number
    return [_stressed(word) for word in words] if len(words) == 1 else words


def _stressed(word: tuple[str, ...]) -> tuple[str, ...]:
    """A word with one main stress."""
    if any(phone.startswith(STRESS[0]) for phone in word):
        return word
    nuclei = [place for place, phone in enumerate(word) if is_vowel(phone)]
    chosen = next((place for place in nuclei if word[place][0] in STRESS), nuclei[0] if nuclei else None)
    return tuple(STRESS[0] + phone.lstrip(STRESS) if place == chosen else phone for place, phone in enumerate(word))
