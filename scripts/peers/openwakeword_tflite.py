"""pyopen-wakeword: MODEL is one that ships with it, or several. It begins with eight seconds of silence of its own."""

from __future__ import annotations

from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures
from talk import Pcm, Stepper, main

_CHUNK = 1280


class Open(Stepper):
    """A score for each 80 ms."""

    threshold = 0.5  # of its command line

    def __init__(self, models: str) -> None:
        names = models.split(",")
        self.word = names[0].replace("_", " ")
        self._nets = [OpenWakeWord.from_builtin(Model(name)) for name in names]
        self._features = OpenWakeWordFeatures.from_builtin()
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound."""
        for net in self._nets:
            net.reset()
        self._features.reset()

    def score(self, chunk: Pcm) -> list[float]:
        """Of the scores that each net gives the last, as the silence before gives many."""
        latest = [0.0] * len(self._nets)
        for embedding in self._features.process_streaming(chunk.tobytes()):
            for number, net in enumerate(self._nets):
                for score in net.process_streaming(embedding):
                    latest[number] = score
        return latest


if __name__ == "__main__":
    main(Open)
