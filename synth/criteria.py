"""What makes a phrase good to wake by: bounds, how much each weighs, and the sentence for who misses one.

Gathered from those who make and sell detectors, in our words: at least three syllables and six phones, sounds that
differ, "hey" or "okay" before what is too short, and not too long (Picovoice, "Tips for choosing a wake word", 2019);
four to seven syllables, at most two seconds, no word of ordinary talk, no second way to read it (Microsoft,
"Recommendations and guidelines for keyword recognition"); few rhymes and overlaps with other words (SoundHound, "5 keys
to better wake word design", 2021); an uncommon order of sounds, easily said (Open Voice Technology Wiki, "A good wake
word"). Open vowels are the loudest (Fairbanks, House and Stevens, "An experimental study of vowel intensities", JASA
1950); stops and fricatives mark where a sound begins. Where these become numbers below, they are ours: a prior, not a
measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synth.phones import STRESS, is_vowel, spoken_words
from synth.voices import Saying

NEAR = 1.0
"""How far a confusable is at most, as `synth.phones.distance` counts: about one phone exchanged."""
_START_S, _PHONE_S = 0.26, 0.064
"""A line through the length of 552 utterances of the starter bank, of 2 to 12 phones, over their number of phones."""
_SOFT = "mnŋɲɱɴlɫɭʎrɹɻɾʀʁwjɥɰʋhɦʔ"
"""Consonants that glide into their vowels."""
_CLOSE = "iɪᵻyʏɨʉɯuʊəɚᵊ"
"""Vowels that carry least."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One thing that makes a phrase good or poor."""

    good: float
    poor: float
    weight: float = 1.0
    credit: float = 0.0
    """So many weights at most a value beyond the good bound makes up for other burdens."""

    def burden(self, value: float) -> float:
        """0 at the good bound, the weight at the poor one, straight between and up to twice the weight."""
        return self.weight * min(2.0, max(-self.credit, (self.good - value) / (self.good - self.poor)))


SYLLABLES = Criterion(good=3, poor=1, weight=0.75)
PHONES = Criterion(good=6, poor=3, weight=0.75)
DIFFERENT = Criterion(good=5, poor=2, weight=0.5)
HARD = Criterion(good=2, poor=0, weight=0.25)
LOUD = Criterion(good=1, poor=0, weight=0.2)
LONG = Criterion(good=1.1, poor=1.6, weight=0.75)
"""Seconds."""
TALK = Criterion(good=2.0, poor=1.0, weight=0.75, credit=2.0)
CONFUSABLE = Criterion(good=NEAR, poor=0.4, weight=0.5)
SAID = Criterion(good=math.log(0.02), poor=math.log(0.5))
"""Of the logarithm of times an hour: from once in 50 hours to the default target of false accepts."""
_EVERYDAY, _DIGITS = 0.5, 0.25
"""Burdens of a word of our own texts where nobody knows how often it is said, and of digits."""
_RAREST = 1e-9
"""Times an hour: what never is said has a logarithm too."""


@dataclass(frozen=True, kw_only=True)
class Confusable:
    """An everyday word that sounds like the phrase, or holds what does."""

    text: str
    distance: float
    """As `synth.phones.nearest_stretch` counts."""
    per_hour: float | None
    """Times it is said in an hour of talk, if that is known."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one criterion found."""

    burden: float
    sentence: str
    """What is wrong and what to do about it; empty if there is nothing to tell."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """How a phrase sounds, as far as its phonemes tell."""

    phones: tuple[str, ...]
    syllables: int
    different: int
    """Phones that differ from each other."""
    hard: int
    """Stops, fricatives and affricates."""
    loud: int
    """Stressed syllables with an open or half-open vowel."""

    @property
    def seconds(self) -> float:
        """How long it takes to say."""
        return _START_S + _PHONE_S * len(self.phones)


def sound_of(ipa: str) -> Sound:
    """How a transcription sounds."""
    marked = [phone for word in spoken_words(ipa) for phone in word]
    bare = tuple(phone.strip(STRESS) for phone in marked)
    return Sound(
        phones=bare,
        syllables=sum(map(is_vowel, bare)),
        different=len(set(bare)),
        hard=sum(not is_vowel(phone) and phone[0] not in _SOFT for phone in bare),
        loud=sum(phone[0] in STRESS and is_vowel(phone) and phone.lstrip(STRESS)[0] not in _CLOSE for phone in marked),
    )


def of_sound(sound: Sound) -> Iterator[Finding]:
    """What the phrase's own phones say."""
    yield Finding(
        burden=SYLLABLES.burden(sound.syllables),
        sentence=f"It has {_count(sound.syllables, 'syllable')}: take three or more, so that no other word slips in.",
    )
    yield Finding(
        burden=PHONES.burden(len(sound.phones)),
        sentence=f"It has {_count(len(sound.phones), 'sound')}: six or more leave something to tell it by in noise.",
    )
    yield Finding(
        burden=DIFFERENT.burden(sound.different),
        sentence=f"No more than {sound.different} of its sounds differ: take one with more variety.",
    )
    yield Finding(
        burden=HARD.burden(sound.hard),
        sentence=f"It has {_count(sound.hard, 'hard consonant')} (as k, t, p, s, sh): take one with more, they mark "
        "where it begins and ends.",
    )
    yield Finding(
        burden=LOUD.burden(sound.loud),
        sentence="None of its stressed vowels is open (as in car, hat, day): take one with such, they carry further.",
    )
    yield Finding(
        burden=LONG.burden(sound.seconds),
        sentence=f"It takes about {sound.seconds:.1f} s to say: take a shorter one, or people will shorten it.",
    )


def of_talk(talk: float) -> Finding:
    """What ordinary sentences say, of which a quarter come so near."""
    return Finding(
        burden=TALK.burden(talk),
        sentence=f"Every fourth ordinary sentence has a stretch at most {talk:.1f} sounds apart from it: take a longer "
        f"or less usual one, {TALK.good:.0f} apart is safe.",
    )


def of_confusables(found: Sequence[Confusable]) -> Finding:
    """What the nearest everyday words say, the nearest first."""
    if not found:
        return Finding(burden=0.0, sentence="")
    named = ", ".join(repr(one.text) for one in found[:4])
    return Finding(
        burden=CONFUSABLE.burden(found[0].distance),
        sentence=f"Everyday words sound like it or hold what does: {named}. Take one that is further from them, or "
        "expect them to wake it now and then.",
    )


def of_use(phrase: str, said: float | None, holding: Sequence[Confusable], listed: bool) -> Finding:
    """What it says that a phrase is said so often an hour, that these words hold it, that our texts have it."""
    if said is None:
        sentence = f"{phrase!r} is a word of everyday talk or is heard in one: take a rarer one."
        return Finding(burden=_EVERYDAY if listed or holding else 0.0, sentence=sentence)
    frequent = sorted(holding, key=lambda one: -(one.per_hour or 0.0))
    holders = ", ".join(repr(one.text) for one in frequent[:3])
    sentence = (
        f"People say it{f' or what holds it ({holders})' if holders else ''} about {said:.2g} times in an hour of "
        "talk, and each time may wake the detector: take a rarer one, or put a call such as 'hey' before it."
    )
    return Finding(burden=SAID.burden(math.log(max(said, _RAREST))), sentence=sentence)


def of_spelling(saying: Saying) -> Finding:
    """What its letters say."""
    read_out = not saying.ipa and any(letter.isdigit() for letter in saying.text)
    return Finding(
        burden=_DIGITS if read_out else 0.0,
        sentence="It has digits, which one reads this way and another that way: write it in words.",
    )


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"
