"""Recording a person: what a take is worth, judged from its samples, and the files it is kept in.

S samples. Levels are in decibels over full scale. The room's floor is the level that a fifth of a take's 10 ms frames
lie below, since whoever says a word into a take is silent for most of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, amplitude, decibels, frame_levels, rms, write_audio
from kws.errors import Failure
from kws.files import make_folder

TAKE_S = 3.0
"""A take: time to begin, a word or phrase, and the room around it."""
SETTLE_S = 1.5
"""Left out before a take: the click of a key, what a device does when it is opened, and time to get ready."""
MINUTE_S = 60.0
"""Talk and room sound is kept in files of this length."""
HINTS = (
    "as you always say it", "from across the room", "close to the microphone", "fast", "softly", "slowly",
    "with your back turned", "louder, as if it had not heard you", "as a question",
    "let somebody else say it (--speaker NAME keeps people apart)",
)  # fmt: skip

_EARLY_S = 0.4
_FRAME = RATE_HZ // 100
_FLOOR_SHARE = 0.2
_MARGIN = 5
"""Frames kept before and after the word."""
_EDGE_RANGE_DB = 30.0
_OVER_FLOOR_DB = 8.0
_HEARD_DB = 12.0
_CLEAR_DB = 18.0
_QUIET_DB = -45.0
_LOUD_ROOM_DB = -40.0
_FULL = 0.99
_CLIPPED_SHARE = 0.002
_PAUSE = 35
_SHORTEST = 12
_LEAST_S = 1.0
_MUTED = "nothing at all came from the microphone: is it muted?"


@dataclass(frozen=True, kw_only=True)
class Take:
    """A take of a word and what it is worth."""

    samples: Samples
    """(S,) trimmed to the word with a little margin; all of it if no word was found."""
    level_db: float
    """RMS across the word."""
    floor_db: float
    heard: bool
    """Whether there is a word at all."""
    fault: str = ""
    """What is wrong and what to do about it; empty if the take is good."""

    @property
    def seconds(self) -> float:
        """How long the word is, its margin left out."""
        return max(0, len(self.samples) - 2 * _MARGIN * _FRAME) / RATE_HZ

    @property
    def told(self) -> str:
        """Level, distance from the room's floor and length."""
        over = self.level_db - self.floor_db
        return f"{self.level_db:.0f} dB, {over:.0f} dB over the room, {self.seconds:.2f} s"


def judge(samples: Samples) -> Take:
    """Find the word in the (S,) samples of a take and say whether it may be kept."""
    levels = frame_levels(samples)
    if len(levels) == 0 or not np.any(samples):
        return Take(samples=samples, level_db=decibels(0), floor_db=decibels(0), heard=False, fault=_MUTED)
    sound = np.asarray(samples - samples.mean(dtype=np.float64), np.float32)  # cheap sound cards add a constant
    levels = frame_levels(sound)
    floor_db = decibels(float(np.quantile(levels, _FLOOR_SHARE)))
    first, last = _word(levels, floor_db)
    level_db = decibels(rms(sound[_frames(first, last)]))
    heard = level_db - floor_db >= _HEARD_DB and last - first >= _SHORTEST
    if not heard and floor_db > _LOUD_ROOM_DB:
        fault = f"nothing stood out of the room, which is loud ({floor_db:.0f} dB): make it quieter or come closer."
    elif not heard:
        fault = "nothing was heard over the room: speak up, come closer or choose another microphone."
    else:
        cut_off = (first < _MARGIN) + (last > len(levels) - _MARGIN)
        is_clipped = float(np.mean(np.abs(samples[_frames(first, last)]) >= _FULL)) > _CLIPPED_SHARE
        fault = _fault(cut_off, is_clipped, level_db, level_db - floor_db)
    kept = sound[_frames(first - _MARGIN, last + _MARGIN)] if heard else sound
    return Take(samples=kept, level_db=level_db, floor_db=floor_db, heard=heard, fault=fault)


