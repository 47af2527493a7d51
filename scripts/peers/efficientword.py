"""efficientword-net: MODEL is a word that ships with it, or several, compared with the latest 1.5 s each 0.25 s.

Its own demo compares each 0.75 s. Where the first tenth of a second is loud, it does not look, and scores 0.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np

sys.modules["pyaudio"] = types.ModuleType("pyaudio")  # only a microphone needs it, and it is no wheel

import eff_word_net.audio_processing as processing  # noqa: E402
from eff_word_net import samples_loc  # noqa: E402
from eff_word_net.engine import HotwordDetector  # noqa: E402
from talk import Pcm, Stepper, main  # noqa: E402

_CHUNK, _QUIET, _LOUD = 4000, 1600, 0.2


class Efficient(Stepper):
    """A score for each 0.25 s."""

    threshold = 0.7  # of its README

    def __init__(self, models: str) -> None:
        names = models.split(",")
        self.word = names[0].replace("_", " ")
        options = processing.rt.SessionOptions

        def one_thread() -> object:
            found = options()
            found.intra_op_num_threads = found.inter_op_num_threads = 1
            return found

        processing.rt.SessionOptions = one_thread
        self._model = processing.Resnet50_Arc_loss()
        self._known = [
            HotwordDetector(
                hotword=name, model=self._model, reference_file=str(Path(samples_loc) / f"{name}_ref.json")
            ).embeddings
            for name in names
        ]
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Forget all sound."""
        self._heard = np.zeros(self._model.window_frames)

    def score(self, chunk: Pcm) -> list[float]:
        """Of the sound up to its end."""
        self._heard = np.append(self._heard[_CHUNK:], chunk)
        loudest = self._heard.max()
        if loudest > 0 and self._heard[:_QUIET].max() > _LOUD * loudest:
            return [0.0] * len(self._known)
        vector = self._model.audioToVector(self._heard)
        return [float(self._model.scoreVector(vector, known)) for known in self._known]


if __name__ == "__main__":
    main(Efficient)
