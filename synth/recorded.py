"""Recorded sound without the word: talk, music and effects, read where it lies.

S samples.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples, resample
from kws.errors import Failure
from kws.events import audio_files

_BACKGROUND = ("music", "effects", "noise")


class Recordings:
    """The files of a folder: those below a subfolder named music…, effects… or noise… are background, the rest talk."""

    def __init__(self, folder: Path | None) -> None:
        """Raises Failure if a folder is named that holds no sound."""
        files = [] if folder is None else list(audio_files(folder))
        background = [
            path for path in files
            if folder and any(part.startswith(_BACKGROUND) for part in path.relative_to(folder).parts[:-1])
        ]  # fmt: skip
        talk = [path for path in files if path not in set(background)]
        self.files = talk + background
        self.talk_files, self.sound_files = len(talk), len(background)

    @property
    def names(self) -> list[str]:
        """File names in the order of their numbers."""
        return [path.name for path in self.files]

    def excerpt(self, number: int, share: float, total: int) -> Samples:
        """So many samples of a file, from that share of it on; a shorter file is repeated."""
        import soundfile

        path = self.files[number]
        try:
            sound = _opened(path)
            wanted = -(-total * sound.samplerate // RATE_HZ)
            sound.seek(int(share * max(0, sound.frames - wanted)))
            samples = sound.read(wanted, dtype="float32", always_2d=True).mean(axis=1, dtype=np.float32)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise Failure(f"{path} cannot be read as audio: take it out of the folder or convert it to WAV.") from error
        if len(samples) == 0:
            raise Failure(f"{path} holds no sound: take it out of the folder.")
        samples = resample(samples, sound.samplerate)
        return np.resize(samples, total)


@lru_cache(maxsize=128)
def _opened(path: Path) -> Any:
    import soundfile

    return soundfile.SoundFile(str(path))
