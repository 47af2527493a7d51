"""The phrase doctor: how good a word or phrase can be to wake by, why, and which close ones are better.

Each criterion of `synth.criteria` weighs on a phrase, and the burdens add up to a grade. What share of its wakings such
a phrase will miss is told only once `scripts/check_doctor` has trained phrases, found that the burden predicts it, and
left its line in CALIBRATION.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from synth.criteria import (
    NEAR,
    Confusable,
    Finding,
    Sound,
    of_confusables,
    of_sound,
    of_spelling,
    of_talk,
    of_use,
    sound_of,
)
from synth.frequencies import Frequencies, frequencies
from synth.neighbours.dictionary import dictionary
from synth.neighbours.judge import Judge, Transcribe
from synth.phones import nearest_stretch, phones
from synth.phrases import carriers, sentences, words
from synth.voices import Saying, primary_tag

Grade = Literal["good", "fair", "poor"]
GRADES: tuple[Grade, ...] = ("good", "fair", "poor")

CALIBRATION = Path(__file__).parent / "doctor.json"
"""Where `scripts/check_doctor --calibrate` writes what it fitted. While there is no such file, nothing is foretold."""

_FAIR, _POOR = 0.4, 1.2
"""Burdens from which a phrase is no better than that."""
_GRAVE = 0.75
"""A single criterion that weighs so much makes it fair at best."""
_TOLD = 0.2
"""What weighs less is not worth a sentence."""
_BETTER = 0.25
"""By so much less an alternative's burden must be."""
_OFFERED = 3
_EVERYDAY_PER_HOUR = 0.02
"""A confusable counts if it is said as often: once in 50 hours of talk."""
_QUARTER = 25
"""Per cent of the sentences of our texts that come as near as `Diagnosis.talk` says."""
_NEAREST = 300
"""Dictionary words of the phrase's own length that are looked at."""
_CALLS = {
    "en": ("hey", "okay", "hello"), "de": ("hey", "okay", "hallo"), "fr": ("dis", "ok", "salut"),
    "es": ("oye", "vale", "hola"), "it": ("ehi", "ok", "ciao"), "pt": ("ei", "ok", "olá"),
}  # fmt: skip
"""What people call out before a name, by the first part of the language's name."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A line fitted by `scripts/check_doctor`: log odds of a miss = intercept + slope * burden, give or take spread."""

    intercept: float
    slope: float
    spread: float
    """Standard deviation of the residuals, in log odds."""
    phrases: int
    counted: bool
    """Whether it was known how often words are said, without which burdens are others."""

    def expected_frr(self, burden: float) -> tuple[float, float, float]:
        """The share missed: low, middle, high; eight phrases in ten should lie between (normal residuals)."""
        middle = self.intercept + self.slope * burden
        low, at, high = (1 / (1 + math.exp(-(middle + side * 1.28 * self.spread))) for side in (-1, 0, 1))
        return low, at, high


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What the doctor says of a phrase."""

    phrase: str
    sound: Sound
    talk: float
    """How near a quarter of ordinary sentences come, as `synth.phones.nearest_stretch` counts."""
    said_per_hour: float | None
    """It and all that holds it, in an hour of talk; None if nobody counted."""
    confusables: tuple[Confusable, ...]
    """The nearest first."""
    findings: tuple[Finding, ...]

    @property
    def burden(self) -> float:
        """The sum of its findings; less is better."""
        return sum(finding.burden for finding in self.findings)

    @property
    def grade(self) -> Grade:
        """Three bands."""
        if self.burden >= _POOR:
            return "poor"
        grave = any(finding.burden >= _GRAVE for finding in self.findings)
        return "fair" if grave or self.burden >= _FAIR else "good"

    @property
    def reasons(self) -> list[str]:
        """The sentences worth telling, the gravest first."""
        ranked = sorted(self.findings, key=lambda finding: -finding.burden)
        return [finding.sentence for finding in ranked if finding.burden >= _TOLD]


class Doctor:
    """Examines phrases of one language."""

    def __init__(self, language: str, transcribe: Transcribe) -> None:
        self.language = language
        self.transcribe = lru_cache(maxsize=None)(transcribe)
        self.frequencies: Frequencies | None = frequencies(language)

    def examine(self, phrase: str, sayings: Sequence[Saying]) -> Diagnosis:
        """The diagnosis of a phrase; of several pronunciations, that of the worst. Raises Failure if it is silent."""
        return max((self._examined(phrase, saying) for saying in sayings), key=lambda diagnosis: diagnosis.burden)

    def alternatives(self, diagnosis: Diagnosis, sayings: Sequence[Saying]) -> list[Diagnosis]:
        """For a phrase that is not good: close ones of a clearly better grade by the same measure, three at most."""
        if diagnosis.grade == GRADES[0]:
            return []
        others = [self.examine(phrase, said) for phrase, said in self._close(diagnosis.phrase, sayings)]
        better = [
            other
            for other in others
            if GRADES.index(other.grade) < GRADES.index(diagnosis.grade) and other.burden <= diagnosis.burden - _BETTER
        ]
        return sorted(better, key=lambda other: GRADES.index(other.grade))[:_OFFERED]

    def _close(self, phrase: str, sayings: Sequence[Saying]) -> Iterator[tuple[str, list[Saying]]]:
        """The phrase after a call, twice, or without its first or last word; and how each is said."""
        first, *rest = phrase.split()
        calls = _CALLS.get(primary_tag(self.language), ())
        called = bool(rest) and first.casefold() in calls
        spelt = all(saying.text == phrase and not saying.ipa for saying in sayings)
        if called and not spelt:
            return  # nobody told how the name sounds without its call
        name, said = phrase, list(sayings)
        if called:
            name = " ".join(rest)
            said = [Saying(text=name, language=self.language)]
        for call in calls:
            if call != first.casefold():
                yield f"{call} {name}", [self._after(call, saying) for saying in said]
        if not rest:
            yield f"{phrase} {phrase}", [self._after(saying.text, saying, saying.ipa) for saying in sayings]
        if len(rest) > 1 and spelt:
            for shorter in (" ".join(rest), " ".join([first, *rest[:-1]])):
                yield shorter, [Saying(text=shorter, language=self.language)]

    def _after(self, call: str, saying: Saying, call_ipa: str = "") -> Saying:
        """A saying after a call, by phonemes if it is so told."""
        ipa = f"{call_ipa or self.transcribe(call, saying.language)} {saying.ipa}" if saying.ipa else ""
        return Saying(text=f"{call} {saying.text}", language=saying.language, ipa=ipa)

    def _examined(self, phrase: str, saying: Saying) -> Diagnosis:
        judge = Judge([saying], self.transcribe)
        sound = sound_of(judge.ipa(saying))
        own = phrase.casefold()
        alike = self._alike(judge, saying)
        holding = [one for one in alike if one.distance <= judge.floor and one.text != own]
        confusables = tuple(one for one in alike if one.distance > judge.floor)
        said = None
        if self.frequencies:
            said = self.frequencies.per_hour(phrase) + sum(one.per_hour or 0.0 for one in holding)
        talk = float(np.percentile([nearest_stretch(sound.phones, heard) for heard in self._talk], _QUARTER))
        findings = (
            *of_sound(sound), of_talk(talk), of_confusables(confusables),
            of_use(phrase, said, holding, own in self._vocabulary), of_spelling(saying),
        )  # fmt: skip
        return Diagnosis(
            phrase=phrase, sound=sound, talk=talk, said_per_hour=said, confusables=confusables, findings=findings
        )

    def _alike(self, judge: Judge, saying: Saying) -> list[Confusable]:
        """Everyday words with a stretch like what is said, nearest first."""
        english = dictionary() if primary_tag(self.language) == "en" and self.frequencies else None
        if english:
            american = phones(saying.ipa or self.transcribe(saying.text, "en-us"))
            found = [*english.nearest(american, _NEAREST), *english.containing(american, NEAR, len(english.spellings))]
        else:
            own = judge.pronunciations[0]
            found = [(word, nearest_stretch(own, heard)) for word, heard in self._vocabulary.items()]
        nearest: dict[str, float] = {}
        for text, distance in sorted(found, key=lambda pair: pair[1]):
            if distance <= NEAR:
                nearest.setdefault(text, distance)
        heard = [Confusable(text=text, distance=near, per_hour=self._per_hour(text)) for text, near in nearest.items()]
        return [one for one in heard if one.per_hour is None or one.per_hour >= _EVERYDAY_PER_HOUR]

    def _per_hour(self, text: str) -> float | None:
        return self.frequencies.per_hour(text) if self.frequencies else None

    @cached_property
    def _texts(self) -> list[str]:
        return [*sentences(self.language), *(frame.replace("{}", "") for frame in carriers(self.language))]

    @cached_property
    def _talk(self) -> list[tuple[str, ...]]:
        """The phones of ordinary sentences."""
        return [phones(self.transcribe(text, self.language)) for text in self._texts]

    @cached_property
    def _vocabulary(self) -> dict[str, tuple[str, ...]]:
        """The phones of the everyday words that our texts are made of."""
        listed = [text for text in words(self.language) if " " not in text]
        spelt = [word.strip(".,;:!?¿¡…").casefold() for text in [*listed, *self._texts] for word in text.split()]
        heard = {word: phones(self.transcribe(word, self.language)) for word in dict.fromkeys(spelt) if word}
        return {word: said for word, said in heard.items() if said}


def calibration() -> Calibration | None:
    """What was fitted to phrases that were trained; None before."""
    if not CALIBRATION.is_file():
        return None
    return Calibration(**json.loads(CALIBRATION.read_text(encoding="utf-8")))
