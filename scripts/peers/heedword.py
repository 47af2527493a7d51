"""heed-wakeword: MODEL is a folder of recordings in positive/ and negative/, from which it trains once, by its own CLI.

It triggers where two scores running exceed its threshold: a score here is the lower of two.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from heed.infer import WakeWordDetector
from talk import Pcm, Stepper, main

_CHUNK = 1600


class Heed(Stepper):
    """A score for each 0.1 s."""

    def __init__(self, model: str) -> None:
        torch.set_num_threads(1)
        self.word = Path(model).name.replace("_", " ")
        self._path = str(trained(Path(model), self.word))
        super().__init__(_CHUNK)
        self.threshold = self._detector.threshold

    def begin(self) -> None:
        """Forget all sound."""
        self._detector = WakeWordDetector(self._path)
        self._steps, self._last = 0, 0.0

    def score(self, chunk: Pcm) -> float:
        """Of the sound up to its end."""
        self._steps += 1
        found = float(
            self._detector.step(torch.from_numpy(chunk / 32768.0).float(), now=self._steps * self.step_s)["prob"]
        )
        lower, self._last = min(found, self._last), found
        return lower


def trained(recordings: Path, word: str) -> Path:
    """The model of a word, trained now unless it is there; how long it took is told beside the recordings."""
    home = recordings / "heed"
    made = home / "word" / "model.pt"
    told = recordings / "heed-wakeword.json"
    if not told.is_file():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        command = [str(Path(sys.executable).with_name("heed"))]
        subprocess.run([*command, "init", "word", "--phrase", word], cwd=home, check=True, stdout=sys.stderr)
        for kind in ("positive", "negative"):
            shutil.copytree(recordings / kind, home / "word" / kind, dirs_exist_ok=True)
        begun_s = time.monotonic()
        subprocess.run([*command, "train", "word"], cwd=home, check=True, stdout=sys.stderr)
        told.write_text(json.dumps({"minutes": (time.monotonic() - begun_s) / 60}))
    return made


if __name__ == "__main__":
    main(Heed)
