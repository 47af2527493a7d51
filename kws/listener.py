"""The listener: a thin loop that carries chunks of sound to detectors, and opens nothing itself.

S samples, T frames. Detectors of one front end share its stream, so the log-mel is computed once however many words
listen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, decibels, rms
from kws.config import FrontEnd
from kws.decision import Detection
from kws.detector import Detector
from kws.features import Frames, LogMel, LogMelStream, as_samples
from kws.gate import Gate, GateRule


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one chunk told."""

    time: float
    """Seconds of audio heard so far, this chunk included."""
    level_db: float
    """RMS of the chunk over full scale."""
    scores: tuple[float, ...]
    """Each detector's latest score, or the one that fired in this chunk if that was higher."""
    fired: tuple[tuple[Detection, ...], ...]
    """What each detector detected."""

    @property
    def detections(self) -> tuple[Detection, ...]:
        """Those of all detectors, in the order of their times."""
        return tuple(sorted((found for each in self.fired for found in each), key=lambda found: found.time))


class Listener:
    """Detectors on one stream of sound, and one clock for all of them."""

    def __init__(self, detectors: Sequence[Detector], *, gate: GateRule | None = None) -> None:
        """Begin with these detectors, which are reset; with a `gate` they rest while nothing is to be heard."""
        self.gate = gate
        """When they rest; another one counts from the next reset."""
        self._samples = 0
        self._free_s: dict[Detector, float] = {}
        self._streams: dict[FrontEnd, _Stream] = {}
        self._begun_s: dict[Detector, float] = {}
        self.exchange(detectors)

    @property
    def detectors(self) -> list[Detector]:
        """What it listens with now."""
        return list(self._begun_s)

    def exchange(self, detectors: Sequence[Detector]) -> None:
        """Listen for these from here on; one that was here before goes on as if nothing had been, others are reset."""
        streams: dict[FrontEnd, _Stream] = {}
        begun_s: dict[Detector, float] = {}
        for detector in detectors:
            front_end = detector.log_mel.front_end
            if front_end not in streams:
                streams[front_end] = self._streams.get(front_end) or self._stream(detector.log_mel)
            if detector not in self._begun_s:
                detector.reset()
            begun_s[detector] = self._begun_s.get(detector, streams[front_end].next_frame_s)
        self._streams, self._begun_s = streams, begun_s
        self._free_s = {detector: self._free_s.get(detector, 0.0) for detector in begun_s}

    def reset(self) -> None:
        """Forget all sound, as is right after a gap in it; the clock goes on."""
        detectors = list(self._begun_s)
        self._streams, self._begun_s = {}, {}
        self.exchange(detectors)

    def feed(self, chunk: Samples | NDArray[np.int16]) -> Heard:
        """What the next (S,) samples tell, float32 in [-1, 1] or int16, 16 kHz mono, any length.

        Raises ValueError for another type or shape, and for NaN or infinity.
        """
        sound = as_samples(chunk)
        self._samples += len(sound)
        frames = {front_end: self._frames(front_end, sound) for front_end in self._streams}
        for detector in self._begun_s:
            stream = self._streams[detector.log_mel.front_end]
            if stream.has_skipped:
                detector.reset()
                self._begun_s[detector] = stream.first_frame_s
        fired = [self._fired(detector, frames[detector.log_mel.front_end]) for detector in self._begun_s]
        return Heard(
            time=self._samples / RATE_HZ,
            level_db=decibels(rms(sound)),
            scores=tuple(
                max([detector.latest_score, *(detection.score for detection in found)])
                for detector, found in zip(self._begun_s, fired, strict=True)
            ),
            fired=tuple(fired),
        )

    def _frames(self, front_end: FrontEnd, sound: Samples) -> Frames:
        """The frames (T, M) to be heard now that (S,) more samples have come; none while all may wait for more."""
        stream = self._streams[front_end]
        hearing = (detector for detector in self._begun_s if detector.log_mel.front_end == front_end)
        coming = stream.frames_with(len(sound))
        if all(detector.may_wait(coming) for detector in hearing):
            return stream.hold(sound)
        return stream.feed(sound)

    def _stream(self, log_mel: LogMel) -> _Stream:
        return _Stream(log_mel, self._samples, Gate(log_mel.front_end, self.gate) if self.gate else None)

    def _fired(self, detector: Detector, frames: Frames) -> tuple[Detection, ...]:
        """What a detector tells of (T, M) more frames, on the listener's clock, its cooldown kept over resets."""
        begun_s = self._begun_s[detector]
        fired = []
        for found in detector.feed_frames(frames):
            time_s = begun_s + found.time
            if time_s >= self._free_s[detector]:
                self._free_s[detector] = time_s + detector.decision.cooldown_s
                fired.append(replace(found, time=time_s, end=begun_s + found.end))
        return tuple(fired)


class _Stream:
    """The log-mel of one front end, and where its frames lie on the clock."""

    def __init__(self, log_mel: LogMel, samples: int, gate: Gate | None) -> None:
        """Begin after so many samples of the clock."""
        self._stream = LogMelStream(log_mel)
        self._gate = gate
        self._hop, self._bands = log_mel.front_end.hop, log_mel.front_end.bands
        self._begun = samples
        self._given = self._rested = 0
        self.has_skipped = False
        """Whether frames were left out just before those that were given last."""
        self.first_frame_s = self.next_frame_s
        """Seconds on the clock at which the first of those begins."""

    @property
    def next_frame_s(self) -> float:
        """Seconds on the clock at which the next frame to be given begins."""
        return (self._begun + self._given * self._hop) / RATE_HZ

    def frames_with(self, samples: int) -> int:
        """How many frames so many more samples would complete."""
        return self._stream.frames_with(samples)

    def hold(self, sound: Samples) -> Frames:
        """Keep (S,) more samples for the next feed; no frames (0, M)."""
        self._stream.hold(sound)
        self.has_skipped = False
        return np.zeros((0, self._bands), np.float32)

    def feed(self, sound: Samples) -> Frames:
        """The frames (T, M) to be heard now that (S,) more samples have come."""
        frames = self._stream.feed(sound)
        skipped = 0
        if self._gate is not None:
            frames = self._gate.feed(frames)
            skipped = self._gate.rested - self._rested if len(frames) else 0
            self._rested += skipped
        self.has_skipped = skipped > 0
        self._given += skipped
        self.first_frame_s = self.next_frame_s
        self._given += len(frames)
        return frames


def listen(detectors: Sequence[Detector], chunks: Iterable[Samples]) -> Iterator[Heard]:
    """Reset the detectors, then feed each (S,) chunk to all of them and tell what was heard in it."""
    yield from map(Listener(detectors).feed, chunks)