def _fault(cut_off: int, is_clipped: bool, level_db: float, over_floor_db: float) -> str:
    """What is wrong with a word that was heard, `cut_off` at so many of its ends; empty if nothing is."""
    if cut_off == 2:
        return "there was sound all the time: make the room quieter and say the word once."
    if cut_off:
        return "it was cut off: begin after the prompt and be done within two seconds."
    if is_clipped:
        return "it is clipped: go further away or turn the microphone down."
    if level_db < _QUIET_DB:
        return f"it is too quiet ({level_db:.0f} dB): come closer or turn the microphone up."
    if over_floor_db < _CLEAR_DB:
        return f"the room is too noisy (only {over_floor_db:.0f} dB under the word): come closer or make it quieter."
    return ""


def _frames(first: int, last: int) -> slice:
    """The samples of frames, from `first` to before `last`."""
    return slice(max(0, first) * _FRAME, last * _FRAME)


def _word(levels: NDArray[np.float64], floor_db: float) -> tuple[int, int]:
    """First frame and end of the word: of the stretches over the room, parted by pauses, the one with most energy.

    A key or a knock is such a stretch too, maybe a loud one, but too short for a word.
    """
    over = np.flatnonzero(levels >= amplitude(floor_db + _OVER_FLOOR_DB))
    stretches = np.split(over, np.flatnonzero(np.diff(over) > _PAUSE) + 1)
    lasting = [frames for frames in stretches if len(frames) and frames[-1] - frames[0] >= _SHORTEST]
    if not lasting:
        return 0, 0
    best = max(lasting, key=lambda frames: float(np.square(levels[frames]).sum()))
    loud = best[levels[best] >= levels[best].max() * amplitude(-_EDGE_RANGE_DB)]
    return int(loud[0]), int(loud[-1]) + 1


def take_word(chunks: Iterator[Samples], prompt: Callable[[], None]) -> Samples:
    """A take (S,) for a word: wait, prompt, and listen; whoever begins a little before the prompt is heard too."""
    before: list[Samples] = []
    _gather(chunks, SETTLE_S, before)
    prompt()
    heard: list[Samples] = []
    _gather(chunks, TAKE_S, heard)
    return np.concatenate((_joined(before)[-round(_EARLY_S * RATE_HZ) :], _joined(heard)))


def keep_talk(chunks: Iterator[Samples], seconds: float, shelf: Shelf) -> None:
    """Put so many seconds of a source on the shelf as one file; if it is stopped or fails, what came until then.

    Raises Failure if nothing but zeros came.
    """
    pieces: list[Samples] = []
    try:
        _gather(chunks, seconds, pieces)
    finally:
        samples = _joined(pieces)
        if len(samples) >= _LEAST_S * RATE_HZ and np.any(samples):
            shelf.put(samples)
    if not np.any(samples):
        raise Failure(_MUTED)


def _gather(chunks: Iterator[Samples], seconds: float, pieces: list[Samples]) -> None:
    """Add whole chunks until so many seconds are there or no more come, so that nothing is lost between two calls."""
    lacking = round(seconds * RATE_HZ)
    while lacking > 0 and (chunk := next(chunks, None)) is not None:
        pieces.append(chunk)
        lacking -= len(chunk)


def _joined(pieces: list[Samples]) -> Samples:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def safe_name(text: str) -> str:
    """A word or a person's name as a file may be called; "word" if nothing of it can stay."""
    return re.sub(r"[^\w]+", "-", text.strip()).strip("-_") or "word"


class Shelf:
    """A folder whose files are numbered NAME-001.flac and so on; none is ever written over."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the folder. Raises Failure if that cannot be done."""
        self.folder, self.name = folder, name
        self.kept: list[Path] = []
        """What was put there since."""
        make_folder(folder)

    def put(self, samples: Samples) -> Path:
        """Keep (S,) samples under the next number. Raises Failure if the disk is full or read-only."""
        path = self.folder / f"{self.name}-{self._highest() + 1:03d}.flac"
        write_audio(path, samples)
        self.kept.append(path)
        return path

    def _highest(self) -> int:
        numbered = re.compile(re.escape(self.name) + r"-(\d+)\.\w+", re.IGNORECASE)
        found = (numbered.fullmatch(path.name) for path in self.folder.iterdir())
        return max((int(match[1]) for match in found if match), default=0)
