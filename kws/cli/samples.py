"""How a word will be said: a few samples of each pronunciation, before a detector is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kws.cli.scenes import Wanted, open_engines
from kws.errors import Failure

if TYPE_CHECKING:
    from kws.audio import Samples
    from synth.voices import Engine


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The word, said once."""

    pronunciation: int
    """Which of those asked for, from 1."""
    engine: str
    voice: str
    samples: Samples
    """(S,)"""


def samples_of(wanted: Wanted, count: int) -> list[Sample]:
    """So many samples of each pronunciation, by training voices of as many engines as there are.

    Raises Failure if there is no engine, or none that can say it.
    """
    from synth.speech import SpeechCache

    engines, cache = open_engines(wanted), SpeechCache()
    said = []
    for number, saying in enumerate(wanted.sayings, 1):
        for engine, voice in _a_few(engines, saying.language, count):
            try:
                samples = cache.spoken(engine, saying, voice, seed=0)
            except ValueError:  # a phoneme that this engine does not have
                continue
            if samples is not None:
                said.append(Sample(pronunciation=number, engine=engine.name, voice=voice, samples=samples))
    for engine in engines:
        engine.close()
    if not said:
        raise Failure(f"none of the speech engines here could say {wanted.word!r} as asked: respell it with --say.")
    return said


def _a_few(engines: Sequence[Engine], language: str, count: int) -> list[tuple[Engine, str]]:
    """So many voices, of one engine after the other."""
    per_engine = [[(engine, voice) for voice in engine.voices("train", language)[:count]] for engine in engines]
    rounds = [voices[number] for number in range(count) for voices in per_engine if number < len(voices)]
    return rounds[:count]
