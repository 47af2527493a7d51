"""Phones, which eSpeak's tied IPA is cut into, and how far apart they sound: a weighted edit distance.

A phone's place is its column of the IPA chart (2020) from lips to glottis, a vowel's height and backness are its spot
in the chart's vowel diagram. Manners are ordered by constriction as in Kondrak's ALINE ("A new algorithm for the
alignment of phonetic sequences", NAACL 2000): stop, fricative, trill, approximant. The weights are ours, so that /p b/,
/p t/, /m n/ and /t s/ are each about 0.4 apart and the most unlike phones 1. A phone that one has and the other has not
costs 0.8 (a schwa 0.6, another vowel up to 1, a weak consonant 0.5). The costs of single letters are closed under the
triangle inequality, so that the distance of two words is a metric: 0 for the same phones, symmetric, no detour shorter.
Stress, tone and word boundaries count nothing. A letter we do not know is 0.5 from every other.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, pairwise

import numpy as np

STRESS = "ˈˌ"
_SWITCH = re.compile(r"\([a-z0-9-]+\)")  # eSpeak says (en) … (de) where it reads a word by another language's rules
_IGNORED = re.compile(r"[^\w^\sˈˌːˑ\u0300-\u036fʰ-ʸˠ-ˤ˞ʼ]|[0-9_˥-˩]")
_SYLLABIC = "\u0329\u030d"

_PLACES = (
    "pbmɸβʙwʍɥ", "fvɱʋⱱ", "θð", "tdnszrɾlɬɮɹ", "", "ʃʒʈɖɳʂʐɽɻɭ", "cɟɲçʝjʎɕʑ", "kɡgŋxɣɰʟ", "qɢɴχʁʀ", "ħʕ", "ʔhɦ",
)  # fmt: skip
"""The chart's columns; /w/ sounds nearest to the labials. The empty one sets /s/ and /ʃ/ further apart."""
_MANNERS = {
    1.0: "pbtdʈɖcɟkɡgqɢʔmɱnɳɲŋɴ",
    0.8: "ɸβfvθðszʃʒʂʐɕʑçʝxɣχʁħʕhɦɬɮʍ",
    0.75: "ʙrʀɾɽⱱ",
    0.6: "ʋɹɻjɥɰwlɭʎʟ",
}
_OBSTRUENTS = "pbtdkɡfvθsʃx"
_VOICED, _NASAL, _LATERAL = "bdɖɟɡgɢmɱnɳɲŋɴβvðzʒʐʑʝɣʁʕɦɮʙrʀɽⱱʋɹɻjɥɰwlɭʎʟ", "mɱnɳɲŋɴ", "lɬɮɭʎʟ"
_WEAK = {"ʔ": 0.5, "h": 0.5, "ɦ": 0.5, "j": 0.5, "w": 0.5, "ɥ": 0.5, "ɰ": 0.5, "ɹ": 0.5, "ɻ": 0.5, "ɾ": 0.6}
_RHOTICS = "rɹɻɽʀʁ"

# Height from open (0) to close (1), backness from front (0) to back (1), rounded or not.
_VOWELS = {
    "i": (1, 0, 0), "y": (1, 0, 1), "ɨ": (1, .5, 0), "ʉ": (1, .5, 1), "ɯ": (1, 1, 0), "u": (1, 1, 1),
    "ɪ": (.85, .15, 0), "ʏ": (.85, .15, 1), "ᵻ": (.85, .4, 0), "ʊ": (.85, .85, 1),
    "e": (.67, 0, 0), "ø": (.67, 0, 1), "ɘ": (.67, .5, 0), "ɵ": (.67, .5, 1), "ɤ": (.67, 1, 0), "o": (.67, 1, 1),
    "ə": (.5, .5, 0), "ɛ": (.33, 0, 0), "œ": (.33, 0, 1), "ɜ": (.33, .5, 0), "ɞ": (.33, .5, 1), "ʌ": (.33, .75, 0),
    "ɔ": (.33, 1, 1), "æ": (.15, 0, 0), "ɐ": (.2, .5, 0), "a": (0, .2, 0), "ɶ": (0, 0, 1), "ɑ": (0, 1, 0),
    "ɒ": (0, 1, 1),
}  # fmt: skip
_ALIASES = {"ɚ": "ə˞", "ɝ": "ɜ˞", "ɫ": "l", "g": "ɡ", "ᵊ": "ə"}
_MODIFIERS = {"ː": ("long", 0.1), "ˑ": ("long", 0.05), "\u0303": ("nasal", 0.25), "˞": ("rhotic", 0.2),
              "ʲ": ("palatal", 0.15), "ʷ": ("round", 0.15), "ʰ": ("breath", 0.1), "ʼ": ("breath", 0.15)}  # fmt: skip
