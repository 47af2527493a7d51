"""openwakeword: MODEL is one that ships with it."""

from __future__ import annotations

from pathlib import Path

import openwakeword
from openwakeword.model import Model
from talk import Pcm, Stepper, main

_CHUNK = 1280


class Open(Stepper):
    """A score for each 80 ms."""

    threshold = 0.5  # of its README

    def __init__(self, model: str) -> None:
        self.word = model.replace("_", " ")
        (place,) = (Path(openwakeword.__file__).parent / "resources" / "models").glob(f"{model}_v*.onnx")
        self._path = str(place)
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound; its own reset keeps the features of the last seconds."""
        self._model = Model(wakeword_model_paths=[self._path])

    def score(self, chunk: Pcm) -> float:
        """Of the sound up to its end."""
        return float(max(self._model.predict(chunk).values()))


if __name__ == "__main__":
    main(Open)
