"""Recorded sound without the word: talk, music and effects, read where it lies.

S samples.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, duration_s, resample
from kws.errors import Failure
from kws.events import TAUGHT
from synth.corpus import Corpus, Spoken, name_in, open_corpus
from synth.voices import Split

BLOCK_S = 30
"""Seconds that are decoded at a time."""
_BLOCK = BLOCK_S * RATE_HZ
_KEPT = 400
"""Blocks held decoded in each process: 385 MB at most."""
BACKGROUND = ("music", "effects", "noise", "background")
"""How the names of folders begin that hold no talk."""
_HELD_OUT: tuple[tuple[Split, float], ...] = (("test", 0.1), ("validation", 0.2))
"""Shares of the seconds that are held out, of talk and of background."""
_FEWEST = 5
"""With fewer files, or speakers, none are held out."""
_LARGEST = 0.3
"""No file or speaker is held out that makes more than this share of all: too little would be left."""


class Recordings:
    """The files of a corpus: those below a subfolder named music…, effects… or noise… are background, the rest talk."""

    def __init__(
        self, place: Path | Corpus | None, *, without: str = "", split: Split = "train", made: bool = False
    ) -> None:
        """Open a place, or take a corpus; files known to hold the word `without` are left out.

        Those of no use are told in `skipped`. `made`: made voices talk in it, not people.

        Raises Failure if a place is named that has no sound, or none without the word.
        """
        self.files: list[Path] = []
        self.talk_files = self.sound_files = self.made_files = 0
        self.skipped: tuple[str, ...] = ()
        self.corpus: Corpus | None = None
        if place is None:
            return
        self.corpus = corpus = place if isinstance(place, Corpus) else open_corpus(place)
        place = corpus.place
        spoken = corpus.without(without, split) if without else corpus.of(split)
        if not spoken:
            count = len(corpus.recordings)
            besides = f" without {without!r}" if without else ""
            raise Failure(
                f"none of the {count} recordings in {place} is one{besides} in the {split} split: name others."
            )
        background = [each.path for each in spoken if _is_background(each, place)]
        talk = [each.path for each in spoken if not _is_background(each, place)]
        self.files = talk + background
        self.talk_files, self.sound_files = len(talk), len(background)
        self.made_files = len(talk) if made else 0
        self.skipped = corpus.skipped

    def joined_by(self, made: Recordings) -> Recordings:
        """These and made talk."""
        both = copy.copy(self)
        both.files = [*self.talk, *made.talk, *self.background]
        both.talk_files += made.talk_files
        both.made_files += made.talk_files
        return both

    def but(self, names: Collection[str]) -> Recordings:
        """These without the files of those names, which stand without endings."""
        fewer = copy.copy(self)
        people, made, background = (
            [path for path in some if path.stem not in names] for some in (self.people, self.made_talk, self.background)
        )
        fewer.files = [*people, *made, *background]
        fewer.talk_files, fewer.made_files, fewer.sound_files = len(people) + len(made), len(made), len(background)
        return fewer

    @property
    def talk(self) -> list[Path]:
        """The files of people talking, then of made voices."""
        return self.files[: self.talk_files]

    @property
    def made_talk(self) -> list[Path]:
        """Of them, those of made voices."""
        return self.files[self.talk_files - self.made_files : self.talk_files]

    @property
    def people(self) -> list[Path]:
        """Of them, those of people."""
        return self.files[: self.talk_files - self.made_files]

    @property
    def background(self) -> list[Path]:
        """The other files."""
        return self.files[self.talk_files :]

    @property
    def names_and_sizes(self) -> list[tuple[str, int]]:
        """File names and bytes in the order of their numbers."""
        return [(path.name, path.stat().st_size) for path in self.files]

    def excerpt(self, number: int, share: float, total: int) -> Samples:
        """So many samples from about that share of a file on; what it lacks comes from the files that follow it.

        Talk is followed by talk and background by background, the last by the first. A file that turns out to be
        damaged gives nothing. Raises Failure if none of them can be read any longer.
        """
        first, count = (0, self.talk_files) if number < self.talk_files else (self.talk_files, self.sound_files)
        pieces = [_excerpt(self.files[number], share, total)]
        lacking = total - len(pieces[0])
        passed = 0
        while lacking > 0:
            passed += 1
            number = first + (number + 1 - first) % count
            pieces.append(block(self.files[number], 0)[:lacking])
            lacking -= len(pieces[-1])
            if passed > count and lacking == total:
                raise Failure(f"{self.files[number]} and all like it can no longer be read: are they still there?")
        return np.concatenate(pieces).astype(np.float32) / np.float32(32768)


def parted(corpus: Corpus) -> Corpus:
    """The corpus with splits: its own, or else about a fifth held out for validation and a tenth for test.

    Whole speakers are held out where enough of them are told apart, otherwise whole files; the same ones each time. Of
    too few nothing is held out, nor what is taught.
    """
    if any(spoken.split for spoken in corpus.recordings):
        return corpus
    splits: dict[Path, Split] = {}
    for is_background in (False, True):
        kind = [
            spoken
            for spoken in corpus.recordings
            if _is_background(spoken, corpus.place) == is_background and TAUGHT not in spoken.path.parts[:-1]
        ]
        splits |= _held_out(kind, corpus.place)
    return replace(
        corpus,
        recordings=tuple(replace(spoken, split=splits.get(spoken.path, "train")) for spoken in corpus.recordings),
    )


def _held_out(spoken: Sequence[Spoken], place: Path) -> dict[Path, Split]:
    """Which files are held out for which split."""
    by_speaker = len({each.speaker for each in spoken}) >= _FEWEST
    groups: dict[str, list[Path]] = {}
    for each in spoken:
        groups.setdefault(each.speaker if by_speaker else name_in(place, each.path), []).append(each.path)
    if len(groups) < _FEWEST:
        return {}
    lengths = {name: sum(map(_frames, paths)) for name, paths in groups.items()}
    total = sum(lengths.values())
    shuffled = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest())
    waiting = [name for name in shuffled if lengths[name] <= _LARGEST * total]
    splits: dict[Path, Split] = {}
    for split, share in _HELD_OUT:
        taken = 0
        while waiting and taken < share * total:
            name = waiting.pop(0)
            taken += lengths[name]
            splits |= dict.fromkeys(groups[name], split)
    return splits


def _is_background(spoken: Spoken, place: Path) -> bool:
    path = Path(name_in(place, spoken.path))
    folders = () if path.is_absolute() else path.parts[:-1]
    return any(folder.strip("_").startswith(BACKGROUND) for folder in folders)


def _excerpt(path: Path, share: float, total: int) -> NDArray[np.int16]:
    """At most `total` samples from about that share of a file on."""
    start = int(share * _frames(path))
    around = block(path, start // _BLOCK)
    offset = min(start % _BLOCK, max(0, len(around) - total))
    return around[offset : offset + total]


@lru_cache(maxsize=4096)
def _frames(path: Path) -> int:
    """Samples in a file at 16 kHz; 0 if it cannot be read."""
    return int(duration_s(path) * RATE_HZ)


@lru_cache(maxsize=_KEPT)
def block(path: Path, number: int) -> NDArray[np.int16]:
    """A block (S,) of a file at 16 kHz, kept since decoding is dear; nothing if it is damaged."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as sound:
            sound.seek(min(number * _BLOCK * sound.samplerate // RATE_HZ, max(0, sound.frames - sound.samplerate)))
            samples = sound.read(_BLOCK * sound.samplerate // RATE_HZ, dtype="float32", always_2d=True)
            mono = resample(samples.mean(axis=1, dtype=np.float32), sound.samplerate)
    except (soundfile.LibsndfileError, RuntimeError):
        return np.zeros(0, np.int16)
    return (np.clip(mono, -1, 1) * 32767).astype(np.int16)
