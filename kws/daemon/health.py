"""How the daemon fares: plain counters and gauges, written as it runs and read by whoever asks.

Each field has one writer, the loop's thread; readers on other threads copy what may grow. What outlets count they count
themselves and tell when asked.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kws.decision import Detection

BOUNDS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Upper edges of the buckets that scores are counted in."""

DeviceState = Literal["closed", "looking", "open", "silent"]
"""Not in use (muted, or not yet begun), being looked for, giving sound, or giving nothing but digital silence."""


@dataclass(kw_only=True)
class WordHealth:
    """How one word fares."""

    detections: int = 0
    score: float = 0.0
    """The latest."""
    score_sum: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    """Scores above the bound before and up to this one."""


@dataclass(kw_only=True)
class Health:
    """How the daemon fares since its start."""

    version: str
    started: datetime
    """On the wall's clock, for people."""
    audio_s: float = 0.0
    """Sound heard."""
    chunks: int = 0
    overruns: int = 0
    """Blocks lost because the machine was too slow."""
    queue_depth: int = 0
    """Blocks that wait."""
    gaps: int = 0
    """Times that sound was interrupted, for whatever reason."""
    reconnections: int = 0
    """Times that a lost device was found again."""
    device: str = ""
    device_state: DeviceState = "closed"
    level_db: float = -200.0
    """Of the latest chunk, over full scale."""
    muted: bool = False
    inference_s: float = 0.0
    """Processor time of front end and nets."""
    last_wake: datetime | None = None
    """On the wall's clock, for people."""
    words: dict[str, WordHealth] = field(default_factory=dict)
    outlets: dict[str, Callable[[], Mapping[str, int]]] = field(default_factory=dict)
    """What each outlet counts, by the outlet's name; called on the reader's thread."""

    @property
    def processor_s(self) -> float:
        """Processor time of the whole process."""
        return time.process_time()

    def heard(self, seconds: float, level_db: float, scores: Mapping[str, float]) -> None:
        """A chunk of so many seconds was scored: by word the highest score in it."""
        self.chunks += 1
        self.audio_s += seconds
        self.level_db = level_db
        for word, score in scores.items():
            fares = self.words.setdefault(word, WordHealth())
            fares.score = score
            fares.score_sum += score
            fares.buckets[bisect_left(BOUNDS, min(score, BOUNDS[-1]))] += 1

    def woke(self, detection: Detection, at: datetime) -> None:
        """A word was heard, `at` this time on the wall's clock."""
        self.words.setdefault(detection.word, WordHealth()).detections += 1
        self.last_wake = at

    def told(self) -> str:
        """One line for people, as systemd shows it."""
        if self.muted:
            return "muted"
        if self.device_state != "open":
            return f"no sound from {self.device or 'a microphone'}"
        woken = sum(fares.detections for fares in self.words.values())
        last = f", last wake {self.last_wake:%Y-%m-%d %H:%M:%S}" if self.last_wake else ""
        return f"listening to {self.device}, {self.level_db:.0f} dB, {woken} wakes{last}"
