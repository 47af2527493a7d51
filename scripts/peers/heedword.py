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
from talk import Pcm, Whole, main

_CHUNK = 1600


class Heed:
    """A score for each 0.1 s."""

    step_s = first_s = _CHUNK / 16_000

    def __init__(self, model: str) -> None:
        torch.set_num_threads(1)
        self.word = Path(model).name.replace("_", " ")
        self._path = str(trained(Path(model), self.word))
        self.reset()
        self.threshold = self._detector.threshold

    def reset(self) -> None:
        """Forget all sound."""
        self._detector, self._whole = WakeWordDetector(self._path), Whole(_CHUNK)
        self._steps, self._last = 0, 0.0

    def feed(self, pcm: Pcm) -> list[float]:
        """The scores that more samples give."""
        return [self._score(chunk) for chunk in self._whole.take(pcm)]

    def _score(self, chunk: Pcm) -> float:
        self._steps += 1
        found = float(
            self._detector.step(torch.from_numpy(chunk / 32768.0).float(), now=self._steps * self.step_s)["prob"]
        )
        lower, self._last = min(found, self._last), found
        return lower


def trained(recordings: Path, word: str) -> Path:
    """The model of a word, trained now unless it is there; `heed.json` beside the recordings tells how long it took."""
    home = recordings / "heed"
    made = home / "word" / "model.pt"
    if not (recordings / "heed.json").is_file():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        command = [str(Path(sys.executable).with_name("heed"))]
        subprocess.run([*command, "init", "word", "--phrase", word], cwd=home, check=True, stdout=sys.stderr)
        for kind in ("positive", "negative"):
            shutil.copytree(recordings / kind, home / "word" / kind, dirs_exist_ok=True)
        begun_s = time.monotonic()
        subprocess.run([*command, "train", "word"], cwd=home, check=True, stdout=sys.stderr)
        (recordings / "heed.json").write_text(json.dumps({"minutes": (time.monotonic() - begun_s) / 60}))
    return made


if __name__ == "__main__":
    main(Heed)
