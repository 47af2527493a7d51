"""What training draws its batches from: log-mel frames and events of many clips, held in memory.

K clips, B clips of a batch, T frames, M mel bands, E events.
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


class Examples:
    """A ring of clips: when it is full, new ones take the place of the oldest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: list[NDArray[np.float16]] = []
        self._events: list[NDArray[np.float32]] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, heard: Iterable[Heard]) -> None:
        """Take in clips."""
        for frames, events in heard:
            if len(self._frames) < self._capacity:
                self._frames.append(frames)
                self._events.append(events)
            else:
                self._frames[self._next], self._events[self._next] = frames, events
            self._next = (self._next + 1) % self._capacity

    def batch(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Frames (B, T, M) and the events of each clip, drawn without repeats; T is that of the shortest clip drawn.

        Raises Failure if there is no clip.
        """
        if not self._frames:
            raise Failure("there are no clips to train on: make some with kws generate.")
        chosen = rng.choice(len(self._frames), min(size, len(self._frames)), replace=False)
        shortest = min(len(self._frames[number]) for number in chosen)
        frames = np.stack([self._frames[number][:shortest] for number in chosen])
        return frames.astype(np.float32), [self._events[number] for number in chosen]