_UNKNOWN = 0.5
_ABSENT = ""
_FIRST_HALF = 0.6
"""Of a diphthong or an affricate, what its first half weighs."""


def phones(ipa: str) -> tuple[str, ...]:
    """The phones of a transcription, the letters of a diphthong or an affricate tied by ^, without stress or spaces."""
    return tuple(phone.strip(STRESS) for word in spoken_words(ipa) for phone in word)


def spoken_words(ipa: str) -> list[tuple[str, ...]]:
    """The phones of each word of a transcription; a stressed one begins with its mark."""
    plain = _IGNORED.sub("", unicodedata.normalize("NFD", _SWITCH.sub("", ipa)).replace("c\u0327", "\u00e7"))
    words = (tuple(_cut(word)) for word in plain.split())
    return [word for word in words if word]


def spelt(words: Sequence[Sequence[str]]) -> str:
    """The transcription of words given as phones; the inverse of `spoken_words`."""
    return unicodedata.normalize("NFC", " ".join("".join(word) for word in words))


def distance(first: Sequence[str], second: Sequence[str]) -> float:
    """How far apart two pronunciations (as `phones` gives them) sound; 1 is a phone exchanged for an unlike one."""
    return _align(first, second, phone_distance, anywhere=False)


def phones_apart(first: Sequence[str], second: Sequence[str]) -> int:
    """How many phones must be exchanged, dropped or put in to make one pronunciation of another, be they alike or not.

    Source: V. Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, 1966.
    """
    return round(_align(first, second, operator.ne, anywhere=False))


def nearest_stretch(word: Sequence[str], heard: Sequence[str]) -> float:
    """How far a word is from that stretch of what is heard that sounds most like it."""
    return _align(word, heard, phone_distance, anywhere=True)


def _align(word: Sequence[str], heard: Sequence[str], apart: Callable[[str, str], float], *, anywhere: bool) -> float:
    extra = [apart(phone, _ABSENT) for phone in heard]
    row = [0.0] * (len(heard) + 1) if anywhere else [0.0, *accumulate(extra)]
    for phone in word:
        dropped = apart(phone, _ABSENT)
        above, row = row, [row[0] + dropped]
        for column, other in enumerate(heard):
            exchanged = above[column] + apart(phone, other)
            row.append(min(exchanged, above[column + 1] + dropped, row[-1] + extra[column]))
    return min(row) if anywhere else row[-1]


@cache
def phone_distance(first: str, second: str) -> float:
    """How far apart two phones sound, from 0 to 1; the empty phone is silence."""
    if first == second:
        return 0.0
    (first_letters, first_marks), (second_letters, second_marks) = _analysed(first), _analysed(second)
    halves = (_letter_distance(one, other) for one, other in zip(first_letters, second_letters, strict=True))
    letters = sum(share * cost for share, cost in zip((_FIRST_HALF, 1 - _FIRST_HALF), halves, strict=True))
    marks = sum(
        abs(first_marks.get(name, 0.0) - second_marks.get(name, 0.0))
        for name in first_marks.keys() | second_marks.keys()
    )
    return min(1.0, letters + marks)


def is_vowel(phone: str) -> bool:
    """Whether a phone can bear a syllable."""
    letter = phone.lstrip(STRESS)[:1]
    return _ALIASES.get(letter, letter)[:1] in _VOWELS


def syllables(word: Sequence[str]) -> list[tuple[str, ...]]:
    """A word's phones in syllables: a vowel takes the consonant before it, and a stop or fricative before a liquid."""
    nuclei = [place for place, phone in enumerate(word) if is_vowel(phone)]
    cuts = [0]
    for before, nucleus in pairwise(nuclei):
        between = nucleus - before - 1
        together = between > 1 and _begins_together(word[nucleus - 2], word[nucleus - 1])
        cuts.append(nucleus - min(between, 2 if together else 1))
    return [tuple(word[start:end]) for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True)]


def _begins_together(first: str, second: str) -> bool:
    return not is_vowel(first) and (second[0] in "jwɥ" or (second[0] in "rɾɹʁl" and first[0] in _OBSTRUENTS))


