"""pymicro-wakeword: MODEL is one that ships with it. A score is the mean of its latest five, as its makers judge."""

from __future__ import annotations

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
from talk import Pcm, main

_HOP_S, _WINDOW_S = 0.01, 0.03


class Micro:
    """A score for each stride of its net; the frames between give none."""

    def __init__(self, model: str) -> None:
        self._net, self._features = MicroWakeWord.from_builtin(Model(model)), MicroWakeWordFeatures()
        self.word, self.threshold = self._net.wake_word.casefold(), self._net.probability_cutoff
        self.step_s = self._net.stride * _HOP_S
        self.first_s = _WINDOW_S + (self._net.stride - 1) * _HOP_S
        self._frames = 0

    def reset(self) -> None:
        """Forget all sound."""
        self._net.reset()
        self._features.reset()
        self._frames = 0

    def feed(self, pcm: Pcm) -> list[float]:
        """The scores that more samples give."""
        scores = []
        for frame in self._features.process_streaming(pcm.tobytes()):
            score = self._net.process_streaming_prob(frame)
            self._frames += 1
            if self._frames % self._net.stride == 0:
                scores.append(score)
        return scores


if __name__ == "__main__":
    main(Micro)
