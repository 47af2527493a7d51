"""What training draws its batches from: log-mel frames and events of many clips, held in memory.

K clips, T frames, M mel bands, E events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from kws.audio import Samples
from kws.config import FrontEnd
from kws.errors import Failure
from kws.events import Event
from kws.features import LogMel
from kws.targets import coded

Heard = tuple[NDArray[np.float16], NDArray[np.float32]]
"""Frames (T, M) and coded events (E, 3) of one clip."""
Clips = Callable[[int], tuple[Samples, Sequence[Event]]]
"""Gives the audio and events of the clip with that number; picklable, so that worker processes can call it."""


@dataclass(frozen=True, kw_only=True)
class FeatureClips(Dataset[Heard]):
    """A map-style dataset of frames and events over any source of audio and events."""

    clips: Clips
    front_end: FrontEnd
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Heard:
        samples, events = self.clips(number)
        return LogMel(self.front_end)(samples).astype(np.float16), coded(events)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Frames of recordings without the word, of which a batch takes stretches as they are."""

    groups: tuple[tuple[float, tuple[NDArray[np.float16], ...]], ...]
    """How often a stretch comes from each group, and frames (T, M) of its recordings."""
    share: float
    """Of a batch."""
    frames: int
    """Of a stretch; what is shorter is repeated."""

    def draw(self, rng: np.random.Generator) -> Heard:
        """A stretch without events: of any recording of a group as often as of any other, however long."""
        often = np.array([weight for weight, _ in self.groups])
        recordings = self.groups[int(rng.choice(len(often), p=often / often.sum()))][1]
        whole = recordings[int(rng.integers(len(recordings)))]
        begin = int(rng.integers(max(1, len(whole) - self.frames + 1)))
        return np.resize(whole[begin : begin + self.frames], (self.frames, whole.shape[1])), coded(())


class Examples:
    """A ring of clips: when it is full, new ones take the place of the oldest; and recordings, which stay."""

    def __init__(self, capacity: int, recorded: Recorded | None = None) -> None:
        self._capacity, self._recorded = capacity, recorded
        self._clips: list[Heard] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._clips)

    def add(self, heard: Iterable[Heard]) -> None:
        """Take in clips."""
        for clip in heard:
            if len(self._clips) < self._capacity:
                self._clips.append(clip)
            else:
                self._clips[self._next] = clip
            self._next = (self._next + 1) % self._capacity

    def draw(self, rng: np.random.Generator, size: int) -> list[Heard]:
        """So many clips, none twice, and among them stretches of recordings. Raises Failure if there is no clip."""
        if not self._clips:
            raise Failure("there are no clips to train on: make some with kws generate.")
        recorded = self._recorded
        stretches = [recorded.draw(rng) for _ in range(rng.binomial(size, recorded.share))] if recorded else []
        chosen = rng.choice(len(self._clips), min(size - len(stretches), len(self._clips)), replace=False)
        return [*stretches, *(self._clips[number] for number in chosen)]
