"""pvporcupine 1.9: MODEL is a keyword that ships with it. It only says yes, at a sensitivity fixed at its start.

So several listen at once, and a score is 1 less the lowest sensitivity that heard the word: a DET of a few points.
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

    def __init__(self, model: str, sensitivities: Sequence[float] = SENSITIVITIES) -> None:
        self.word = model.replace("_", " ")
        self._ears = [
            (1 - sensitivity, pvporcupine.create(keywords=[self.word], sensitivities=[sensitivity]))
            for sensitivity in sensitivities
        ]
        super().__init__(self._ears[0][1].frame_length)

    def begin(self) -> None:
        """Forget all sound, by a second of silence, as it cannot be asked to."""
        frame = np.zeros(self._ears[0][1].frame_length, np.int16)
        for _ in range(16_000 // len(frame)):
            self.score(frame)

    def score(self, frame: Pcm) -> float:
        """Of the sound up to its end."""
        samples = frame.tolist()
        return max(score if ear.process(samples) >= 0 else 0.0 for score, ear in self._ears)


if __name__ == "__main__":
    main(Porcupine, lambda model: Porcupine(model, (USUAL,)))
