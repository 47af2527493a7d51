"""pvporcupine 1.9: MODEL is a keyword that ships with it, or several.

It only says yes, at a sensitivity fixed at its start. So several listen at once, and a score is 1 less the lowest
sensitivity that heard the word: a DET of a few points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pvporcupine
from talk import Pcm, Stepper, main

SENSITIVITIES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)
USUAL = 0.5


class Porcupine(Stepper):
    """A score for each of its frames."""

    threshold = 1 - USUAL

    def __init__(self, models: str, sensitivities: Sequence[float] = SENSITIVITIES) -> None:
        self._words = models.replace("_", " ").split(",")
        self.word = self._words[0]
        self._ears = [
            (1 - each, pvporcupine.create(keywords=self._words, sensitivities=[each] * len(self._words)))
            for each in sensitivities
        ]
        super().__init__(self._ears[0][1].frame_length)

    def begin(self) -> None:
        """Forget all sound, by a second of silence, as it cannot be asked to."""
        frame = np.zeros(self._ears[0][1].frame_length, np.int16)
        for _ in range(16_000 // len(frame)):
            self.score(frame)

    def score(self, frame: Pcm) -> list[float]:
        """Of the sound up to its end."""
        samples, best = frame.tolist(), [0.0] * len(self._words)
        for score, ear in self._ears:
            if (heard := ear.process(samples)) >= 0:
                best[heard] = max(best[heard], score)
        return best


if __name__ == "__main__":
    main(Porcupine, lambda models: Porcupine(models, (USUAL,)))
