"""What one file adds to a report, small however long the file is, and the job that hears it.

The job may be pickled if its detector may, so that files are heard here or by a crew, of this machine or of many.
S samples, K thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, read_audio, word_edges
from kws.audition import PADDING_S, Audition, Listener, Tick, pad, window_of
from kws.decision import Detection
from kws.det import false_accepts, grid, heard
from kws.errors import Failure
from kws.events import Event, Recording
from kws.repeats import Picture, picture
from kws.report import VOICE, FalseAccept, Trial

BEFORE_S = 0.8
"""An utterance's curve of scores begins so long before it, and ends with the window in which it counts as heard."""
ALIKE = ("near-miss", "containing")
"""Kinds of events that sound like the word: whether they are taken for it is told apart from all else."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that cannot be used."""

    reason: str
    is_there: bool = True
    """Whether whoever was to hear it finds it at all."""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was heard of the word in a file."""

    seconds: float
    """Of sound, the padding among it."""
    trials: tuple[Trial, ...]
    pictures: tuple[Picture | None, ...]
    """Of each trial's sound, to tell copies by; none of made voices, since people's recordings get copied."""
    alike: tuple[Trial, ...]
    """What sounds like the word and is not the word."""
    stray: int
    """Detections in neither."""
    misses: NDArray[np.int64]
    """(K,) of the sweep."""


@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What was wrongly heard in a file without the word."""

    seconds: float
    hours: float
    """In which a detection was possible: without the warm-up."""
    accepts: tuple[FalseAccept, ...]
    peaks: tuple[float, ...]
    """The highest smoothed score of each stretch."""
    counts: NDArray[np.int64]
    """False accepts (K,) of the sweep over human speech."""


Tally = Said | Unsaid | Skipped


@dataclass(frozen=True, kw_only=True)
class WithWord:
    """A file in which the word is said, or what sounds like it."""

    file: str
    """Its path below the folder that is measured on."""
    recording: Recording

    @property
    def path(self) -> Path:
        """The file."""
        return self.recording.audio

    def heard_by(self, detector: Listener, samples: Samples, tick: Tick | None) -> Said | Skipped:
        """What a detector hears in its (S,) samples."""
        if len(samples) < RATE_HZ // 10 or not np.any(samples):
            return Skipped(reason=f"{self.path} is silent or too short to hold a word: record it again.")
        padded = pad(samples, self.path.name)
        audition = Audition(detector, padded, tick)
        edges, others = self._edges(samples), alike(self.recording)
        windows = [window_of(edge_s) for edge_s in edges]
        beside = [window_of((event.start, event.end)) for event in others]
        missed = [~heard(audition.scores, window, audition.rule, grid()) for window in windows]
        said = [hit for hit in audition.detections if _is_in_one(hit, windows)]
        left = [hit for hit in audition.detections if hit not in said]
        return Said(
            seconds=len(padded) / RATE_HZ,
            trials=tuple(self._trial(audition, said, edge_s) for edge_s in edges),
            pictures=tuple(self._picture(samples, edge_s) for edge_s in edges),
            alike=tuple(
                replace(self._trial(audition, left, (event.start, event.end)), word=event.word, kind=event.kind)
                for event in others
            ),
            stray=sum(not _is_in_one(hit, beside) for hit in left),
            misses=np.reshape(missed, (-1, len(grid()))).sum(axis=0, dtype=np.int64),
        )

    def _edges(self, samples: Samples) -> list[tuple[float, float]]:
        """Start and end of each utterance of the word."""
        edges = [(event.start, event.end) for event in self.recording.positives]
        return edges if edges or alike(self.recording) else [word_edges(samples)]

    def _trial(self, audition: Audition, detections: Sequence[Detection], edge_s: tuple[float, float]) -> Trial:
        """What was heard of the word between two edges of the recording, which was padded."""
        window_s = window_of(edge_s)
        hit = next((detection for detection in detections if _is_in_one(detection, [window_s])), None)
        shown = audition.curve((PADDING_S + edge_s[0] - BEFORE_S, window_s[1]))
        return Trial(
            file=self.file, start=edge_s[0], end=edge_s[1],
            detected=hit.time - PADDING_S if hit else None, estimated_end=hit.end - PADDING_S if hit else None,
            best_score=max(audition.curve(window_s).scores, default=0.0),
            about=self.recording.about, curve=replace(shown, start=shown.start - PADDING_S),
        )  # fmt: skip

    def _picture(self, samples: Samples, edge_s: tuple[float, float]) -> Picture | None:
        if VOICE in self.recording.about:
            return None
        start, end = (round(second * RATE_HZ) for second in edge_s)
        return picture(samples[start:end])


@dataclass(frozen=True, kw_only=True)
class WithoutWord:
    """A file in which the word is not said."""

    file: str
    """Its path below the folder that is measured on."""
    path: Path
    is_speech: bool
    """Whether people talk in it."""

    def heard_by(self, detector: Listener, samples: Samples, tick: Tick | None) -> Unsaid:
        """What a detector wrongly hears in its (S,) samples."""
        audition = Audition(detector, samples, tick)
        seconds = len(samples) / RATE_HZ
        return Unsaid(
            seconds=seconds,
            hours=max(0.0, seconds - audition.rule.decision.warm_up_s) / 3600,
            accepts=audition.accepts(self.file),
            peaks=audition.peaks(),
            counts=false_accepts([audition.scores] if self.is_speech else [], audition.rule, grid()),
        )


File = WithWord | WithoutWord


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """The job: hears a file by its number."""

    detector: Listener
    files: Sequence[File]
    tick: Tick | None = None

    def __call__(self, number: int) -> Tally:
        """What the file adds to the report."""
        file = self.files[number]
        try:
            samples = read_audio(file.path)
        except Failure as failure:
            return Skipped(reason=str(failure), is_there=file.path.exists())
        return file.heard_by(self.detector, samples, self.tick)


def alike(recording: Recording) -> list[Event]:
    """The events that sound like the word and are not the word."""
    return [event for event in recording.events if event.kind in ALIKE]


def _is_in_one(detection: Detection, windows_s: Sequence[tuple[float, float]]) -> bool:
    return any(first <= detection.time <= last for first, last in windows_s)
