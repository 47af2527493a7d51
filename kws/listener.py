"""The listener: a thin loop that carries chunks of sound to detectors, and opens nothing itself.

S samples. Detectors of one front end share its stream, so the log-mel is computed once however many words listen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kws.audio import RATE_HZ, Samples, decibels, rms
from kws.config import FrontEnd
from kws.decision import Detection
from kws.detector import Detector
from kws.features import LogMelStream, as_samples


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one chunk told."""

    time: float
    """Seconds of audio heard so far, this chunk included."""
    level_db: float
    """RMS of the chunk over full scale."""
    scores: tuple[float, ...]
    """Each detector's latest score, or the one that fired in this chunk if that was higher."""
    detections: tuple[Detection, ...]
    """In the order of their times."""


def listen(detectors: Sequence[Detector], chunks: Iterable[Samples]) -> Iterator[Heard]:
    """Reset the detectors, then feed each (S,) chunk to all of them and tell what was heard in it."""
    streams: dict[FrontEnd, LogMelStream] = {}
    for detector in detectors:
        detector.reset()
        streams.setdefault(detector.log_mel.front_end, LogMelStream(detector.log_mel))
    samples = 0
    for chunk in chunks:
        sound = as_samples(chunk)
        samples += len(sound)
        frames = {front_end: stream.feed(sound) for front_end, stream in streams.items()}
        fired = [detector.feed_frames(frames[detector.log_mel.front_end]) for detector in detectors]
        yield Heard(
            time=samples / RATE_HZ,
            level_db=decibels(rms(sound)),
            scores=tuple(
                max([detector.latest_score, *(detection.score for detection in found)])
                for detector, found in zip(detectors, fired, strict=True)
            ),
            detections=tuple(sorted((found for each in fired for found in each), key=lambda found: found.time)),
        )
