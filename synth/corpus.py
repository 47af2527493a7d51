"""A corpus: recordings of people, who says what in them, and which split they belong to.

A place is a folder, a manifest (.jsonl, .csv, .tsv) or Speech Commands. What cannot be used is named and left out.
S samples.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kws.audio import RATE_HZ, SUFFIXES, Samples, around, read_audio, word_edges
from kws.errors import Failure
from kws.events import MANIFEST, Event, audio_files
from synth.bank import Clip
from synth.rows import TABLES, Row, read_rows
from synth.voices import Saying, Speech, Split

LONGEST_S = 3.0
SHORTEST_S = 0.1
"""Between these a trimmed recording may be one word or phrase."""

_SILENT = 1e-4
_LOOK_S = 2
_TAIL_S = 0.1
_COMMON_VOICE = ("train.tsv", "dev.tsv", "test.tsv")
_SPEECH_COMMANDS = ("validation_list.txt", "testing_list.txt")
_SUBSETS: dict[Split, str] = {"train": "training", "validation": "validation", "test": "testing"}
_SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "dev": "validation", "valid": "validation", "val": "validation",
    "validation": "validation", "test": "test", "testing": "test",
}  # fmt: skip
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A recording of somebody."""

    path: Path
    text: str | None = None
    """What is said; empty if nothing is, None if nobody wrote it down."""
    speaker: str = ""
    split: Split | None = None
    """As the corpus has it; None if it has none."""
    events: tuple[Event, ...] = ()
    """When the words are said, where that is known."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The usable recordings of a place."""

    place: Path
    recordings: tuple[Spoken, ...]
    skipped: tuple[str, ...] = ()
    """The others: name (why)."""

    @cached_property
    def has_texts(self) -> bool:
        """Whether it is known of any recording what is said."""
        return any(spoken.text is not None for spoken in self.recordings)

    def of(self, split: Split) -> list[Spoken]:
        """The recordings of a split; those of a corpus without splits are for training."""
        return [spoken for spoken in self.recordings if (spoken.split or "train") == split]

    def saying(self, word: str, split: Split) -> list[Spoken]:
        """Those that say the word and nothing else, or have it among their events; all, if there are no texts."""
        return [spoken for spoken in self.of(split) if not self.has_texts or _says(spoken, word)]

    def without(self, word: str, split: Split) -> list[Spoken]:
        """Those in whose text the word is not, not even inside a longer one; all, if there are no texts."""
        return [
            spoken for spoken in self.of(split)
            if not self.has_texts or (spoken.text is not None and bare(word) not in bare(spoken.text))
        ]  # fmt: skip


def bare(text: str) -> str:
    """A text as it is compared: small letters, digits and single spaces; hyphens part words, apostrophes do not."""
    letters = (
        unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    )
    return " ".join("".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in letters).split())


def open_corpus(place: Path) -> Corpus:
    """Open a folder, a manifest or Speech Commands, and look into every file.

    Raises Failure if there is no such place, if a manifest is damaged, or if no file of it is usable.
    """
    if place.is_dir():
        found = _of_folder(place)
    elif place.suffix.lower() in TABLES and place.is_file():
        found = _of_manifest(place)
    elif place.suffix.lower() in SUFFIXES and place.is_file():
        found = [Spoken(path=place, speaker=place.stem)]
    else:
        raise Failure(f"{place} is not a folder, nor a manifest ({', '.join(TABLES)}), nor a sound file that is there.")
    faults = [(spoken, fault(spoken.path)) for spoken in found]
    usable = tuple(spoken for spoken, why in faults if not why)
    skipped = tuple(f"{name_in(place, spoken.path)} ({why})" for spoken, why in faults if why)
    if not usable:
        raise Failure(f"{place} holds no usable recording: {_some(skipped)}.")
    return Corpus(place=place, recordings=usable, skipped=skipped)


def own_clips(word: str, place: Path, split: Split) -> tuple[list[Clip], tuple[str, ...]]:
    """A person's own recordings of the word, trimmed to it, and what was left out: name (why).

    Raises Failure if none is left.
    """
    corpus = open_corpus(place)
    clips, skipped = [], list(corpus.skipped)
    asked = corpus.saying(word, split)
    for spoken in asked:
        try:
            said = [trimmed(samples) for samples in _takes(spoken, word)]
        except (Failure, ValueError) as error:
            why = "cannot be read as audio" if isinstance(error, Failure) else str(error)
            skipped.append(f"{name_in(place, spoken.path)} ({why})")
            continue
        mine = partial(Clip, text=word, kind="positive", split=split, voice=f"recorded:{spoken.speaker}", speed=1.0)
        clips += [mine(samples=each) for each in said]
    if not asked:
        raise Failure(
            f"none of the {len(corpus.recordings)} recordings in {place} says just {word!r} in the {split} split: "
            "check the texts, or record some with kws record."
        )
    if not clips:
        raise Failure(f"{place} holds no usable recording of {word!r}: {_some(skipped)}.")
    return clips, tuple(skipped)


