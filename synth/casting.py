"""Who says what: the plan of a word's bank, spoken through the cache and packed.

The word is said by every training voice and by blends of two, by the fast engines, and again by further mouths made
from those; its neighbours are said by fewer. Sound from the vocoder that makes further mouths stands among positives
and negatives alike, so that its traces tell nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from kws.errors import Failure
from synth.bank import Bank, Clip, Suffix, starter_bank, write_bank
from synth.crew import Crew, Processes
from synth.manner import pace
from synth.mouths import Mouth, MouthRanges, draw_mouth, said_by
from synth.neighbours import Amounts, Neighbour, neighbours
from synth.neighbours.judge import Transcribe
from synth.phrases import foreign_sentences, sentences, words
from synth.speech import SpeechCache
from synth.voices import Engine, Saying, Split

_VERSION = 1
"""Raised when the same brief would give another bank."""
_FAST = "espeak"
_ACCENTS = ("en-us", "en")
_CHILDREN = 0.25
"""Share of further mouths."""


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What bank is wanted."""

    word: str
    sayings: tuple[Saying, ...]
    """The pronunciations of the word, each as frequent as the others."""
    seed: int = 1
    neural: int = 300
    """Times the word is said by neural voices of the training split."""
    made: int = 1200
    """Times it is said by fast engines, and by further mouths made from all that."""
    held_out: int = 8
    """Times each voice of the validation and test splits says it."""
    amounts: Amounts = Amounts()  # noqa: RUF009 - frozen
    """How many neighbours of each origin."""
    takes: int = 3
    """Times each neighbour is said by neural voices of the training split."""
    made_negatives: int = 500
    """Negatives of the starter bank that further mouths say again."""
    general: bool = False
    """Also everyday words and sentences of several languages: what makes a bank a starter bank."""

    @property
    def language(self) -> str:
        """Of the word."""
        return self.sayings[0].language

    def drafted(self) -> Brief:
        """The same word said about a third as often, for who is in a hurry."""
        return replace(
            self, neural=self.neural * 3 // 10, made=self.made // 2, held_out=self.held_out // 2, takes=1,
            made_negatives=self.made_negatives // 2,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """One utterance of the plan."""

    text: str
    """What it counts as: the word, however it is said."""
    saying: Saying
    kind: str
    engine: int
    """Its number among the engines."""
    voice: str
    split: Split
    seed: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the work is."""

    doing: str
    done: int
    total: int


class Casting:
    """Draws lines; every choice comes from one seeded generator."""

    def __init__(self, engines: Sequence[Engine], brief: Brief, seed: int) -> None:
        self.engines = engines
        self.word, self.language = brief.word, brief.language
        self.draw = np.random.default_rng([_VERSION, seed])
        self.lines: list[Line] = []

    def voices(self, split: Split, *, fast: bool) -> list[tuple[int, str]]:
        """Engine numbers and voices of a split."""
        return [
            (number, voice)
            for number, engine in enumerate(self.engines)
            if (engine.name == _FAST) == fast
            for voice in engine.voices(split, self.language)
        ]

    def add(self, saying: Saying, kind: str, who: tuple[int, str], split: Split) -> None:
        """Add a line."""
        engine, voice = who
        saying = self._accented(saying, voice) if self.engines[engine].name != _FAST else saying
        seed = int(self.draw.integers(2**31))
        text = self.word if kind == "positive" else saying.text
        self.lines.append(Line(text=text, saying=saying, kind=kind, engine=engine, voice=voice, split=split, seed=seed))

    def blend(self, split: Split) -> tuple[int, str]:
        """A speaker between two voices of an engine that can blend, or any neural voice."""
        everybody = self.voices(split, fast=False)
        engine, voice = everybody[int(self.draw.integers(len(everybody)))]
        others = [name for number, name in everybody if number == engine and name != voice]
        if self.engines[engine].name != "kokoro" or not others:
            return engine, voice
        return engine, f"{voice}+{others[int(self.draw.integers(len(others)))]}@{self.draw.uniform(0.3, 0.7):.2f}"

    def anyone(self, split: Split, *, fast: bool) -> tuple[int, str]:
        """A voice of a split."""
        everybody = self.voices(split, fast=fast)
        return everybody[int(self.draw.integers(len(everybody)))]

    def _accented(self, saying: Saying, voice: str) -> Saying:
        """English is read out as in Britain by the British voices and by a third of the others."""
        if saying.language not in _ACCENTS or saying.ipa:
            return saying
        british = voice.startswith("b") or self.draw.random() < 0.3
        return replace(saying, language="en" if british else "en-us")


def check_spoken(engines: Sequence[Engine], language: str) -> None:
    """Raise Failure unless a training voice speaks the language."""
    if not any(engine.voices("train", language) for engine in engines):
        raise Failure(f"no speech engine here speaks {language!r}: see kws voices --language {language}.")


def near(brief: Brief, transcribe: Transcribe) -> list[Neighbour]:
    """What sounds like the word; `transcribe(text, language)` gives the phonemes of a text."""
    return neighbours(brief.sayings, transcribe, np.random.default_rng([_VERSION, brief.seed]), brief.amounts)


def plan(brief: Brief, around: Sequence[Neighbour], engines: Sequence[Engine]) -> list[Line]:
    """All lines of a bank. Raises Failure if no engine speaks the language."""
    check_spoken(engines, brief.language)
    casting = Casting(engines, brief, brief.seed)
    _plan_word(casting, brief)
    for neighbour in around:
        _plan_neighbour(casting, neighbour, brief.takes)
    general = Casting(engines, brief, 0)  # the same for every word, so that the cache has it after the first
    if brief.general or brief.language not in _ACCENTS:
        _plan_general(general)
    for language, text in foreign_sentences() if brief.general else ():
        for _ in range(brief.takes):
            general.add(Saying(text=text, language=language), "sentence", general.blend("train"), "train")
    return casting.lines + general.lines


def _plan_word(casting: Casting, brief: Brief) -> None:
    def saying() -> Saying:
        return brief.sayings[len(casting.lines) % len(brief.sayings)]

    neural = casting.voices("train", fast=False)
    for number in range(brief.neural if neural else 0):
        who = neural[number % len(neural)] if number < brief.neural // 2 else casting.blend("train")
        casting.add(saying(), "positive", who, "train")
    for who in casting.voices("train", fast=True):
        casting.add(saying(), "positive", who, "train")
    for split in get_args(Split):
        if split != "train":
            for who in casting.voices(split, fast=False):
                for _ in range(brief.held_out):
                    casting.add(saying(), "positive", who, split)
            for who in casting.voices(split, fast=True):
                casting.add(saying(), "positive", who, split)


def _plan_neighbour(casting: Casting, neighbour: Neighbour, takes: int) -> None:
    draw = casting.draw
    if casting.voices("train", fast=False):
        for _ in range(takes):
            who = casting.blend("train") if draw.random() < 0.4 else casting.anyone("train", fast=False)
            casting.add(neighbour.saying, neighbour.kind, who, "train")
    if casting.voices("train", fast=True):
        casting.add(neighbour.saying, neighbour.kind, casting.anyone("train", fast=True), "train")
    for split in get_args(Split):
        if split != "train" and casting.voices(split, fast=False) and draw.random() < 0.5:
            casting.add(neighbour.saying, neighbour.kind, casting.anyone(split, fast=False), split)


def _plan_general(casting: Casting) -> None:
    """What any word of a language is taught against, where the starter bank has none in that language."""
    texts = [(text, "negative", 1) for text in words(casting.language)]
    texts += [(text, "sentence", 2) for text in sentences(casting.language)]
    for text, kind, takes in texts:
        for fast in (False, True):
            for _ in range(takes if casting.voices("train", fast=fast) else 0):
                saying = Saying(text=text, language=casting.language)
                casting.add(saying, kind, casting.anyone("train", fast=fast), "train")


def bank_name(brief: Brief, engines: Sequence[Engine]) -> str:
    """A folder's name for the bank of a brief: another for other engines, pronunciations or numbers."""
    made_from = [_VERSION, asdict(brief), sorted(engine.identity for engine in engines)]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
    return f"{''.join(letter if letter.isalnum() else '_' for letter in brief.word)}-{digest}"


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What a bank is spoken with."""

    engines: Sequence[Engine]
    transcribe: Transcribe
    """Gives the phonemes of a text in a language."""
    cache: SpeechCache | None = None
    """None means the usual one."""
    crew: Crew = Processes()  # noqa: RUF009 - frozen


def build_bank(folder: Path, brief: Brief, studio: Studio, suffix: Suffix = ".flac") -> Generator[Progress, None, None]:
    """Speak a bank and write it to a folder; can be stopped and taken up again, since what was spoken is cached.

    Raises Failure if an engine is missing, the disk is full or nobody can say the word.
    """
    lines = plan(brief, near(brief, studio.transcribe), studio.engines)
    clips: dict[int, Clip] = {}
    speak = Speak(lines, tuple(studio.engines), studio.cache or SpeechCache())
    for done, (number, clip) in enumerate(studio.crew.work(speak, range(len(lines))), 1):
        if clip is not None:
            clips[number] = clip
        yield Progress(doing="speaking", done=done, total=len(lines))
    spoken = [clips[number] for number in sorted(clips)]
    if not any(clip.kind == "positive" and clip.split == "train" for clip in spoken):
        raise Failure(f"none of the speech engines here could say {brief.word!r} as asked: respell it with --say.")
    parents, mouths = _draw_mouths(brief, spoken)
    made: list[Clip] = [*parents]
    job = _Transform(parents, mouths)
    for done, (number, clip) in enumerate(studio.crew.work(job, range(len(parents))), 1):
        made[number] = clip
        yield Progress(doing="further mouths", done=done, total=len(parents))
    bank = Bank(
        word=brief.word, language=brief.language, general=brief.general, clips=tuple(spoken + made),
        licences=tuple(dict.fromkeys(engine.licence for engine in studio.engines)),
    )  # fmt: skip
    write_bank(folder, bank, suffix)


def _draw_mouths(brief: Brief, spoken: Sequence[Clip]) -> tuple[list[Clip], list[Mouth]]:
    """Whom further mouths are made from, and which."""
    draw = np.random.default_rng([_VERSION, brief.seed, 1])
    said = [clip for clip in spoken if clip.split == "train" and clip.kind == "positive"]
    fast = sum(clip.voice.startswith(_FAST) for clip in said)
    near = [clip for clip in spoken if clip.split == "train" and clip.kind != "positive"]
    general = starter_bank().select("train", "negative", "sentence") if brief.made_negatives else []
    wanted = max(0, brief.made - fast)
    parents = _some(draw, said, wanted) + _some(draw, near, len(near) // 2 if wanted else 0)
    parents += _some(draw, general, brief.made_negatives)
    return parents, _mouths(draw, len(parents))


def further_mouths(clips: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """So many clips more, made from these in turn."""
    draw = np.random.default_rng([_VERSION, seed, 2])
    parents = _some(draw, clips, count)
    say = _Transform(parents, _mouths(draw, count))
    return [say(number) for number in range(len(parents))]


def _mouths(draw: np.random.Generator, count: int) -> list[Mouth]:
    """Adults' and children's."""
    adult, child = MouthRanges.adult(), MouthRanges.child()
    return [draw_mouth(draw, child if draw.random() < _CHILDREN else adult) for _ in range(count)]


def _some(draw: np.random.Generator, clips: Sequence[Clip], count: int) -> list[Clip]:
    """So many clips, each about as often as any other."""
    rounds = [draw.permutation(len(clips)) for _ in range(count // max(1, len(clips)) + 1)]
    return [clips[number] for number in np.concatenate(rounds)[:count]]


@dataclass(frozen=True)
class Speak:
    """Speaks a line; runs in a worker."""

    lines: Sequence[Line]
    engines: tuple[Engine, ...]
    cache: SpeechCache

    def __call__(self, number: int) -> Clip | None:
        """What was said; None if the engine cannot say it."""
        line = self.lines[number]
        engine = self.engines[line.engine]
        try:
            samples = self.cache.spoken(engine, line.saying, line.voice, line.seed)
        except ValueError:  # a phoneme that this engine does not have
            samples = None
        if samples is None:
            return None
        return Clip(
            text=line.text, kind=line.kind, split=line.split, voice=f"{engine.name}:{line.voice}",
            speed=pace(line.saying, line.voice, line.seed), samples=samples,
        )  # fmt: skip


@dataclass(frozen=True)
class _Transform:
    """Says a clip with another mouth; runs in a worker."""

    clips: Sequence[Clip]
    mouths: Sequence[Mouth]

    def __call__(self, number: int) -> Clip:
        clip, mouth = self.clips[number], self.mouths[number]
        return replace(
            clip, voice=f"{clip.voice}~", speed=clip.speed * mouth.tempo, samples=said_by(clip.samples, mouth)
        )
