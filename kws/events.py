"""Labels: what was said when, in seconds, and the manifest that ties them to sound files.

A dataset is a folder with `manifest.jsonl`, one recording a line:
`{"audio": "audio/000/000000.flac", "duration": 10.0, "events": [{"word": "activate", "kind": "positive", "start": 1.2,
"end": 1.9}]}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kws.audio import SUFFIXES
from kws.errors import Failure

MANIFEST = "manifest.jsonl"
TAUGHT = "taught"
"""A folder among recordings without the word: what an earlier detector took for it, cut out to be learnt from. Each
file is named after the recording it is from, `SOURCE@MILLISECONDS.flac`."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something said, or a stretch of it."""

    word: str
    start: float
    """Seconds from the start of the recording to the first audible frame."""
    end: float
    """Seconds to the end of the last audible frame."""
    kind: str = "positive"
    """positive, near-miss, containing, negative or sentence; only a positive is the word to be heard."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One sound file and its labels."""

    audio: Path
    duration: float
    """Seconds."""
    events: tuple[Event, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    """Whatever else is known: voice, SNR in decibels, room, source."""

    @property
    def positives(self) -> list[Event]:
        """The events to be heard."""
        return [event for event in self.events if event.kind == "positive"]


def taught_sources(place: Path) -> frozenset[str]:
    """The recordings from which something was taught, by their names without endings."""
    found = place.rglob(f"{TAUGHT}/*@*.flac") if place.is_dir() else ()
    return frozenset(path.stem.rpartition("@")[0] for path in found)


def to_line(recording: Recording, root: Path) -> str:
    """One manifest line, the audio path relative to `root`."""
    return json.dumps({
        "audio": recording.audio.relative_to(root).as_posix(),
        "duration": recording.duration,
        "events": [vars(event) for event in recording.events],
        **({"about": recording.about} if recording.about else {}),
    })  # fmt: skip


def from_line(line: str, root: Path) -> Recording:
    """Read one manifest line. Raises ValueError, KeyError or TypeError if it is not one."""
    entry = json.loads(line)
    return Recording(
        audio=root / entry["audio"],
        duration=float(entry["duration"]),
        events=tuple(Event(**event) for event in entry["events"]),
        about=entry.get("about", {}),
    )


def read_manifest(folder: Path) -> list[Recording]:
    """The recordings of a dataset folder. Raises Failure if the manifest is missing, damaged or empty."""
    path = folder / MANIFEST
    if not path.is_file():
        raise Failure(f"{folder} holds no {MANIFEST}: make a dataset with kws generate {folder}.")
    recordings = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            recordings.append(from_line(line.decode(), folder))
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(f"{path} line {number} is damaged ({error}): run kws generate again to mend it.") from error
    if not recordings:
        raise Failure(f"{path} names no clips: make some with kws generate {folder}.")
    return recordings


def audio_files(folder: Path) -> Iterator[Path]:
    """The sound files under a folder (links followed), in a fixed order.

    Raises Failure if there is no such folder, or none in it.
    """
    if not folder.is_dir():
        raise Failure(f"{folder} is not a folder: name one that holds sound files.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise Failure(f"{folder} holds no sound files ({', '.join(sorted(SUFFIXES))}).")
    yield from found


def to_audacity(events: tuple[Event, ...]) -> str:
    """A label track that Audacity imports: start, end and text, parted by tabs, which no text may hold."""
    texts = [" ".join(f"{event.kind}: {event.word}".split()) for event in events]
    return "".join(f"{event.start:.6f}\t{event.end:.6f}\t{text}\n" for event, text in zip(events, texts, strict=True))
