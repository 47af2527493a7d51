"""pyopen-wakeword: MODEL is one that ships with it. It begins with eight seconds of silence of its own."""

from __future__ import annotations

from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures
from talk import Pcm, Whole, main

_CHUNK = 1280


class Open:
    """A score for each 80 ms."""

    threshold = 0.5  # of its command line
    step_s = first_s = _CHUNK / 16_000

    def __init__(self, model: str) -> None:
        self.word = model.replace("_", " ")
        self._net, self._features = OpenWakeWord.from_builtin(Model(model)), OpenWakeWordFeatures.from_builtin()
        self._whole = Whole(_CHUNK)

    def reset(self) -> None:
        """Forget all sound."""
        self._net.reset()
        self._features.reset()
        self._whole = Whole(_CHUNK)

    def feed(self, pcm: Pcm) -> list[float]:
        """The scores that more samples give: of what a stretch gives the last, as the silence before gives many."""
        return [self._score(chunk) for chunk in self._whole.take(pcm)]

    def _score(self, chunk: Pcm) -> float:
        found = [
            score
            for embedding in self._features.process_streaming(chunk.tobytes())
            for score in self._net.process_streaming(embedding)
        ]
        return found[-1] if found else 0.0


if __name__ == "__main__":
    main(Open)
