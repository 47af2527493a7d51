"""A stretch of a recording, cut out to be played, or to be taught as not the word.

What is taught lies where `kws.events.TAUGHT` says, named after its recording, on which nothing is measured any longer.
S samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path

from kws.audio import RATE_HZ, Samples, encoded, read_audio
from kws.events import TAUGHT
from kws.files import make_folder, write_whole
from kws.report import Report

BEFORE_S, AFTER_S = 1.6, 0.8
"""Of a false accept: so long before the detection, and after."""
_LAID = ("trials", "negatives")
"""Where `kws new` lays recordings that it measures on, their names behind numbers: 0001_NAME."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """From one second of a recording to another."""

    path: Path
    """The recording."""
    start_s: float
    end_s: float

    def read(self) -> Samples:
        """Its samples (S,). Raises Failure if the recording cannot be read."""
        return self.cut(read_audio(self.path))

    def cut(self, samples: Samples) -> Samples:
        """Its part of the whole recording's samples."""
        return samples[round(self.start_s * RATE_HZ) : round(self.end_s * RATE_HZ)]

    def taught_in(self, negatives: Path, number: int = 1) -> Path:
        """Where it is taught; the second of one name and time, from another folder, has a number, and so on."""
        apart = f"-{number}" if number > 1 else ""
        return negatives / TAUGHT / f"{self._source}@{round(1000 * self.start_s)}{apart}.flac"

    def teach(self, negatives: Path, samples: Samples) -> Path:
        """Lay it with the recordings without the word, unless it lies there; `samples` are the whole recording's.

        Raises Failure if it cannot be written.
        """
        content = encoded(self.cut(samples), ".flac")
        make_folder(negatives / TAUGHT)
        for path in (self.taught_in(negatives, number) for number in count(1)):
            if not path.exists():
                write_whole(path, content)
            if path.read_bytes() == content:
                break
        return path

    @property
    def _source(self) -> str:
        """The recording's own name, without its ending."""
        is_laid = self.path.parent.resolve().parts[-3:-1] == _LAID
        return re.sub(r"^\d{4,}_", "", self.path.stem) if is_laid else self.path.stem


def around(time_s: float) -> tuple[float, float]:
    """From when to when a detection at that time is cut out."""
    return max(0.0, time_s - BEFORE_S), time_s + AFTER_S


def mine(report: Report, recordings: Path, negatives: Path) -> Iterator[Path]:
    """Teach every false accept of a report on a folder of recordings; gives the files among the negatives.

    Raises Failure if a recording is no longer there or a file cannot be written.
    """
    accepts = report.negatives.accepts if report.negatives else []
    for file, found in groupby(accepts, lambda accept: accept.file):
        samples = read_audio(recordings / file)
        for accept in found:
            start_s, end_s = around(accept.time)
            yield Stretch(path=recordings / file, start_s=start_s, end_s=end_s).teach(negatives, samples)
