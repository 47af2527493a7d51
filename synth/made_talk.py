"""Made talk: strings of words in every voice, spoken once, kept, and heard for every word after that.

A net that hears little but its own word's neighbours takes much of what people say for the word. Who has no recordings
of talk gets these instead: reels of some minutes, whose words are drawn from a whole dictionary, so that hardly one is
the other's likeness. What a split's voices say no other split hears.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from kws.audio import RATE_HZ, Samples, amplitude, resample
from kws.files import cache_folder
from synth.casting import Brief, Casting, Line
from synth.corpus import bare
from synth.kept import SoundCache
from synth.neighbours.dictionary import dictionary
from synth.phrases import sentences, words
from synth.speech import trimmed
from synth.voices import Engine, Saying, Split

_RECIPE = 1
"""Raised whenever a reel would come out otherwise."""
_REEL = 20
"""Utterances of a reel."""
_UTTERANCES: dict[Split, dict[str, int]] = {
    "train": {"espeak": 500, "piper": 100, "kokoro": 500},
    "validation": {"kokoro": 300},
    "test": {"espeak": 300, "kokoro": 200},
}
"""How many an engine says."""
_WORDS = (5, 14)
"""Of an utterance, at least and at most."""
_SENTENCES, _EVERYDAY, _COMMAS = 0.1, 0.4, 0.12
"""Shares: of utterances that are sentences, of words that are everyday ones, of words that a pause follows."""
_FOREIGN = 0.3
"""Share of utterances in other languages than the word's."""
_LANGUAGES = ("en-us", "de", "fr", "es", "it", "pt")
_PAUSES_S = (0.1, 0.7)
_LEVELS_DB = (-34.0, -14.0)
"""Of an utterance, root mean square."""
_HISS_DB = -70.0
_NOBODY = "zzz"
"""A casting wants a word; this one stands for none."""


@dataclass(frozen=True, kw_only=True)
class Reel:
    """Utterances one after the other."""

    engine: str
    split: Split
    lines: tuple[Line, ...]

    def holds(self, word: str) -> bool:
        """Whether the word is said, were it inside a longer one."""
        return any(bare(word) in bare(line.text) for line in self.lines)


def reels(engines: Sequence[Engine], language: str, split: Split) -> list[Reel]:
    """What the voices of a split say, the same each time."""
    found: list[Reel] = []
    for engine in engines:
        lines = list(_lines(engine, language, split, _UTTERANCES[split].get(engine.name, 0)))
        found += [
            Reel(engine=engine.name, split=split, lines=tuple(lines[at : at + _REEL]))
            for at in range(0, len(lines), _REEL)
        ]
    return found


def _lines(engine: Engine, language: str, split: Split, count: int) -> Iterator[Line]:
    """So many utterances of an engine; none where it has no voice."""
    casts = {}
    for seed, tongue in enumerate(dict.fromkeys((language, *_LANGUAGES))):
        cast = Casting([engine], Brief(word=_NOBODY, sayings=(Saying(text=_NOBODY, language=tongue),)), seed)
        fast = not cast.voices(split, fast=False)
        if cast.voices(split, fast=fast):
            casts[tongue] = (cast, fast)
    if not casts:
        return
    draw = np.random.default_rng([_RECIPE, crc32(f"{engine.name} {split}".encode())])
    for _ in range(count):
        others = [tongue for tongue in casts if tongue != language]
        at_home = language in casts and (not others or draw.random() >= _FOREIGN)
        tongue = language if at_home else others[int(draw.integers(len(others)))]
        cast, fast = casts[tongue]
        who = cast.anyone(split, fast=fast) if fast or draw.random() < 0.5 else cast.blend(split)
        cast.add(Saying(text=_text(draw, tongue), language=tongue), "sentence", who, split)
        yield cast.lines[-1]


def _text(draw: np.random.Generator, language: str) -> str:
    """Words at random, or a sentence."""
    if draw.random() < _SENTENCES:
        known = sentences(language)
        return known[int(draw.integers(len(known)))]
    everyday, rare = words(language), dictionary()
    spellings = rare.spellings if rare is not None and language.startswith("en") else ()
    drawn = []
    for _ in range(int(draw.integers(_WORDS[0], _WORDS[1] + 1))):
        source = everyday if not spellings or draw.random() < _EVERYDAY else spellings
        pause = "," if draw.random() < _COMMAS else ""
        drawn.append(source[int(draw.integers(len(source)))] + pause)
    return f"{' '.join(drawn).rstrip(',')}."


class TalkCache(SoundCache):
    """Reels that were spoken."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(cache_folder() / "talk" if folder is None else folder)


@dataclass(frozen=True)
class SayReel:
    """Speaks a reel, unless it is kept; runs in a worker."""

    reels: Sequence[Reel]
    engines: tuple[Engine, ...]
    cache: TalkCache

    def __call__(self, number: int) -> Path | None:
        """Where it lies; None if nothing of it can be said. Raises Failure if it cannot be kept."""
        reel = self.reels[number]
        engine = next(engine for engine in self.engines if engine.name == reel.engine)
        path = self.cache.path(json.dumps([_RECIPE, engine.identity, [asdict(line) for line in reel.lines]]).encode())
        silent = path.with_suffix(".silent")
        if silent.exists() or self.cache.kept(path) is not None:
            return None if silent.exists() else path
        draw = np.random.default_rng(int(path.stem[:16], 16))
        said = [samples for line in reel.lines if (samples := _said(engine, line)) is not None]
        self.cache.keep(path if said else silent, _spliced(draw, said) if said else None)
        return path if said else None


def _said(engine: Engine, line: Line) -> Samples | None:
    try:
        speech = engine.speak(line.saying, line.voice, line.seed)
    except ValueError:  # a phoneme that this engine does not have
        return None
    return trimmed(resample(speech.samples, speech.rate_hz))


def _spliced(draw: np.random.Generator, said: Sequence[Samples]) -> Samples:
    """(S,) of utterances (S,), each at a level of its own, with a faint hiss throughout."""
    pieces: list[Samples] = []
    for samples in said:
        level = amplitude(draw.uniform(*_LEVELS_DB)) / max(float(np.sqrt(np.mean(samples**2))), 1e-6)
        pieces += [np.clip(samples * level, -1, 1), np.zeros(round(draw.uniform(*_PAUSES_S) * RATE_HZ), np.float32)]
    sound = np.concatenate(pieces)
    return np.asarray(sound + amplitude(_HISS_DB) * draw.standard_normal(len(sound)), np.float32)
