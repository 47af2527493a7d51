"""openwakeword: MODEL is one that ships with it."""

from __future__ import annotations

from pathlib import Path

import openwakeword
from openwakeword.model import Model
from talk import Pcm, Whole, main

_CHUNK = 1280


class Open:
    """A score for each 80 ms."""

    threshold = 0.5  # of its README
    step_s = first_s = _CHUNK / 16_000

    def __init__(self, model: str) -> None:
        self.word = model.replace("_", " ")
        (place,) = (Path(openwakeword.__file__).parent / "resources" / "models").glob(f"{model}_v*.onnx")
        self._path = str(place)
        self.reset()

    def reset(self) -> None:
        """Forget all sound; its own reset keeps the features of the last seconds."""
        self._model, self._whole = Model(wakeword_model_paths=[self._path]), Whole(_CHUNK)

    def feed(self, pcm: Pcm) -> list[float]:
        """The scores that more samples give."""
        return [max(self._model.predict(chunk).values()) for chunk in self._whole.take(pcm)]


if __name__ == "__main__":
    main(Open)
