"""openwakeword: MODEL is one that ships with it, or several."""

from __future__ import annotations

from pathlib import Path

import openwakeword
from openwakeword.model import Model
from talk import Pcm, Stepper, main

_CHUNK = 1280


class Open(Stepper):
    """A score for each 80 ms."""

    threshold = 0.5  # of its README

    def __init__(self, models: str) -> None:
        names = models.split(",")
        self.word = names[0].replace("_", " ")
        shipped = Path(openwakeword.__file__).parent / "resources" / "models"
        self._places = [str(place) for name in names for place in shipped.glob(f"{name}_v*.onnx")]
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound; its own reset keeps the features of the last seconds."""
        self._model = Model(wakeword_model_paths=self._places)

    def score(self, chunk: Pcm) -> list[float]:
        """Of the sound up to its end."""
        found = self._model.predict(chunk)
        return [float(found[Path(place).stem]) for place in self._places]


if __name__ == "__main__":
    main(Open)