def trimmed(samples: Samples) -> Samples:
    """The word in (S,) samples, with a little margin. Raises ValueError, saying why, if that cannot be one word."""
    if len(samples) < SHORTEST_S * RATE_HZ:
        raise ValueError("too short to be a word")
    start_s, end_s = word_edges(samples)
    if end_s - start_s < SHORTEST_S:
        raise ValueError("too short to be a word")
    if end_s - start_s > LONGEST_S:
        raise ValueError(f"{end_s - start_s:.1f} s of sound, not one word")
    return samples[around(start_s, end_s)]


class RecordingsEngine:
    """Lets a corpus speak: its speakers are the voices, and the seed says which of their takes is played."""

    name = "recorded"

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    @cached_property
    def identity(self) -> str:
        """A digest of file names, sizes and times."""
        files = [(spoken.path, spoken.path.stat()) for spoken in self.corpus.recordings]
        told = json.dumps([(path.as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in files])
        return f"{self.name} {hashlib.sha256(told.encode()).hexdigest()[:16]}"

    @property
    def licence(self) -> str:
        """Whose recordings they are."""
        return f"recordings in {self.corpus.place.name}: as their makers allow"

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        """The speakers of a split; what language they speak is not known."""
        return tuple(dict.fromkeys(spoken.speaker for spoken in self.corpus.of(split)))

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        """A take of the speaker. Raises ValueError if they never say it, or it can no longer be read."""
        takes = self._shelf.get((voice, bare(saying.text)), self._shelf.get((voice, None), []))
        if not takes:
            raise ValueError(f"{voice!r} never says {saying.text!r} in {self.corpus.place}")
        try:
            samples = _takes(takes[seed % len(takes)], saying.text)[0]
        except Failure as error:
            raise ValueError(str(error)) from error
        return Speech(samples=samples, rate_hz=RATE_HZ, voice=f"{self.name}:{voice}")

    def close(self) -> None:
        """Nothing stays open."""

    @cached_property
    def _shelf(self) -> dict[tuple[str, str | None], list[Spoken]]:
        """Takes by speaker and text."""
        shelf: dict[tuple[str, str | None], list[Spoken]] = {}
        for spoken in self.corpus.recordings:
            whole = None if spoken.text is None else bare(spoken.text)
            words: set[str | None] = {bare(event.word) for event in spoken.events}
            for text in words or {whole}:
                shelf.setdefault((spoken.speaker, text), []).append(spoken)
        return shelf


def said_by_people(corpus: Corpus, kinds: Mapping[str, str], split: Split) -> list[Clip]:
    """One take of each text, of the kind given with it, by everybody in the corpus who says just that, trimmed."""
    engine = RecordingsEngine(corpus)
    clips = []
    for text, kind in kinds.items() if corpus.has_texts else ():
        for speaker in dict.fromkeys(spoken.speaker for spoken in corpus.saying(text, split)):
            try:
                speech = engine.speak(Saying(text=text), speaker, 0)
                samples = trimmed(speech.samples)
            except ValueError:  # no longer readable, or more than was written down
                continue
            clips.append(Clip(text=text, kind=kind, split=split, voice=speech.voice, speed=1.0, samples=samples))
    return clips


def fault(path: Path) -> str:
    """Why a file is of no use: missing, empty, unreadable, cut short, silent, not numbers. Empty if it is of use."""
    import soundfile

    try:
        if path.stat().st_size == 0:
            return "empty"
        with soundfile.SoundFile(str(path)) as sound:
            return _unheard(sound)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or "cannot be read"
    except (soundfile.LibsndfileError, RuntimeError):
        return "cannot be read as audio"


def _unheard(sound: Any) -> str:
    """What is wrong with an open file: read until there is sound in it, to the end if it may hold NaN, and its end."""
    if sound.frames == 0:
        return "no samples"
    may_hold_nan = sound.subtype in {"FLOAT", "DOUBLE"}
    heard = False
    passed = 0
    for block in sound.blocks(blocksize=_LOOK_S * sound.samplerate, dtype="float32"):
        passed += len(block)
        if not np.isfinite(block).all():
            return "not numbers (NaN or infinity)"
        heard = heard or bool(np.abs(block).max(initial=0) > _SILENT)
        if heard and not may_hold_nan:
            break
    if not heard:
        return "silent"
    if passed >= sound.frames:
        return ""
    sound.seek(max(0, sound.frames - round(_TAIL_S * sound.samplerate)))
    return "" if len(sound.read(dtype="float32")) else "cut short"


def _of_folder(folder: Path) -> list[Spoken]:
    """Speech Commands, a dataset, Common Voice, or any sound files in subfolders that name speakers."""
    if (inner := _speech_commands_in(folder)) is not None:
        return _of_speech_commands(inner)
    if (folder / MANIFEST).is_file():
        return _of_manifest(folder / MANIFEST)
    tables = [folder / name for name in _COMMON_VOICE if (folder / name).is_file()]
    if tables and (folder / "clips").is_dir():
        return [spoken for table in tables for spoken in _of_manifest(table)]
    home = folder.resolve().name
    return [
        Spoken(path=path, speaker=path.relative_to(folder).parts[0] if path.parent != folder else home)
        for path in audio_files(folder)
    ]


def _of_manifest(path: Path) -> list[Spoken]:
    named = _SPLITS.get(path.stem.casefold())
    return [_of_row(row, path, named) for row in read_rows(path)]


def _of_row(row: Row, manifest: Path, named: Split | None) -> Spoken:
    sound = manifest.parent / row.audio
    if not sound.is_file() and (clip := manifest.parent / "clips" / row.audio).is_file():
        sound = clip
    speaker = row.speaker or manifest.resolve().parent.name
    split = _SPLITS.get(row.split.casefold(), named)
    return Spoken(path=sound, text=row.text, speaker=speaker, split=split, events=row.events)


def _speech_commands_in(folder: Path) -> Path | None:
    """The folder laid out as Speech Commands: this one, or one in it where torchaudio unpacks to."""
    inner = sorted([*folder.glob("speech_commands_v*"), *folder.glob("SpeechCommands/speech_commands_v*")])
    return next((each for each in [folder, *inner] if all((each / name).is_file() for name in _SPEECH_COMMANDS)), None)


def _of_speech_commands(folder: Path) -> list[Spoken]:
    """Its words, one speaker after the other so that files in a row are one person's, and its background noise."""
    from kws.torchaudio_compat import import_torchaudio

    import_torchaudio()
    from torchaudio.datasets import SPEECHCOMMANDS

    folder = folder.resolve()
    found = []
    for split in get_args(Split):
        archive = f"{folder.name}.tar.gz"
        try:
            part = SPEECHCOMMANDS(folder.parent, archive, "", download=False, subset=_SUBSETS[split])
            entries = [part.get_metadata(number) for number in range(len(part))]
        except (OSError, ValueError, RuntimeError) as error:
            raise Failure(f"{folder} is not laid out as Speech Commands ({error}): unpack it again.") from error
        found += [
            Spoken(path=folder.parent / path, text=label, speaker=speaker, split=split)
            for path, _, label, speaker, _ in entries
        ]
    found.sort(key=lambda spoken: (spoken.speaker, spoken.path))
    noise = sorted((folder / "_background_noise_").glob("*.wav"))
    return found + [Spoken(path=path, text="", speaker=path.parent.name) for path in noise]


def _says(spoken: Spoken, word: str) -> bool:
    if spoken.events:
        return any(bare(event.word) == bare(word) for event in spoken.events)
    return spoken.text is not None and bare(spoken.text) == bare(word)


def _takes(spoken: Spoken, word: str) -> list[Samples]:
    """The whole recording, or the pieces of it that are known to say the word."""
    samples = read_audio(spoken.path)
    return [samples[piece] for piece in _pieces(spoken.events, word)] if spoken.events else [samples]


def _pieces(events: Sequence[Event], word: str) -> Iterator[slice]:
    for event in events:
        if bare(event.word) == bare(word):
            yield around(event.start, event.end)


def name_in(place: Path, path: Path) -> str:
    """A file as the user knows it: its path below the place, or its whole path if it lies elsewhere."""
    home = place if place.is_dir() else place.parent
    for root in (home, home.resolve()):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return str(path)


def _some(skipped: Sequence[str]) -> str:
    more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    return ", ".join(skipped[:_NAMED]) + more
