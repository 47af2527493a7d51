"""Ours, for its cost alone: `kws evaluate` measures it without an adapter. Several words are joined by commas."""

from __future__ import annotations

import sys
from pathlib import Path

from talk import Pcm, main

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import kws
from kws.listener import Listener


class Ours:
    """A score for each detection. One word is fed as a program would that has but one."""

    threshold = 0.0

    def __init__(self, words: str) -> None:
        detectors = [kws.load(word) for word in words.split(",")]
        (self.word, *_), self.step_s = words.split(","), detectors[0].frame_seconds
        self.first_s = detectors[0].first_score_s
        listener = Listener(detectors)
        self._feed = detectors[0].feed if len(detectors) == 1 else lambda pcm: listener.feed(pcm).detections
        self.reset = detectors[0].reset

    def feed(self, pcm: Pcm) -> list[float]:
        """The scores that fired."""
        return [hit.score for hit in self._feed(pcm)]


if __name__ == "__main__":
    main(Ours)
