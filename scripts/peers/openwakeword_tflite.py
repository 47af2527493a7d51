"""pyopen-wakeword: MODEL is one that ships with it. It begins with eight seconds of silence of its own."""

from __future__ import annotations

from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures
from talk import Pcm, Stepper, main

_CHUNK = 1280


class Open(Stepper):
    """A score for each 80 ms."""

    threshold = 0.5  # of its command line

    def __init__(self, model: str) -> None:
        self.word = model.replace("_", " ")
        self._net, self._features = OpenWakeWord.from_builtin(Model(model)), OpenWakeWordFeatures.from_builtin()
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound."""
        self._net.reset()
        self._features.reset()

    def score(self, chunk: Pcm) -> float:
        """Of the scores that it gives the last, as the silence before gives many."""
        found = [
            score
            for embedding in self._features.process_streaming(chunk.tobytes())
            for score in self._net.process_streaming(embedding)
        ]
        return found[-1] if found else 0.0


if __name__ == "__main__":
    main(Open)