def _cut(word: str) -> list[str]:
    """Phones of one word: letters with their marks, tied ones together as far as they are one kind and two at most."""
    letters: list[str] = []
    stress, tied = "", False
    for mark in word:
        if mark in STRESS:
            stress = mark
        elif mark == "^":
            tied = True
        elif mark in _SYLLABIC and letters:
            letters.insert(-1, "ə")
        elif _modifies(mark):
            if letters:
                letters[-1] += mark
        else:
            tied = (
                tied
                and bool(letters)
                and not stress
                and "^" not in letters[-1]
                and is_vowel(letters[-1]) == is_vowel(mark)
            )
            letters[-1:] = [*letters[-1:], mark] if not tied else [f"{letters[-1]}^{mark}"]
            letters[-1] = stress + letters[-1]
            stress, tied = "", False
    return letters


def _modifies(mark: str) -> bool:
    return mark in _MODIFIERS or (unicodedata.category(mark) in {"Mn", "Lm"} and mark not in _ALIASES)


@cache
def _analysed(phone: str) -> tuple[tuple[str, str], dict[str, float]]:
    """First and second letter (the same twice if there is one) and its marks by strength."""
    if phone == _ABSENT:
        return (_ABSENT, _ABSENT), {}
    letters: list[str] = []
    marks: dict[str, float] = {}
    for mark in "".join(_ALIASES.get(letter, letter) for letter in phone):
        if mark in _MODIFIERS:
            name, weight = _MODIFIERS[mark]
            marks[name] = max(weight, marks.get(name, 0.0))
        elif mark != "^" and mark not in STRESS and not _modifies(mark):
            letters.append(mark)
    return (letters[0], letters[-1]), marks


def _letter_distance(first: str, second: str) -> float:
    table, order = _letters()
    if first == second:
        return 0.0
    if first in order and second in order:
        return float(table[order[first], order[second]])
    return 0.8 if _ABSENT in (first, second) else _UNKNOWN


@cache
def _letters() -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], dict[str, int]]:
    """Costs between all letters and silence, and each one's number."""
    consonants = "".join(dict.fromkeys("".join(_PLACES)))
    names = [_ABSENT, *_VOWELS, *consonants]
    order = {name: number for number, name in enumerate(names)}
    table = np.ones((len(names), len(names)))
    for group, features in ((_VOWELS, _vowel_features), (consonants, _consonant_features)):
        numbers = [order[letter] for letter in group]
        points = np.array([features(letter) for letter in group])
        table[np.ix_(numbers, numbers)] = np.minimum(1.0, np.abs(points[:, None] - points[None]).sum(axis=-1))
    for letter, cost in {**dict.fromkeys(_VOWELS, 1.0), **dict.fromkeys(consonants, 0.8), "ə": 0.6, **_WEAK}.items():
        table[0, order[letter]] = cost
    for first, second, cost in _shortcuts():
        table[order[first], order[second]] = min(cost, table[order[first], order[second]])
    table = np.minimum(table, table.T)
    for middle in range(len(names)):
        table = np.minimum(table, table[:, middle, None] + table[None, middle])
    np.fill_diagonal(table, 0.0)
    return table, order


def _shortcuts() -> list[tuple[str, str, float]]:
    """Letters that features set further apart than speakers do."""
    glides = [("i", "j", 0.3), ("u", "w", 0.3), ("y", "ɥ", 0.3), ("ə", "ɹ", 0.4)]
    flaps = [("t", "ɾ", 0.2), ("d", "ɾ", 0.2), ("r", "ɾ", 0.3), ("t", "ʔ", 0.2), ("h", "x", 0.3), ("v", "ʋ", 0.1)]
    return glides + flaps + [(first, second, 0.3) for first in _RHOTICS for second in _RHOTICS if first != second]


def _vowel_features(letter: str) -> tuple[float, ...]:
    height, back, rounded = _VOWELS[letter]
    return 0.6 * height, 0.35 * back, 0.15 * rounded


def _consonant_features(letter: str) -> tuple[float, ...]:
    place = next(number for number, letters in enumerate(_PLACES) if letter in letters) / 10
    manner = next(value for value, letters in _MANNERS.items() if letter in letters)
    voiced = 0.5 if letter == "ɾ" else float(letter in _VOICED)
    return 1.3 * place, 2.0 * manner, 0.4 * voiced, 0.4 * (letter in _NASAL), 0.3 * (letter in _LATERAL)
